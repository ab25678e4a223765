"""What one market is going to do, and what it has done: its script, its prints and its quotes."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exchange.trades import Side
from exchange.units import DOLLAR_CC
from sandbox.latent import N_STEPS

SECOND_US: Final = 1_000_000


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
    """What is needed to run one market: its hours, its grid, how busy it is, and its fair price over time.

    Nobody acts within `gaps_us` (each `[start, end)`); the agents' orders are cancelled at `clears_us`; from
    an instant of `regrids` on prices lie on another grid; `size_factor` multiplies everybody's orders.
    """

    seed: str
    structure: str
    open_us: int
    close_us: int
    n_actions: int
    fair_cc: tuple[int, ...]
    gaps_us: tuple[tuple[int, int], ...] = ()
    clears_us: tuple[int, ...] = ()
    regrids: tuple[tuple[int, str], ...] = ()
    size_factor: int = 1

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
    _counted: list[int] = field(default_factory=lambda: [0, 0], repr=False, compare=False)

    def volume_centi(self) -> int:
        """Return the contracts, in hundredths, that ever traded; counts what is new since the last call."""
        n_counted, total_centi = self._counted
        if n_counted < len(self.prints):
            total_centi += sum(each.count_centi for each in self.prints[n_counted:])
            self._counted = [len(self.prints), total_centi]
        return total_centi

    def volume_since(self, time_us: int) -> int:
        """Return the contracts, in hundredths, that traded at or after an instant."""
        first = bisect_right(self.prints, time_us - 1, key=lambda each: each.time_us)
        return sum(each.count_centi for each in self.prints[first:])

    def first_since(self, time_us: int) -> int | None:
        """Return when the first trade at or after an instant was; None when there was none."""
        first = bisect_right(self.prints, time_us - 1, key=lambda each: each.time_us)
        return self.prints[first].time_us if first < len(self.prints) else None

    def top_at(self, time_us: int) -> tuple[int, int]:
        """Return best bid and ask in force at an instant; 0 and 10_000 before the market opened."""
        last = bisect_right(self.quotes, time_us, key=lambda each: each.time_us)
        return self.quotes[last - 1][1:] if last else (0, DOLLAR_CC)

    def price_at(self, time_us: int) -> int | None:
        """Return the last traded YES price at an instant."""
        last = bisect_right(self.prints, time_us, key=lambda each: each.time_us)
        return self.prints[last - 1].yes_price_cc if last else None
