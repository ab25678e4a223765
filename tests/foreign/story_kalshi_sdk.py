"""What kalshi-sdk, the TexasCoding client, sees of the sandbox.

It takes both addresses as arguments, allows plain text to the loopback only, and insists that the REST
address ends in /trade-api/v2. RSA keys only.
"""

import asyncio
import json
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from kalshi import KalshiClient, KalshiConfig  # type: ignore[import-not-found]
from kalshi.auth import KalshiAuth  # type: ignore[import-not-found]
from kalshi.errors import KalshiError  # type: ignore[import-not-found]
from kalshi.models.orders import CreateOrderV2Request  # type: ignore[import-not-found]
from kalshi.ws.client import KalshiWebSocket  # type: ignore[import-not-found]
from pydantic import ValidationError

from tests.foreign.telling import Place, ask, run

WAIT_S = 15.0
MARKET = attrgetter("ticker", "status", "result", "yes_bid", "yes_ask", "volume", "settlement_value")
TRADE = attrgetter("trade_id", "ticker", "yes_price", "count", "taker_outcome_side")
FILL = attrgetter("trade_id", "order_id", "ticker", "yes_price", "count", "book_side", "is_taker", "fee_cost")
POSITION = attrgetter("ticker", "position", "market_exposure", "total_traded", "fees_paid", "realized_pnl")
LEVEL = attrgetter("price", "quantity")


def refuses(place: Place) -> object:
    """Return which fields it misses in a market as the exchange sends it since 2026-10-01."""
    with KalshiClient(auth=_auth(place), config=_config(place)) as client:
        try:
            client.markets.list(limit=1)
        except ValidationError as error:
            return sorted(str(each["loc"][0]) for each in error.errors())
    return []


def markets(place: Place) -> object:
    with _client(place) as client:
        return [MARKET(each) for each in client.markets.list_all(limit=200)]


def open_markets(place: Place) -> object:
    with _client(place) as client:
        return [each.ticker for each in client.markets.list_all(status="open")]


def archived_markets(place: Place) -> object:
    with _client(place) as client:
        return [MARKET(each) for each in client.historical.markets_all(limit=1000)]


def trades(place: Place) -> object:
    with _client(place) as client:
        return [TRADE(each) for each in client.markets.list_all_trades(limit=1000)]


def archived_trades(place: Place) -> object:
    with _client(place) as client:
        return [TRADE(each) for each in client.historical.trades_all(limit=1000)]


def book(place: Place) -> object:
    with _client(place) as client:
        return _book(client.markets.orderbook(place.quiet))


def balance(place: Place) -> object:
    with _client(place) as client:
        return client.portfolio.balance().balance


def resting_order(place: Place) -> object:
    wanted = _order(place, "rests", count="2.00", price="0.0100", post_only=True)
    with _client(place) as client:
        placed = client.orders.create_v2(request=wanted)
        read = client.orders.get(placed.order_id)
        listed = [each.order_id for each in client.orders.list_all(ticker=place.quiet)]
        client.orders.cancel_v2(placed.order_id)
        after = client.orders.get(placed.order_id)
    return {
        # The answer to a new order has no status; this one is read below.
        "placed": [placed.order_id, read.status, placed.remaining_count],
        "read": [read.order_id, read.status, read.remaining_count],
        "price": read.yes_price,
        "book_side": read.book_side,
        "client_order_id": read.client_order_id,
        "listed": listed,
        "after": [after.status, after.remaining_count],
    }


def taking_order(place: Place) -> object:
    with _client(place) as client:
        best_no = max(each.price for each in client.markets.orderbook(place.quiet).no)
        placed = client.orders.create_v2(request=_order(place, "takes", count="3.00", price=1 - best_no))
        return [client.orders.get(placed.order_id).status, placed.fill_count, placed.remaining_count]


def fills(place: Place) -> object:
    with _client(place) as client:
        return [FILL(each) for each in client.portfolio.fills_all()]


def positions(place: Place) -> object:
    with _client(place) as client:
        return [POSITION(each) for each in client.portfolio.positions_all()]


def balance_after(place: Place) -> object:
    return balance(place)


def refusals(place: Place) -> object:
    nobody = KalshiAuth.from_key_path("nobody", place.pem)
    dear = _order(place, "dear", count="900000.00", price="0.0200")
    with _client(place) as client, KalshiClient(auth=nobody, config=_config(place)) as stranger:
        return {
            "unknown market": _refusal(lambda: client.markets.get("KXNONE-1")),
            "unknown key": _refusal(stranger.portfolio.balance),
            "unaffordable order": _refusal(lambda: client.orders.create_v2(request=dear)),
        }


def stream(place: Place) -> object:
    """Follow one book until as many changes came as the world made."""
    return asyncio.run(_stream(place))


async def _stream(place: Place) -> object:
    seen = {"snapshots": 0, "deltas": 0, "trades": 0}
    async with KalshiWebSocket(_auth(place), _config(place)).connect() as session:
        prints = await session.subscribe_trade(tickers=[place.busy], maxsize=10_000)
        books = await session.orderbook(place.busy, maxsize=10_000)
        latest = await asyncio.wait_for(anext(books), WAIT_S)
        seen["snapshots"] = 1
        made = await asyncio.to_thread(ask, "stream")
        while seen["deltas"] < made["deltas"]:
            latest = await asyncio.wait_for(anext(books), WAIT_S)
            seen["deltas"] += 1
        while seen["trades"] < made["trades"]:
            await asyncio.wait_for(anext(prints), WAIT_S)
            seen["trades"] += 1
    return seen | _book(latest) | {"is_whole": True}


def _auth(place: Place) -> Any:  # noqa: ANN401 - a foreign type
    return KalshiAuth.from_key_path(place.key_id, place.pem)


def _config(place: Place, **more: object) -> Any:  # noqa: ANN401 - a foreign type
    return KalshiConfig(base_url=place.base_url, ws_base_url=place.ws_url, max_retries=0, **more)


def _client(place: Place) -> Any:  # noqa: ANN401 - a foreign type
    return KalshiClient(auth=_auth(place), config=_config(place, rest_json_loads=_as_before_october))


def _as_before_october(body: bytes) -> object:
    """Read an answer, and put into its markets the field that this client still requires."""

    def put(told: dict[str, Any]) -> dict[str, Any]:
        return told | {"liquidity_dollars": "0.0000"} if "yes_ask_dollars" in told else told

    return json.loads(body, object_hook=put)


def _order(place: Place, client_order_id: str, **more: object) -> Any:  # noqa: ANN401 - a foreign type
    return CreateOrderV2Request(
        ticker=place.quiet,
        client_order_id=client_order_id,
        side="bid",
        time_in_force="good_till_canceled",
        self_trade_prevention_type="maker",
        **more,
    )


def _book(seen: Any) -> dict[str, object]:  # noqa: ANN401 - a foreign type
    return {"yes": [LEVEL(each) for each in seen.yes], "no": [LEVEL(each) for each in seen.no]}


def _refusal(action: Callable[[], object]) -> object:
    try:
        return [f"nothing refused: {action()}"]
    except KalshiError as error:
        return [error.status_code, type(error).__name__]


if __name__ == "__main__":
    run(
        [
            refuses, markets, open_markets, archived_markets, trades, archived_trades, book, balance,
            resting_order, taking_order, fills, positions, balance_after, refusals, stream,
        ]
    )  # fmt: skip
