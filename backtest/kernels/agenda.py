"""When each market is next to be asked about: a tree of minima over the markets, in an array.

The leaves are the second half, by market; above two of them stands the earlier one, and at 1 the first of
all. An entry is a time since `agenda_us` and, in its last bits, the market: whoever is first needs no search.
Most of what happens to a policy is a question, and to put one off costs less here than in a heap: which
places change is known before any of them is read.
"""

from backtest.kernels.arrays import NEVER, World
from backtest.kernels.jit import inlined


@inlined
def ask_at(w: World, m: int, due_us: int) -> None:
    """Let market m be asked about at `due_us` next, or NEVER."""
    purse, i = w.purse[0], (len(w.agenda) >> 1) + m
    first = ((due_us - purse.agenda_us) << purse.agenda_bits) + m if due_us < NEVER else NEVER
    w.agenda[i] = first
    while i > 1:
        first = min(first, w.agenda[i ^ 1])
        i >>= 1
        w.agenda[i] = first


@inlined
def first_asked_us(w: World) -> int:
    """Return when a market is asked about first, or NEVER."""
    first, purse = w.agenda[1], w.purse[0]
    return int((first >> purse.agenda_bits) + purse.agenda_us) if first < NEVER else NEVER


@inlined
def first_asked(w: World) -> int:
    """Return which market that is, of several the one with the lowest number."""
    return int(w.agenda[1] & ((len(w.agenda) >> 1) - 1))
