"""How much of what rests on each side of a book is ours, by the rule of the rewards for liquidity."""

from typing import Final

import numpy as np
import numpy.typing as npt

from backtest.kernels.arrays import I8, I32, I64
from backtest.kernels.jit import entry, inner
from warehouse.rebuilding.ops import CLEAR, DELTA, SET, UNKNOWN

F64 = npt.NDArray[np.float64]

# As in clock.py.
MADE_WITH: Final = "b26770792804"

KNOWN_US, COUNTED_US, OURS, EVERYBODYS = range(4)
"""What `score` sums up: microseconds in which the book is known, and counts; shares times microseconds."""


@inner
def _share(
    sizes: tuple[I64, I64],
    levels: tuple[I64, I8],
    bounds: tuple[int, int],
    rule: tuple[int, int],
    discount: F64,
) -> float:
    """Return our share of what scores on one side, best level first; -1 if nothing qualifies.

    `rule`: the target size, and the part of it, of which the reference price is the first level to reach.
    """
    size, own = sizes
    tick, is_extreme = levels
    target, least = rule
    reached, reference, total, ours = 0, -1, 0.0, 0.0
    for k in range(bounds[0], bounds[1]):
        rests = size[k] + own[k]
        if rests == 0:
            continue
        if reached == 0 and is_extreme[k]:
            return -1.0
        reached += rests
        if reference < 0 and reached >= least:
            reference = k
        # What is better than the reference counts in full, whenever that is found.
        weight = discount[abs(tick[k] - tick[reference])] if reference >= 0 else 1.0
        total += weight * rests
        ours += weight * own[k]
        if reached >= target:
            return ours / total if total > 0 else 0.0
    return -1.0


@entry
def score(
    rows: tuple[I64, I8, I32, I64, I8],
    split: int,
    levels: tuple[I64, I8],
    window: tuple[int, int],
    rule: tuple[int, int, int],
    discount: F64,
    told: F64,
) -> None:
    """Add up what one market's book is worth to us in a window.

    A share is weighed with the time for which the book stands, which is what a look at a random moment of
    every second finds on average.

    Args:
        rows: ts_us, op, level, amount of a book's changes in order, and whether the change is ours.
        split: the first level of the asks.
        levels: of each level, best bids to worst asks, the number of its tick, and whether a side whose best
            it is has nothing that qualifies.
        window: from when, and until when, excluded.
        rule: as in `_share`, and 1 if both sides have to qualify.
        discount: the weight of a level by its distance in ticks.
        told: where to add, see KNOWN_US.
    """
    ts_us, op, level, amount, is_own = rows
    target, least, is_two_sided = rule
    size, own = np.zeros(len(levels[0]), np.int64), np.zeros(len(levels[0]), np.int64)
    r, is_known, at_us = 0, False, window[0]
    while at_us < window[1]:
        while r < len(op) and ts_us[r] <= at_us:
            k = level[r]
            if is_own[r]:
                own[k] += amount[r]
            elif op[r] == DELTA:
                size[k] = max(0, size[k] + amount[r])
            elif op[r] == SET:
                size[k] = amount[r]
            elif op[r] == CLEAR:
                size[:] = 0
                is_known = True
            elif op[r] == UNKNOWN:
                is_known = False
            r += 1
        next_us = min(window[1], ts_us[r]) if r < len(op) else window[1]
        if is_known:
            lasts_us = float(next_us - at_us)
            told[KNOWN_US] += lasts_us
            bid = _share((size, own), levels, (0, split), (target, least), discount)
            ask = _share((size, own), levels, (split, len(size)), (target, least), discount)
            n_sides = int(bid >= 0) + int(ask >= 0)
            if n_sides == 2 or (n_sides == 1 and not is_two_sided):  # noqa: PLR2004 - both
                told[COUNTED_US] += lasts_us
                told[OURS] += lasts_us * (max(bid, 0.0) + max(ask, 0.0))
                told[EVERYBODYS] += lasts_us * n_sides
        at_us = next_us
