"""Series, Event and Market as Kalshi spells them: prices, counts and times stay text here.

A field without default must be in the payload; `| None` means that null is a documented value.
Source: KALSHI.md §5.2-§5.4 (OpenAPI 3.34.0, read 2026-10-09).
"""

from decimal import Decimal
from typing import Any

import msgspec

from pipelines.client.wire.exact import Whole, ppm
from pipelines.client.wire.milestones import Milestone


class SettlementSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decides the outcome."""

    name: str | None = None
    url: str | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family of events under one contract and one fee.

    `category` is the primary of `categories` (since 2026-09-17). Lists may be null.
    `last_updated_ts` may be `0001-01-01T00:00:00Z`, which means never.
    """

    ticker: str
    title: str
    category: str
    frequency: str
    fee_type: str
    fee_multiplier: Decimal
    tags: list[str] | None = None
    categories: list[str] | None = None
    settlement_sources: list[SettlementSource] | None = None
    contract_url: str | None = None
    contract_terms_url: str | None = None
    product_metadata: dict[str, Any] | None = None
    additional_prohibitions: list[str] | None = None
    volume_fp: str | None = None
    last_updated_ts: str | None = None
    exchange_index: Whole | None = None

    def __post_init__(self) -> None:
        ppm(self.fee_multiplier)

    @property
    def fee_multiplier_ppm(self) -> int:
        """The fee multiplier in parts per million, exactly: 0.5 is 500_000."""
        return ppm(self.fee_multiplier)


class PriceRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Prices from `start` to `end` move in steps of `step`; dollar text."""

    start: str
    end: str
    step: str


class SelectedLeg(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One leg of a combo market."""

    event_ticker: str | None = None
    market_ticker: str | None = None
    side: str | None = None
    yes_settlement_value_dollars: str | None = None


class Market(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market. Prices `…_dollars` are dollar text, sizes and volumes `…_fp` contract text.

    An empty side of the book is printed as a boundary price (0.0000 or 1.0000), not as null; archived
    markets may carry negative sizes. `result` is yes, no, scalar, "" or null (undetermined). There is no
    series ticker here: go through the event. `created_time`, `updated_time` and sizes are null only in
    recordings older than 2026-02.
    """

    ticker: str
    event_ticker: str
    market_type: str
    status: str
    yes_sub_title: str
    no_sub_title: str
    created_time: str | None
    updated_time: str | None
    open_time: str
    close_time: str
    latest_expiration_time: str
    settlement_timer_seconds: Whole
    yes_bid_dollars: str
    yes_ask_dollars: str
    no_bid_dollars: str
    no_ask_dollars: str
    yes_bid_size_fp: str | None
    yes_ask_size_fp: str | None
    last_price_dollars: str
    volume_fp: str
    volume_24h_fp: str
    open_interest_fp: str
    notional_value_dollars: str
    result: str | None
    expiration_value: str
    can_close_early: bool
    rules_primary: str
    rules_secondary: str
    price_level_structure: str
    price_ranges: list[PriceRange] | None
    title: str | None = None
    subtitle: str | None = None
    previous_yes_bid_dollars: str | None = None
    previous_yes_ask_dollars: str | None = None
    previous_price_dollars: str | None = None
    expected_expiration_time: str | None = None
    expiration_time: str | None = None
    occurrence_datetime: str | None = None
    settlement_ts: str | None = None
    settlement_value_dollars: str | None = None
    settlement_bounds_type: str | None = None
    settlement_floor_dollars: str | None = None
    early_close_condition: str | None = None
    fee_waiver_expiration_time: str | None = None
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    functional_strike: str | None = None
    custom_strike: dict[str, Any] | None = None
    mve_collection_ticker: str | None = None
    mve_selected_legs: list[SelectedLeg] | None = None
    primary_participant_key: str | None = None
    is_provisional: bool | None = None
    exchange_index: Whole | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with its markets, if those were asked for and are not archived yet.

    `mutually_exclusive` means at most one market resolves yes. `strike_date` or `strike_period` is set, or
    neither. `last_updated_ts` may be `0001-01-01T00:00:00Z`, which means never.
    """

    event_ticker: str
    series_ticker: str
    title: str
    sub_title: str
    collateral_return_type: str
    mutually_exclusive: bool
    category: str | None = None
    strike_date: str | None = None
    strike_period: str | None = None
    markets: list[Market] | None = None
    product_metadata: dict[str, Any] | None = None
    settlement_sources: list[SettlementSource] | None = None
    last_updated_ts: str | None = None
    fee_type_override: str | None = None
    fee_multiplier_override: Decimal | None = None
    exchange_index: Whole | None = None

    def __post_init__(self) -> None:
        if self.fee_multiplier_override is not None:
            ppm(self.fee_multiplier_override)

    @property
    def fee_multiplier_override_ppm(self) -> int | None:
        """The event's own fee multiplier in parts per million, None where the series rules."""
        return None if self.fee_multiplier_override is None else ppm(self.fee_multiplier_override)


class SeriesReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /series/{ticker}."""

    series: Series


class SeriesPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /series: the whole list at once."""

    series: list[Series] | None


class MarketReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets/{ticker} and /historical/markets/{ticker}."""

    market: Market


class MarketsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets and /historical/markets."""

    markets: list[Market] | None
    cursor: str | None = None


class EventReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /events/{ticker}; the top-level `markets` is deprecated but still the default."""

    event: Event
    markets: list[Market] | None = None


class EventsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /events and /events/multivariate; `milestones` only if they were asked for."""

    events: list[Event] | None
    cursor: str | None = None
    milestones: list[Milestone] | None = None
