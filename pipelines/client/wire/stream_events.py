"""Messages of the WebSocket about markets and events themselves: lifecycle and fees.

Source: KALSHI.md §10.4 (asyncapi.yaml, 2026-08-22 and Sept 2026). All times in seconds.
"""

from decimal import Decimal
from typing import Any

import msgspec

from pipelines.client.wire.exact import Whole, ppm
from pipelines.client.wire.listing import PriceRange


class NewMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `created` tells of a market: words for a first look; REST has the facts.

    The documents require all of it but the strikes. Only the event is required here: a missing title must
    not hide that a market was created.
    """

    event_ticker: str
    name: str | None = None
    title: str | None = None
    yes_sub_title: str | None = None
    no_sub_title: str | None = None
    rules_primary: str | None = None
    rules_secondary: str | None = None
    can_close_early: bool | None = None
    expected_expiration_ts: Whole | None = None
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    custom_strike: dict[str, Any] | None = None


class MarketLifecycle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step in a market's life; which of the optional fields are there depends on `event_type`.

    Opening and closing on time are silent, and what happened while we were away is never told: reconcile by
    REST (`min_updated_ts`, `min_settled_ts`).
    """

    event_type: str
    market_ticker: str
    exchange_index: Whole | None = None
    open_ts: Whole | None = None
    close_ts: Whole | None = None
    determination_ts: Whole | None = None
    settled_ts: Whole | None = None
    result: str | None = None
    settlement_value: str | None = None
    is_deactivated: bool | None = None
    additional_metadata: NewMarket | None = None
    price_level_structure: str | None = None
    price_ranges: list[PriceRange] | None = None
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    custom_strike: dict[str, Any] | None = None
    yes_sub_title: str | None = None


class EventLifecycle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event was created."""

    event_ticker: str
    series_ticker: str
    title: str
    subtitle: str
    collateral_return_type: str
    exchange_index: Whole
    strike_date: Whole | None = None
    strike_period: str | None = None


class EventFeeUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event's own fee was set, or cleared: both overrides null means that the series rules again."""

    event_ticker: str
    fee_type_override: str | None
    fee_multiplier_override: Decimal | None

    def __post_init__(self) -> None:
        if self.fee_multiplier_override is not None:
            ppm(self.fee_multiplier_override)

    @property
    def fee_multiplier_override_ppm(self) -> int | None:
        """The multiplier in parts per million, None where the override is cleared."""
        return None if self.fee_multiplier_override is None else ppm(self.fee_multiplier_override)
