"""When nothing trades: pauses of one market, after which what waited is cancelled, and of the exchange."""

from backtest.kernels.arrays import NEVER, World
from backtest.kernels.jit import inner


@inner
def is_paused(w: World, m: int, t: int) -> bool:
    """Tell whether market m, or the exchange, pauses at t."""
    market = w.markets[m]
    return _covers(w, 0, w.purse[0].n_halts, t) or _covers(w, market.first_pause, market.end_pause, t)


@inner
def resumes_us(w: World, m: int, t: int) -> int:
    """Return when market m next resumes after t and cancels what waits, NEVER where it does not."""
    market = w.markets[m]
    for i in range(market.first_pause, market.end_pause):
        if w.pauses[i].until_us > t and w.pauses[i].is_cancelling:
            return int(w.pauses[i].until_us)
    return NEVER


@inner
def _covers(w: World, low: int, high: int, t: int) -> bool:
    """Tell whether one of the pauses low..high-1, disjoint and in order of time, lasts at t."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if w.pauses[middle].until_us > t:
            high = middle
        else:
            low = middle + 1
    return low < end and w.pauses[low].from_us <= t
