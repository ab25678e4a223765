"""A policy's side of the clock: when it is asked, what it knows then, and how its quotes become orders.

A policy is asked at whole multiples of `every_us`, about a market in which something happened that it has not
been told of: a row of the tape, a fill, the end of one of its orders, or, once there was a row, a signal of
its own. A signal is known at its time, everything else a feed after it happened: rows of one market in their
order, and messages about the policy's own orders in theirs. What a policy wants is compared with the order
that it sent last for each side: at the same price that order stays and keeps its place in the queue, at
another one it is replaced.
"""

from backtest.kernels.agenda import ask_at
from backtest.kernels.arrays import (
    ARRIVE,
    ASK,
    CLOSED,
    DOLLAR_CC,
    DRAWN_FEED,
    GTC,
    LEVELS_SEEN,
    NEVER,
    NOT_OPEN,
    TO_LESS,
    TO_MORE,
    TRADED,
    Records,
    World,
)
from backtest.kernels.heap import push
from backtest.kernels.jit import inlined, inner
from backtest.kernels.law import grid_at
from backtest.kernels.levels import last_at, level_at, shown_size
from warehouse.rebuilding.ops import CLEAR, DELTA, SET


@inlined
def _heard(w: World, r: int) -> int:
    """Return when the policy hears of row r."""
    feed_us = w.purse[0].feed_us
    return int(w.heard[r].ts_us if feed_us == DRAWN_FEED else w.tops[r].ts_us + feed_us)


