"""The floor of a world: every market moved up to the clock in one order, and orders of others let in.

Nothing here waits or runs by itself: time passes when somebody calls `advance`, and everything happens in
the thread that calls (in a server, its event loop). All times are exchange time.
Source: KALSHI.md §7 and §9 (pages orderbook_responses, 2026-08-04, and market_lifecycle, 2026-06-01).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market
from exchange.trades import Side, Trade
from exchange.units import from_us, to_us
from sandbox.clock import Clock
from sandbox.combos import Combos
from sandbox.errors import UnknownTicker
from sandbox.history import Print
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.run import Run
from sandbox.stage import Stage
from sandbox.tape import Tapes

FIRST_STRANGER: Final = 1_000  # owners from here on are no agents of the world
FEES: Final = -2  # on the agenda, where markets have their ranks
COMBOS: Final = -1


class Placed(NamedTuple):
    """What became of a bid: its id, what it met, and what of it rests."""

    order_id: int
    fills: list[Fill]
    rested_centi: int


class Listener:
    """Somebody who is told what happens, in the order in which it happens; by default nothing is done.

    A listener may send orders from within a call: what follows from them is told before anything later.
    """

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        """Hear that one level of a book changed; `order_id` is the resting order behind it."""

    def traded(self, trade: Trade, fill: Fill) -> None:
        """Hear a print, also of a block trade; `fill` tells who met whom."""

    def changed(self, change: LifecycleChange) -> None:
        """Hear a step in the life of a market, or a change of fees."""


class Floor:
    """Where markets live: `stages` in the order of their listing, caught up to `now_us` already."""

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        tapes: Tapes,
        fee_changes: Iterable[FeeChange],
        event_at: Callable[[str, datetime], Event | None],
        combos: Combos,
        clock: Clock,
        now_us: int,
        end_us: int,
    ) -> None:
        self.version = 0
        self.combos = combos
        self._stages = list(stages)
        self._has_adopted = False
        self._by_ticker = {stage.ticker: stage for stage in stages}
        self._tapes = tapes
        self._fee_changes = [each for each in fee_changes if to_us(each.effective_ts) > now_us]
        self._event_at = event_at
        self._clock = clock
        self._end_us = end_us
        self._now_us = now_us
        self._listeners: tuple[Listener, ...] = ()
        self._agenda: list[tuple[int, int]] | None = None  # a heap of (time_us, rank); or what is below
        self._alarms: list[tuple[int, int, Callable[[], object]]] = []  # a heap of (time_us, number, action)
        self._n_alarms = 0
        self._heard: set[str] = set()
        self._is_advancing = False

    @property
    def now_us(self) -> int:
        """The instant up to which everything has happened; the clock may be ahead until `advance`."""
        return self._now_us

    @property
    def now_ts(self) -> datetime:
        """The same as a time."""
        return from_us(self._now_us)

    def listen(self, listener: Listener) -> None:
        """Tell somebody from now on; whoever came first is told first."""
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop telling somebody; no error if nobody did."""
        self._listeners = tuple(each for each in self._listeners if each is not listener)

    def advance(self) -> None:
        """Bring every market up to the clock; cheap when nothing is due, and never past the world's end."""
        until_us = min(self._clock.now_us(), self._end_us)
        if until_us <= self._now_us or self._is_advancing:
            return
        self._is_advancing = True
        try:
            self._live(until_us)
        finally:
            self._is_advancing = False
        self._now_us = until_us

    def call_at(self, time_us: int, action: Callable[[], object]) -> None:
        """Do something when time comes to an instant, before anything else that is due then."""
        self._n_alarms += 1
        heappush(self._alarms, (time_us, self._n_alarms, action))

    def submit(
        self, ticker: str, *, side: Side, limit_cc: int, count_centi: int, owner: int, rests: bool
    ) -> Placed:
        """Match a bid at `now_us`; what is left rests, or is dropped.

        Whether the market trades, the price lies on its grid and the owner can pay is the caller's business.

        Raises:
            UnknownTicker: no such market, or it has not opened.
        """
        assert owner >= FIRST_STRANGER, f"owner {owner} is an agent's number"
        run = self._run(ticker)
        order_id, fills = run.submit(
            self._now_us,
            side=side,
            limit_cc=limit_cc,
            count_centi=count_centi,
            owner=owner,
            rests=rests,
        )
        return Placed(order_id, fills, run.engine.resting_centi(order_id))

    def cancel(self, ticker: str, order_id: int) -> int:
        """Take an order out of the book; returns the hundredths it still had, 0 if it is gone."""
        return self.decrease(ticker, order_id, by_centi=self.resting(ticker, order_id))

    def decrease(self, ticker: str, order_id: int, *, by_centi: int) -> int:
        """Make an order smaller where it stands; returns by how much."""
        return self._run(ticker).decrease(self._now_us, order_id, by_centi=by_centi)

    def queue_ahead_centi(self, ticker: str, order_id: int) -> int:
        """Return the hundredths of contracts that stand before an order at its price."""
        return self._run(ticker).engine.queue_ahead_centi(order_id)

    def resting(self, ticker: str, order_id: int) -> int:
        """Return the hundredths of contracts that an order still has in the book."""
        return self._run(ticker).engine.resting_centi(order_id)

    def book(self, ticker: str) -> OrderBook:
        """Return what rests at `now_us`; nothing in a market that has not opened.

        Raises:
            UnknownTicker: no such market.
        """
        stage = self.stage(ticker)
        if stage is None and self._combo(ticker) is None:
            raise _unknown(ticker)
        return OrderBook(ticker) if stage is None else stage.book()

    def market(self, ticker: str) -> Market:
        """Return a market as it is listed at `now_us`.

        Raises:
            UnknownTicker: no such market, or not yet, or no more.
        """
        stage = self.stage(ticker)
        if stage is not None:
            return stage.market(self.now_ts)
        number = self._combo(ticker)
        if number is None:
            raise _unknown(ticker)
        return self.combos.market(number, self.now_ts)

    def combo(self, number: int) -> Market:
        """Return a combo as it is listed at `now_us`, by its number."""
        stage = self._by_ticker.get(self.combos.ticker(number)) if self._has_adopted else None
        now_ts = self.now_ts
        return self.combos.market(number, now_ts) if stage is None else stage.market(now_ts)

    def stage(self, ticker: str) -> Stage | None:
        """Return a market that is listed; None for a combo that nobody has traded too."""
        stage = self._by_ticker.get(ticker)
        return stage if stage is not None and stage.is_listed else None

    def traded_combos(self) -> list[str]:
        """Return the combos that orders were sent to."""
        return [stage.ticker for stage in self._stages if stage.market_plan.collection is not None]

    def _combo(self, ticker: str) -> int | None:
        number = self.combos.find(ticker, self._now_us)
        return None if number is None or self.combos.ticker(number) != ticker else number

    def _run(self, ticker: str) -> Run:
        """Return the run of a market that has opened, listened to from now on."""
        stage = self.stage(ticker) or self._adopt(ticker)
        if stage.run is None:
            raise UnknownTicker(f"{ticker}: this market has not opened; its open_time tells when it will")
        if ticker not in self._heard:
            self._hear(stage)
        return stage.run

    def _adopt(self, ticker: str) -> Stage:
        """Keep a combo from now on, for somebody trades it."""
        number = self._combo(ticker)
        if number is None:
            raise _unknown(ticker)
        stage = self._by_ticker[ticker] = self.combos.stage(number)
        stage.catch_up(self._now_us)
        self._has_adopted = True
        self._stages.append(stage)
        due_us = stage.next_us()
        if self._agenda is not None and due_us is not None:
            heappush(self._agenda, (due_us, len(self._stages) - 1))
        return stage

    def _hear(self, stage: Stage) -> None:
        assert stage.run is not None
        self._heard.add(stage.ticker)

        def on_book(time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int) -> None:
            self.version += 1
            for listener in self._listeners:
                listener.book_changed(stage.ticker, time_us, side, price_cc, delta_centi, order_id)

        def on_print(printed: Print, fill: Fill) -> None:
            self.version += 1
            trade = stage.trade(printed)
            self._tapes.add(trade, printed.time_us)
            for listener in self._listeners:
                listener.traded(trade, fill)

        stage.run.listen(on_book, on_print)

    def _live(self, until_us: int) -> None:
        agenda = self._begin()
        while agenda and agenda[0][0] <= until_us:
            time_us, rank = agenda[0]
            self._ring(time_us)
            self._now_us = time_us
            if rank == FEES:
                due_us = self._change_fees()
            elif rank == COMBOS:
                due_us = self._move_combos(time_us)
            else:
                due_us = self._move(self._stages[rank], time_us)
            if due_us is None:
                heappop(agenda)
            else:
                heapreplace(agenda, (due_us, rank))
        self._ring(until_us)

    def _ring(self, until_us: int) -> None:
        while self._alarms and self._alarms[0][0] <= until_us:
            time_us, _, action = heappop(self._alarms)
            self._now_us = max(time_us, self._now_us)
            action()

    def _begin(self) -> list[tuple[int, int]]:
        """Return the heap of what is due next, made when time first moves."""
        if self._agenda is None:
            dues = [(stage.next_us(), rank) for rank, stage in enumerate(self._stages)]
            self._agenda = [(due_us, rank) for due_us, rank in dues if due_us is not None]
            if self._fee_changes:
                self._agenda.append((to_us(self._fee_changes[0].effective_ts), FEES))
            self.combos.begin(self._now_us)
            combo_us = self.combos.next_us()
            if combo_us is not None:
                self._agenda.append((combo_us, COMBOS))
            heapify(self._agenda)
            for stage in self._stages:
                if stage.run is not None and stage.ticker not in self._heard:
                    self._hear(stage)
        return self._agenda

    def _move(self, stage: Stage, time_us: int) -> int | None:
        """Let one market do what is due, and return when it is due again."""
        if not stage.step_due(time_us):
            assert stage.run is not None
            stage.run.to(time_us)
            return stage.next_us()
        kind = stage.take_step()
        if kind == "opened":
            self._hear(stage)
        now_ts = from_us(time_us)
        if kind == "created" and stage.is_first:
            event = self._event_at(stage.plan.event.ticker, now_ts)
            self._tell(
                LifecycleChange(
                    kind="event_created", time_us=time_us, ticker=stage.plan.event.ticker, event=event
                )
            )
        market = stage.market(now_ts)
        self._tell(LifecycleChange(kind=kind, time_us=time_us, ticker=stage.ticker, market=market))
        return stage.next_us()

    def _move_combos(self, time_us: int) -> int | None:
        """Tell what happens to combos that nobody trades; the others are told as markets."""
        now_ts = from_us(time_us)
        for kind, number in self.combos.take(time_us):
            ticker = self.combos.ticker(number)
            if ticker in self._by_ticker or not self._listeners:
                continue
            if kind == "created":
                event = self.combos.event(number)
                self._tell(
                    LifecycleChange(kind="event_created", time_us=time_us, ticker=event.ticker, event=event)
                )
            market = self.combos.market(number, now_ts)
            self._tell(LifecycleChange(kind=kind, time_us=time_us, ticker=ticker, market=market))
        return self.combos.next_us()

    def _change_fees(self) -> int | None:
        change = self._fee_changes.pop(0)
        event = self._event_at(change.ticker, self.now_ts) if change.scope == "event" else None
        self._tell(
            LifecycleChange(
                kind="fee_changed", time_us=self._now_us, ticker=change.ticker, event=event, fee=change
            )
        )
        return to_us(self._fee_changes[0].effective_ts) if self._fee_changes else None

    def _tell(self, change: LifecycleChange) -> None:
        self.version += 1
        for listener in self._listeners:
            listener.changed(change)


def _unknown(ticker: str) -> UnknownTicker:
    return UnknownTicker(f"{ticker}: this world has no such market; `GET /markets` lists them")
