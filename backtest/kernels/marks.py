"""What is in a purse and what is locked in it, as the clock passes."""

from typing import Final

from backtest.kernels.arrays import Records, World
from backtest.kernels.jit import inner

MILLION: Final = 1_000_000


@inner
def note(w: World, equity: Records, t: int) -> None:
    """Write one row of equity: cash and what is locked; `tops.add_worth` adds what is held, if asked."""
    purse = w.purse[0]
    line = equity[purse.n_equity]
    line.ts, line.cash_micros, line.marked_micros = t, purse.cash, purse.cash
    line.locked_micros = purse.locked + purse.reserved
    purse.n_equity += 1
    purse.marked_us = t


@inner
def pass_time(w: World, t: int) -> None:
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
