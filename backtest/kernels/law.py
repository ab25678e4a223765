"""The fee law of exchange.fees in int64, what an order can afford under it, and the price grid."""

from typing import Final

from backtest.kernels.arrays import DOLLAR_CC, Law, World
from backtest.kernels.jit import formula, inner

_LIMB: Final = 20  # bits of num that meet a remainder at a time, so that products fit int64


@formula
def fee_model(num: int, den: int, price_cc: int, count_centi: int, quantum: int) -> int:
    """Return ceil(p x (1 - p) x count x num / den) to the quantum; den and num must be below 2**42."""
    if num == 0:
        return 0
    units = price_cc * (DOLLAR_CC - price_cc) * count_centi
    rest, high, low = units % den, num >> _LIMB, num & ((1 << _LIMB) - 1)
    whole, left = (rest * high // den, rest * high % den) if high else (0, 0)
    model = units // den * num + (whole << _LIMB) + ((left << _LIMB) + rest * low + den - 1) // den
    return (model + quantum - 1) // quantum * quantum


@inner
def fee_gross(model: int, value: int, unit: int) -> int:
    """Return the fee before any rebate: what brings value + fee up to a whole unit."""
    return 0 if model == 0 else (value + model + unit - 1) // unit * unit - value


@formula
def fee_charged(model: int, value: int, unit: int, has_rebate: int, accumulated: int) -> tuple[int, int]:
    """Return the fee of one fill and what its order has been rounded up by so far."""
    gross = fee_gross(model, value, unit)
    if model == 0:
        return 0, accumulated
    accumulated += gross - model
    rebate = min(accumulated // unit * unit, gross // unit * unit) if has_rebate else 0
    return gross - rebate, accumulated - rebate


@inner
def law_at(w: World, m: int, t: int, is_maker: int) -> Law:
    """Return num, den, quantum, unit and rebate of market m at time t; nothing is due during a waiver."""
    market = w.markets[m]
    i = market.end_fee - 1
    while i > market.first_fee and w.fees[i].from_us > t:
        i -= 1
    j = len(w.rounding) - 1
    while j > 0 and w.rounding[j].from_us > t:
        j -= 1
    fee = w.fees[i]
    num, den = (fee.maker_num, fee.maker_den) if is_maker else (fee.num, fee.den)
    num = 0 if t < market.waiver_us else num
    return num, den, market.quantum, w.rounding[j].unit, w.rounding[j].has_rebate


@inner
def grid_at(w: World, m: int, t: int) -> int:
    """Return the price grid of market m at time t."""
    market = w.markets[m]
    i = market.end_grid - 1
    while i > market.first_grid and w.grids[i].from_us > t:
        i -= 1
    return int(w.grids[i].grid)


@inner
def outlay(n: int, closable: int, q: int, law: Law) -> int:
    """Return the cash that n contracts acquired at q need before any rebate; below 0 when they bring it."""
    c = min(n, closable)
    gross = fee_gross(fee_model(law[0], law[1], q, n, law[2]), q * n, law[3])
    return (n - c) * q - c * (DOLLAR_CC - q) + gross


@inner
def affordable(n: int, closable: int, q: int, law: Law, available: int) -> int:
    """Return the largest part of n that `available` pays for: all, or what closes plus what it can open."""
    if outlay(n, closable, q, law) <= available:
        return n
    low, high = min(n, closable), n
    if low > 0 and outlay(low, closable, q, law) > available:
        return 0
    if outlay(low + 1, closable, q, law) > available:  # an empty purse, mostly: no need to search
        return low
    while high - low > 1:
        middle = (low + high) // 2
        if outlay(middle, closable, q, law) <= available:
            low = middle
        else:
            high = middle
    return low
