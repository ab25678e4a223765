"""The clock of a backtest: merge arrivals, waiting orders and settlements of all markets over one purse.

Order of events at one microsecond: market data, expiries, settlements, waiting orders (by market, row of the
tape and order number), arrivals (by order number). tests/oracles/engine.py says the same in plain Python.

Cost: 5 ns for each book change up to the last order, about 100 ns for each order and fill.
"""

import heapq
from typing import Final

import numpy as np

from backtest.kernels.arrays import (
    BOOK_UNKNOWN,
    COUNT_MAX_CENTI,
    DOLLAR_CC,
    EQUITY,
    EXPIRED,
    EXPIRY,
    FILL,
    FILLED,
    FOK,
    GTC,
    NEVER,
    NO_CASH,
    NOTHING_HELD,
    TOO_LARGE,
    WAKE,
    WOULD_CROSS,
    Heap,
    Records,
    World,
)
from backtest.kernels.fills import take, take_all, take_print
from backtest.kernels.jit import entry, inner
from backtest.kernels.law import affordable, law_at, outlay
from backtest.kernels.levels import advance, row_at
from backtest.kernels.queue import follow, is_print, join

# First digits of a SHA-256 over the files compiled into this one: numba's cache of `simulate` does not notice
# a change there, so a test asks for the new digits here.
MILLION: Final = 1_000_000
MADE_WITH: Final = "8e9228eb4cbd"


@inner
def _rest(w: World, heap: Heap, o: int, t: int, row: int) -> None:
    """Let what is left of order o wait: reserve its cash, and wake it when something may fill it.

    That is when the other side comes to its limit; with a queue, also at trades at its price or worse ones.
    """
    order, purse = w.orders[o], w.purse[0]
    market = w.markets[order.market]
    way, limit = order.direction, order.limit_cc
    q = limit if way > 0 else DOLLAR_CC - limit
    law, closable = law_at(w, order.market, t, 1), max(0, -way * market.position)
    if purse.queue and not order.is_resting:
        join(w, o, row)
    purse.reserved -= order.reserved
    order.reserved = 0
    n = affordable(order.waiting, closable, q, law, purse.cash - purse.reserved)
    if order.waiting > 0:
        order.reason = NO_CASH if n < order.waiting else EXPIRED
    order.waiting, order.is_resting = n, 1
    if n == 0:
        return
    order.reserved = max(0, outlay(n, closable, q, law))
    purse.reserved += order.reserved
    has_queue, expiry_us = purse.queue != 0, order.expiry_us
    for r in range(row + 1, market.end_row):
        top = w.tops[r]
        if top.ts_us >= expiry_us:
            return
        is_met = top.is_live and (top.ask_cc <= limit if way > 0 else top.bid_cc >= limit)
        if is_met or (has_queue and is_print(w, o, r)):
            heapq.heappush(heap, (top.ts_us, WAKE, r, o))
            return


@inner
def _crosses(w: World, o: int, row: int) -> bool:
    top, order = w.tops[row], w.orders[o]
    if top.is_live == 0:
        return False
    return bool(top.ask_cc <= order.limit_cc if order.direction > 0 else top.bid_cc >= order.limit_cc)


@inner
def _arrive(w: World, fills: Records, heap: Heap, o: int) -> None:
    """Match order o against the book at its arrival, and let the rest wait if it may."""
    order = w.orders[o]
    m, t = order.market, order.arrival_us
    market = w.markets[m]
    if order.direction == 0:
        order.count_centi = order.waiting = abs(market.position)
        if market.position == 0:
            order.reason = NOTHING_HELD
            return
        order.direction = -1 if market.position > 0 else 1
        order.limit_cc = 0 if market.position > 0 else DOLLAR_CC
    if abs(market.position) + order.count_centi > COUNT_MAX_CENTI:
        order.reason = TOO_LARGE
        return
    row = row_at(w, m, market.row, t)
    if row >= market.first_row:
        advance(w, m, row)
    if row < market.first_row or not w.tops[row].is_live:
        order.reason = BOOK_UNKNOWN
    elif order.is_post_only and _crosses(w, o, row):
        order.reason, order.waiting = WOULD_CROSS, 0
    elif not order.is_post_only:
        if order.tif == FOK:
            take_all(w, fills, o, t)
        else:
            take(w, fills, o, t)
    if order.tif == GTC and order.waiting > 0:
        _rest(w, heap, o, t, row)
        if order.waiting > 0 and order.expiry_us < NEVER:
            heapq.heappush(heap, (order.expiry_us, EXPIRY, row, o))


@inner
def _wake(w: World, fills: Records, heap: Heap) -> None:
    """Take the first event off the heap: an order's end, or something that may fill it."""
    t, kind, row, o = heapq.heappop(heap)
    order = w.orders[o]
    if kind == EXPIRY:
        w.purse[0].reserved -= order.reserved
        order.waiting = order.reserved = 0
    elif order.waiting > 0:
        if w.purse[0].queue and is_print(w, o, row):
            follow(w, o, row)
            take_print(w, fills, o, t, row)
        if order.waiting > 0 and _crosses(w, o, row):
            advance(w, order.market, row)
            take(w, fills, o, t)
        _rest(w, heap, o, t, row)


