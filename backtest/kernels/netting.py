"""Collateral that comes back early: NO in several members of an event of which at most one resolves YES.

Of NO holdings n_1, n_2, ... at most one market can fail to pay: they pay at least sum(n) - max(n) dollars.
Where members have settled at values that sum to V, what is left can lose (1 - V) x max(n). The purse has that
least payout at its disposal as long as it is certain; the ledger of cash does not change before the payout.
"""

from backtest.kernels.arrays import DOLLAR_CC, Law, World
from backtest.kernels.jit import inner
from backtest.kernels.law import outlay

Net = tuple[int, int, int]  # signed position, most NO in another member, $1 - V in cc


@inner
def disposable(w: World, own: int) -> int:
    """Return the cash that is reserved for nothing but `own`; a purse in debt has none."""
    purse = w.purse[0]
    return int(max(0, purse.cash + purse.returned - purse.reserved + own))


@inner
def refresh(w: World, e: int) -> None:
    """Bring up to date what event e has returned."""
    event, purse = w.events[e], w.purse[0]
    if not event.is_netted:
        return
    total = most = 0
    for i in range(event.first_member, event.end_member):
        held = max(0, -w.markets[w.members[i]].position)
        total += held
        most = max(most, held)
    returned = total * DOLLAR_CC - max(0, DOLLAR_CC - event.value_cc) * most
    purse.returned += returned - event.returned
    event.returned = returned


@inner
def net_of(w: World, m: int) -> Net:
    """Return what decides how much trades in market m, of a netted event, return or take back."""
    market = w.markets[m]
    event = w.events[market.event]
    most = 0
    for i in range(event.first_member, event.end_member):
        if w.members[i] != m:
            most = max(most, -w.markets[w.members[i]].position)
    return market.position, most, max(0, DOLLAR_CC - event.value_cc)


@inner
def net_affordable(n: int, way: int, q: int, law: Law, available: int, net: Net) -> int:
    """Return the largest part of n whose cost, less what it returns, `available` pays for.

    The need is convex in the count: it turns where the position does, and where its NO pass the most in
    another member.
    """
    position, most, _ = net
    flat, level = max(0, -way * position), max(0, way * (-most - position))
    turns = (min(flat, level), max(flat, level))
    low, high = 0, n
    if need(n, way, q, law, net) <= available:
        return n
    for turn in turns:
        if low < turn < n and need(turn, way, q, law, net) <= available:
            low = turn
    for turn in turns:
        if low < turn < high:
            high = turn
    while high - low > 1:
        middle = (low + high) // 2
        if need(middle, way, q, law, net) <= available:
            low = middle
        else:
            high = middle
    return low


@inner
def need(n: int, way: int, q: int, law: Law, net: Net) -> int:
    """Return the cash that n contracts acquired at q need, less what they return (or plus what they take)."""
    position, most, open_cc = net
    before, after = max(0, -position), max(0, -position - way * n)
    returned = (after - before) * DOLLAR_CC - open_cc * (max(most, after) - max(most, before))
    return outlay(n, max(0, -way * position), q, law) - returned
