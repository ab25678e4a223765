"""Replays one market: agents act on its book in time order, and whatever happens is written down.

The same plan and seed always give the same history, so the full book stream is not kept: whoever wants it
runs the market again with a listener.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from exchange.ticks import STRUCTURES, prices_on
from exchange.trades import Side
from exchange.units import CONTRACT_CENTI, DOLLAR_CC
from sandbox.agents import FIRST_ACCOUNT, N_ACCOUNTS, Crowd, Grid, Maker
from sandbox.chance import between, stream
from sandbox.latent import N_STEPS
from sandbox.matching import Engine, Fill

BLOCK_EVERY: Final = 150  # actions of the crowd per negotiated trade
LOOK_AHEAD_STEPS: Final = 3
MAX_REFRESHES: Final = 2_000
SECOND_US: Final = 1_000_000
REFRESH_EVERY_US: Final = 900 * SECOND_US

BookListener = Callable[[int, Side, int, int], None]  # time_us, side, price_cc, delta_centi


class Print(NamedTuple):
    """A line of the tape, with the open interest after it."""

    time_us: int
    yes_price_cc: int
    count_centi: int
    taker_side: Side
    is_block: bool
    open_interest_centi: int


class Quote(NamedTuple):
    """The top of the book from this instant on: 0 or 10_000 stand for an empty side."""

    time_us: int
    bid_cc: int
    ask_cc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is needed to run one market: its hours, its grid, how busy it is, and its fair price over time."""

    seed: str
    structure: str
    open_us: int
    close_us: int
    n_actions: int
    fair_cc: tuple[int, ...]

    def fair_at(self, time_us: int, *, steps_ahead: int = 0) -> int:
        """Return the fair YES price at an instant of the market's life."""
        step = (time_us - self.open_us) * N_STEPS // (self.close_us - self.open_us) + steps_ahead
        return self.fair_cc[min(max(step, 0), N_STEPS)]


@dataclass(slots=True)
class History:
    """What happened in one market up to an instant; lists are in time order."""

    prints: list[Print] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    yes_levels: list[tuple[int, int]] = field(default_factory=list)
    no_levels: list[tuple[int, int]] = field(default_factory=list)

    def volume_since(self, time_us: int) -> int:
        """Return the contracts, in hundredths, that traded at or after an instant."""
        first = bisect_right(self.prints, time_us - 1, key=lambda each: each.time_us)
        return sum(each.count_centi for each in self.prints[first:])

    def top_at(self, time_us: int) -> tuple[int, int]:
        """Return best bid and ask in force at an instant; 0 and 10_000 before the market opened."""
        last = bisect_right(self.quotes, time_us, key=lambda each: each.time_us)
        return self.quotes[last - 1][1:] if last else (0, DOLLAR_CC)

    def price_at(self, time_us: int) -> int | None:
        """Return the last traded YES price at an instant."""
        last = bisect_right(self.prints, time_us, key=lambda each: each.time_us)
        return self.prints[last - 1].yes_price_cc if last else None


def replay(script: Script, *, until_us: int, listener: BookListener | None = None) -> History:
    """Run a market from its opening to `until_us` (or until its book is empty after the close)."""
    return _Run(script, listener).to(until_us)


