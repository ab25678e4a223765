"""Series ▸ Event ▸ Market, as Kalshi describes them.

Fields are Kalshi's, with units in their names; what the API may leave out is None here.
Source: KALSHI.md §5.2-§5.4 (OpenAPI 3.34.0, read 2026-10-09).
"""

from dataclasses import dataclass
from datetime import datetime

from exchange.ticks import PriceRange
from exchange.units import DOLLAR_CC


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A family of events under one contract and one fee (its multiplier in parts per million)."""

    ticker: str
    title: str
    category: str
    frequency: str
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fee_type: str
    fee_multiplier_ppm: int
    last_updated_ts: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One question; `mutually_exclusive` means at most one of its markets resolves yes."""

    ticker: str
    series_ticker: str
    title: str
    sub_title: str = ""
    category: str = ""
    mutually_exclusive: bool | None = None
    collateral_return_type: str = ""
    strike_ts: datetime | None = None
    strike_period: str | None = None
    fee_type_override: str | None = None
    fee_multiplier_override_ppm: int | None = None
    last_updated_ts: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One contract of an event: pays `settlement_value_cc` per YES contract once it is final.

    `status` uses the response words (initialized, inactive, active, closed, determined, disputed, amended,
    finalized), never the filter words. `result` is yes, no, scalar or "" while undetermined. Strikes are
    in the unit of the underlying.
    """

    ticker: str
    event_ticker: str
    market_type: str = "binary"
    title: str = ""
    yes_sub_title: str = ""
    no_sub_title: str = ""
    created_ts: datetime | None = None
    updated_ts: datetime | None = None
    open_ts: datetime | None = None
    close_ts: datetime | None = None
    expected_expiration_ts: datetime | None = None
    latest_expiration_ts: datetime | None = None
    settlement_timer_s: int | None = None
    status: str
    result: str = ""
    settlement_value_cc: int | None = None
    settlement_ts: datetime | None = None
    expiration_value: str = ""
    can_close_early: bool | None = None
    fee_waiver_expiration_ts: datetime | None = None
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    notional_value_cc: int = DOLLAR_CC
    price_level_structure: str = ""
    price_ranges: tuple[PriceRange, ...] = ()
    yes_bid_cc: int = 0
    yes_ask_cc: int = DOLLAR_CC
    yes_bid_size_centi: int = 0
    yes_ask_size_centi: int = 0
    last_price_cc: int | None = None
    volume_centi: int = 0
    volume_24h_centi: int = 0
    open_interest_centi: int = 0
    is_provisional: bool | None = None
    mve_collection_ticker: str | None = None
    rules_primary: str = ""
    rules_secondary: str = ""
    exchange_index: int = 0
