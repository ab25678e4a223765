"""What stands in the way of an order: how much it would meet at once, and which orders are its owner's own.

Source: KALSHI.md §6 and §7 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Iterable
from typing import Final

from exchange.books import OrderBook
from exchange.trades import Side
from exchange.units import DOLLAR_CC
from sandbox.floor import Floor
from sandbox.matching import OTHER
from sandbox.orders import Order

TAKER_AT_CROSS: Final = "taker_at_cross"  # the incoming order ends where it would meet its owner's own
MAKER: Final = "maker"  # the owner's resting order makes way


def reachable_centi(book: OrderBook, side: Side, price_cc: int) -> int:
    """Return the contracts that a bid for `side` would meet at once."""
    return sum(
        level.count_centi for level in book.levels(OTHER[side]) if level.price_cc + price_cc >= DOLLAR_CC
    )


def ahead_centi(floor: Floor, resting: Order) -> int:
    """Return the contracts that are matched before a resting order is: better prices, then earlier orders."""
    levels = floor.book(resting.ticker).levels(resting.side)
    better = sum(level.count_centi for level in levels if level.price_cc > resting.price_cc)
    return better + floor.queue_ahead_centi(resting.ticker, resting.engine_id)


def first_of_own(resting: Iterable[Order], order: Order) -> Order | None:
    """Return the resting order of the same account that an order would meet first, if any."""
    met = [
        each
        for each in resting
        if each.account == order.account
        and each.side != order.side
        and each.price_cc + order.price_cc >= DOLLAR_CC
    ]
    return min(met, key=lambda each: (-each.price_cc, each.engine_id), default=None)


def fillable_centi(floor: Floor, resting: Iterable[Order], order: Order) -> int:
    """Return the contracts that an order could be filled with at once without meeting its own account."""
    own = first_of_own(resting, order)
    reachable = reachable_centi(floor.book(order.ticker), order.side, order.price_cc)
    if own is None:
        return reachable
    if order.self_trade == TAKER_AT_CROSS:
        return ahead_centi(floor, own)
    met = [each.remaining_centi for each in resting if first_of_own([each], order) is not None]
    return reachable - sum(met)
