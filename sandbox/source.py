"""What the sandbox serves: a world or a lake, seen as values of `exchange` in a fixed order.

Paging, filters, tiers and JSON are the app's business. A source only has to be quick at one thing: cutting a
span out of a tape. Ranks count from the oldest trade, so they stay valid when newer trades arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Candle, Trade


class Tape(Protocol):
    """Trades in ascending (time, sequence), addressed by rank: 0 is the oldest."""

    def span(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the ranks `[first, end)` of trades whose time lies in `[start_us, end_us)`; O(log n)."""
        ...

    def rows(self, first: int, end: int) -> Sequence[Trade]:
        """Return the trades of ranks `[first, end)`, oldest first; cost depends on `end - first` only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What changed since it was asked last: events and markets as they stand now, each in order of creation.

    `series` is empty where none changed, else all of them. A source whose clock moves, but on whose floor
    nobody trades, offers `news() -> News | None`.
    """

    series: Sequence[Series] = ()
    events: Sequence[Event] = ()
    markets: Sequence[Market] = ()
    vanished: Sequence[str] = ()


class Source(Protocol):
    """An exchange at one instant, its clock standing at `now_ts`."""

    @property
    def now_ts(self) -> datetime:
        """The exchange's clock."""
        ...

    @property
    def market_cutoff_ts(self) -> datetime:
        """Markets settled before this are archived."""
        ...

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Trades made before this are archived."""
        ...

    def series(self) -> Sequence[Series]:
        """Return all series by ticker."""
        ...

    def events(self) -> Sequence[Event]:
        """Return all events, oldest first."""
        ...

    def markets(self) -> Sequence[Market]:
        """Return all markets as they are at `now_ts`, in the order of their creation."""
        ...

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> Tape:
        """Return the tape of one market (None: of the whole exchange), all trades or only one kind."""
        ...

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return the bars of one market whose end lies in `[start_ts, end_ts]`, oldest first."""
        ...

    def book(self, ticker: str) -> OrderBook:
        """Return the book at `now_ts`; an empty one when nothing rests or nothing is known."""
        ...

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return best bid, best ask and last price in centicents as they stood at `at_ts`."""
        ...

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return past and announced fee changes of series and events by effective time."""
        ...