@inner
def _settle(w: World, m: int) -> None:
    """Pay out market m if it was ever traded."""
    market, purse = w.markets[m], w.purse[0]
    if market.place < 0:
        return
    position, value = market.position, market.value_cc
    payout = position * value if position > 0 else -position * (DOLLAR_CC - value)
    paid = w.settled[purse.n_settled]
    paid.market, paid.settled_us, paid.position_centi, paid.value_cc = m, market.settle_us, position, value
    paid.payout_micros, paid.cost_micros = payout, market.spent
    purse.n_settled += 1
    purse.cash += payout
    purse.locked -= market.basis
    w.events[market.event] -= market.basis
    market.position = market.basis = 0
    purse.n_active -= 1
    moved = w.active[purse.n_active]
    w.active[market.place] = moved
    w.markets[moved].place = market.place


@inner
def _mark(w: World, equity: Records, t: int) -> None:
    """Write one row of equity: cash, cash plus positions at the bid of the side held, what is locked."""
    purse = w.purse[0]
    marked = purse.cash
    for i in range(purse.n_active):
        market = w.markets[w.active[i]]
        row = row_at(w, w.active[i], market.mark_row, t)
        market.mark_row = row
        if row >= market.first_row:
            position, top = market.position, w.tops[row]
            marked += max(0, position) * top.bid_cc + max(0, -position) * (DOLLAR_CC - top.ask_cc)
    line = equity[purse.n_equity]
    line.ts, line.cash_micros, line.marked_micros = t, purse.cash, marked
    line.locked_micros = purse.locked + purse.reserved
    purse.n_equity += 1
    purse.marked_us = t


@inner
def _pass(w: World, t: int) -> None:
    """Add what was locked since the last instant, up to the end of the data.

    Exact in int64, for money and time are split at 10^6.
    """
    purse = w.purse[0]
    locked = purse.locked + purse.reserved
    purse.locked_max = max(purse.locked_max, locked)
    end_us = w.grid_us[len(w.grid_us) - 1] if len(w.grid_us) > 0 else 0
    passed_us = max(0, min(t, end_us) - purse.clock_us)
    purse.clock_us = t
    dollars, micros = locked // MILLION, locked % MILLION
    seconds, left_us = passed_us // MILLION, passed_us % MILLION
    purse.lock_low += micros * left_us
    purse.lock_middle += dollars * left_us + micros * seconds + purse.lock_low // MILLION
    purse.lock_low %= MILLION
    purse.lock_high += dollars * seconds + purse.lock_middle // MILLION
    purse.lock_middle %= MILLION


@entry
def simulate(w: World) -> tuple[Records, Records]:
    """Run the clock to its end, changing everything in `w` but tape and venue, and return fills and equity.

    Equity has a row for each instant that moved cash and each of `grid_us` at which something was held,
    taken after everything of that instant; instants closer than `step_us` to the row before wait for a later
    one to take their place, and the last one is written at the end. Rows beyond the counts in the purse are
    undefined.
    """
    purse = w.purse[0]
    fills, equity = np.empty(64, FILL), np.empty(64, EQUITY)
    heap = [(0, 0, 0, 0)]
    heap.pop()
    purse.dirty_us = -1
    while True:
        a, p, g = purse.next_order, purse.next_payout, purse.next_mark
        arrival = w.orders[a].arrival_us if a < len(w.orders) else NEVER
        payout = w.markets[w.payouts[p]].settle_us if p < len(w.payouts) else NEVER
        grid = w.grid_us[g] if g < len(w.grid_us) else NEVER
        waking, kind = (heap[0][0], heap[0][1]) if len(heap) > 0 else (NEVER, EXPIRY)
        t = min(arrival, payout, grid, waking)
        is_spaced = purse.dirty_us >= purse.marked_us + purse.step_us
        if purse.dirty_us >= 0 and t > purse.dirty_us and (is_spaced or t == NEVER):
            equity = _roomy(equity, purse.n_equity + 1)
            _mark(w, equity, purse.dirty_us)
            purse.dirty_us = -1
        if t > purse.clock_us:
            _pass(w, t)
        if t == NEVER:
            return fills, equity
        n_moved = purse.n_fills + purse.n_settled
        if waking == t and (kind == EXPIRY or payout > t):
            fills = _roomy(fills, _fills_end(w, heap[0][3]))
            _wake(w, fills, heap)
        elif payout == t:
            _settle(w, w.payouts[p])
            purse.next_payout += 1
        elif arrival == t:
            if w.orders[a].reason == FILLED:
                fills = _roomy(fills, _fills_end(w, a))
                _arrive(w, fills, heap, a)
            purse.next_order += 1
        else:
            purse.dirty_us = t if purse.n_active > 0 else purse.dirty_us
            purse.next_mark += 1
        if purse.n_fills + purse.n_settled > n_moved:
            purse.dirty_us = t


@inner
def _fills_end(w: World, o: int) -> int:
    """Return how many fills there can be after order o has walked its market's levels once."""
    market = w.markets[w.orders[o].market]
    return int(w.purse[0].n_fills + 1 + market.end_level - market.first_level)


@inner
def _roomy(rows: Records, n_rows: int) -> Records:
    """Return an array with at least n_rows rows that begins with `rows`."""
    if n_rows <= len(rows):
        return rows
    wider = np.empty(2 * n_rows, rows.dtype)
    for i in range(len(rows)):
        wider[i] = rows[i]
    return wider
