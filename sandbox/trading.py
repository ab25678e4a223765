"""What a customer may ask of the desk: the rules an order must keep, and the refusal it meets otherwise.

What is undocumented is taken from what others saw: a duplicate client_order_id is a 409 with the code
`order_already_exists`, a killed fill-or-kill a 409 `fill_or_kill_insufficient_resting_volume` (third-party
notes, 2026-05 to 2026-07). Other conflicts with the state of a market or a book are 409 here as well.
Source: KALSHI.md §6, §7, §9 and §11; OrdersApi (OpenAPI 3.34.0, read 2026-10-09; changelog, 2026-01-26).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from exchange.markets import Market
from exchange.ticks import is_on_grid
from sandbox.access import Caller
from sandbox.accounts import Account
from sandbox.crossing import fillable_centi, reachable_centi
from sandbox.desk import Desk
from sandbox.errors import UnknownTicker
from sandbox.floor import Floor
from sandbox.order_requests import AUTO_ROUTED, GTC, Amendment, NewOrder, Which
from sandbox.orders import AccountFill, Order
from sandbox.replies import FORBIDDEN, Refused, conflict, invalid, not_found, rejected

CANCEL_ALL_AT_MOST: Final = 10_000
SECOND_US: Final = 1_000_000
IN_HOURS: Final = ("active", "inactive")  # a pause refuses orders, but lets them be cancelled


class Receipt(NamedTuple):
    """What became of a request: the order, its fills at once, what left the book, and when."""

    order: Order
    fills: Sequence[AccountFill]
    reduced_centi: int
    at_us: int


def place(desk: Desk, caller: Caller, wanted: NewOrder) -> Receipt:
    """Create an order.

    Raises:
        Refused: 400 for an order nobody could place, 403 for another's subaccount, 404 for an unknown market,
            409 where the market, the book or an earlier order stands against it.
    """
    market = _market(desk, wanted.ticker)
    if wanted.exchange_index not in {None, AUTO_ROUTED, market.exchange_index}:
        raise not_found(f"market {wanted.ticker} on exchange {wanted.exchange_index}")
    account = desk.account(caller.account)
    order = Order(
        order_id=desk.new_id(),
        client_order_id=wanted.client_order_id or desk.new_id(),
        account=account.name,
        subaccount=subaccount_of(caller, wanted.subaccount) or 0,
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        exchange_index=market.exchange_index,
        side=wanted.side,
        yes_price_cc=wanted.yes_price_cc,
        initial_centi=wanted.count_centi,
        remaining_centi=wanted.count_centi,
        self_trade=wanted.self_trade,
        is_post_only=wanted.is_post_only,
        cancels_on_pause=wanted.cancels_on_pause,
        created_us=desk.now_us,
        updated_us=desk.now_us,
        expires_us=_future_us(desk, wanted.expires_s),
    )
    floor = _trading_floor(desk, market)
    _must_fit(market, order)
    _must_be_new(account, order.client_order_id)
    if wanted.is_reduce_only:
        _cap(account, order)
    _must_not_cross(floor, order)
    if wanted.time_in_force == "fill_or_kill":
        _must_fill(desk, floor, order)
    _must_be_affordable(desk, order)
    account.add(order)
    fills = desk.enter(order, rests=wanted.time_in_force == GTC)
    return Receipt(order, fills, 0, desk.now_us)


def amend(desk: Desk, caller: Caller, order_id: str, subaccount: int | None, wanted: Amendment) -> Receipt:
    """Give a resting order a new price, total count or expiry; only a smaller count keeps its place.

    Raises:
        Refused: 404 unless the order rests; otherwise as for `place`.
    """
    which = Which(ticker=wanted.ticker, subaccount=subaccount, exchange_index=wanted.exchange_index)
    order = _own(desk, caller, order_id, which)
    if wanted.ticker != order.ticker:
        raise rejected("order_ticker_mismatch", f"order {order_id} is not of market {wanted.ticker}")
    if wanted.side != order.side:
        raise rejected("order_side_mismatch", f"order {order_id} is on the other side of the book")
    if wanted.client_order_id and wanted.client_order_id != order.client_order_id:
        code = "order_id_and_client_order_id_mismatch"
        raise rejected(code, f"order {order_id} has another client_order_id")
    floor = _trading_floor(desk, _market(desk, order.ticker))
    _must_rest(order)
    left = wanted.count_centi - order.filled_centi
    if left <= 0:
        raise rejected("invalid_order_size", "count must be more than what was filled already")
    changed = replace(order, yes_price_cc=wanted.yes_price_cc, remaining_centi=left)
    _must_fit(_market(desk, order.ticker), changed)
    account = desk.account(caller.account)
    renamed = wanted.updated_client_order_id
    if renamed and renamed != order.client_order_id:
        _must_be_new(account, renamed)
    expires_us = order.expires_us if wanted.expires_s is None else _future_us(desk, wanted.expires_s or None)
    stays = wanted.yes_price_cc == order.yes_price_cc and left <= order.remaining_centi
    if not stays:
        _must_not_cross(floor, changed)
        _must_be_affordable(desk, changed, instead_of=order)
    if renamed:
        order.client_order_id = renamed
        account.by_client_order_id[renamed] = order
    order.initial_centi, order.expires_us = wanted.count_centi, expires_us
    fills: Sequence[AccountFill] = ()
    if not stays:
        fills = desk.enter_again(order, yes_price_cc=wanted.yes_price_cc, remaining_centi=left)
    else:
        desk.shrink(order, by_centi=order.remaining_centi - left)
        if expires_us is not None:
            desk.expire_at(order, expires_us)
    return Receipt(order, fills, 0, desk.now_us)


def decrease(
    desk: Desk, caller: Caller, order_id: str, which: Which, *, by_centi: int | None, to_centi: int | None
) -> Receipt:
    """Make a resting order smaller, by some contracts or to some; nothing left cancels it.

    Raises:
        Refused: 400 unless exactly one of both is given and makes it smaller, 404 unless the order rests.
    """
    if (by_centi is None) == (to_centi is None):
        raise invalid("exactly one of reduce_by and reduce_to must be given")
    order = _own(desk, caller, order_id, which)
    _must_be_in_hours(desk, order)
    _must_rest(order)
    by_centi = order.remaining_centi - (to_centi or 0) if by_centi is None else by_centi
    if by_centi <= 0:
        raise rejected("invalid_order_size", "the order must become smaller")
    if by_centi >= order.remaining_centi:
        return Receipt(order, (), desk.leave(order), desk.now_us)
    desk.shrink(order, by_centi=by_centi)
    return Receipt(order, (), by_centi, desk.now_us)


def cancel(desk: Desk, caller: Caller, order_id: str, which: Which) -> Receipt:
    """Cancel a resting order.

    Raises:
        Refused: 404 unless it rests, 409 after its market closed.
    """
    order = _own(desk, caller, order_id, which)
    _must_be_in_hours(desk, order)
    _must_rest(order)
    return Receipt(order, (), desk.leave(order), desk.now_us)


def cancel_all(desk: Desk, caller: Caller, subaccount: int | None) -> int:
    """Cancel up to 10,000 resting orders of one subaccount or of all, and return how many that were."""
    only = subaccount_of(caller, subaccount)
    resting = [
        order
        for order in desk.account(caller.account).orders
        if order.engine_id and only in {None, order.subaccount}
    ][:CANCEL_ALL_AT_MOST]
    for order in resting:
        desk.leave(order)
    return len(resting)


def subaccount_of(caller: Caller, wanted: int | None) -> int | None:
    """Return the subaccount that a request is about, None where nothing restricts it.

    Raises:
        Refused: the key is bound to another one.
    """
    if caller.subaccount is not None and wanted not in {None, caller.subaccount}:
        raise Refused(FORBIDDEN, "forbidden", f"this key is bound to subaccount {caller.subaccount}")
    return wanted if caller.subaccount is None else caller.subaccount


def _market(desk: Desk, ticker: str) -> Market:
    try:
        return desk.market(ticker)
    except UnknownTicker as error:
        raise not_found(f"market {ticker}") from error


def _trading_floor(desk: Desk, market: Market) -> Floor:
    if market.status != "active" or desk.floor is None:
        raise conflict("MARKET_INACTIVE", f"market {market.ticker} is not trading")
    return desk.floor


def _own(desk: Desk, caller: Caller, order_id: str, which: Which) -> Order:
    """Return the caller's order, looked for where the request says: subaccount and shard 0 by default."""
    order = desk.account(caller.account).by_order_id.get(order_id)
    shard = which.exchange_index
    if shard == AUTO_ROUTED and not which.ticker:
        raise invalid("market_ticker is required to route by it")
    if shard in {None, AUTO_ROUTED}:
        shard = _market(desk, which.ticker).exchange_index if which.ticker else 0
    subaccount = subaccount_of(caller, which.subaccount) or 0
    if order is None or order.subaccount != subaccount or order.exchange_index != shard:
        raise not_found(f"order {order_id}")
    return order


