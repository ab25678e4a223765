"""What the tape is made of: trades and candles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Side = Literal["yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution on the public tape; `taker_side` is the outcome that the taker acquired.

    `is_block_trade` is None where the source does not say (recordings from before 2026-05-29).
    Source: KALSHI.md §5.5 (OpenAPI 3.34.0, read 2026-10-09).
    """

    trade_id: str
    ticker: str
    created_ts: datetime
    yes_price_cc: int
    count_centi: int
    taker_side: Side
    is_block_trade: bool | None = None


@dataclass(frozen=True, slots=True)
class Ohlc:
    """First, highest, lowest and last value of a period, in centicents."""

    open_cc: int
    high_cc: int
    low_cc: int
    close_cc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar `(end_ts - period_s, end_ts]` of a market; `price` is None when nothing traded.

    A bid of 0 or an ask of 10_000 means that nobody quoted that side.
    Source: KALSHI.md §5.6 (OpenAPI 3.34.0, read 2026-10-09).
    """

    ticker: str
    period_s: int
    end_ts: datetime
    yes_bid: Ohlc
    yes_ask: Ohlc
    price: Ohlc | None
    price_mean_cc: int | None
    price_previous_cc: int | None
    volume_centi: int
    open_interest_centi: int
