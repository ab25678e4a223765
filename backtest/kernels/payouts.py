"""Settlements: what a market pays, and when."""

from backtest.kernels.arrays import DOLLAR_CC, World
from backtest.kernels.jit import inner
from backtest.kernels.netting import refresh


@inner
def settle(w: World, p: int) -> None:
    """Pay out, or correct the payout of, the market that payout p is about, if it was ever traded."""
    due = w.payouts[p]
    m, value = due.market, due.value_cc
    market = w.markets[m]
    w.events[market.event].value_cc += value - market.value_cc
    if market.was_traded == 0:
        pass
    elif due.number > 0:
        _pay(w, p, market.paid_for, market.paid_for * (value - market.value_cc), 0)
    else:
        position = market.position
        payout = position * value if position > 0 else -position * (DOLLAR_CC - value)
        _pay(w, p, position, payout, market.spent)
        _leave(w, m)
    market.value_cc = value
    refresh(w, market.event)


@inner
def _pay(w: World, p: int, position: int, payout: int, cost: int) -> None:
    due, purse = w.payouts[p], w.purse[0]
    paid = w.settled[purse.n_settled]
    paid.market, paid.settled_us, paid.value_cc, paid.payout = due.market, due.settle_us, due.value_cc, p
    paid.position_centi, paid.payout_micros, paid.cost_micros = position, payout, cost
    purse.n_settled += 1
    purse.cash += payout


@inner
def _leave(w: World, m: int) -> None:
    """Take market m out of what is held; its position is remembered for corrections."""
    market, purse = w.markets[m], w.purse[0]
    purse.locked -= market.basis
    w.events[market.event].basis -= market.basis
    w.series[market.series] -= market.basis
    market.paid_for = market.position
    market.position = market.basis = 0
    purse.n_active -= 1
