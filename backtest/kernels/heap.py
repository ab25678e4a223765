"""What is still to happen to orders, earliest first: a binary heap in an array, so that Python can hold it.

Events come out by time, then kind, row and order. An order has at most two of them in
here at once: its end, and what wakes it.
"""

from backtest.kernels.arrays import World
from backtest.kernels.jit import inner


@inner
def push(w: World, ts: int, kind: int, row: int, order: int) -> None:
    """Add an event."""
    heap, i = w.heap, w.purse[0].n_heap
    w.purse[0].n_heap += 1
    while i > 0:
        above = heap[(i - 1) // 2]
        if not _is_before(ts, kind, row, order, above.ts, above.kind, above.row, above.order):
            break
        _set(w, i, above.ts, above.kind, above.row, above.order)
        i = (i - 1) // 2
    _set(w, i, ts, kind, row, order)


@inner
def pop(w: World) -> tuple[int, int, int, int]:
    """Take out the first event: ts, kind, row, order."""
    heap = w.heap
    first = heap[0].ts, heap[0].kind, heap[0].row, heap[0].order
    w.purse[0].n_heap -= 1
    n = w.purse[0].n_heap
    ts, kind, row, order = heap[n].ts, heap[n].kind, heap[n].row, heap[n].order
    i = 0
    while 2 * i + 1 < n:
        child = 2 * i + 1
        below = heap[child]
        if child + 1 < n:
            other = heap[child + 1]
            if _is_before(
                other.ts, other.kind, other.row, other.order, below.ts, below.kind, below.row, below.order
            ):
                child, below = child + 1, other
        if not _is_before(below.ts, below.kind, below.row, below.order, ts, kind, row, order):
            break
        _set(w, i, below.ts, below.kind, below.row, below.order)
        i = child
    if n > 0:
        _set(w, i, ts, kind, row, order)
    return first


@inner
def _set(w: World, i: int, ts: int, kind: int, row: int, order: int) -> None:
    event = w.heap[i]
    event.ts, event.kind, event.row, event.order = ts, kind, row, order


@inner
def _is_before(
    ts: int, kind: int, row: int, order: int, ts2: int, kind2: int, row2: int, order2: int
) -> bool:
    if ts != ts2:
        return ts < ts2
    if kind != kind2:
        return kind < kind2
    return row < row2 if row != row2 else order < order2