@inlined
def _due(w: World, known_us: int) -> int:
    """Return the first instant of the grid from `known_us` on."""
    every_us = w.purse[0].every_us
    return int(-(-max(known_us, w.purse[0].from_us) // every_us) * every_us)


@inner
def cut(w: World, o: int, t: int) -> None:
    """Note that order o is about to lose contracts: the policy hears of it once `notice` says when."""
    order = w.orders[o]
    market = w.markets[order.market]
    if market.bid_order == o:
        market.bid_cut = order.dropped if market.bid_cut_us <= t else market.bid_cut
        market.bid_cut_us = NEVER
    elif market.ask_order == o:
        market.ask_cut = order.dropped if market.ask_cut_us <= t else market.ask_cut
        market.ask_cut_us = NEVER


@inner
def notice(w: World, fills: Records, o: int, t: int, n_fills: int) -> None:
    """After something happened to order o, before which there were n_fills: ask the policy when it hears."""
    order, purse = w.orders[o], w.purse[0]
    market = w.markets[order.market]
    is_over = order.ended_us == 0 and (order.waiting == 0 or not order.is_resting)
    is_bid_cut = market.bid_order == o and market.bid_cut_us == NEVER
    is_ask_cut = market.ask_order == o and market.ask_cut_us == NEVER
    if not is_over and purse.n_fills == n_fills and not is_bid_cut and not is_ask_cut:
        return
    purse.heard_us = max(purse.heard_us, t + w.feeds[t % len(w.feeds)])
    if is_over:
        order.ended_us = purse.heard_us
    if is_bid_cut:
        market.bid_cut_us = purse.heard_us
    if is_ask_cut:
        market.ask_cut_us = purse.heard_us
    for i in range(n_fills, purse.n_fills):
        fills[i].heard_us = purse.heard_us
    due_us = _due(w, purse.heard_us)
    is_news = purse.n_fills > n_fills or order.direction != 0
    if is_news and due_us < market.close_us and due_us != market.news_us:
        market.news_us = due_us
        push(w, due_us, ASK, 0, order.market)


@inlined
def plan_next(w: World, m: int) -> None:
    """Ask about market m again when its next row or signal is known, or quoting ends; not after the close.

    That the last row holds no longer is news as well.
    """
    market, until_us, holds_us = w.markets[m], w.purse[0].until_us, w.purse[0].holds_us
    r = market.seen_row + 1
    due_us = _due(w, _heard(w, r)) if r < market.end_row else NEVER
    if r > market.first_row and market.signal + 1 < market.end_signal:
        due_us = min(due_us, _due(w, w.signals[market.signal + 1].ts_us))
    if holds_us < NEVER and r > market.first_row:
        aged_us = _due(w, _heard(w, r - 1) + holds_us + 1)
        due_us = min(due_us, aged_us) if aged_us > market.asked_us else due_us
    if until_us < NEVER:
        due_us = min(due_us, -(-until_us // w.purse[0].every_us) * w.purse[0].every_us)
    ask_at(w, m, due_us if due_us < market.close_us else NEVER)


@inlined
def begin(w: World) -> None:
    """Let the policy be asked about every market that has rows, once the first is known."""
    for m in range(len(w.markets)):
        market = w.markets[m]
        market.seen_row = market.first_row - 1
        market.bid_order, market.ask_order = -1, -1
        market.bid_level, market.ask_level = market.first_level, market.split_level
        market.signal = market.first_signal - 1
        if market.first_row < market.end_row:
            plan_next(w, m)


@inlined
def tell(w: World, fills: Records, m: int, t: int) -> bool:
    """Fill the view of market m as the policy knows it now; tell whether there is anything to ask.

    There is not while the book is unknown or crossed, nor once quoting has ended: then nothing is wanted.
    """
    purse, market, view = w.purse[0], w.markets[m], w.at[0]
    market.asked_us = t
    while purse.n_told < purse.n_fills and fills[purse.n_told].heard_us <= t:
        fill = fills[purse.n_told]
        order = w.orders[fill.order_id]
        order.told_filled += fill.count_centi
        w.markets[order.market].told_position = fill.position_after_centi
        purse.n_told += 1
    if purse.feed_us == DRAWN_FEED:
        row = last_at(w.heard, market.seen_row, market.end_row, t)
    else:
        row = last_at(w.tops, market.seen_row, market.end_row, t - purse.feed_us)
    _see(w, m, row)
    if market.signal + 1 < market.end_signal:
        market.signal = last_at(w.signals, market.signal, market.end_signal, t)
    if t < purse.until_us:
        plan_next(w, m)
    else:
        ask_at(w, m, NEVER)
    _forget(w, m, t)
    top = w.tops[row]
    if t >= purse.until_us or not top.is_live or t - _heard(w, row) > purse.holds_us:
        return False
    view.ts_us, view.changed_us, view.position_centi = t, top.ts_us, market.told_position
    view.bid_cc, view.ask_cc = top.bid_cc, top.ask_cc
    if purse.is_book:
        market.bid_level = _level(w, market.bid_level, market.first_level, market.split_level, top.bid_cc, -1)
        market.ask_level = _level(w, market.ask_level, market.split_level, market.end_level, top.ask_cc, 1)
        view.bid_centi = w.seen[market.bid_level] if top.bid_cc > 0 else 0
        view.ask_centi = w.seen[market.ask_level] if top.ask_cc < DOLLAR_CC else 0
    else:
        size = w.sizes[row]
        view.bid_centi, view.ask_centi = shown_size(size.bid_size), shown_size(size.ask_size)
    if len(w.depth) > 0:
        _view_depth(w, m)
    _view_trade(w, m)
    _view_orders(w, m)
    return True


@inlined
def known_signal(w: World, m: int) -> int:
    """Return 1 + which signal about market m the policy knows, 0 before the first."""
    market = w.markets[m]
    return int(market.signal + 1) if market.signal >= market.first_signal else 0


@inlined
def _see(w: World, m: int, row: int) -> None:
    """Bring the sizes that the policy knows up to `row`."""
    market = w.markets[m]
    if w.purse[0].is_book:
        for r in range(market.seen_row + 1, row + 1):
            change = w.changes[r]
            if change.op == DELTA:
                w.seen[change.level] = max(0, w.seen[change.level] + change.amount)
            elif change.op == SET:
                w.seen[change.level] = change.amount
            elif change.op == CLEAR:
                for k in range(market.first_level, market.end_level):
                    w.seen[k] = 0
            elif change.op >= TRADED:
                market.trade_us, market.trade_centi = w.tops[r].ts_us, abs(change.amount)
                market.trade_cc = w.levels[change.level].cc
                market.trade_way = -1 if change.level < market.split_level else 1
                if change.op == TRADED:
                    w.seen[change.level] = max(0, w.seen[change.level] + change.amount)
    market.seen_row = row


@inlined
def _level(w: World, k: int, first: int, end: int, price_cc: int, way: int) -> int:
    """Return the level at a price, which mostly is where it was, k; k itself where there is no such price."""
    if price_cc in (0, DOLLAR_CC) or w.levels[k].cc == price_cc:
        return k
    return level_at(w, first, end, price_cc, way)


@inner
def _view_depth(w: World, m: int) -> None:
    """Show the best levels that the policy knows; of quotes that is one a side."""
    market, view, n = w.markets[m], w.at[0], len(w.depth) // len(LEVELS_SEEN)
    for i in range(n):
        w.depth[i], w.depth[n + i] = 0, 0
        w.depth[2 * n + i], w.depth[3 * n + i] = DOLLAR_CC, 0
    if w.purse[0].is_book:
        _view_side(w, 0, n, market.bid_level, market.split_level)
        _view_side(w, 2 * n, n, market.ask_level, market.end_level)
    else:
        w.depth[0], w.depth[n] = view.bid_cc, view.bid_centi
        w.depth[2 * n], w.depth[3 * n] = view.ask_cc, view.ask_centi


@inner
def _view_side(w: World, begin: int, n: int, k: int, end: int) -> None:
    """Write prices and behind them sizes, from `begin` on, of the first n levels from k on that show any."""
    found = 0
    while k < end and found < n:
        if w.seen[k] > 0:
            w.depth[begin + found], w.depth[begin + n + found] = w.levels[k].cc, w.seen[k]
            found += 1
        k += 1


@inlined
def _view_trade(w: World, m: int) -> None:
    market, view = w.markets[m], w.at[0]
    view.trade_us, view.trade_cc = market.trade_us, market.trade_cc
    view.trade_centi, view.trade_way = market.trade_centi, market.trade_way


@inlined
def _view_orders(w: World, m: int) -> None:
    market, view = w.markets[m], w.at[0]
    view.my_bid_cc = view.my_bid_centi = view.my_ask_cc = view.my_ask_centi = 0
    if market.bid_order >= 0:
        order = w.orders[market.bid_order]
        lost = order.dropped if market.bid_cut_us <= view.ts_us else market.bid_cut
        view.my_bid_cc, view.my_bid_centi = order.limit_cc, order.count_centi - order.told_filled - lost
    if market.ask_order >= 0:
        order = w.orders[market.ask_order]
        lost = order.dropped if market.ask_cut_us <= view.ts_us else market.ask_cut
        view.my_ask_cc, view.my_ask_centi = order.limit_cc, order.count_centi - order.told_filled - lost


@inlined
def _forget(w: World, m: int, t: int) -> None:
    """Forget orders of which the policy knows that they are over."""
    market = w.markets[m]
    if market.bid_order >= 0 and 0 < w.orders[market.bid_order].ended_us <= t:
        market.bid_order = -1
    if market.ask_order >= 0 and 0 < w.orders[market.ask_order].ended_us <= t:
        market.ask_order = -1


@inner
def may_stand(w: World, o: int) -> bool:
    """Tell whether the limit of a policy's order is on the grid that holds when it arrives."""
    order = w.orders[o]
    return bool(w.snapped[0, grid_at(w, order.market, order.arrival_us), order.limit_cc] == order.limit_cc)


@inlined
def want(w: World, m: int, t: int, bid_cc: int, bid_centi: int, ask_cc: int, ask_centi: int) -> None:
    """Send the orders that turn what waits in market m into the wanted quotes; a size of 0 wants none."""
    market = w.markets[m]
    market.bid_order = _change(w, m, t, market.bid_order, 1, bid_cc, bid_centi)
    market.ask_order = _change(w, m, t, market.ask_order, -1, ask_cc, ask_centi)


@inlined
def _change(w: World, m: int, t: int, o: int, way: int, price_cc: int, count_centi: int) -> int:
    """Return the order that stands for one side from now on: the old one, a new one, or -1."""
    is_wanted, market = count_centi > 0 and 0 < price_cc < DOLLAR_CC, w.markets[m]
    has_one_grid = market.end_grid - market.first_grid == 1
    if is_wanted and has_one_grid and o >= 0 and w.orders[o].limit_cc == price_cc:
        return o
    price_cc = w.snapped[0 if way > 0 else 1, grid_at(w, m, t), price_cc] if is_wanted else 0
    if price_cc == 0 and o < 0:
        return -1
    if o >= 0 and w.orders[o].limit_cc == price_cc:
        return o
    purse, sent = w.purse[0], w.purse[0].n_orders
    purse.n_orders += 1
    order = w.orders[sent]
    if way > 0:
        market.bid_cut = market.bid_cut_us = 0
    else:
        market.ask_cut = market.ask_cut_us = 0
    # Messages about one market keep their order, however long each is under way.
    market.sent_us = max(market.sent_us, t + w.latencies[sent % len(w.latencies)])
    order.market, order.sent_us, order.arrival_us, order.tif = m, t, market.sent_us, GTC
    order.cancels = 0 if o < 0 else (TO_MORE if way > 0 else TO_LESS)
    order.expiry_us = market.close_us
    if price_cc > 0:
        order.direction, order.limit_cc, order.is_post_only = way, price_cc, purse.is_maker
        order.count_centi = order.waiting = count_centi
    if not market.open_us <= order.arrival_us < market.close_us:
        order.reason = CLOSED if order.arrival_us >= market.close_us else NOT_OPEN
    push(w, order.arrival_us, ARRIVE, 0, sent)
    return sent if price_cc > 0 else -1
