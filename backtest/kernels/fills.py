"""What an order gets from the displayed levels, and what that does to purse and position."""

from backtest.kernels.arrays import (
    BEYOND_LIMIT,
    CROSSED,
    DISPLAYED,
    DOLLAR_CC,
    EVENT_CAP,
    FILLED,
    IMPACT,
    KILLED,
    NO_CASH,
    NO_SIZE,
    QUEUED,
    SERIES_CAP,
    THROUGH,
    UNSIZED,
    Law,
    Records,
    World,
)
from backtest.kernels.jit import inner
from backtest.kernels.law import affordable, fee_charged, fee_model, grid_at, law_at
from backtest.kernels.netting import disposable, net_affordable, net_of, refresh
from backtest.kernels.queue import reached


@inner
def take(w: World, fills: Records, o: int, t: int) -> None:
    """Walk the displayed levels for order o, best first, and say in its reason why it got no more.

    An order that waited is filled at its own limit, however good the level is, and is the maker.
    """
    order = w.orders[o]
    market = w.markets[order.market]
    way, limit = order.direction, order.limit_cc
    law = law_at(w, order.market, t, order.is_resting)
    first, last = market.split_level, market.end_level
    if way < 0:
        first, last = market.first_level, market.split_level
    order.reason, grid = NO_SIZE, grid_at(w, order.market, t)
    for k in range(first, last):
        level = w.levels[k]
        if level.size == 0:
            continue
        _refill(w, k, t)
        if level.size < 0 and len(w.reach) > 0:
            _climb(w, fills, o, t, k, law)
            break
        price = _price(w, o, level.cc, grid)
        if price == 0 or way * (price - limit) > 0:
            order.reason = BEYOND_LIMIT
            break
        free = order.waiting if level.size < 0 else min(order.waiting, level.size - level.used)
        if free <= 0:
            continue
        n, reason = _room(w, o, price, free, law)
        if n > 0:
            crossed = CROSSED if order.is_resting else DISPLAYED
            _trade(w, fills, o, t, price, n, law, crossed if level.size > 0 else UNSIZED)
            level.used += n
            level.taken_us = t
        if reason != FILLED:
            order.reason = reason
            break
        if order.waiting == 0:
            break
    if order.waiting == 0:
        order.reason = _whole(w, o)


@inner
def _price(w: World, o: int, cc: int, grid: int) -> int:
    """Return at which price order o trades against a level at `cc`, 0 at none.

    A slippage moves no price that was recorded with its size.
    """
    order = w.orders[o]
    way, limit = order.direction, order.limit_cc
    if order.is_resting and way * (cc - limit) <= 0:
        return int(limit)
    if len(w.reach) > 0:
        return cc
    return int(w.slipped[0 if way > 0 else 1, grid, cc])


@inner
def _refill(w: World, k: int, t: int) -> None:
    level = w.levels[k]
    if level.used > 0 and t - level.taken_us >= w.purse[0].refill_us:
        level.used = 0


@inner
def _climb(w: World, fills: Records, o: int, t: int, k: int, law: Law) -> None:
    """Walk the prices of the grid that an impact puts behind level k, which shows no size.

    At each price stands what the model reaches half-way to the next, so that rounding to the grid costs
    nothing on average; nothing stands at prices better than the level's.
    """
    order, level = w.orders[o], w.levels[k]
    market = w.markets[order.market]
    way, limit = order.direction, order.limit_cc
    side, grid, end = 0, grid_at(w, order.market, t), DOLLAR_CC
    if way < 0:
        side, end = 1, 0
    first = w.slipped[side, grid, level.cc]
    price = limit if order.is_resting else first
    order.reason = BEYOND_LIMIT
    while price != 0 and way * (price - limit) <= 0:
        after = w.slipped[side, grid, price + way]
        middle = way * (price + (end if after == 0 else after) - 2 * level.cc) // 2
        free = min(order.waiting, w.reach[market.slippage, middle] - level.used)
        if free > 0:
            n, reason = _room(w, o, price, free, law)
            if n > 0:
                evidence = CROSSED if order.is_resting else UNSIZED if price == first else IMPACT
                _trade(w, fills, o, t, price, n, law, evidence)
                level.used += n
                level.taken_us = t
            if reason != FILLED:
                order.reason = reason
                return
        if order.waiting == 0 or order.is_resting:
            return
        price = after


