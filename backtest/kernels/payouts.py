"""Settlements: what a market pays, and when."""

from backtest.kernels.arrays import DOLLAR_CC, World
from backtest.kernels.jit import inner


@inner
def settle(w: World, m: int) -> None:
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
