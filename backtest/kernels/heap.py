"""What is still to happen to orders, earliest first: a binary heap in an array, so that Python can hold it.

Events come out by time, then by kind, row and rank, which one number holds, then by order, or market below 0.
Of orders that one row wakes, those to more YES come first, and on each side the best price. An order has at
most two events in here at once: its end, and what wakes it.
"""

from typing import Final

from backtest.kernels.arrays import DOLLAR_CC, WAKE, World
from backtest.kernels.jit import inner

# A key's bits from the lowest: rank, row, kind.
_RANK_BITS: Final = 15
_ROW_BITS: Final = 31


@inner
def push(w: World, ts: int, kind: int, row: int, order: int) -> None:
    """Add an event."""
    heap, purse = w.heap, w.purse[0]
    key = (((kind << _ROW_BITS) | row) << _RANK_BITS) | (_rank(w, order) if kind == WAKE else 0)
    if purse.has_hole:
        purse.has_hole = 0
        _sink(w, ts, key, order)
        return
    i = purse.n_heap
    purse.n_heap += 1
    while i > 0:
        above = heap[(i - 1) >> 1]
        if above.ts < ts or (
            above.ts == ts and (above.key < key or (above.key == key and above.order < order))
        ):
            break
        heap[i].ts, heap[i].key, heap[i].order = above.ts, above.key, above.order
        i = (i - 1) >> 1
    heap[i].ts, heap[i].key, heap[i].order = ts, key, order


@inner
def _rank(w: World, o: int) -> int:
    """Return a number that is the smaller the sooner order o trades among those that one row wakes."""
    order = w.orders[o]
    return int(DOLLAR_CC - order.limit_cc if order.direction > 0 else DOLLAR_CC + 1 + order.limit_cc)


@inner
def first_kind(w: World) -> int:
    """Return the kind of the first event."""
    return int(w.heap[0].key >> (_ROW_BITS + _RANK_BITS))


@inner
def first_order(w: World) -> int:
    """Return the order of the first event."""
    return int(w.heap[0].order)


@inner
def first_row(w: World) -> int:
    """Return the row of the first event."""
    return int(w.heap[0].key >> _RANK_BITS) & ((1 << _ROW_BITS) - 1)


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
        _sink(w, last.ts, last.key, last.order)


@inner
def _sink(w: World, ts: int, key: int, order: int) -> None:
    """Put an event where it belongs, from the empty first place on."""
    heap, n, i = w.heap, w.purse[0].n_heap, 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        one, other = heap[child], heap[min(child + 1, n - 1)]
        # Which child comes first is anyone's guess, the processor's too: so nothing branches on it.
        is_before = (other.key < one.key) | ((other.key == one.key) & (other.order < one.order))
        child += (other.ts < one.ts) | ((other.ts == one.ts) & is_before)
        below = heap[child]
        if ts < below.ts or (
            ts == below.ts and (key < below.key or (key == below.key and order < below.order))
        ):
            break
        heap[i].ts, heap[i].key, heap[i].order = below.ts, below.key, below.order
        i = child
    heap[i].ts, heap[i].key, heap[i].order = ts, key, order
