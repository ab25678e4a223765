"""An exchange of millions of trades, made in seconds: a `Source` out of arrays, with a clock that moves.

Where a `World` lets agents trade market by market, this draws everything at once: less true to life, but its
numbers agree (volume is the sum of trades, candles are made of them, exactly one market of an exclusive event
pays), and it has what makes a tape hard to keep: two tiers whose border moves daily, trades that show late,
results that are amended, closes that move, provisional markets that vanish, and combos between them all.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Candle
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.bulk_listing import RESTING_CENTI, Listing, open_interest_centi, quoted_around
from sandbox.bulk_plan import DAY_US, BulkSize, draw_plan
from sandbox.bulk_tape import BulkTape, draw_trades
from sandbox.candles import bars
from sandbox.clock import Clock, Frozen
from sandbox.errors import BadWorld
from sandbox.history import History, Print, Quote
from sandbox.source import News
from sandbox.world import DEFAULT_END_TS

BARS_KEPT: Final = 1_000


class BulkSource:
    """A large exchange at the time of its clock; the same size and seed are the same exchange.

    Args:
        size: how much of everything, and the seed.
        end_ts: when its last trade is over.
        live_days: how long trades stay in the live tier; markets stay a day less.
        clock: what tells the time; by default it stands at the end.

    Raises:
        BadWorld: an end without a zone, or no live tier at all.
    """

    def __init__(
        self,
        size: BulkSize,
        *,
        end_ts: datetime = DEFAULT_END_TS,
        live_days: int = 10,
        clock: Clock | None = None,
    ) -> None:
        if end_ts.tzinfo is None or live_days < 1:
            raise BadWorld(
                f"a bulk exchange needs an end with a zone and a live day; got {end_ts}, {live_days}"
            )
        self.size = size
        self.plan = draw_plan(size, end_us=to_us(end_ts))
        self.trades = draw_trades(size, self.plan)
        self.listing = Listing(size, self.plan, self.trades)
        self._live = timedelta(days=live_days)
        self._cutoff_moved = timedelta()
        self._clock = clock or Frozen(to_us(end_ts))
        self._told_us = self._clock.now_us()
        self._n_events = len(self.listing.events(self._told_us))
        self._bars: dict[tuple[str, int, int], list[Candle]] = {}

    @property
    def now_us(self) -> int:
        """The clock, in microseconds since 1970."""
        return self._clock.now_us()

    @property
    def now_ts(self) -> datetime:
        """The clock."""
        return from_us(self.now_us)

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Trades made before this are archived: a midnight UTC, moved on by the exchange's moods."""
        cutoff_ts = self.now_ts - self._live
        return cutoff_ts - timedelta(microseconds=to_us(cutoff_ts) % DAY_US) + self._cutoff_moved

    @property
    def market_cutoff_ts(self) -> datetime:
        """Markets settled before this are archived; a day later than trades: kinds move on their own."""
        return self.trade_cutoff_ts + timedelta(days=1)

    def move_cutoff(self, by: timedelta) -> None:
        """Move both cutoffs once, as the exchange does between two pages."""
        self._cutoff_moved += by

    def series(self) -> Sequence[Series]:
        """Return all series by ticker, with the fees in force."""
        return self.listing.series(self.now_ts)

    def events(self) -> Sequence[Event]:
        """Return the events that have been created, oldest first."""
        return self.listing.events(self._told_us)

    def markets(self) -> Sequence[Market]:
        """Return the markets as they were when changes were last told, oldest first."""
        now_us = self._told_us
        n = int(np.searchsorted(self.plan.created_us, now_us, side="right"))
        is_gone = self.plan.vanishes & (self.plan.settled_us <= now_us)
        return [self.listing.market(rank, now_us) for rank in range(n) if not is_gone[rank]]

    def news(self) -> News | None:
        """Return what changed since this was asked last (at first: since it was made); None when nothing."""
        since_us, now_us = self._told_us, self.now_us
        changed = self._changed(since_us, now_us)
        fees = [each for each in self.fee_changes() if since_us < to_us(each.effective_ts) <= now_us]
        self._told_us = now_us
        if not len(changed) and not fees:
            return None
        created = self.listing.events(now_us, first=self._n_events)
        self._n_events += len(created)
        named = {each.ticker for each in fees if each.scope == "event"} - {each.ticker for each in created}
        refitted = [
            self.listing.event(rank, now_us)
            for rank, ticker in enumerate(self.listing.event_tickers[: self._n_events])
            if ticker in named
        ] if named else []  # fmt: skip
        is_gone = self.plan.vanishes[changed] & (self.plan.settled_us[changed] <= now_us)
        return News(
            series=self.series() if any(each.scope == "series" for each in fees) else (),
            events=[*created, *refitted],
            markets=[self.listing.market(rank, now_us) for rank in changed[~is_gone].tolist()],
            vanished=[self.listing.tickers[rank] for rank in changed[is_gone].tolist()],
        )

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> BulkTape:
        """Return the tape of one market or of the exchange, all trades or only one kind."""
        trades, ranks = self.trades, None
        if ticker is not None:
            market = self.listing.rank_of.get(ticker)
            first, end = (0, 0) if market is None else trades.first[market : market + 2]
            ranks = trades.of_market[first:end]
        if is_block_trade is not None:
            ranks = np.arange(len(trades), dtype=np.int32) if ranks is None else ranks
            ranks = ranks[trades.is_block[ranks] == is_block_trade]
        return BulkTape(trades, self.listing.tickers, ranks, self.now_us)

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return finished bars whose end lies in `[start_ts, end_ts]`: made of the trades, late ones too."""
        rank = self.listing.rank_of.get(ticker)
        n = 0 if rank is None else self.trades.n_until(rank, self.now_us)
        if rank is None or not n:
            return []
        key = (ticker, period_s, n)
        if key not in self._bars:
            if len(self._bars) >= BARS_KEPT:
                self._bars.clear()
            self._bars[key] = bars(
                ticker, self._history(rank, n), period_s=period_s, until_ts=from_us(self.plan.end_us + DAY_US)
            )
        until_ts = min(end_ts, self.now_ts)
        return [each for each in self._bars[key] if start_ts <= each.end_ts <= until_ts]

    def book(self, ticker: str) -> OrderBook:
        """Return what rests now: one level a side, around the last trade."""
        book, rank = OrderBook(ticker), self.listing.rank_of.get(ticker)
        bid_cc, ask_cc = (0, DOLLAR_CC) if rank is None else self.listing.top_at(rank, self.now_us)
        yes = [(bid_cc, RESTING_CENTI)] if bid_cc else []
        no = [(DOLLAR_CC - ask_cc, RESTING_CENTI)] if ask_cc < DOLLAR_CC else []
        book.apply_snapshot(yes, no)
        return book

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return best bid, best ask and last price in centicents as they stood."""
        rank, at_us = self.listing.rank_of.get(ticker), to_us(at_ts)
        n = 0 if rank is None else self.trades.n_until(rank, at_us)
        if rank is None or not n:
            return None, None, None
        bid_cc, ask_cc = self.listing.top_at(rank, at_us)
        last_cc = self.trades.price_of(rank, n - 1)
        return bid_cc or None, ask_cc if ask_cc < DOLLAR_CC else None, last_cc

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return past and announced fee changes by effective time."""
        return self.listing.fee_changes

    def _changed(self, since_us: int, now_us: int) -> "np.typing.NDArray[np.int64]":
        """Return the markets whose terms, trades or 24 hours' volume changed in `(since_us, now_us]`."""
        if now_us <= since_us:
            return np.empty(0, np.int64)
        plan, trades = self.plan, self.trades
        steps = np.searchsorted(plan.steps_us, [since_us, now_us], side="right")
        found = [plan.steps_market[slice(*steps)]]
        for ago_us in (0, DAY_US):
            span = np.searchsorted(trades.time_us, [since_us - ago_us, now_us - ago_us], side="right")
            found.append(trades.market[slice(*span)])
        changed = np.unique(np.concatenate(found))
        was_gone = plan.vanishes[changed] & (plan.settled_us[changed] <= since_us)
        return changed[~was_gone].astype(np.int64)

    def _history(self, rank: int, n: int) -> History:
        """Return a market's first `n` trades, with a quote a tick around each."""
        trades = self.trades
        first = int(trades.first[rank])
        ranks = trades.of_market[first : first + n]
        volumes_centi = np.cumsum(trades.count_centi[ranks]).tolist()
        columns = (trades.time_us, trades.price_cc, trades.count_centi, trades.is_yes, trades.is_block)
        rows = zip(*(column[ranks].tolist() for column in columns), volumes_centi, strict=True)
        prints = [
            Print(at, price_cc, count, "yes" if is_yes else "no", is_block, open_interest_centi(volume))
            for at, price_cc, count, is_yes, is_block, volume in rows
        ]
        told = [(each.time_us, *quoted_around(each.yes_price_cc)) for each in prints]
        changes = [later for before, later in pairwise([(0, 0, DOLLAR_CC), *told]) if before[1:] != later[1:]]
        opened = Quote(int(self.plan.open_us[rank]), 0, DOLLAR_CC)
        return History(prints=prints, quotes=[opened, *(Quote(*each) for each in changes)])
