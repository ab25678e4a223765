"""One market on the floor: its plan, the steps of its life, and its run once it has opened."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from random import Random

from exchange.books import OrderBook
from exchange.markets import Market
from exchange.trades import Trade
from exchange.units import from_us, to_us
from sandbox.chance import stream, uuid_text
from sandbox.history import SECOND_US, History, Print, Script
from sandbox.latent import probabilities_cc
from sandbox.lifecycle import Kind, reopenings, steps_of
from sandbox.listing import market_at
from sandbox.plans import EventPlan, MarketPlan
from sandbox.run import Run

EMPTY_AFTER_US = 5 * SECOND_US  # a market that will reopen loses its orders this long after its first close


class Stage:
    """A market that moves through its steps and its trading in time order.

    `path` is the event's wandering underlying, asked for when the market opens or is decided. A stage that
    nobody moves forward stands before its first step.
    """

    def __init__(
        self, seed: int, plan: EventPlan, market: MarketPlan, path: Callable[[], Sequence[float]]
    ) -> None:
        self.ticker = f"{plan.event.ticker}-{market.suffix}"
        self.plan = plan
        self.market_plan = market
        self.run: Run | None = None
        self.is_created = False
        self.is_gone = False
        self._seed = seed
        self._path = path
        self._steps = [(to_us(step.at_ts), step) for step in steps_of(plan, market)]
        self._at = 0

    @cached_property
    def script(self) -> Script:
        """What is needed to run this market; the same every time."""
        plan, market = self.plan, self.market_plan
        closed = reopenings(plan)
        gaps = [(pause.start_ts, pause.end_ts) for pause in market.pauses] + closed
        clears_us = [to_us(pause.end_ts) for pause in market.pauses if pause.end_ts < plan.close_ts]
        clears_us += [to_us(closed_ts) + EMPTY_AFTER_US for closed_ts, _ in closed]
        return Script(
            seed=f"{self._seed}/{self.ticker}",
            structure=plan.structure,
            open_us=to_us(plan.open_ts),
            close_us=to_us(plan.close_ts),
            n_actions=market.n_actions,
            fair_cc=tuple(probabilities_cc(list(self._path()), plan.underlying, market.outcome)),
            gaps_us=tuple((to_us(start_ts), to_us(end_ts)) for start_ts, end_ts in gaps),
            clears_us=tuple(clears_us),
            regrids=tuple((to_us(each.at_ts), each.structure) for each in plan.regrids),
            size_factor=market.size_factor,
        )

    @cached_property
    def reading(self) -> int:
        """What the underlying will read in the end, in ticks."""
        return self.plan.underlying.in_ticks(self._path()[-1])

    @cached_property
    def _ids(self) -> Random:
        return stream(self._seed, self.ticker, "ids")

    @property
    def is_listed(self) -> bool:
        """Whether any route knows this market."""
        return self.is_created and not self.is_gone

    @property
    def is_first(self) -> bool:
        """Whether this is the first market of its event."""
        return self.plan.markets[0] is self.market_plan

    def next_us(self) -> int | None:
        """Return when this market does something next; None when it never will."""
        step_us = self._steps[self._at][0] if self._at < len(self._steps) else None
        act_us = self.run.next_us() if self.run is not None else None
        if step_us is None or act_us is None:
            return act_us if step_us is None else step_us
        return min(step_us, act_us)

    def catch_up(self, until_us: int) -> None:
        """Live up to an instant without telling anybody."""
        while self._at < len(self._steps) and self._steps[self._at][0] <= until_us:
            self.take_step()
        if self.run is not None:
            self.run.to(until_us)

    def step_due(self, at_us: int) -> bool:
        """Tell whether a step, rather than trading, is what comes next at an instant."""
        return self._at < len(self._steps) and self._steps[self._at][0] <= at_us

    def take_step(self) -> Kind:
        """Take the next step of the market's life and return what it was."""
        at_us, step = self._steps[self._at]
        self._at += 1
        if step.kind == "created":
            self.is_created = True
        elif step.kind == "opened":
            self.run = Run(self.script)
        elif step.kind == "settled" and self.market_plan.is_provisional:
            if self.run is not None:
                self.run.to(at_us)
            self.is_gone = self.run is None or not self.run.past.prints
            return "vanished" if self.is_gone else "settled"
        return step.kind

    def history(self) -> History | None:
        """Return what has happened, None before the opening."""
        return None if self.run is None else self.run.history()

    def market(self, now_ts: datetime) -> Market:
        """Return the market as it is listed at an instant up to which it has lived."""
        return market_at(self.plan, self.market_plan, self.history(), reading=self.reading, now_ts=now_ts)

    def book(self) -> OrderBook:
        """Return what rests now."""
        book = OrderBook(self.ticker)
        if self.run is not None:
            book.apply_snapshot(self.run.engine.levels("yes"), self.run.engine.levels("no"))
        return book

    def trade(self, printed: Print) -> Trade:
        """Return the line of the tape for a print; to be asked once for every print, in order."""
        return Trade(
            trade_id=uuid_text(self._ids),
            ticker=self.ticker,
            created_ts=from_us(printed.time_us),
            yes_price_cc=printed.yes_price_cc,
            count_centi=printed.count_centi,
            taker_side=printed.taker_side,
            is_block_trade=printed.is_block,
        )
