"""The hidden truth of an event: an underlying that wanders, and what it makes each market worth."""

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from exchange.units import DOLLAR_CC
from sandbox.chance import bell, normal_below

N_STEPS: Final = 240
FLOOR_CC: Final = 10  # a live market is never quite certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Underlying:
    """What decides an event: it starts at `mean`, ends about `spread` away, and is read in whole `tick`s."""

    mean: float
    spread: float
    tick: float

    def in_ticks(self, wandered: float) -> int:
        """Return the reading, in ticks, of an underlying that has wandered this many standard deviations."""
        return math.floor((self.mean + self.spread * wandered) / self.tick + 0.5)

    def boundary(self, ticks: int) -> float:
        """Return how far, in standard deviations, the reading must wander to become `ticks`."""
        return ((ticks - 0.5) * self.tick - self.mean) / self.spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The readings for which a market pays: `[low, high]` in ticks, None for an open end."""

    low: int | None = None
    high: int | None = None

    def holds(self, reading: int) -> bool:
        """Tell whether the market resolves yes."""
        return (self.low is None or reading >= self.low) and (self.high is None or reading <= self.high)


def walk(rng: Random, n_steps: int = N_STEPS) -> list[float]:
    """Return `n_steps + 1` positions of a walk that starts at 0 and ends with a variance of 1."""
    step = 1.0 / math.sqrt(n_steps)
    position, path = 0.0, [0.0]
    for _ in range(n_steps):
        position += step * bell(rng)
        path.append(position)
    return path


def probabilities_cc(path: list[float], underlying: Underlying, outcome: Outcome) -> list[int]:
    """Return the fair YES price, in centicents, at every step of the path."""
    n_steps = len(path) - 1
    low = None if outcome.low is None else underlying.boundary(outcome.low)
    high = None if outcome.high is None else underlying.boundary(outcome.high + 1)
    prices = []
    for step, position in enumerate(path):
        ahead = math.sqrt(max((n_steps - step) / n_steps, 0.25 / n_steps))
        below_low = 0.0 if low is None else normal_below((low - position) / ahead)
        below_high = 1.0 if high is None else normal_below((high - position) / ahead)
        price_cc = int((below_high - below_low) * DOLLAR_CC + 0.5)
        prices.append(min(max(price_cc, FLOOR_CC), DOLLAR_CC - FLOOR_CC))
    return prices
