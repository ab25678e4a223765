"""An order's life after it was sent: it arrives, trades, waits, is woken, ends, or is cancelled."""

from typing import Final

from backtest.kernels.arrays import (
    BOOK_UNKNOWN,
    CANCELLED,
    COUNT_MAX_CENTI,
    DOLLAR_CC,
    EXPIRED,
    EXPIRY,
    FOK,
    GTC,
    LEG_BEFORE,
    NEVER,
    NO_CASH,
    NOTHING_HELD,
    NOTHING_WAITS,
    OFF_GRID,
    PAUSED,
    TO_LESS,
    TO_MORE,
    TOO_LARGE,
    WAKE,
    WOULD_CROSS,
    Records,
    World,
)
from backtest.kernels.fills import take, take_all, take_print
from backtest.kernels.heap import push
from backtest.kernels.jit import inner
from backtest.kernels.law import affordable, law_at, outlay
from backtest.kernels.levels import advance, is_known, row_at
from backtest.kernels.netting import disposable
from backtest.kernels.pauses import is_paused, resumes_us
from backtest.kernels.queue import follow, is_print, join
from backtest.kernels.quoting import cut, may_stand, notice

# Orders that wait no more and still stand among those that do: more are taken out.
_OVER_MAX: Final = 16
# Rows that an order looks ahead at once for what may fill it: one that is cancelled soon has not looked far.
_AHEAD: Final = 16


@inner
def rest(w: World, o: int, t: int, row: int) -> None:
    """Let what is left of order o wait: reserve its cash, and wake it when something may fill it."""
    order, purse = w.orders[o], w.purse[0]
    market = w.markets[order.market]
    if not order.is_resting:
        if purse.queue:
            join(w, o, row)
        order.next, market.waiting, order.is_resting = market.waiting, o, 1
    purse.reserved -= order.reserved
    order.reserved = 0
    if order.waiting > 0:
        order.reason = PAUSED if order.is_cut else EXPIRED
    _hold(w, o, t, _cover(w, o))
    if order.waiting > 0:
        watch(w, o, row)


@inner
def _hold(w: World, o: int, t: int, cover: int) -> None:
    """Reserve what order o costs beyond closing `cover` contracts; what the purse cannot pay for it loses."""
    order, purse = w.orders[o], w.purse[0]
    q = order.limit_cc if order.direction > 0 else DOLLAR_CC - order.limit_cc
    law = law_at(w, order.market, t, 1)
    n = affordable(order.waiting, cover, q, law, disposable(w, 0))
    if n < order.waiting:
        order.reason = NO_CASH
        if purse.every_us > 0:
            cut(w, o, t)
    order.dropped += order.waiting - n
    order.waiting = n
    if n == 0:
        order.expiry_us = t
        return
    order.reserved = max(0, outlay(n, cover, q, law))
    purse.reserved += order.reserved


@inner
def _cover(w: World, o: int) -> int:
    """Return how much is held that order o would close, beyond what orders that came before it would."""
    order = w.orders[o]
    market = w.markets[order.market]
    held = max(0, -order.direction * market.position)
    if held > 0:
        k, n_over = market.waiting, 0
        while k >= 0:
            other = w.orders[k]
            n_over += 1 if other.waiting == 0 else 0
            if k < o and other.direction == order.direction:
                held -= min(held, other.waiting)
            k = other.next
        if n_over > _OVER_MAX:
            market.waiting = _turned(w, _turned(w, market.waiting))
    return int(held)


@inner
def _turned(w: World, o: int) -> int:
    """Turn the order of orders that wait, from o on, round, and drop those that wait no more."""
    turned = -1
    while o >= 0:
        after = w.orders[o].next
        if w.orders[o].waiting > 0:
            w.orders[o].next, turned = turned, o
        o = after
    return int(turned)


@inner
def _revise(w: World, fills: Records, m: int, t: int) -> None:
    """Reserve anew for all that waits in market m, the oldest first: what is held covers something else."""
    market, purse = w.markets[m], w.purse[0]
    first = _turned(w, market.waiting)
    o, more, less = first, max(0, -market.position), max(0, market.position)
    while o >= 0:
        purse.reserved -= w.orders[o].reserved
        w.orders[o].reserved = 0
        o = w.orders[o].next
    o = first
    while o >= 0:
        order = w.orders[o]
        cover = more if order.direction > 0 else less
        _hold(w, o, t, cover)
        if order.direction > 0:
            more -= min(cover, order.waiting)
        else:
            less -= min(cover, order.waiting)
        if purse.every_us > 0:
            notice(w, fills, o, t, purse.n_fills)
        o = order.next
    market.waiting = _turned(w, first)


@inner
def watch(w: World, o: int, row: int) -> None:
    """Find the next row after `row` at which something may fill order o, and wake it there.

    That is when the other side comes to its limit; with a queue, also at trades at its price or worse ones.
    """
    order = w.orders[o]
    way, limit, expiry_us = order.direction, order.limit_cc, order.expiry_us
    has_queue, end = w.purse[0].queue != 0, w.markets[order.market].end_row
    for r in range(row + 1, end):
        top = w.tops[r]
        if top.ts_us >= expiry_us:
            return
        is_met = top.is_live and (top.ask_cc <= limit if way > 0 else top.bid_cc >= limit)
        if is_met or r - row == _AHEAD or (has_queue and is_print(w, o, r)):
            push(w, top.ts_us, WAKE, r, o)
            return