def _must_rest(order: Order) -> None:
    if not order.engine_id:
        raise not_found(f"order {order.order_id}")


def _must_be_in_hours(desk: Desk, order: Order) -> None:
    if _market(desk, order.ticker).status not in IN_HOURS:
        raise conflict("MARKET_INACTIVE", f"market {order.ticker} is closed; nothing can be cancelled there")


def _must_fit(market: Market, order: Order) -> None:
    if not is_on_grid(order.yes_price_cc, market.price_ranges):
        raise rejected("invalid_price", f"price is not on the grid {market.price_level_structure}")


def _must_be_new(account: Account, client_order_id: str) -> None:
    if client_order_id in account.by_client_order_id:
        raise conflict("order_already_exists", "an order with this client_order_id exists")


def _future_us(desk: Desk, expires_s: int | None) -> int | None:
    if expires_s is not None and expires_s * SECOND_US <= desk.now_us:
        raise rejected("expired", "expiration_time is not in the future")
    return None if expires_s is None else expires_s * SECOND_US


def _cap(account: Account, order: Order) -> None:
    held = -account.purse(order.subaccount).position(order.ticker)
    count_centi = min(held if order.side == "yes" else -held, order.remaining_centi)
    if count_centi <= 0:
        raise rejected("invalid_order_size", "there is no position that this order would reduce")
    order.initial_centi = order.remaining_centi = count_centi


def _must_not_cross(floor: Floor, order: Order) -> None:
    if order.is_post_only and reachable_centi(floor.book(order.ticker), order.side, order.price_cc):
        raise conflict("POST_ONLY_CROSS", "post only cross: the order would trade at once")


def _must_fill(desk: Desk, floor: Floor, order: Order) -> None:
    if fillable_centi(floor, desk.resting(order.ticker), order) < order.remaining_centi:
        code = "fill_or_kill_insufficient_resting_volume"
        raise conflict(code, "fill or kill insufficient resting volume")


def _must_be_affordable(desk: Desk, order: Order, *, instead_of: Order | None = None) -> None:
    need = desk.need_micros(order, instead_of=instead_of)
    if need > desk.spendable_micros(order, instead_of=instead_of):
        raise rejected("available_balance_too_low", "the available balance does not cover cost and fees")
