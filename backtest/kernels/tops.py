"""The top of the book after every row of a tape, in one pass: about 5 ns a row of books and 10 of quotes.

And what positions are worth at it, afterwards: a sweep would spend most of its time on that.
"""

from typing import Final

import numpy as np

from backtest.kernels.arrays import DOLLAR_CC, I32, I64, NEVER, PRINT, Records
from backtest.kernels.jit import entry, inner
from warehouse.rebuilding.ops import CLEAR, END, SET, UNKNOWN

# As in clock.py.
MADE_WITH: Final = "7b7c5707c9d9"


@inner
def _best(size: I64, k: int, end: int) -> int:
    while k < end and size[k] == 0:
        k += 1
    return k


@entry
def book_tops(
    tops: Records, changes: Records, offsets: I64, level_offsets: I64, level_split: I64, level_cc: I64
) -> None:
    """Fill bid, ask and is_live of a book's rows from its changes.

    `offsets` and `level_offsets` bound the rows and levels of each market; its bids end at `level_split`.
    """
    size = np.zeros(len(level_cc), np.int64)
    for m in range(len(offsets) - 1):
        lo, split, hi = level_offsets[m], level_split[m], level_offsets[m + 1]
        bid, ask, is_known = split, hi, 0
        top_bid, top_ask = 0, DOLLAR_CC
        for r in range(offsets[m], offsets[m + 1]):
            change, op = changes[r], changes[r].op
            if op == UNKNOWN:
                is_known = 0
            elif op == CLEAR:
                for k in range(lo, hi):
                    size[k] = 0
                bid, ask, is_known, top_bid, top_ask = split, hi, 1, 0, DOLLAR_CC
            elif op not in (END, PRINT):
                k = change.level
                size[k] = change.amount if op == SET else max(0, size[k] + change.amount)
                # Which side it is nobody can predict; most changes are too deep for that to matter.
                if k <= (bid if k < split else ask):
                    if k < split:
                        bid = _best(size, k, split)
                        top_bid = level_cc[bid] if bid < split else 0
                    else:
                        ask = _best(size, k, hi)
                        top_ask = level_cc[ask] if ask < hi else DOLLAR_CC
            is_last = r + 1 == offsets[m + 1] or tops[r + 1].ts_us > tops[r].ts_us
            top = tops[r]
            top.bid_cc, top.ask_cc = top_bid, top_ask
            top.is_live = 1 if is_known and is_last and top_bid < top_ask else 0


@entry
def rows_by_market(market: I64, ts_us: I64, close_us: I64) -> tuple[I64, I64, I64]:
    """Return the rows before their market's close by market, each market's in the order given.

    Also where each market's rows begin and end, and the least step in time from a row to the next of its
    market: below 1, rows lie in another order or share an instant. `market` is -1 for rows to leave out.
    """
    n, least = len(close_us), NEVER
    offsets, last_us = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    for i in range(len(market)):
        m = market[i]
        if m >= 0 and ts_us[i] < close_us[m]:
            offsets[m + 1] += 1
    for m in range(n):
        offsets[m + 1] += offsets[m]
    place, rows = offsets[:-1].copy(), np.empty(offsets[n], np.int64)
    for i in range(len(market)):
        m = market[i]
        if m >= 0 and ts_us[i] < close_us[m]:
            if place[m] > offsets[m]:
                least = min(least, ts_us[i] - last_us[m])
            rows[place[m]], last_us[m] = i, ts_us[i]
            place[m] += 1
    return rows, offsets, np.array([least])


@entry
def quote_tops(
    tops: Records,
    sizes: Records,
    offsets: I64,
    rows: I64,
    ts_us: I64,
    bids: tuple[I32, I64],
    asks: tuple[I32, I64],
) -> None:
    """Fill tops and sizes of quotes, taken from `rows` of prices (0 where null) and sizes (-1 where null)."""
    bid_run, ask_run = 0, 0
    for m in range(len(offsets) - 1):
        for r in range(offsets[m], offsets[m + 1]):
            i, top, size = rows[r], tops[r], sizes[r]
            top.ts_us, top.bid_cc, top.ask_cc = ts_us[i], 0, DOLLAR_CC
            if 0 < bids[0][i] < DOLLAR_CC and bids[1][i] != 0:
                top.bid_cc, size.bid_size = bids[0][i], bids[1][i]
            if 0 < asks[0][i] < DOLLAR_CC and asks[1][i] != 0:
                top.ask_cc, size.ask_size = asks[0][i], asks[1][i]
            is_first = r == offsets[m]
            bid_run += 1 if is_first or top.bid_cc != tops[r - 1].bid_cc else 0
            ask_run += 1 if is_first or top.ask_cc != tops[r - 1].ask_cc else 0
            size.bid_run, size.ask_run = bid_run, ask_run
            is_last = r + 1 == offsets[m + 1] or ts_us[rows[r + 1]] > ts_us[i]
            top.is_live = 1 if is_last and top.bid_cc < top.ask_cc else 0


@entry
def add_worth(equity: Records, moves: Records, tops: Records, offsets: I64) -> None:
    """Add what is held, at the bid of its side, to `marked_micros` of each row of equity.

    `moves` are positions after each change, by market and then in order of time; a row of equity is taken
    after everything of its instant. About 5 ns for each market and row of equity.
    """
    row = 0
    for k in range(len(moves)):
        move, m = moves[k], moves[k].market
        is_first = k == 0 or moves[k - 1].market != m
        is_last = k + 1 == len(moves) or moves[k + 1].market != m
        row = offsets[m] - 1 if is_first else row
        until = NEVER if is_last else moves[k + 1].ts
        if move.position == 0 or until == move.ts:
            continue
        for i in range(_first_from(equity, move.ts), len(equity)):
            if equity[i].ts >= until:
                break
            row = _last_by(tops, row, offsets[m + 1], equity[i].ts)
            if row >= offsets[m]:
                bid = tops[row].bid_cc if move.position > 0 else DOLLAR_CC - tops[row].ask_cc
                equity[i].marked_micros += abs(move.position) * bid


@inner
def _first_from(equity: Records, t: int) -> int:
    """Return the first row at or after t."""
    low, high = 0, len(equity)
    while low < high:
        middle = (low + high) // 2
        if equity[middle].ts < t:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _last_by(tops: Records, row: int, end: int, t: int) -> int:
    """Return the last row at or before t, searching from `row`, which is."""
    step = 1
    while row + step < end and tops[row + step].ts_us <= t:
        row += step
        step *= 2
    while step > 0:
        if row + step < end and tops[row + step].ts_us <= t:
            row += step
        step //= 2
    return row
