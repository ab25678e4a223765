"""A flood: books of many markets that change thousands of times a second, for whoever records them.

Nobody trades here and nothing settles; every change is drawn, so that a fraction of one core makes tens of
thousands a second. What is drawn depends on the seed alone, when it happens on the clock: the n-th change is
the same in every run.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Candle, Side
from exchange.units import DOLLAR_CC, from_us
from sandbox.chance import between, stream
from sandbox.errors import BadWorld
from sandbox.flood_truth import Change, Truth
from sandbox.stream_commands import MAX_MARKETS
from sandbox.tape import MemoryTape

SERIES: Final = "KXFLOOD"
EVENT: Final = f"{SERIES}-1"
SIDES: Final[tuple[Side, Side]] = ("yes", "no")
DEPTH: Final = 15
"""Prices a side at which something may rest, from one tick off the middle on: a book is never crossed."""

MOST_CENTI: Final = 50_000
"""The most that one change adds to a level."""

MAX_PER_S: Final = 1_000_000  # each change has a microsecond of its own
SECOND_US: Final = 1_000_000
MAX_WAITING_BYTES: Final = 32 << 20
LASTS: Final = timedelta(days=30)
LIVE: Final = timedelta(days=60)


def wall_us() -> int:
    """Return the time of day in microseconds since 1970."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodSize:
    """How much of it there is; the same seed and markets are the same changes in the same order.

    Raises:
        BadWorld: no market, or a rate that cannot be.
    """

    seed: int = 7
    n_markets: int = 200
    per_s: int = 5_000

    def __post_init__(self) -> None:
        """Refuse what is no flood."""
        if self.n_markets < 1 or not 1 <= self.per_s <= MAX_PER_S:
            raise BadWorld(
                f"a flood of {self.per_s} changes a second in {self.n_markets} markets cannot be; give at "
                f"least one market and 1 to {MAX_PER_S:,} changes"
            )