@inner
def arrive(w: World, fills: Records, o: int) -> None:
    """Let order o cancel whole sides, as it may, and come; what then is held covers what waits."""
    order = w.orders[o]
    market = w.markets[order.market]
    if order.after and not _is_sent(w, o):
        order.reason = LEG_BEFORE
        return
    if order.cancels:
        n_cancelled = _cancel(w, order.market, order.arrival_us, order.cancels)
        if order.direction == 0:
            order.reason = NOTHING_WAITS if n_cancelled == 0 else order.reason
            return
    held = market.position
    _come(w, fills, o)
    if market.position != held and market.waiting >= 0:
        _revise(w, fills, order.market, order.arrival_us)


@inner
def _come(w: World, fills: Records, o: int) -> None:
    """Match order o against the book at its arrival, and let the rest wait if it may."""
    order = w.orders[o]
    m, t = order.market, order.arrival_us
    market = w.markets[m]
    if o >= w.purse[0].n_planned and not may_stand(w, o):
        order.reason = OFF_GRID
        return
    if is_paused(w, m, t):
        order.reason = PAUSED
        return
    if order.direction == 0 and not _aim_to_close(w, o):
        order.reason = NOTHING_HELD
        return
    if abs(market.position + order.direction * order.count_centi) > COUNT_MAX_CENTI:
        order.reason = TOO_LARGE
        return
    row = order.seen_row if o < w.purse[0].n_planned else row_at(w, m, market.row, t)
    if row >= market.first_row:
        advance(w, m, row)
    _match(w, fills, o, row)
    if order.tif == GTC and order.waiting > 0:
        resumes = resumes_us(w, m, t)
        if resumes < order.expiry_us:
            order.expiry_us, order.is_cut = resumes, 1
        rest(w, o, t, row)
        if order.waiting > 0 and order.expiry_us < NEVER:
            _plan_end(w, o)


@inner
def _plan_end(w: World, o: int) -> None:
    """Let order o end: all that wait until their market closes have one event there."""
    order = w.orders[o]
    market = w.markets[order.market]
    if order.expiry_us < market.close_us:
        push(w, order.expiry_us, EXPIRY, 0, o)
    elif market.is_closing == 0:
        market.is_closing = 1
        push(w, market.close_us, EXPIRY, 0, ~order.market)


@inner
def _is_sent(w: World, o: int) -> bool:
    """Let order o want no more than the leg before it got; tell whether that is anything."""
    order = w.orders[o]
    order.count_centi = order.waiting = min(order.count_centi, w.orders[order.after - 1].filled)
    return bool(order.waiting > 0)


@inner
def _aim_to_close(w: World, o: int) -> bool:
    """Let order o sell all that is held; tell whether anything is."""
    order = w.orders[o]
    position = w.markets[order.market].position
    order.count_centi = order.waiting = abs(position)
    if position == 0:
        return False
    order.direction = -1 if position > 0 else 1
    order.limit_cc = order.limit_cc if position > 0 else DOLLAR_CC - order.limit_cc  # of the side held
    return True


@inner
def _match(w: World, fills: Records, o: int, row: int) -> None:
    order = w.orders[o]
    if row < w.markets[order.market].first_row or not is_known(w, row, order.arrival_us):
        order.reason = BOOK_UNKNOWN
    elif order.is_post_only:
        if _crosses(w, o, row):
            order.reason, order.waiting = WOULD_CROSS, 0
    elif order.tif == FOK:
        take_all(w, fills, o, order.arrival_us)
    else:
        take(w, fills, o, order.arrival_us)


@inner
def wake(w: World, fills: Records, kind: int, t: int, row: int, o: int) -> None:
    """Let order o end (or below 0 all of market ~o), or meet what may fill it at `row`."""
    if kind == EXPIRY and o < 0:
        _close(w, ~o)
        return
    order = w.orders[o]
    market = w.markets[order.market]
    held, has_waited = market.position, order.waiting > 0
    if kind == EXPIRY:
        _end(w, o)
    elif order.waiting > 0:
        is_open = not is_paused(w, order.market, t)
        is_served = is_open and w.purse[0].queue != 0 and is_print(w, o, row)
        if is_served:
            follow(w, o, row)
            take_print(w, fills, o, t, row)
        is_met = is_open and order.waiting > 0 and _crosses(w, o, row)
        if is_met:
            advance(w, order.market, row)
            take(w, fills, o, t)
        if is_served or is_met:
            rest(w, o, t, row)
        else:
            watch(w, o, row)
    if market.position != held or (kind == EXPIRY and has_waited and order.direction * held < 0):
        _revise(w, fills, order.market, t)


@inner
def _end(w: World, o: int) -> None:
    order = w.orders[o]
    w.purse[0].reserved -= order.reserved
    order.waiting = order.reserved = 0


@inner
def _close(w: World, m: int) -> None:
    o = w.markets[m].waiting
    while o >= 0:
        _end(w, o)
        o = w.orders[o].next


@inner
def _cancel(w: World, m: int, t: int, cancels: int) -> int:
    """Cancel what waits in market m on the sides that `cancels` names, and return how many orders did."""
    market, n = w.markets[m], 0
    o, market.waiting = market.waiting, -1
    while o >= 0:
        order = w.orders[o]
        after = order.next
        if order.waiting > 0 and cancels & (TO_MORE if order.direction > 0 else TO_LESS):
            _end(w, o)
            order.reason, order.ended_us, order.expiry_us = CANCELLED, t, t
            n += 1
        elif order.waiting > 0:
            order.next, market.waiting = market.waiting, o
        o = after
    market.waiting = _turned(w, market.waiting)  # the last that came is the first again
    return n


@inner
def _crosses(w: World, o: int, row: int) -> bool:
    top, order = w.tops[row], w.orders[o]
    if top.is_live == 0:
        return False
    return bool(top.ask_cc <= order.limit_cc if order.direction > 0 else top.bid_cc >= order.limit_cc)
