"""An order's place in the queue at its price, and what trades there leave for it.

`ahead` is what stands before the order, `shown` what is displayed at its level, both after row `seen_row`.
Our own order is not displayed, for the tape was recorded without it. A trade takes what is ahead first, then
us. Sizes that are added stand behind us. Sizes that are cancelled stood, as the purse's `queue` says:

    PESSIMISTIC   behind us, unless less is left than was ahead
    PROPORTIONAL  ahead of us in proportion, rounded down
    FRONT         anywhere, for nothing is ever ahead

All our orders together get no more of a trade than its contracts.
"""

from backtest.kernels.arrays import FRONT, PRINT, PROPORTIONAL, TRADED, World
from backtest.kernels.jit import inner
from backtest.kernels.levels import level_at
from warehouse.rebuilding.ops import CLEAR, DELTA, END, SET

NONE, UNSEEN = -1, -1
_LIMB = 20  # bits


@inner
def join(w: World, o: int, row: int) -> None:
    """Put order o at the end of the queue at its price, as displayed after `row`; levels are as of there."""
    order = w.orders[o]
    market = w.markets[order.market]
    first, last = market.first_level, market.split_level
    if order.direction < 0:
        first, last = market.split_level, market.end_level
    order.level = level_at(w, first, last, order.limit_cc, -order.direction)
    order.seen_row, order.fresh, order.ahead, order.shown = row, NONE, 0, 0
    if order.level >= 0 and market.is_known:
        _show(w, o, w.levels[order.level].size)
    elif order.level >= 0:
        order.shown = UNSEEN


@inner
def is_print(w: World, o: int, row: int) -> bool:
    """Tell whether row is a trade on the side where order o waits, at its price or at one that is worse."""
    change, order = w.changes[row], w.orders[o]
    if change.op not in (TRADED, PRINT):
        return False
    split, k = w.markets[order.market].split_level, change.level
    if (k < split) != (order.direction > 0):
        return False
    return bool(order.direction * (w.levels[k].cc - order.limit_cc) <= 0)


@inner
def follow(w: World, o: int, end: int) -> None:
    """Bring the place of order o up to what it is before row `end`; no trade of its level lies before."""
    order = w.orders[o]
    for r in range(order.seen_row + 1, end):
        change = w.changes[r]
        if change.op == CLEAR:
            order.fresh = 0
        elif change.op == END:
            if order.fresh != NONE:
                _resize(w, o, order.fresh)
            order.fresh = NONE
        elif change.level == order.level:
            if change.op == SET:
                order.fresh = change.amount
            elif change.op == DELTA and order.shown != UNSEEN:
                _resize(w, o, max(0, order.shown + change.amount))
    order.seen_row = end - 1


@inner
def reached(w: World, o: int, row: int) -> int:
    """Return how much of the trade at `row` comes to order o, and let it take what is ahead."""
    order, change = w.orders[o], w.changes[row]
    market = w.markets[order.market]
    left = int(abs(change.amount)) - (market.print_used if market.print_row == row else 0)
    order.seen_row = row
    if change.level != order.level or w.purse[0].queue == FRONT:
        return left
    if change.op == PRINT:
        return 0
    comes = max(0, left - int(order.ahead))
    order.shown = max(0, order.shown + change.amount)
    order.ahead = min(max(0, order.ahead - left), order.shown)
    return comes


@inner
def _show(w: World, o: int, size: int) -> None:
    order = w.orders[o]
    order.shown = size
    order.ahead = 0 if w.purse[0].queue == FRONT else size


@inner
def _share(n: int, part: int, whole: int) -> int:
    """Return n * part // whole for n and part up to a whole below 2^41, a limb of the product at a time."""
    high, low = part >> _LIMB, part & ((1 << _LIMB) - 1)
    rest = n * high % whole
    return int((n * high // whole << _LIMB) + ((rest << _LIMB) + n * low) // whole)


@inner
def _resize(w: World, o: int, size: int) -> None:
    """Let the displayed size become `size` without a trade."""
    order = w.orders[o]
    if order.shown == UNSEEN:
        _show(w, o, size)
    elif size < order.shown and w.purse[0].queue == PROPORTIONAL:
        order.ahead -= _share(order.ahead, order.shown - size, order.shown)
    order.shown = size
    order.ahead = min(order.ahead, size)
