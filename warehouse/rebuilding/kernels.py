"""Changes laid out, levels numbered, books shown: one pass over each market's changes, exactly.

Cost: see docs/benchmarks.md. This is the one module of the warehouse that imports numba, and it is imported
when arrays are first asked for.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numpy as np
from numba import njit

from warehouse.rebuilding.ops import (
    CLEAR,
    CROSSED,
    DELTA,
    DOLLAR_CC,
    END,
    I8,
    I32,
    I64,
    NEGATIVE,
    SET,
    SOUND,
    SPAN,
    UNKNOWN,
)

STATE: Final = 9
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
# First digits of a SHA-256 over ops.py: numba's cache does not notice a change there, so a test asks for the
# new digits here.
MADE_WITH: Final = "2c3142431932"


def entry(function: Kernel) -> Kernel:
    """Compile a function that Python calls: cached on disk, and free of Python's global lock."""
    return cast("Kernel", njit(cache=True, nogil=True)(function))


def inner(function: Kernel) -> Kernel:
    """Compile a function that other kernels call."""
    compiled = cast("Callable[..., Any]", njit)(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return cast("Kernel", compiled(function))


@inner
def _fold(
    book: I64,
    levels: tuple[I32, I64],
    first: int,
    end: int,
    deltas: tuple[I64, I32, I64],
    d: int,
    stop: int,
    now: int,
) -> tuple[int, int]:
    """Make `book` what it is at `now`; return the first delta that is later, and if a level fell below 0."""
    is_negative = 0
    book[:] = 0
    for k in range(first, end):
        book[levels[0][k]] = max(0, levels[1][k])
    while d < stop and deltas[0][d] <= now:
        size = book[deltas[1][d]] + deltas[2][d]
        is_negative = 1 if size < 0 else is_negative
        book[deltas[1][d]] = max(0, size)
        d += 1
    return d, is_negative


@inner
def _put(rows: tuple[I64, I8, I32, I64], n: int, at_us: int, op: int, code: int, amount: int) -> int:
    """Write a row, if there is room for any; return the place of the next."""
    if len(rows[0]):
        rows[0][n], rows[1][n], rows[2][n], rows[3][n] = at_us, op, code, amount
    return n + 1


@inner
def _put_deltas(
    rows: tuple[I64, I8, I32, I64], n: int, deltas: tuple[I64, I32, I64], d: int, stop: int, end_us: int
) -> int:
    """Write the deltas before `end_us`, or count them."""
    if not len(rows[0]):
        return n + int(np.searchsorted(deltas[0][d:stop], end_us))
    while d < stop and deltas[0][d] < end_us:
        rows[0][n], rows[1][n], rows[2][n], rows[3][n] = deltas[0][d], DELTA, deltas[1][d], deltas[2][d]
        n, d = n + 1, d + 1
    return n


@entry
def lay_out(
    turns: tuple[I64, I64, I64],
    bases: tuple[I64, I64, I64, I64, I64],
    levels: tuple[I32, I64],
    deltas: tuple[I64, I32, I64],
    until_us: I64,
    offsets: I64,
    rows: tuple[I64, I8, I32, I64],
) -> int:
    """Write the changes of all markets to `rows` and where each begins to `offsets`; return how many.

    Args:
        turns: offsets by market, at_us, base; of `speaking.Turns`.
        bases: for each snapshot known_us, and where its deltas and its levels begin and end.
        levels: code and count of the snapshots' levels.
        deltas: known_us, code, amount.
        until_us: for each market, when it ends, excluded.
        offsets: of each market, to be filled.
        rows: ts_us, op, code and amount, to be filled; of no length, they are only counted.
    """
    turn_offsets, at_us, base_of = turns
    known_us, first_delta, end_delta, first_level, end_level = bases
    book, n = np.zeros(2 * SPAN, np.int64), 0
    for m in range(len(turn_offsets) - 1):
        offsets[m] = n
        for i in range(turn_offsets[m], turn_offsets[m + 1]):
            now, base, is_last = at_us[i], base_of[i], i + 1 == turn_offsets[m + 1]
            end_us = until_us[m] if is_last else min(at_us[i + 1], until_us[m])
            if now >= end_us:
                continue
            if base < 0:
                n = _put(rows, n, now, UNKNOWN, 0, i)
                continue
            d, stop, is_negative = first_delta[base], end_delta[base], 0
            first, end = first_level[base], end_level[base]
            n = _put(rows, n, now, CLEAR, 0, i)
            if now > known_us[base] and d < stop and deltas[0][d] <= now:
                # The book has moved since its snapshot: what it is by now is all that counts.
                d, is_negative = _fold(book, levels, first, end, deltas, d, stop, now)
                for code in range(2 * SPAN):
                    if book[code] > 0:
                        n = _put(rows, n, now, SET, code, book[code])
            else:
                for k in range(first, end):
                    if levels[1][k] > 0:
                        n = _put(rows, n, now, SET, levels[0][k], levels[1][k])
            n = _put(rows, n, now, END, 0, is_negative)
            n = _put_deltas(rows, n, deltas, d, stop, end_us)
    offsets[-1] = n
    return n


@entry
def number_levels(offsets: I64, ops: I8, codes: I32, levels: tuple[I64, I64, I32], places: I32) -> int:
    """Give each market's levels numbers, best bids to worst asks; return how many there are.

    Args:
        offsets: of each market's rows.
        ops: of each row.
        codes: of each row.
        levels: each market's first level, where its asks begin, and the code of every level; to be filled.
            As long as there is no code, levels are only counted.
        places: the level of each row, to be filled; of rows that are about none, the market's first.
    """
    first, split, code_of = levels
    number, n = np.full(2 * SPAN, -1, np.int32), 0
    for m in range(len(offsets) - 1):
        first[m] = n
        low, high = 2 * SPAN, -1
        for r in range(offsets[m], offsets[m + 1]):
            if ops[r] == SET or ops[r] == DELTA:
                code = codes[r]
                number[code] = 0
                low, high = min(low, code), max(high, code)
        split[m] = n
        for code in range(low, high + 1):
            if number[code] == 0:
                if len(code_of):
                    code_of[n] = code
                number[code] = n
                n += 1
                if code < SPAN:
                    split[m] = n
        if len(code_of):
            for r in range(offsets[m], offsets[m + 1]):
                is_level = ops[r] == SET or ops[r] == DELTA
                places[r] = number[codes[r]] if is_level else first[m]
        for code in range(low, high + 1):
            number[code] = -1
    first[-1] = n
    return n


@inner
def _best(sizes: I64, best: int, k: int, end: int) -> int:
    """Return the best level of a side after level k has changed.

    Only for levels that may show: which side a change is on no processor predicts, and most are too deep.
    """
    best = min(best, k)
    while best < end and sizes[best] == 0:
        best += 1
    return best


@inner
def _anomaly(codes: I32, bid: int, split: int, ask: int, hi: int, is_negative: int) -> int:
    """Return what is wrong with a book of these best levels."""
    if is_negative:
        return NEGATIVE
    is_crossed = bid < split and ask < hi and DOLLAR_CC - codes[bid] >= codes[ask] - SPAN
    return CROSSED if is_crossed else SOUND


@inner
def _side(
    sizes: I64, k: int, end: int, depth: int, codes: I32, side: tuple[I64, I32, I64], n: int
) -> tuple[int, int]:
    """Write at most `depth` levels; return where writing ended, and the worst level that shows."""
    left = depth
    while k < end and left > 0:
        if sizes[k] > 0:
            side[1][n] = codes[k] - SPAN if codes[k] >= SPAN else DOLLAR_CC - codes[k]
            side[2][n] = sizes[k]
            n, left = n + 1, left - 1
        k += 1
    return n, (end - 1 if left > 0 else k - 1)


@entry
def show(  # noqa: C901, PLR0912 - one loop over what may happen: calls would cost more than they tell
    changes: tuple[I64, I64, I8, I32, I64],
    levels: tuple[I64, I64, I32],
    sizes: I64,
    grid: tuple[int, int, int],
    depth: int,
    state: I64,
    rows: tuple[I32, I64, I64, I8],
    bids: tuple[I64, I32, I64],
    asks: tuple[I64, I32, I64],
) -> int:
    """Write books, market by market, until there is no room; return how many. Call it until it is done.

    Args:
        changes: offsets by market; ts_us, op, place, amount.
        levels: each market's first level, where its asks begin, and every level's code.
        sizes: what rests at every level; all 0 before the first call.
        grid: first instant, step and number of instants; without a step, a row for every instant at which
            something that shows changed.
        depth: most levels a side.
        state: what this keeps between calls, STATE numbers, all 0 at first; the first is the next market.
        rows: market, ts_us, turn (minus 1 minus the turn where the book is unknown), anomaly; to be filled.
        bids: where each row's bids end (one more than rows), prices, counts; to be filled.
        asks: the same.
    """
    offsets, ts, ops, places, amounts = changes
    n, n_bids, n_asks = 0, 0, 0
    bids[0][0] = asks[0][0] = 0
    m, r, g, turn, is_negative = state[0], state[1], state[2], state[3], state[4]
    bid, ask, worst_bid, worst_ask = state[5], state[6], state[7], state[8]
    while m < len(offsets) - 1:
        lo, split, hi, end = levels[0][m], levels[1][m], levels[0][m + 1], offsets[m + 1]
        while (g < grid[2]) if grid[1] > 0 else (r < end):
            if n == len(rows[0]) or max(n_bids, n_asks) + min(depth, hi - lo) > len(bids[1]):
                state[:] = np.array([m, r, g, turn, is_negative, bid, ask, worst_bid, worst_ask])
                return n
            now, is_due = (grid[0] + g * grid[1], True) if grid[1] > 0 else (ts[r], False)
            while r < end and ts[r] <= now:
                op, k, amount = ops[r], places[r], amounts[r]
                if op in (DELTA, SET):
                    size = amount + (sizes[k] if op == DELTA else 0)
                    if size < 0:
                        size, is_due, is_negative = 0, True, 1
                    is_near = k <= (worst_bid if k < split else worst_ask) and size != sizes[k]
                    sizes[k] = size
                    if is_near:
                        is_due = True
                        if k < split:
                            bid = _best(sizes, bid, k, split)
                            worst_bid = max(worst_bid, bid)
                        else:
                            ask = _best(sizes, ask, k, hi)
                            worst_ask = max(worst_ask, ask)
                elif op == END:
                    is_negative = amount
                else:
                    is_due = True
                    turn = amount if op == CLEAR else -1 - amount
                    if op == CLEAR:
                        sizes[lo:hi] = 0
                        is_negative, bid, ask, worst_bid, worst_ask = 0, split, hi, split, hi
                r += 1
            g += 1 if grid[1] > 0 else 0
            if not is_due:
                continue
            rows[0][n], rows[1][n], rows[2][n], rows[3][n] = m, now, turn, SOUND
            if turn >= 0:
                n_bids, worst_bid = _side(sizes, bid, split, depth, levels[2], bids, n_bids)
                n_asks, worst_ask = _side(sizes, ask, hi, depth, levels[2], asks, n_asks)
                rows[3][n] = _anomaly(levels[2], bid, split, ask, hi, is_negative)
            bids[0][n + 1], asks[0][n + 1], n = n_bids, n_asks, n + 1
        m, r, g = m + 1, end, 0
    state[0] = m
    return n
