"""What is in a purse and what is locked in it, as the clock passes."""

from typing import Final

from backtest.kernels.arrays import NEVER, Records, World
from backtest.kernels.jit import inner

MILLION: Final = 1_000_000
DAY_US: Final = 86_400 * MILLION


@inner
def locked(w: World) -> int:
    """Return what is paid for positions and reserved for orders, less what netting returned of it."""
    purse = w.purse[0]
    return int(max(0, purse.locked + purse.reserved - purse.returned))


@inner
def note(w: World, equity: Records, t: int) -> None:
    """Before the clock goes on to t: write the row of equity of the instant that awaits one, as that left it.

    The row counts if it is far enough from the last one that does, at midnight, or at the end. Else the next
    one takes its place, unless that is so far: what an account was for long is never left out. Of what is
    held `tops.add_worth` adds the worth, if asked.
    """
    purse = w.purse[0]
    if purse.dirty_us < 0 or t <= purse.dirty_us:
        return
    is_far = purse.dirty_us >= purse.marked_us + purse.step_us
    if purse.noted_us != purse.dirty_us:
        if is_far and purse.noted_us > purse.marked_us:
            purse.marked_us = purse.noted_us
            purse.n_equity += 1
        line = equity[purse.n_equity]
        line.ts, line.cash_micros, line.marked_micros = purse.dirty_us, purse.cash, purse.cash
        line.locked_micros, line.returned_micros = locked(w), purse.returned
        purse.noted_us = purse.dirty_us
    is_far = purse.dirty_us >= purse.marked_us + purse.step_us
    if is_far or t == NEVER or purse.dirty_us % DAY_US == 0:
        purse.marked_us, purse.dirty_us = purse.dirty_us, -1
        purse.n_equity += 1


@inner
def pass_time(w: World, t: int) -> None:
    """Let the clock go on to t, the last time to NEVER, and add up what was locked for how long.

    Only where that changes there is something to add: what was locked before, up to the end of the data.
    """
    purse = w.purse[0]
    tied = locked(w)
    if tied != purse.tied or t == NEVER:
        purse.locked_max = max(purse.locked_max, tied)
        _add_locked(w, purse.tied, purse.tied_us, purse.clock_us)
        purse.tied, purse.tied_us = tied, purse.clock_us
        if t == NEVER:
            _add_locked(w, tied, purse.clock_us, t)
    purse.clock_us = t


@inner
def _add_locked(w: World, tied: int, from_us: int, until_us: int) -> None:
    """Add what was locked for some time; exact in int64, for money and time are split at 10^6."""
    purse = w.purse[0]
    end_us = w.grid_us[len(w.grid_us) - 1] if len(w.grid_us) > 0 else 0
    passed_us = max(0, min(until_us, end_us) - from_us)
    dollars, micros = tied // MILLION, tied % MILLION
    seconds, left_us = passed_us // MILLION, passed_us % MILLION
    purse.lock_low += micros * left_us
    purse.lock_middle += dollars * left_us + micros * seconds + purse.lock_low // MILLION
    purse.lock_low %= MILLION
    purse.lock_high += dollars * seconds + purse.lock_middle // MILLION
    purse.lock_middle %= MILLION
