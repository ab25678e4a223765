"""Candles as the historical tier spells them: the same facts without `_dollars` and `_fp`, still text.

Source: KALSHI.md §5.6 (OpenAPI 3.28.0, 2026-08).
"""

import msgspec

from pipelines.client.wire.exact import Whole
from pipelines.client.wire.tape import Candle, CandlesReply, Price, Quote


class ArchivedQuote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`Quote`, archived."""

    open: str | None
    high: str | None
    low: str | None
    close: str | None

    def modern(self) -> Quote:
        """Return it in today's spelling."""
        return Quote(
            open_dollars=self.open, high_dollars=self.high, low_dollars=self.low, close_dollars=self.close
        )


class ArchivedPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`Price`, archived."""

    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    mean: str | None = None
    previous: str | None = None
    min: str | None = None
    max: str | None = None

    def modern(self) -> Price:
        """Return it in today's spelling."""
        return Price(
            open_dollars=self.open,
            high_dollars=self.high,
            low_dollars=self.low,
            close_dollars=self.close,
            mean_dollars=self.mean,
            previous_dollars=self.previous,
            min_dollars=self.min,
            max_dollars=self.max,
        )


class ArchivedCandle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`Candle`, archived."""

    end_period_ts: Whole
    yes_bid: ArchivedQuote
    yes_ask: ArchivedQuote
    price: ArchivedPrice | None
    volume: str
    open_interest: str

    def modern(self) -> Candle:
        """Return it in today's spelling."""
        return Candle(
            end_period_ts=self.end_period_ts,
            yes_bid=self.yes_bid.modern(),
            yes_ask=self.yes_ask.modern(),
            price=None if self.price is None else self.price.modern(),
            volume_fp=self.volume,
            open_interest_fp=self.open_interest,
        )


class ArchivedCandlesReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /historical/markets/{ticker}/candlesticks."""

    candlesticks: list[ArchivedCandle] | None
    ticker: str | None = None

    def modern(self) -> CandlesReply:
        """Return it in today's spelling."""
        candles = None if self.candlesticks is None else [candle.modern() for candle in self.candlesticks]
        return CandlesReply(candlesticks=candles, ticker=self.ticker)