class _Run:
    """The moving parts of one replay: clock, engine, agents, positions, and the history they leave."""

    def __init__(self, script: Script, listener: BookListener | None) -> None:
        self._script = script
        self._rng = stream(script.seed, "agents")
        self._history = History()
        self._now_us = script.open_us
        self._positions: dict[int, int] = {}
        self._open_interest_centi = 0
        hear = None if listener is None else lambda *change: listener(self._now_us, *change[:3])
        self._engine = Engine(hear)
        self._grid = Grid(prices_on(STRUCTURES[script.structure]))
        self._makers = _makers(self._rng)
        self._crowd = Crowd(size=between(self._rng, 8, 30), edge_cc=between(self._rng, 100, 250))

    def to(self, until_us: int) -> History:
        """Act until `until_us` and hand over the history."""
        self._history.quotes.append(Quote(self._script.open_us, 0, DOLLAR_CC))
        for time_us, kind in _agenda(self._script, self._rng):
            if time_us > until_us:
                break
            self._now_us = time_us
            self._act(kind)
            self._note_quote()
        else:
            self._wind_down(until_us)
        self._history.yes_levels = self._engine.levels("yes")
        self._history.no_levels = self._engine.levels("no")
        return self._history

    def _act(self, kind: int) -> None:
        script, now_us = self._script, self._now_us
        if kind >= 0:
            fills = self._makers[kind].refresh(self._engine, self._grid, self._rng, script.fair_at(now_us))
        else:
            soon_cc = script.fair_at(now_us, steps_ahead=LOOK_AHEAD_STEPS)
            fills = self._crowd.act(self._engine, self._grid, self._rng, soon_cc)
            if self._rng.random() * BLOCK_EVERY < 1.0:
                self._block_trade()
        for fill in fills:
            self._print(fill, is_block=False)

    def _block_trade(self) -> None:
        """Print a negotiated trade: it never meets the book."""
        price_cc = self._grid.floor(self._script.fair_at(self._now_us))
        if price_cc is None:
            return
        taker, maker = FIRST_ACCOUNT, FIRST_ACCOUNT + N_ACCOUNTS
        count_centi = between(self._rng, 500, 2_000) * CONTRACT_CENTI
        side: Side = "yes" if self._rng.random() < 0.5 else "no"  # noqa: PLR2004 - a fair coin
        self._print(Fill(taker, maker, side, price_cc, count_centi), is_block=True)

    def _print(self, fill: Fill, *, is_block: bool) -> None:
        signed = fill.count_centi if fill.taker_side == "yes" else -fill.count_centi
        for owner, change in ((fill.taker, signed), (fill.maker, -signed)):
            before = self._positions.get(owner, 0)
            self._positions[owner] = before + change
            self._open_interest_centi += max(before + change, 0) - max(before, 0)
        self._history.prints.append(
            Print(
                self._now_us,
                fill.yes_price_cc,
                fill.count_centi,
                fill.taker_side,
                is_block,
                self._open_interest_centi,
            )
        )

    def _note_quote(self) -> None:
        bid_cc, ask_cc = self._engine.best_cc("yes"), self._engine.ask_cc("yes")
        if self._history.quotes[-1][1:] != (bid_cc, ask_cc):
            self._history.quotes.append(Quote(self._now_us, bid_cc, ask_cc))

    def _wind_down(self, until_us: int) -> None:
        """Cancel what still rests, within some 20 seconds of the close, as the exchange does."""
        order_ids = self._engine.order_ids()
        time_us = self._script.close_us + SECOND_US
        for order_id in order_ids:
            time_us += between(self._rng, 1_000, 18 * SECOND_US // max(len(order_ids), 1))
            if time_us > until_us:
                return
            self._now_us = time_us
            self._engine.cancel(order_id)
            self._note_quote()


def _makers(rng: Random) -> list[Maker]:
    return [
        Maker(
            owner=owner,
            n_levels=between(rng, 3, 6),
            half_spread_cc=between(rng, 30, 140),
            stride=between(rng, 1, 2),
            size=between(rng, 20, 60),
        )
        for owner in (1, 2)
    ]


def _agenda(script: Script, rng: Random) -> list[tuple[int, int]]:
    """Return (time_us, who) in time order, one per instant: who >= 0 is a maker, -1 is the crowd."""
    start_us, length_us = script.open_us + SECOND_US, script.close_us - script.open_us - 2 * SECOND_US
    agenda: dict[int, int] = {}
    if script.n_actions:
        n_refreshes = min(script.n_actions * 2 // 3 + length_us // REFRESH_EVERY_US, MAX_REFRESHES)
        for each in range(n_refreshes):
            time_us = start_us + (each * length_us) // n_refreshes + between(rng, 0, SECOND_US // 2)
            agenda[time_us] = each % 2
    for _ in range(script.n_actions):
        agenda[start_us + int(rng.random() * length_us)] = -1
    return sorted(agenda.items())
