"""The clock of a backtest: merge arrivals, waiting orders and settlements of all markets over one purse.

Order of events at one microsecond: market data, expiries, settlements, waiting orders (by market, row of the
tape, side, best price first, and order number), arrivals (by order number), questions to a policy (by
market). tests/oracles/engine.py says the same in plain Python.

Cost: 5 ns for each book change up to the last order, 100 to 300 ns for each order and fill.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from backtest.kernels.agenda import first_asked, first_asked_us
from backtest.kernels.arrays import ARRIVE, ASK, EXPIRY, FILLED, NEVER, Records, World
from backtest.kernels.handing import handed
from backtest.kernels.heap import drop, first_kind, first_order, first_row, mend
from backtest.kernels.jit import allocating, entry, inlined, inner
from backtest.kernels.marks import note, pass_time
from backtest.kernels.payouts import settle
from backtest.kernels.quoting import begin, known_signal, notice, tell, want
from backtest.kernels.resting import arrive, wake
from backtest.kernels.seeking import find_rows

# First digits of a SHA-256 over the files compiled into this one: numba's cache of `simulate` does not notice
# a change there, so a test asks for the new digits here.
MADE_WITH: Final = "f9a07563ba73"
DONE, ROOM, FAILED = range(3)
END, FULL = -1, -2

Ask = Callable[[int], int]  # given the address of an ASKED


@entry
def simulate(w: World, fills: Records, equity: Records) -> tuple[Records, Records]:
    """Run the clock to its end, changing everything in `w` but tape and venue; return fills and equity.

    Equity has a row for each instant that moved cash and each of `grid_us` at which something was held,
    taken after everything of that instant; instants closer than `step_us` to the row before wait for a later
    one to take their place, and the last one is written at the end. Rows beyond the counts in the purse are
    undefined.
    """
    shared = handed(w)
    while _play(shared, fills, equity) == FULL:
        fills, equity = _roomier(w, fills, equity)
    return fills, equity


@entry
def drive(
    w: World, m: int, ask: Ask, asked: Records, where: int, fills: Records, equity: Records
) -> tuple[int, int, Records, Records]:
    """Run the clock and ask a policy whenever it is due, from market m on, or from the beginning with -1.

    Returns DONE, ROOM (more is needed for orders and heap: give it and go on with the market returned) or
    FAILED (the policy raised something: it was asked about the market returned), the market, fills, equity.
    """
    shared = handed(w)
    if m < 0:
        begin(shared)
    why = FULL
    while why == FULL:
        why, m = _drive(shared, m, ask, asked, where, fills, equity)
        if why == FULL:
            fills, equity = _roomier(w, fills, equity)
    return why, m, fills, equity


@inner
def _drive(
    w: World, m: int, ask: Ask, asked: Records, where: int, fills: Records, equity: Records
) -> tuple[int, int]:
    """Run the clock on, from a question about market m unless m is below 0; return why it stopped, and m."""
    while True:
        if m >= 0:
            if w.purse[0].n_orders + 2 > len(w.orders):
                return ROOM, m
            t = w.purse[0].asked_us
            if tell(w, fills, m, t):
                question = asked[0]
                question.market, question.signal = m, known_signal(w, m)
                if not ask(where):
                    return FAILED, m
                want(w, m, t, question.bid_cc, question.bid_centi, question.ask_cc, question.ask_centi)
            else:
                want(w, m, t, 0, 0, 0, 0)
        m = _asked_again(w)
        if m < 0:
            m = _play(w, fills, equity)
        if m < 0:
            return DONE if m == END else FULL, m


@inner
def _play(w: World, fills: Records, equity: Records) -> int:
    """Run the clock to its end (END), to where more room is needed (FULL), or to a question to a policy.

    Returns one of these, or the market that the question is about.
    """
    purse = w.purse[0]
    while True:
        if purse.has_hole:
            mend(w)
        a, p, g = purse.next_order, purse.next_payout, purse.next_mark
        arrival = w.orders[a].arrival_us if a < purse.n_planned else NEVER
        payout = w.payouts[p].settle_us if p < len(w.payouts) else NEVER
        grid = w.grid_us[g] if g < len(w.grid_us) else NEVER
        waking, kind = (w.heap[0].ts, first_kind(w)) if purse.n_heap > 0 else (NEVER, EXPIRY)
        t = min(arrival, payout, grid, waking)
        planned = first_asked_us(w)
        asked = min(planned, waking) if kind == ASK else planned
        # At its instant a question comes after settlements and what orders wait for, before all the rest.
        if asked <= t and asked < payout and (waking > asked or kind == ASK):
            m = _question(w, asked, planned, waking)
            purse.quiet_us = min(arrival, payout, grid)
            if m >= 0:
                return m
            continue
        is_waking = waking == t < NEVER and (kind == EXPIRY or payout > t)
        o = first_order(w) if is_waking else a
        if purse.n_equity + 1 >= len(equity) or (0 <= o < purse.n_orders and _fills_end(w, o) > len(fills)):
            return FULL
        note(w, equity, t)
        if t > purse.clock_us:
            pass_time(w, t)
        if t == NEVER:
            return END
        n_moved = purse.n_fills + purse.n_settled
        if is_waking:
            row, o = first_row(w), first_order(w)
            drop(w)
            _live(w, fills, kind, t, row, o)
        elif t in (payout, arrival):
            _pay_or_arrive(w, fills, payout == t)
        else:
            purse.dirty_us = t if purse.n_active > 0 else purse.dirty_us
            purse.next_mark += 1
        if purse.n_fills + purse.n_settled > n_moved:
            purse.dirty_us = t


@inlined
def _asked_again(w: World) -> int:
    """Return which market is asked about next if nothing else happens before, as mostly, or else -1."""
    purse, t = w.purse[0], first_asked_us(w)
    if t >= purse.quiet_us or purse.has_hole or (purse.n_heap > 0 and w.heap[0].ts <= t):
        return -1
    purse.asked_us = t
    return first_asked(w)


@inlined
def _question(w: World, t: int, planned: int, waking: int) -> int:
    """Return which market is asked about first at t, or -1 where news are about one that just was.

    Nothing moves at a question: neither equity nor what is locked is looked at.
    """
    m = first_asked(w) if planned == t else len(w.markets)
    if waking == t and first_order(w) <= m:
        m = first_order(w)
        drop(w)
        if w.markets[m].asked_us == t:
            return -1
    w.purse[0].asked_us = t
    return m


@inner
def _pay_or_arrive(w: World, fills: Records, is_payout: bool) -> None:  # noqa: FBT001 -- numba has no keywords
    purse = w.purse[0]
    if is_payout:
        settle(w, purse.next_payout)
        purse.next_payout += 1
    else:
        if purse.next_order >= purse.n_sought:
            find_rows(w, purse.next_order)
        if w.orders[purse.next_order].reason == FILLED:
            arrive(w, fills, purse.next_order)
        purse.next_order += 1


@inner
def _live(w: World, fills: Records, kind: int, t: int, row: int, o: int) -> None:
    """Let one event of order o happen, and let a policy hear of it."""
    n_fills = w.purse[0].n_fills
    if kind != ARRIVE:
        wake(w, fills, kind, t, row, o)
    elif w.orders[o].reason == FILLED:
        arrive(w, fills, o)
    if w.purse[0].every_us > 0 and o >= 0:
        notice(w, fills, o, t, n_fills)


@inner
def _fills_end(w: World, o: int) -> int:
    """Return how many fills there can be after order o has walked levels and impact once.

    An order in an unknown market, refused as it is, fills nothing.
    """
    if w.orders[o].market < 0:
        return 0
    market = w.markets[w.orders[o].market]
    return int(w.purse[0].n_fills + 1 + market.end_level - market.first_level + w.reach.size)


@allocating
def _roomier(w: World, fills: Records, equity: Records) -> tuple[Records, Records]:
    """Return both with more room in the one that is full."""
    if w.purse[0].n_equity + 1 >= len(equity):
        return fills, _wider(equity)
    return _wider(fills), equity


@allocating
def _wider(rows: Records) -> Records:
    """Return an array twice as long that begins with `rows`."""
    wider = np.empty(2 * len(rows), rows.dtype)
    for i in range(len(rows)):
        wider[i] = rows[i]
    return wider
