"""The top of the book after every row of a tape: about 8 ns a row of books and 15 of quotes.

And what positions are worth at it, afterwards: a sweep would spend most of its time on that.
"""

from typing import Any, Final

import numpy as np

from backtest.kernels.arrays import (
    DOLLAR_CC,
    I8,
    I32,
    I64,
    NEVER,
    OF_A_CLOSE,
    PRICE_UNKNOWN,
    SIZE,
    SIZE_MAX_CENTI,
    SIZE_OF_CLOSE,
    SIZE_UNKNOWN,
    TOP,
    TRADED,
    TURNS_MIN,
    Records,
)
from backtest.kernels.jit import entry, inner
from warehouse.rebuilding.ops import CLEAR, DELTA, SET, UNKNOWN

# As in clock.py.
MADE_WITH: Final = "b26770792804"


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
    Places that are counted from 0 or have no sign spare numba a look at whether they count from the end: a
    quarter of the time.
    """
    size = np.zeros(len(level_cc), np.int64)
    for m in range(len(offsets) - 1):
        lo, split, hi = level_offsets[m], level_split[m], level_offsets[m + 1]
        bid, ask, is_known = split, hi, 0
        top_bid, top_ask = 0, DOLLAR_CC
        told, shown = changes[offsets[m] : offsets[m + 1]], tops[offsets[m] : offsets[m + 1]]
        for r in range(len(told)):
            op, top = told[r].op, shown[r]
            if op in (DELTA, SET, TRADED):
                k: Any = np.uint32(told[r].level)
                left = told[r].amount if op == SET else max(0, size[k] + told[r].amount)
                size[k] = left
                # The best price moves where a better one is shown, or where its own level empties. Which side
                # it is nobody can predict; most changes are too deep for that to matter.
                if k + (left > 0) <= (bid if k < split else ask):
                    if k < split:
                        bid = _best(size, k, split)
                        top_bid = level_cc[bid] if bid < split else 0
                    else:
                        ask = _best(size, k, hi)
                        top_ask = level_cc[ask] if ask < hi else DOLLAR_CC
            elif op == UNKNOWN:
                is_known = 0
            elif op == CLEAR:
                size[lo:hi] = 0
                bid, ask, is_known, top_bid, top_ask = split, hi, 1, 0, DOLLAR_CC
            is_last = r + 1 == len(told) or shown[r + 1].ts_us > top.ts_us
            top.bid_cc, top.ask_cc = top_bid, top_ask
            top.is_live = 1 if is_known and is_last and top_bid < top_ask else 0


@inner
def _kept(size_centi: int) -> int:
    if size_centi < 0:
        return SIZE_OF_CLOSE if size_centi == OF_A_CLOSE else SIZE_UNKNOWN
    return min(size_centi, SIZE_MAX_CENTI)


@entry
def put_quotes(
    tops: Records,
    sizes: Records,
    shelves: Records,
    offsets: I64,
    close_us: I64,
    market: I64,
    times_us: tuple[I64, I64],
    bids: tuple[I32, I64],
    asks: tuple[I32, I64],
) -> None:
    """Put quotes behind those of their market that came before, at the next row of its shelf.

    A market is mixed up if a row's times (of the event, then received) are not after those of the row before.
    Prices are 0 where null, sizes -1. Where a bid is PRICE_UNKNOWN, the prices shown before stay, and nobody
    knows whether they hold.
    """
    for i in range(len(market)):
        m, ts_us, received_us = market[i], times_us[0][i], times_us[1][i]
        if m < 0 or ts_us >= close_us[m]:
            continue
        r = shelves[m].row
        assert r < offsets[m + 1]  # or else the rows are not those that were counted
        if r > offsets[m]:
            last_us = tops[r - 1].ts_us
            if ts_us < last_us or (ts_us == last_us and received_us <= shelves[m].received_us):
                shelves[m].is_mixed_up = 1
        shelves[m].row, shelves[m].received_us = r + 1, received_us
        top, size = tops[r], sizes[r]
        top.ts_us, top.bid_cc, top.ask_cc, size.bid_size, size.ask_size = ts_us, 0, DOLLAR_CC, 0, 0
        top.is_unknown = 1 if bids[0][i] == PRICE_UNKNOWN else 0
        if top.is_unknown and r > offsets[m]:
            top.bid_cc, top.ask_cc = tops[r - 1].bid_cc, tops[r - 1].ask_cc
        if 0 < bids[0][i] < DOLLAR_CC and bids[1][i] != 0:
            top.bid_cc, size.bid_size = bids[0][i], _kept(bids[1][i])
        if 0 < asks[0][i] < DOLLAR_CC and asks[1][i] != 0:
            top.ask_cc, size.ask_size = asks[0][i], _kept(asks[1][i])


@entry
def compare_quotes(tops: Records, offsets: I64) -> None:
    """Say of each row whether it is live, and which of its prices are not those of the row before."""
    for m in range(len(offsets) - 1):
        for r in range(offsets[m], offsets[m + 1]):
            top, is_first = tops[r], r == offsets[m]
            top.is_new_bid = 1 if is_first or top.bid_cc != tops[r - 1].bid_cc else 0
            top.is_new_ask = 1 if is_first or top.ask_cc != tops[r - 1].ask_cc else 0
            is_last = r + 1 == offsets[m + 1] or tops[r + 1].ts_us > top.ts_us
            top.is_live = 1 if is_last and top.is_unknown == 0 and top.bid_cc < top.ask_cc else 0


@entry
def to_the_middle(tops: Records, sizes: Records) -> None:
    """Move both sides of two-sided quotes to their middle; none of the others is live.

    Every row is a quote of its own then: nothing stays taken.
    """
    for r in range(len(tops)):
        top, size = tops[r], sizes[r]
        doubled = top.bid_cc + top.ask_cc
        if top.bid_cc > 0 and top.ask_cc < DOLLAR_CC:
            top.bid_cc, top.ask_cc = doubled // 2, (doubled + 1) // 2
        else:
            top.is_live = 0
        top.is_new_bid = top.is_new_ask = 1
        size.bid_size = size.ask_size = SIZE_UNKNOWN


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


@entry
def put_trades(
    deals: Records,
    shelves: Records,
    offsets: I64,
    close_us: I64,
    market: I64,
    ts_us: I64,
    prices: I32,
    is_bought: I8,
) -> None:
    """Put trades behind those of their market that came before; it is mixed up if one was earlier than those.

    `prices` are in YES; `is_bought` is 1 where the taker acquired YES.
    """
    for i in range(len(market)):
        m = market[i]
        if m < 0 or ts_us[i] >= close_us[m]:
            continue
        r = shelves[m].row
        assert r < offsets[m + 1]  # or else the rows are not those that were counted
        if r > offsets[m] and ts_us[i] < deals[r - 1].ts_us:
            shelves[m].is_mixed_up = 1
        shelves[m].row = r + 1
        deals[r].ts_us, deals[r].cc, deals[r].is_bought = ts_us[i], prices[i], is_bought[i]


@inner
def _instant(deals: Records, r: int, end: int) -> tuple[int, int, int]:
    """Return where the instant that begins at `r` ends, and the worst prices, 0 for none.

    That is the most that buyers of YES paid, and the least that sellers got.
    """
    t, bought, sold = deals[r].ts_us, 0, 0
    while r < end and deals[r].ts_us == t:
        price = deals[r].cc
        if deals[r].is_bought:
            bought = max(bought, price)
        else:
            sold = price if sold == 0 else min(sold, price)
        r += 1
    return r, bought, sold


@inner
def _turn(bought: int, sold: int, bought_before: int, sold_before: int) -> tuple[int, int]:
    """Return whether takers showed a spread, as 0 or 1, and how much buyers paid more than sellers got."""
    if bought > 0 and sold > 0:
        return 1, bought - sold
    if bought > 0 and sold_before > 0:
        return 1, bought - sold_before
    if sold > 0 and bought_before > 0:
        return 1, bought_before - sold
    return 0, 0


@inner
def _show(tops: Records, sizes: Records, n: int, prints: tuple[int, int], halves: tuple[int, int]) -> None:
    """Show both sides at row n, of a size nobody knows; none at $0 and below, and none at $1 and above."""
    top, size, bought, sold = tops[n], sizes[n], prints[0], prints[1]
    bid, ask = sold, bought
    if bought > 0:
        below = bought - 2 * halves[0]
        bid = below if sold == 0 else min(sold, below)
    if sold > 0:
        ask = max(bought, sold + 2 * halves[1])
    if bid > 0:
        top.bid_cc, size.bid_size = bid, SIZE_UNKNOWN
    if ask < DOLLAR_CC:
        top.ask_cc, size.ask_size = ask, SIZE_UNKNOWN
    top.is_live = 1


@entry
def last_tops(
    offsets: I64,
    deals: Records,
    close_us: I64,
    model: I64,
    halves: I64,
    ages: I64,
) -> tuple[Records, Records, I64]:
    """Return tops and sizes after each instant with trades, and where each market's begin.

    Args:
        offsets: where each market's trades begin and end in `deals`.
        deals: trades by market and time; of one instant in any order.
        close_us: of each market, after all its trades.
        model: the slippage of each market.
        halves: (slippages; 10_001): half of the spread by price; 0 where it is estimated.
        ages: for how long a trade says where the touch is, by slippage.
    """
    n = 2 * len(deals) if (ages < NEVER).any() else len(deals)
    tops, sizes, bounds = np.zeros(n, TOP), np.zeros(n, SIZE), np.zeros(len(offsets), np.int64)
    n = 0
    for m in range(len(offsets) - 1):
        half, age, r, end = halves[model[m]], ages[model[m]], offsets[m], offsets[m + 1]
        n_turns, total, bought, sold, last_bought, last_sold = 0, 0, 0, 0, 0, 0
        while r < end:
            t, bought_before, sold_before = deals[r].ts_us, bought, sold
            r, bought, sold = _instant(deals, r, end)
            is_turn, spread = _turn(bought, sold, bought_before, sold_before)
            n_turns, total = n_turns + is_turn, total + spread
            top, size = tops[n], sizes[n]
            top.ts_us, top.ask_cc = t, DOLLAR_CC
            top.is_new_bid = top.is_new_ask = 1 if n == bounds[m] else 0
            if bought > 0 and bought != last_bought:
                last_bought, top.is_new_ask = bought, 1
            if sold > 0 and sold != last_sold:
                last_sold, top.is_new_bid = sold, 1
            if half[0] > 0:
                _show(tops, sizes, n, (bought, sold), (half[bought], half[sold]))
            elif n_turns >= TURNS_MIN:
                estimated = max(1, (total + 2 * n_turns - 1) // (2 * n_turns))
                _show(tops, sizes, n, (bought, sold), (estimated, estimated))
            n += 1
            after = min(close_us[m], deals[r].ts_us if r < end else NEVER)
            if top.is_live and age < after - t:
                tops[n], sizes[n] = top, size
                tops[n].ts_us, tops[n].is_live, tops[n].is_new_bid, tops[n].is_new_ask = t + age, 0, 0, 0
                n += 1
        bounds[m + 1] = n
    return tops[:n], sizes[:n], bounds