class Flood:
    """The books, and a `Source` of the markets that have them.

    Args:
        size: how much.
        now_us: the exchange's clock, in microseconds since 1970; it never goes back.
        truth: a new folder for what really happened (see `flood_truth`), None for nowhere.
        max_markets: how many one subscription may have; beyond, error 26.
        max_waiting_bytes: what may wait for one reader; beyond, it loses its subscriptions with error 25.

    Raises:
        BadWorld: the folder is there already, or cannot be made.
    """

    def __init__(
        self,
        size: FloodSize,
        *,
        now_us: Callable[[], int] = wall_us,
        truth: Path | None = None,
        max_markets: int = MAX_MARKETS,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self.size = size
        self.now_us = now_us
        self.max_markets = max_markets
        self.max_waiting_bytes = max_waiting_bytes
        self.tickers = [f"{EVENT}-{rank:04d}" for rank in range(size.n_markets)]
        self.n_changes = 0
        self._began_us = now_us()
        self._since_us, self._since = self._began_us, 0
        self._ranks = {ticker: rank for rank, ticker in enumerate(self.tickers)}
        self._draw = stream("flood", size.seed).getrandbits
        self._ladders = [_ladders(size.seed, rank) for rank in range(size.n_markets)]
        self._levels: list[tuple[dict[int, int], dict[int, int]]] = [
            _first_levels(size.seed, rank, ladders) for rank, ladders in enumerate(self._ladders)
        ]
        self._truth = None if truth is None else Truth(truth, [self.book(each) for each in self.tickers])

    def resume(self) -> None:
        """Let changes happen from now on, and none between the last one and now."""
        self._since_us, self._since = self.now_us(), self.n_changes

    def due(self, *, n_most: int) -> list[Change]:
        """Let the changes happen whose time has come, at most so many, and return them in order."""
        per_s, now_us = self.size.per_s, self.now_us()
        n_due = (now_us - self._since_us) * per_s // SECOND_US + self._since - self.n_changes
        changes = [self._change() for _ in range(min(n_due, n_most))]
        if self._truth is not None:
            self._truth.changed(changes)
        return changes

    def befell(self, line: int, what: str, **told: object) -> None:
        """Write down, if there is a truth, what befell the connection of this number."""
        if self._truth is not None:
            at = {"at_us": self.now_us(), "number": self.n_changes, "line": line, "what": what}
            self._truth.befell(at | told)

    def close(self) -> None:
        """Put the truth on disk and write down no more; twice does no harm."""
        if self._truth is not None:
            self._truth.close()
            self._truth = None

    def rank(self, ticker: str) -> int | None:
        """Return which market this is, None for one that is not."""
        return self._ranks.get(ticker)

    def _change(self) -> Change:
        number, bits = self.n_changes, self._draw(64)
        bits, market = divmod(bits, len(self.tickers))
        bits, side = divmod(bits, 2)
        bits, at = divmod(bits, DEPTH)
        bits, kind = divmod(bits, 6)
        price_cc = self._ladders[market][side][at]
        levels = self._levels[market][side]
        resting_centi = levels.get(price_cc, 0)
        if not resting_centi or kind % 2:
            delta_centi = 1 + bits % MOST_CENTI
        elif kind == 0:
            delta_centi = -resting_centi
        else:
            delta_centi = -1 - bits % resting_centi
        if resting_centi + delta_centi:
            levels[price_cc] = resting_centi + delta_centi
        else:
            del levels[price_cc]
        self.n_changes = number + 1
        time_us = self._since_us + (number + 1 - self._since) * SECOND_US // self.size.per_s
        return Change(number, time_us, market, SIDES[side], price_cc, delta_centi)

    @property
    def now_ts(self) -> datetime:
        """The exchange's clock."""
        return from_us(self.now_us())

    @property
    def market_cutoff_ts(self) -> datetime:
        """Nothing is archived."""
        return from_us(self._began_us) - LIVE

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Nothing is archived."""
        return self.market_cutoff_ts

    def series(self) -> Sequence[Series]:
        """Return the one series."""
        return [
            Series(
                ticker=SERIES,
                title="A flood of changes",
                category="Sandbox",
                frequency="one_off",
                fee_type="quadratic",
                fee_multiplier_ppm=1_000_000,
            )
        ]

    def events(self) -> Sequence[Event]:
        """Return the one event."""
        return [Event(ticker=EVENT, series_ticker=SERIES, title="A flood of changes")]

    def markets(self) -> Sequence[Market]:
        """Return all markets, open for a month."""
        began_ts = from_us(self._began_us)
        return [
            Market(
                ticker=ticker,
                event_ticker=EVENT,
                title=f"Market {rank}",
                status="active",
                created_ts=began_ts,
                open_ts=began_ts,
                close_ts=began_ts + LASTS,
                latest_expiration_ts=began_ts + LASTS,
                volume_24h_centi=rank,
                volume_centi=rank,
            )
            for rank, ticker in enumerate(self.tickers)
        ]

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> MemoryTape:
        """Return a tape without trades."""
        del ticker, is_block_trade
        return MemoryTape([], [])

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return no bars: nothing traded."""
        del ticker, period_s, start_ts, end_ts
        return []

    def book(self, ticker: str) -> OrderBook:
        """Return the book as it is after the last change."""
        book, rank = OrderBook(ticker), self._ranks.get(ticker)
        if rank is not None:
            yes, no = self._levels[rank]
            book.apply_snapshot(yes.items(), no.items())
        return book

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return nothing: no quote of before is kept."""
        del ticker, at_ts
        return None, None, None

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return none."""
        return []


def _ladders(seed: int, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the prices of both sides, best first; every other market has ticks of a tenth of a cent."""
    tick_cc = 10 if rank % 2 else 100
    middle_cc = between(stream("flood middle", seed, rank), 20, 80) * 100
    steps = range(1, DEPTH + 1)
    yes = tuple(middle_cc - step * tick_cc for step in steps)
    no = tuple(DOLLAR_CC - middle_cc - step * tick_cc for step in steps)
    return yes, no


def _first_levels(
    seed: int, rank: int, ladders: tuple[tuple[int, ...], tuple[int, ...]]
) -> tuple[dict[int, int], dict[int, int]]:
    rng = stream("flood levels", seed, rank)
    yes, no = ({price_cc: between(rng, 1, MOST_CENTI) for price_cc in ladder[::2]} for ladder in ladders)
    return yes, no
