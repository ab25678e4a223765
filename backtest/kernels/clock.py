"""The clock of a backtest: merge arrivals, waiting orders and settlements of all markets over one purse.

Order of events at one microsecond: market data, expiries, settlements, waiting orders (by market, row of the
tape and order number), arrivals (by order number). tests/oracles/engine.py says the same in plain Python.

Cost: 5 ns for each book change up to the last order, about 100 ns for each order and fill.
"""

from typing import Final

import numpy as np

from backtest.kernels.arrays import EQUITY, EXPIRY, FILL, FILLED, NEVER, Records, World
from backtest.kernels.heap import pop
from backtest.kernels.jit import entry, inner
from backtest.kernels.marks import mark, pass_time
from backtest.kernels.payouts import settle
from backtest.kernels.resting import arrive, wake

# First digits of a SHA-256 over the files compiled into this one: numba's cache of `simulate` does not notice
# a change there, so a test asks for the new digits here.
MADE_WITH: Final = "a8f635523f00"


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
    purse.dirty_us = -1
    while True:
        a, p, g = purse.next_order, purse.next_payout, purse.next_mark
        arrival = w.orders[a].arrival_us if a < len(w.orders) else NEVER
        payout = w.markets[w.payouts[p]].settle_us if p < len(w.payouts) else NEVER
        grid = w.grid_us[g] if g < len(w.grid_us) else NEVER
        waking, kind = (w.heap[0].ts, w.heap[0].kind) if purse.n_heap > 0 else (NEVER, EXPIRY)
        t = min(arrival, payout, grid, waking)
        is_spaced = purse.dirty_us >= purse.marked_us + purse.step_us
        if purse.dirty_us >= 0 and t > purse.dirty_us and (is_spaced or t == NEVER):
            equity = _roomy(equity, purse.n_equity + 1)
            mark(w, equity, purse.dirty_us)
            purse.dirty_us = -1
        if t > purse.clock_us:
            pass_time(w, t)
        if t == NEVER:
            return fills, equity
        n_moved = purse.n_fills + purse.n_settled
        if waking == t and (kind == EXPIRY or payout > t):
            _, _, row, o = pop(w)
            fills = _roomy(fills, _fills_end(w, o))
            wake(w, fills, kind, t, row, o)
        elif payout == t:
            settle(w, w.payouts[p])
            purse.next_payout += 1
        elif arrival == t:
            if w.orders[a].reason == FILLED:
                fills = _roomy(fills, _fills_end(w, a))
                arrive(w, fills, a)
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
    return int(w.purse[0].n_fills + 1 + market.end_level - market.first_level + len(w.reach))


@inner
def _roomy(rows: Records, n_rows: int) -> Records:
    """Return an array with at least n_rows rows that begins with `rows`."""
    if n_rows <= len(rows):
        return rows
    wider = np.empty(2 * n_rows, rows.dtype)
    for i in range(len(rows)):
        wider[i] = rows[i]
    return wider
