"""Displayed levels of one market as the clock reaches them, and what we took from them ourselves."""

from backtest.kernels.arrays import SIZE_OF_CLOSE, TRADED, Records, World
from backtest.kernels.jit import inner
from warehouse.rebuilding.ops import CLEAR, DELTA, END, SET, UNKNOWN


@inner
def row_at(w: World, m: int, row: int, t: int) -> int:
    """Return the last row of market m at or before t, searching from `row`; first_row - 1 when none is."""
    return last_at(w.tops, row, w.markets[m].end_row, t)


@inner
def last_at(rows: Records, row: int, end: int, t: int) -> int:
    """Return the last of some rows before `end` whose ts_us is at or before t, searching after `row`."""
    low, step = row, 1
    while low + step < end and rows[low + step].ts_us <= t:
        low += step
        step *= 2
    high = min(low + step, end)
    while high - low > 1:
        middle = (low + high) // 2
        if rows[middle].ts_us <= t:
            low = middle
        else:
            high = middle
    return low


@inner
def is_known(w: World, row: int, t: int) -> bool:
    """Tell whether it is known what is shown at t, after a row: that is live, and not older than it holds."""
    return bool(w.tops[row].is_live and t - w.tops[row].ts_us <= w.purse[0].holds_us)


@inner
def advance(w: World, m: int, row: int) -> None:
    """Bring the displayed levels of market m to what they are after `row`; own fills stay consumed.

    Of a quote: until its price on that side changes. Of a book: until the level shrinks below what we took
    (then only what is displayed counts as taken) or empties; a new snapshot is no reason to forget.
    """
    if row <= w.markets[m].row:
        return
    if w.purse[0].is_book:
        for r in range(w.markets[m].row + 1, row + 1):
            _change(w, m, r)
    else:
        bid, ask = w.levels[w.markets[m].first_level], w.levels[w.markets[m].first_level + 1]
        for r in range(w.markets[m].row + 1, row + 1):
            if bid.used == 0 and ask.used == 0:
                break
            bid.used = 0 if w.tops[r].is_new_bid else bid.used
            ask.used = 0 if w.tops[r].is_new_ask else ask.used
        bid.cc, bid.size = w.tops[row].bid_cc, shown_size(w.sizes[row].bid_size)
        ask.cc, ask.size = w.tops[row].ask_cc, shown_size(w.sizes[row].ask_size)
    w.markets[m].row = row


@inner
def shown_size(size: int) -> int:
    """Return the size of a quote's side, -1 where nobody knows it."""
    return -1 if size >= SIZE_OF_CLOSE else size


@inner
def level_at(w: World, first: int, end: int, price_cc: int, way: int) -> int:
    """Return the level at a price among those that stand best first, or -1; `way`: +1 where prices rise."""
    last = end
    while first < end:
        middle = (first + end) >> 1
        if way * (w.levels[middle].cc - price_cc) < 0:
            first = middle + 1
        else:
            end = middle
    return first if first < last and w.levels[first].cc == price_cc else -1


@inner
def _change(w: World, m: int, r: int) -> None:
    change = w.changes[r]
    if change.op in (DELTA, TRADED):
        level = w.levels[change.level]
        level.size = max(0, level.size + change.amount)
        level.used = min(level.used, level.size)
    elif change.op == UNKNOWN:
        w.markets[m].is_known = 0
    elif change.op == CLEAR:
        w.markets[m].is_known = 1
        for k in range(w.markets[m].first_level, w.markets[m].end_level):
            w.levels[k].size = 0
    elif change.op == SET:
        w.levels[change.level].size = change.amount
    elif change.op == END:
        for k in range(w.markets[m].first_level, w.markets[m].end_level):
            w.levels[k].used = min(w.levels[k].used, w.levels[k].size)
