"""What an account has and had: balance, orders, fills, positions, settlements, in both tiers.

Rows are told newest first; `min_ts` and `max_ts` are taken at their word, "after" and "before".
Source: KALSHI.md §5.7 and §6; OrdersApi, PortfolioApi, HistoricalApi (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.units import to_us
from sandbox.accounts import Account, Position, Purse, uncovered
from sandbox.catalog import OVERLAP
from sandbox.desk import Desk
from sandbox.encoding import Json
from sandbox.orders import STATUSES, AccountFill, Order, Settlement
from sandbox.paging import Cursor, page
from sandbox.portfolio_json import (
    CENT_MICROS,
    event_positions_json,
    fill_json,
    money,
    order_json,
    position_json,
    settlement_json,
)
from sandbox.queries import Query
from sandbox.replies import invalid, reply
from sandbox.routes_listings import SECOND_US, catalog_of
from sandbox.routes_orders import MAX_SHARD, caller_of, desk_of, own_order, subaccount_in

Row = TypeVar("Row", Order, AccountFill, Position, Settlement)
Dated = Order | AccountFill | Settlement
Keep = Callable[[Row], bool]
OVERLAP_US: Final = OVERLAP // OVERLAP.resolution
MAX_TICKERS: Final = 100
MAX_EVENTS: Final = 10
COUNT_FILTERS: Final = ("position", "total_traded")
SETTLED_WORDS: Final = ("unsettled", "settled", "all")


async def balance(request: Request) -> Response:
    """`GET /portfolio/balance`: what may be spent, and what positions would fetch at the best bids."""
    desk, caller = desk_of(request), caller_of(request)
    purse = _account(request).purse(subaccount_in(request) or 0)
    shard = Query(request).number("exchange_index", low=0, high=MAX_SHARD)
    available = purse.available_micros if not shard else 0
    told: Json = {
        "balance": available // CENT_MICROS,
        "balance_dollars": money(available),
        "portfolio_value": _worth_micros(desk, purse) // CENT_MICROS if not shard else 0,
        "updated_ts": desk.now_us // SECOND_US,
    }
    if caller.subaccount is None:
        told["balance_breakdown"] = [{"exchange_index": shard or 0, "balance": money(available)}]
    return reply(told)


async def resting_value(request: Request) -> Response:
    """`GET /portfolio/summary/total_resting_order_value`: what resting orders may cost, without fees."""
    value = sum(
        left * order.price_cc
        for purse in _account(request).purses.values()
        for ticker, orders in purse.resting.items()
        for order, left in uncovered(orders.values(), purse.position(ticker))
    )
    breakdown = [{"exchange_index": 0, "balance": money(value)}]
    return reply(
        {"total_resting_order_value": value // CENT_MICROS, "resting_order_value_breakdown": breakdown}
    )


async def one_order(request: Request) -> Response:
    """`GET /portfolio/orders/{order_id}`."""
    return reply({"order": order_json(own_order(request, request.path_params["order_id"]))})


async def live_orders(request: Request) -> Response:
    """`GET /portfolio/orders`: everything that rests, and what ended since the cutoff."""
    query, cutoff_us = Query(request), _trade_cutoff_us(request)
    status, ticker = query.one_of("status", STATUSES), query.text("ticker")
    events = _some(query, "event_ticker", MAX_EVENTS)
    is_common = _common(request)

    def keep(order: Order) -> bool:
        return (
            is_common(order, order.created_us)
            and status in {None, order.status}
            and ticker in {None, order.ticker}
            and (not events or order.event_ticker in events)
            and (order.status == "resting" or order.updated_us >= cutoff_us)
        )

    return _page(request, "orders", _account(request).orders, keep, order_json)


async def archived_orders(request: Request) -> Response:
    """`GET /historical/orders`: what ended before the cutoff, and a little after."""
    end_us, ticker = _trade_cutoff_us(request) + OVERLAP_US, Query(request).text("ticker")
    is_common = _common(request)

    def keep(order: Order) -> bool:
        return (
            is_common(order, order.created_us)
            and ticker in {None, order.ticker}
            and order.status != "resting"
            and order.updated_us < end_us
        )

    return _page(request, "orders", _account(request).orders, keep, order_json)


async def live_fills(request: Request) -> Response:
    """`GET /portfolio/fills`: since the cutoff."""
    query, cutoff_us = Query(request), _trade_cutoff_us(request)
    tickers, order_id = _some(query, "ticker", MAX_TICKERS), query.text("order_id")
    is_common = _common(request)

    def keep(fill: AccountFill) -> bool:
        return (
            is_common(fill, fill.created_us)
            and (not tickers or fill.ticker in tickers)
            and order_id in {None, fill.order_id}
            and fill.created_us >= cutoff_us
        )

    return _page(request, "fills", _account(request).fills, keep, fill_json)


async def archived_fills(request: Request) -> Response:
    """`GET /historical/fills`: before the cutoff, and a little after."""
    end_us, ticker = _trade_cutoff_us(request) + OVERLAP_US, Query(request).text("ticker")
    is_common = _common(request)

    def keep(fill: AccountFill) -> bool:
        return is_common(fill, fill.created_us) and ticker in {None, fill.ticker} and fill.created_us < end_us

    return _page(request, "fills", _account(request).fills, keep, fill_json)


async def settlements(request: Request) -> Response:
    """`GET /portfolio/settlements`: of positions that were held to the end."""
    query = Query(request)
    ticker, event_ticker = query.text("ticker"), query.text("event_ticker")
    is_common = _common(request)

    def keep(settlement: Settlement) -> bool:
        return (
            is_common(settlement, settlement.settled_us)
            and ticker in {None, settlement.ticker}
            and event_ticker in {None, settlement.event_ticker}
        )

    return _page(request, "settlements", _account(request).settlements, keep, settlement_json)


async def live_positions(request: Request) -> Response:
    """`GET /portfolio/positions`: unsettled ones unless asked otherwise, until their event is archived."""
    query = Query(request)
    counted = query.words("count_filter")
    if not frozenset(counted) <= frozenset(COUNT_FILTERS):
        raise invalid(f"count_filter takes {' and '.join(COUNT_FILTERS)}")
    wanted = query.one_of("settlement_status", SETTLED_WORDS) or "unsettled"
    archived = _archived_events(request, before_us=_market_cutoff_us(request))
    shard = query.number("exchange_index", low=0, high=MAX_SHARD)

    def keep(position: Position) -> bool:
        return (
            (wanted == "all" or position.is_settled == (wanted == "settled"))
            and position.event_ticker not in archived
            and shard in {None, position.exchange_index}
            and (not counted or any(_counts(position)[word] for word in counted))
        )

    return _positions(request, keep)


async def archived_positions(request: Request) -> Response:
    """`GET /historical/positions`: of events all of whose positions were settled before the cutoff."""
    archived = _archived_events(request, before_us=_market_cutoff_us(request) + OVERLAP_US)
    return _positions(request, lambda position: position.event_ticker in archived)


def _positions(request: Request, keep: Keep[Position]) -> Response:
    query = Query(request)
    ticker, event_ticker = query.text("ticker"), query.text("event_ticker")
    subaccount = subaccount_in(request) or 0

    def is_asked_for(position: Position) -> bool:
        return (
            position.subaccount == subaccount
            and ticker in {None, position.ticker}
            and event_ticker in {None, position.event_ticker}
            and keep(position)
        )

    found, cursor = _rows(request, "positions", _account(request).positions, is_asked_for)
    return reply(
        {
            "market_positions": [position_json(each) for each in found],
            "event_positions": event_positions_json(found),
            "cursor": cursor,
        }
    )


def _archived_events(request: Request, *, before_us: int) -> frozenset[str]:
    """Return the events whose positions, all of them, were settled before an instant."""
    subaccount = subaccount_in(request) or 0
    mine = [each for each in _account(request).positions if each.subaccount == subaccount]
    staying = {each.event_ticker for each in mine if not each.is_settled or each.updated_us >= before_us}
    return frozenset(each.event_ticker for each in mine) - staying


def _common(request: Request) -> Callable[[Dated, int], bool]:
    """Return the filter that most listings share, of a row and its time: time, subaccount and shard."""
    query, subaccount = Query(request), subaccount_in(request)
    shard = query.number("exchange_index", low=0, high=MAX_SHARD)
    min_s, max_s = query.seconds("min_ts"), query.seconds("max_ts")

    def keep(row: Dated, at_us: int) -> bool:
        return (
            subaccount in {None, row.subaccount}
            and shard in {None, row.exchange_index}
            and (min_s is None or at_us > min_s * SECOND_US)
            and (max_s is None or at_us < max_s * SECOND_US)
        )

    return keep


def _page(
    request: Request, key: str, rows: Sequence[Row], keep: Keep[Row], tell: Callable[[Row], Json]
) -> Response:
    found, cursor = _rows(request, key, rows, keep)
    return reply({key: [tell(row) for row in found], "cursor": cursor})


def _rows(request: Request, key: str, rows: Sequence[Row], keep: Keep[Row]) -> tuple[list[Row], str]:
    query = Query(request)
    limit = query.limit(default=100, low=1, high=1_000)
    cursor = Cursor(f"{request.url.path}{key}", query)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep)
    return found, cursor.text(left)


def _some(query: Query, name: str, at_most: int) -> frozenset[str]:
    words = frozenset(query.words(name))
    if len(words) > at_most:
        raise invalid(f"{name} takes up to {at_most} tickers")
    return words


def _counts(position: Position) -> dict[str, int]:
    return {"position": position.count_centi, "total_traded": position.traded_micros}


def _worth_micros(desk: Desk, purse: Purse) -> int:
    return sum(
        position.held_centi("yes") * desk.best_bid_cc(position.ticker, "yes")
        + position.held_centi("no") * desk.best_bid_cc(position.ticker, "no")
        for position in purse.positions.values()
        if position.count_centi
    )


def _account(request: Request) -> Account:
    return desk_of(request).account(caller_of(request).account)


def _trade_cutoff_us(request: Request) -> int:
    return to_us(catalog_of(request).source.trade_cutoff_ts)


def _market_cutoff_us(request: Request) -> int:
    return to_us(catalog_of(request).source.market_cutoff_ts)


ROUTES: Final = [
    Route("/portfolio/balance", balance),
    Route("/portfolio/summary/total_resting_order_value", resting_value),
    Route("/portfolio/orders", live_orders),
    Route("/portfolio/orders/{order_id}", one_order),
    Route("/portfolio/fills", live_fills),
    Route("/portfolio/positions", live_positions),
    Route("/portfolio/settlements", settlements),
    Route("/historical/orders", archived_orders),
    Route("/historical/fills", archived_fills),
    Route("/historical/positions", archived_positions),
]
