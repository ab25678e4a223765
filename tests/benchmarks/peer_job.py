"""The job that other backtest engines are given, as arrays and files that need nothing but numpy.

In each market on its own: when the mean of the last twenty prices, this one included, lies `dip` or more
above the price, buy `count` contracts of YES at the price if none are held; when it lies `dip` or more below
the price, sell them at the price; what is left at the end is settled. Buying and selling are charged Kalshi's
taker fee in whole cents, as before 2026-05-28 (KALSHI.md §8); settling is free.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
Fills = np.ndarray[Any, np.dtype[Any]]

WINDOW: Final = 20
N_COMBINATIONS: Final = 100
# By how much the sum of WINDOW prices exceeds WINDOW times the price, in cents: 2.00 to 6.95 cents a price.
DIPS: Final = tuple(range(40, 40 + N_COMBINATIONS))
COUNTS: Final = tuple(1 + each % 5 for each in range(N_COMBINATIONS))
CASH: Final = 1_000_000
FILL: Final = np.dtype(
    [(name, np.int64) for name in ("combination", "market", "row", "side", "cents", "count", "fee_cents")]
)
_DOLLAR_CENTS: Final = 100
_SAME_CENT: Final = 1e-6  # a float this near to a whole cent is meant to be one


@dataclass(frozen=True, slots=True)
class Market:
    """Trades of one market in order: price in cents, `dip` as in DIPS (0 before WINDOW prices are there)."""

    cents: I64
    dip: I64
    settled_cents: int


def save_markets(markets: Sequence[Market], folder: Path) -> None:
    """Write each market to a file of its own."""
    folder.mkdir(parents=True)
    for place, market in enumerate(markets):
        settled = np.array(market.settled_cents)
        np.savez(folder / f"{place:04d}.npz", cents=market.cents, dip=market.dip, settled=settled)


def read_markets(folder: Path) -> list[Market]:
    """Return what was saved, in order."""
    found = [np.load(each) for each in sorted(folder.glob("*.npz"))]
    return [Market(each["cents"], each["dip"], int(each["settled"])) for each in found]


def fee_cents(cents: int, count: int) -> int:
    """Return 7 % of count x price x (1 - price), in dollars, rounded up to a whole cent."""
    return -(-7 * count * cents * (_DOLLAR_CENTS - cents) // _DOLLAR_CENTS**2)


def fee_dollars(cents: I64, count: int) -> npt.NDArray[np.float64]:
    """Return the same of many prices, in dollars."""
    units = 7 * count * cents * (_DOLLAR_CENTS - cents)
    return -(-units // _DOLLAR_CENTS**2) / _DOLLAR_CENTS


def whole_cents(dollars: float) -> int:
    """Return an amount in cents; it must be whole but for what floats lose."""
    cents = dollars * _DOLLAR_CENTS
    nearest = round(cents)
    assert abs(cents - nearest) < _SAME_CENT * max(1.0, abs(cents)), dollars
    return nearest


def as_fills(rows: Sequence[tuple[int, ...]]) -> Fills:
    """Return fills by combination, market and row."""
    return np.sort(np.array(rows, FILL), order=["combination", "market", "row"])


def combinations() -> Iterator[tuple[int, int, int]]:
    """Yield the number, dip and count of every combination."""
    yield from zip(range(N_COMBINATIONS), DIPS, COUNTS, strict=True)