@inner
def take_all(w: World, fills: Records, o: int, t: int) -> None:
    """Fill order o whole or leave everything as it was."""
    order = w.orders[o]
    market, purse = w.markets[order.market], w.purse[0]
    first, n_levels = market.first_level, market.end_level - market.first_level
    for k in range(n_levels):
        kept, level = w.kept[k], w.levels[first + k]
        kept.used, kept.taken_us = level.used, level.taken_us
    cash, locked, n_fills, n_active = purse.cash, purse.locked, purse.n_fills, purse.n_active
    position, basis, spent, was_traded = market.position, market.basis, market.spent, market.was_traded
    event_basis, series_basis = w.events[market.event].basis, w.series[market.series]
    take(w, fills, o, t)
    if order.waiting == 0:
        return
    for k in range(n_levels):
        kept, level = w.kept[k], w.levels[first + k]
        level.used, level.taken_us = kept.used, kept.taken_us
    purse.cash, purse.locked, purse.n_fills, purse.n_active = cash, locked, n_fills, n_active
    market.position, market.basis, market.spent, market.was_traded = position, basis, spent, was_traded
    w.events[market.event].basis, w.series[market.series] = event_basis, series_basis
    refresh(w, market.event)
    order.waiting, order.filled, order.accumulated = order.count_centi, 0, 0
    if order.reason not in (NO_CASH, EVENT_CAP, SERIES_CAP):
        order.reason = KILLED


@inner
def take_print(w: World, fills: Records, o: int, t: int, row: int) -> None:
    """Give order o, which waits, what comes to it of the trade at `row`: at its own limit, as the maker."""
    order = w.orders[o]
    market = w.markets[order.market]
    free = min(order.waiting, reached(w, o, row))
    if free <= 0:
        return
    law = law_at(w, order.market, t, 1)
    n, reason = _room(w, o, order.limit_cc, free, law)
    if n > 0:
        evidence = QUEUED if w.changes[row].level == order.level else THROUGH
        _trade(w, fills, o, t, order.limit_cc, n, law, evidence)
        if market.print_row != row:
            market.print_row, market.print_used = row, 0
        market.print_used += n
    order.reason = reason if order.waiting > 0 else _whole(w, o)


@inner
def _whole(w: World, o: int) -> int:
    """Return the reason of an order that wants no more: cash may have made one that waited smaller."""
    return FILLED if w.orders[o].filled == w.orders[o].count_centi else NO_CASH


@inner
def _room(w: World, o: int, price: int, n: int, law: Law) -> tuple[int, int]:
    """Return how much of n the caps of event and series and the cash allow, and why not more."""
    order, purse = w.orders[o], w.purse[0]
    market = w.markets[order.market]
    q = price if order.direction > 0 else DOLLAR_CC - price
    reason, closable = FILLED, max(0, -order.direction * market.position)
    released = market.basis if closable > 0 else 0  # once all is closed; until then nothing is capped
    if purse.cap >= 0:
        capped = closable + max(0, purse.cap - w.events[market.event].basis + released) // q
        if capped < n:
            n, reason = capped, EVENT_CAP
    if purse.series_cap >= 0:
        capped = closable + max(0, purse.series_cap - w.series[market.series] + released) // q
        if capped < n:
            n, reason = capped, SERIES_CAP
    available = disposable(w, order.reserved)
    if w.events[market.event].is_netted:
        paid = net_affordable(n, order.direction, q, law, available, net_of(w, order.market))
    else:
        paid = affordable(n, closable, q, law, available)
    return paid, NO_CASH if paid < n else reason


@inner
def _trade(w: World, fills: Records, o: int, t: int, price: int, n: int, law: Law, evidence: int) -> None:
    """Book one fill of n contracts at a YES price: cash, fee, position, cost of what is held."""
    order, purse = w.orders[o], w.purse[0]
    market = w.markets[order.market]
    q = price if order.direction > 0 else DOLLAR_CC - price
    held = abs(market.position)
    c = min(n, max(0, -order.direction * market.position))
    model = fee_model(law[0], law[1], q, n, law[2])
    fee, accumulated = fee_charged(model, q * n, law[3], law[4], order.accumulated)
    released = market.basis // held * c + market.basis % held * c // held if c > 0 else 0
    grown = (n - c) * q - released
    flow = c * (DOLLAR_CC - q) - (n - c) * q
    order.accumulated = accumulated
    order.filled += n
    order.waiting -= n
    purse.cash += flow - fee
    purse.locked += grown
    market.basis += grown
    w.events[market.event].basis += grown
    w.series[market.series] += grown
    market.spent += fee - flow
    market.position += order.direction * n
    refresh(w, market.event)
    fill = fills[purse.n_fills]
    fill.order_id, fill.fill_us, fill.yes_price_cc, fill.count_centi = o, t, price, n
    fill.cash_micros, fill.fee_micros = flow, fee
    fill.evidence, fill.is_taker = evidence, 1 - order.is_resting
    fill.position_after_centi = market.position
    purse.n_fills += 1
    if market.was_traded == 0:
        market.was_traded = 1
        purse.n_active += 1
