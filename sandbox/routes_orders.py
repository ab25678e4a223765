"""Orders: creating, changing and cancelling them, and where they stand in the queue.

The mutations of the first version are gone: they answer 410 and point here.
Source: KALSHI.md §3, §6 and §11; OrdersApi (OpenAPI 3.34.0, read 2026-10-09; third-party notes, 2026-06).
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import trading
from sandbox.access import MAX_SUBACCOUNT, Caller
from sandbox.bodies import collect, json_object
from sandbox.desk import Desk
from sandbox.encoding import Json, contracts
from sandbox.order_requests import AUTO_ROUTED, Fields, Which
from sandbox.orders import Order
from sandbox.portfolio_json import amended_json, canceled_json, created_json, decreased_json
from sandbox.queries import Query
from sandbox.replies import Refused, invalid, not_found, reply

CREATED: Final = 201
NO_CONTENT: Final = 204
GONE: Final = 410
MAX_SHARD: Final = 1_000


def desk_of(request: Request) -> Desk:
    """Return the trading desk that the app keeps."""
    desk: Desk = request.app.state.desk
    return desk


def caller_of(request: Request) -> Caller:
    """Return who signed the request."""
    caller: Caller = request.state.caller
    return caller


def subaccount_in(request: Request) -> int | None:
    """Return the subaccount that a query names and the key may touch, None where nothing restricts it."""
    wanted = Query(request).number("subaccount", low=0, high=MAX_SUBACCOUNT)
    return trading.subaccount_of(caller_of(request), wanted)


async def create(request: Request) -> Response:
    """`POST /portfolio/events/orders`."""
    wanted = (await _fields(request)).new_order()
    return reply(created_json(trading.place(desk_of(request), caller_of(request), wanted)), CREATED)


async def create_batch(request: Request) -> Response:
    """`POST /portfolio/events/orders/batched`: one after the other, each with its own outcome."""
    desk, caller = desk_of(request), caller_of(request)

    def place(fields: Fields) -> Json:
        return created_json(trading.place(desk, caller, fields.new_order()))

    told = [_item(each, place, "client_order_id") for each in await _items(request)]
    return reply({"orders": told}, CREATED)


async def cancel(request: Request) -> Response:
    """`DELETE /portfolio/events/orders/{order_id}`."""
    receipt = trading.cancel(desk_of(request), caller_of(request), _order_id(request), _which(request))
    return reply(canceled_json(receipt))


async def cancel_batch(request: Request) -> Response:
    """`DELETE /portfolio/events/orders/batched`: one after the other, each with its own outcome."""
    desk, caller = desk_of(request), caller_of(request)

    def end(fields: Fields) -> Json:
        order_id = fields.text("order_id", is_required=True)
        return canceled_json(trading.cancel(desk, caller, order_id, fields.which()))

    told = [_item(each, end, "order_id") for each in await _items(request)]
    return reply({"orders": [{"order_id": "", "reduced_by": contracts(0)} | each for each in told]})


async def cancel_all(request: Request) -> Response:
    """`DELETE /portfolio/events/orders`: everything that rests, up to 10,000 orders."""
    trading.cancel_all(desk_of(request), caller_of(request), subaccount_in(request))
    return Response(status_code=NO_CONTENT)


async def amend(request: Request) -> Response:
    """`POST /portfolio/events/orders/{order_id}/amend`."""
    wanted = (await _fields(request)).amendment()
    desk, subaccount = desk_of(request), subaccount_in(request)
    return reply(
        amended_json(trading.amend(desk, caller_of(request), _order_id(request), subaccount, wanted))
    )


async def decrease(request: Request) -> Response:
    """`POST /portfolio/events/orders/{order_id}/decrease`."""
    fields = await _fields(request)
    which = Which(
        ticker=fields.text("market_ticker"),
        subaccount=subaccount_in(request),
        exchange_index=fields.number("exchange_index", low=AUTO_ROUTED),
    )
    receipt = trading.decrease(
        desk_of(request),
        caller_of(request),
        _order_id(request),
        which,
        by_centi=fields.centi("reduce_by"),
        to_centi=fields.centi("reduce_to"),
    )
    return reply(decreased_json(receipt))


async def queue_position(request: Request) -> Response:
    """`GET /portfolio/orders/{order_id}/queue_position`: contracts that are matched before the order is."""
    desk, order_id = desk_of(request), _order_id(request)
    order = own_order(request, order_id)
    if not order.engine_id:
        raise not_found(f"resting order {order_id}")
    return reply({"queue_position_fp": contracts(desk.queue_ahead_centi(order))})


async def queue_positions(request: Request) -> Response:
    """`GET /portfolio/orders/queue_positions`: of what rests, or rests in some markets or an event."""
    desk, query = desk_of(request), Query(request)
    tickers, event_ticker = frozenset(query.words("market_tickers")), query.text("event_ticker")
    subaccount = subaccount_in(request) or 0
    told = [
        {
            "order_id": order.order_id,
            "market_ticker": order.ticker,
            "queue_position_fp": contracts(desk.queue_ahead_centi(order)),
        }
        for order in desk.account(caller_of(request).account).orders
        if order.engine_id
        and order.subaccount == subaccount
        and (not tickers or order.ticker in tickers)
        and event_ticker in {None, order.event_ticker}
    ]
    return reply({"queue_positions": told})


async def retired(_request: Request) -> Response:
    """Answer a mutation of the first version."""
    told = {
        "code": "deprecated_v1_order_endpoint",
        "message": "Please switch to the V2 endpoints",
        "details": "POST and DELETE /portfolio/events/orders",
    }
    return reply(told, GONE)


def own_order(request: Request, order_id: str) -> Order:
    """Return an order of the caller's, in any subaccount that the key may see.

    Raises:
        Refused: there is none.
    """
    caller = caller_of(request)
    order = desk_of(request).account(caller.account).by_order_id.get(order_id)
    if order is None or caller.subaccount not in {None, order.subaccount}:
        raise not_found(f"order {order_id}")
    return order


async def _fields(request: Request) -> Fields:
    return Fields(json_object(await collect(request.receive)))


async def _items(request: Request) -> list[Any]:
    orders = (await _fields(request)).given.get("orders")
    if not isinstance(orders, list) or not orders:
        raise invalid("orders must be a list of at least one order")
    return orders


def _item(given: object, act: Callable[[Fields], Json], named_by: str) -> Json:
    """Return the outcome of one item of a batch: a refusal stays its own, and says which item it was."""
    try:
        if not isinstance(given, dict):
            raise invalid("each of orders must be an object")
        return act(Fields(given))
    except Refused as error:
        told: Json = {"error": {"code": error.code, "message": error.message}}
        with suppress(Refused):  # a name that cannot be read cannot be repeated either
            told[named_by] = Fields(given if isinstance(given, dict) else {}).text(named_by, is_required=True)
        return told


def _order_id(request: Request) -> str:
    order_id: str = request.path_params["order_id"]
    return order_id


def _which(request: Request) -> Which:
    query = Query(request)
    return Which(
        ticker=query.text("market_ticker") or "",
        subaccount=query.number("subaccount", low=0, high=MAX_SUBACCOUNT),
        exchange_index=query.number("exchange_index", low=AUTO_ROUTED, high=MAX_SHARD),
    )


V2: Final = "/portfolio/events/orders"
V1: Final = "/portfolio/orders"
ROUTES: Final = [
    Route(f"{V2}/batched", create_batch, methods=["POST"]),
    Route(f"{V2}/batched", cancel_batch, methods=["DELETE"]),
    Route(V2, create, methods=["POST"]),
    Route(V2, cancel_all, methods=["DELETE"]),
    Route(f"{V2}/{{order_id}}", cancel, methods=["DELETE"]),
    Route(f"{V2}/{{order_id}}/amend", amend, methods=["POST"]),
    Route(f"{V2}/{{order_id}}/decrease", decrease, methods=["POST"]),
    Route(f"{V1}/queue_positions", queue_positions),
    Route(f"{V1}/{{order_id}}/queue_position", queue_position),
    Route(V1, retired, methods=["POST"]),
    Route(f"{V1}/batched", retired, methods=["POST", "DELETE"]),
    Route(f"{V1}/{{order_id}}", retired, methods=["DELETE"]),
    Route(f"{V1}/{{order_id}}/amend", retired, methods=["POST"]),
    Route(f"{V1}/{{order_id}}/decrease", retired, methods=["POST"]),
]
