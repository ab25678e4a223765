"""Runs one market: agents act on its book in time order, and whatever happens is written down.

The same script always gives the same history, whether it is run at once or step by step, so the full book
stream is not kept: whoever wants it runs the market again with a listener. Orders of others meet the same
book; the agents' draws then differ only where the book in front of them does.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from exchange.ticks import STRUCTURES, prices_on
from exchange.trades import Side
from exchange.units import CONTRACT_CENTI, DOLLAR_CC
from sandbox.agents import FIRST_ACCOUNT, N_ACCOUNTS, Crowd, Grid, Maker
from sandbox.chance import between, stream
from sandbox.history import SECOND_US, History, Print, Quote, Script
from sandbox.matching import Engine, Fill

BLOCK_EVERY: Final = 150  # actions of the crowd per negotiated trade
LOOK_AHEAD_STEPS: Final = 3
MAX_REFRESHES: Final = 2_000
REFRESH_EVERY_US: Final = 900 * SECOND_US
CROWD: Final = -1  # on the agenda: makers are 0 and 1
CLEAR: Final = -2
REGRID: Final = -3

BookListener = Callable[[int, Side, int, int], None]  # time_us, side, price_cc, delta_centi
OnBook = Callable[[int, Side, int, int, int], object]  # the same and the id of the resting order
OnPrint = Callable[[Print, Fill], object]


def replay(script: Script, *, until_us: int, listener: BookListener | None = None) -> History:
    """Run a market from its opening to `until_us` (or until its book is empty after the close)."""
    run = Run(script)
    if listener is not None:
        run.listen(lambda *change: listener(*change[:4]))
    run.to(until_us)
    return run.history()


class Run:
    """One market in motion: clock, engine, agents, positions, and the history they leave."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._rng = stream(script.seed, "agents")
        self._history = History()
        self._now_us = script.open_us
        self._positions: dict[int, int] = {}
        self._open_interest_centi = 0
        self._strangers: set[int] = set()
        self._on_print: OnPrint | None = None
        self.engine = Engine()
        self._grid = Grid(prices_on(STRUCTURES[script.structure]))
        self._regrids = [structure for _, structure in script.regrids]
        self._makers = _makers(self._rng, script.size_factor)
        self._crowd = Crowd(
            size=between(self._rng, 8, 30) * script.size_factor, edge_cc=between(self._rng, 100, 250)
        )
        self._agenda = _agenda(script, self._rng)
        self._at = 0
        self._leaving: list[tuple[int, int]] | None = None  # (time_us, order_id), the next one last
        self._history.quotes.append(Quote(script.open_us, 0, DOLLAR_CC))

    def listen(self, on_book: OnBook, on_print: OnPrint | None = None) -> None:
        """Tell every change of the book and every print from now on."""
        self.engine.hear(lambda *change: on_book(self._now_us, *change))
        self._on_print = on_print

    def next_us(self) -> int | None:
        """Return when something is due next; None when the market has come to rest for ever."""
        if self._at < len(self._agenda):
            return self._agenda[self._at][0]
        if self._leaving is None:
            return self._script.close_us
        return self._leaving[-1][0] if self._leaving else None

    def to(self, until_us: int) -> None:
        """Do everything that is due by `until_us`."""
        agenda = self._agenda
        while self._at < len(agenda):
            time_us, who = agenda[self._at]
            if time_us > until_us:
                return
            self._at += 1
            self._now_us = time_us
            self._act(who)
            self._note_quote()
        self._wind_down(until_us)

    @property
    def past(self) -> History:
        """What has happened; its book is as old as the last call of `history`."""
        return self._history

    def history(self) -> History:
        """Return what has happened, with the book as it stands."""
        self._history.yes_levels = self.engine.levels("yes")
        self._history.no_levels = self.engine.levels("no")
        return self._history

    def submit(
        self, now_us: int, *, side: Side, limit_cc: int, count_centi: int, owner: int, rests: bool
    ) -> tuple[int, list[Fill]]:
        """Let somebody who is no agent bid; `now_us` is not before anything that has happened here."""
        self._now_us = now_us
        order_id, fills = self.engine.submit(
            side=side, limit_cc=limit_cc, count_centi=count_centi, owner=owner, rests=rests
        )
        self._strangers.add(order_id)
        for fill in fills:
            self._print(fill, is_block=False)
        self._note_quote()
        return order_id, fills

    def decrease(self, now_us: int, order_id: int, *, by_centi: int) -> int:
        """Take contracts out of an order where it stands and return how many; all of them cancel it."""
        self._now_us = now_us
        taken_centi = self.engine.decrease(order_id, by_centi=by_centi)
        if not self.engine.is_resting(order_id):
            self._strangers.discard(order_id)
        self._note_quote()
        return taken_centi

    def _act(self, who: int) -> None:
        script, now_us = self._script, self._now_us
        if who >= 0:
            fills = self._makers[who].refresh(self.engine, self._grid, self._rng, script.fair_at(now_us))
        elif who == CROWD:
            soon_cc = script.fair_at(now_us, steps_ahead=LOOK_AHEAD_STEPS)
            fills = self._crowd.act(self.engine, self._grid, self._rng, soon_cc)
            if self._rng.random() * BLOCK_EVERY < 1.0:
                self._block_trade()
        else:
            self._obey(who)
            return
        for fill in fills:
            self._print(fill, is_block=False)

    def _obey(self, who: int) -> None:
        """Do what the script demands: empty the book of agents, or change the grid."""
        if who == REGRID:
            self._grid = Grid(prices_on(STRUCTURES[self._regrids.pop(0)]))
            return
        for order_id in self._agents_orders():
            self.engine.cancel(order_id)

    def _agents_orders(self) -> list[int]:
        return [each for each in self.engine.order_ids() if each not in self._strangers]

    def _block_trade(self) -> None:
        """Print a negotiated trade: it never meets the book."""
        price_cc = self._grid.floor(self._script.fair_at(self._now_us))
        if price_cc is None:
            return
        taker, maker = FIRST_ACCOUNT, FIRST_ACCOUNT + N_ACCOUNTS
        count_centi = between(self._rng, 500, 2_000) * CONTRACT_CENTI * self._script.size_factor
        side: Side = "yes" if self._rng.random() < 0.5 else "no"  # noqa: PLR2004 - a fair coin
        self._print(Fill(taker, maker, side, price_cc, count_centi), is_block=True)

    def _print(self, fill: Fill, *, is_block: bool) -> None:
        signed = fill.count_centi if fill.taker_side == "yes" else -fill.count_centi
        for owner, change in ((fill.taker, signed), (fill.maker, -signed)):
            before = self._positions.get(owner, 0)
            self._positions[owner] = before + change
            self._open_interest_centi += max(before + change, 0) - max(before, 0)
        printed = Print(
            self._now_us,
            fill.yes_price_cc,
            fill.count_centi,
            fill.taker_side,
            is_block,
            self._open_interest_centi,
        )
        self._history.prints.append(printed)
        if self._on_print is not None:
            self._on_print(printed, fill)

    def _note_quote(self) -> None:
        bid_cc, ask_cc = self.engine.best_cc("yes"), self.engine.ask_cc("yes")
        if self._history.quotes[-1][1:] != (bid_cc, ask_cc):
            self._history.quotes.append(Quote(self._now_us, bid_cc, ask_cc))

    def _wind_down(self, until_us: int) -> None:
        """Cancel what agents still have resting within some 20 seconds of the close, as the exchange does."""
        if self._leaving is None:
            if until_us < self._script.close_us:
                return
            self._leaving = self._plan_leaving()
            self._agenda.clear()
            self._at = 0
        while self._leaving and self._leaving[-1][0] <= until_us:
            self._now_us, order_id = self._leaving.pop()
            self.engine.cancel(order_id)
            self._note_quote()

    def _plan_leaving(self) -> list[tuple[int, int]]:
        order_ids = self._agents_orders()
        time_us, leaving = self._script.close_us + SECOND_US, []
        for order_id in order_ids:
            time_us += between(self._rng, 1_000, 18 * SECOND_US // len(order_ids))
            leaving.append((time_us, order_id))
        return leaving[::-1]


def _makers(rng: Random, size_factor: int) -> list[Maker]:
    return [
        Maker(
            owner=owner,
            n_levels=between(rng, 3, 6),
            half_spread_cc=between(rng, 30, 140),
            stride=between(rng, 1, 2),
            size=between(rng, 20, 60) * size_factor,
        )
        for owner in (1, 2)
    ]


def _agenda(script: Script, rng: Random) -> list[tuple[int, int]]:
    """Return (time_us, who) in time order; agents act one at an instant, after what the script demands."""
    start_us, length_us = script.open_us + SECOND_US, script.close_us - script.open_us - 2 * SECOND_US
    agenda: dict[int, int] = {}
    if script.n_actions:
        n_refreshes = min(script.n_actions * 2 // 3 + length_us // REFRESH_EVERY_US, MAX_REFRESHES)
        for each in range(n_refreshes):
            time_us = start_us + (each * length_us) // n_refreshes + between(rng, 0, SECOND_US // 2)
            agenda[time_us] = each % 2
    for _ in range(script.n_actions):
        agenda[start_us + int(rng.random() * length_us)] = CROWD
    acts = list(agenda.items())
    for start_us, end_us in script.gaps_us:
        acts = [act for act in acts if not start_us <= act[0] < end_us]
    acts += [(time_us, CLEAR) for time_us in script.clears_us]
    acts += [(time_us, REGRID) for time_us, _ in script.regrids]
    return sorted(acts)
