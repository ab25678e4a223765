"""Trades woven into the changes of books: which change each trade made, and where the others belong."""

from typing import Final

import numpy as np

from backtest.kernels.arrays import I64, PRINT, TRADED
from backtest.kernels.jit import entry, inner
from warehouse.rebuilding.ops import DELTA

# As in clock.py.
MADE_WITH: Final = "b26770792804"


@inner
def _change_of(rows: I64, first: int, end: int, at_us: int, within_us: int, code: int, count: int) -> int:
    """Return the change of exactly minus `count` at the level, the nearest in time, the first of several."""
    best, distance = -1, within_us + 1
    for r in range(first, end):
        away = rows[0, r] - at_us
        if away > within_us:
            break
        if rows[1, r] == DELTA and rows[2, r] == code and rows[3, r] == -count and abs(away) < distance:
            best, distance = r, abs(away)
    return best


@entry
def weave(offsets: I64, rows: I64, print_offsets: I64, prints: I64, within_us: int) -> tuple[I64, I64]:
    """Return the rows with trades among them, and where each market's begin.

    A change that a trade made becomes TRADED. A trade without one becomes a row of its own, PRINT, after
    everything of its instant.

    Args:
        offsets: where each market's rows begin and end.
        rows: (4, rows): ts_us in order, op, code of the level, amount.
        print_offsets: where each market's trades begin and end.
        prints: (3, trades): ts_us in order, code of the level that was taken from, contracts.
        within_us: how far from its change a trade may be.
    """
    alone = np.zeros(prints.shape[1], np.bool_)
    for m in range(len(offsets) - 1):
        first = offsets[m]
        for p in range(print_offsets[m], print_offsets[m + 1]):
            at_us = prints[0, p]
            while first < offsets[m + 1] and rows[0, first] < at_us - within_us:
                first += 1
            made = _change_of(rows, first, offsets[m + 1], at_us, within_us, prints[1, p], prints[2, p])
            if made < 0:
                alone[p] = True
            else:
                rows[1, made] = TRADED
    woven = np.empty((4, rows.shape[1] + np.count_nonzero(alone)), np.int64)
    starts, n = np.zeros(len(offsets), np.int64), 0
    for m in range(len(offsets) - 1):
        p, end = print_offsets[m], print_offsets[m + 1]
        for r in range(offsets[m], offsets[m + 1] + 1):
            while p < end and (r == offsets[m + 1] or prints[0, p] < rows[0, r]):
                if alone[p]:
                    woven[0, n], woven[1, n] = prints[0, p], PRINT
                    woven[2, n], woven[3, n] = prints[1, p], prints[2, p]
                    n += 1
                p += 1
            if r < offsets[m + 1]:
                for column in range(4):
                    woven[column, n] = rows[column, r]
                n += 1
        starts[m + 1] = n
    return starts, woven
