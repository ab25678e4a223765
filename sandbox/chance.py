"""Chance that comes out the same on every machine.

Only `Random.random` and `Random.getrandbits` are used, seeded by text (which Python hashes with SHA-512), and
no function of the C mathematics library but the exactly rounded square root: the same seed, the same bytes.
"""

import math
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

Item = TypeVar("Item")

# Abramowitz and Stegun 26.2.19: only sums, products and one division, and an error below 1.5e-7.
_NORMAL: Final = (0.0498673470, 0.0211410061, 0.0032776263, 0.0000380036, 0.0000488906, 0.0000053830)


def stream(*names: object) -> Random:
    """Return a generator of its own for one purpose, so that no purpose disturbs another."""
    return Random("/".join(str(name) for name in names))  # noqa: S311 - a reproducible world is the aim


def between(rng: Random, low: int, high: int) -> int:
    """Return an integer of `[low, high]`."""
    return low + int(rng.random() * (high - low + 1))


def pick(rng: Random, items: Sequence[Item]) -> Item:
    """Return one of the items."""
    return items[int(rng.random() * len(items))]


def bell(rng: Random) -> float:
    """Return a number of mean 0 and variance 1 that is nearly normal (four uniform numbers)."""
    draw = rng.random
    return (draw() + draw() + draw() + draw() - 2.0) * math.sqrt(3.0)


def normal_below(distance: float) -> float:
    """Return the probability that a standard normal variable lies below `distance`."""
    size = abs(distance)
    total, power = 1.0, 1.0
    for coefficient in _NORMAL:
        power *= size
        total += coefficient * power
    for _ in range(4):
        total *= total
    tail = 0.5 / total
    return tail if distance < 0 else 1.0 - tail


def uuid_text(rng: Random) -> str:
    """Return a random identifier in the form of a version 4 UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
