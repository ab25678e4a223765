"""What is still to happen to orders, earliest first: a binary heap in an array, so that Python can hold it.

Events come out by time, then kind, row and order, which one number holds. An order has at most two of them in
here at once: its end, and what wakes it.
"""

from typing import Final

from backtest.kernels.arrays import World
from backtest.kernels.jit import inner

# A key's bits from the lowest: order plus half of what fits (below 0 it is a market), row, kind.
_ORDER_BITS: Final = 30
_ROW_BITS: Final = 31
_HALF: Final = 1 << (_ORDER_BITS - 1)


@inner
def push(w: World, ts: int, kind: int, row: int, order: int) -> None:
    """Add an event."""
    heap, purse = w.heap, w.purse[0]
    key = (((kind << _ROW_BITS) | row) << _ORDER_BITS) | (order + _HALF)
    if purse.has_hole:
        purse.has_hole = 0
        _sink(w, ts, key)
        return
    i = purse.n_heap
    purse.n_heap += 1
    while i > 0:
        above = heap[(i - 1) >> 1]
        if above.ts < ts or (above.ts == ts and above.key < key):
            break
        heap[i].ts, heap[i].key = above.ts, above.key
        i = (i - 1) >> 1
    heap[i].ts, heap[i].key = ts, key


@inner
def first_kind(w: World) -> int:
    """Return the kind of the first event."""
    return int(w.heap[0].key >> (_ROW_BITS + _ORDER_BITS))


@inner
def first_order(w: World) -> int:
    """Return the order of the first event."""
    return int(w.heap[0].key & (2 * _HALF - 1)) - _HALF


@inner
def first_row(w: World) -> int:
    """Return the row of the first event."""
    return int(w.heap[0].key >> _ORDER_BITS) & ((1 << _ROW_BITS) - 1)


@inner
def drop(w: World) -> None:
    """Take out the first event. Its place is left to the next one that is added."""
    w.purse[0].has_hole = 1


@inner
def mend(w: World) -> None:
    """Let the last event take the place of the one that was taken out, if nothing took it."""
    purse = w.purse[0]
    if purse.has_hole:
        purse.has_hole = 0
        purse.n_heap -= 1
        last = w.heap[purse.n_heap]
        _sink(w, last.ts, last.key)


@inner
def _sink(w: World, ts: int, key: int) -> None:
    """Put an event where it belongs, from the empty first place on."""
    heap, n, i = w.heap, w.purse[0].n_heap, 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        one, other = heap[child], heap[min(child + 1, n - 1)]
        # Which child comes first is anyone's guess, the processor's too: so nothing branches on it.
        child += (other.ts < one.ts) | ((other.ts == one.ts) & (other.key < one.key))
        below = heap[child]
        if ts < below.ts or (ts == below.ts and key < below.key):
            break
        heap[i].ts, heap[i].key = below.ts, below.key
        i = child
    heap[i].ts, heap[i].key = ts, key
