"""What Kalshi's own SDK sees of the sandbox; it has no WebSocket.

It takes another address as `Configuration(host=…)`. Its `set_kalshi_auth` is a NameError in 3.34.0, so the
story sets the attribute which that would have set. RSA and Ed25519 keys.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import kalshi_python_sync as kalshi  # type: ignore[import-not-found]

from tests.foreign.telling import Place, run

MARKET = attrgetter(
    "ticker",
    "status",
    "result",
    "yes_bid_dollars",
    "yes_ask_dollars",
    "volume_fp",
    "settlement_value_dollars",
)
TRADE = attrgetter("trade_id", "ticker", "yes_price_dollars", "count_fp", "taker_outcome_side")
FILL = attrgetter(
    "trade_id", "order_id", "ticker", "yes_price_dollars", "count_fp", "book_side", "is_taker", "fee_cost"
)
POSITION = attrgetter(
    "ticker", "position_fp", "market_exposure_dollars", "total_traded_dollars", "fees_paid_dollars",
    "realized_pnl_dollars",
)  # fmt: skip


def markets(place: Place) -> object:
    pages = _pages(kalshi.MarketApi(_client(place)).get_markets, limit=200)
    return [MARKET(each) for page in pages for each in page.markets]


def open_markets(place: Place) -> object:
    pages = _pages(kalshi.MarketApi(_client(place)).get_markets, status="open")
    return [each.ticker for page in pages for each in page.markets]


def archived_markets(place: Place) -> object:
    pages = _pages(kalshi.HistoricalApi(_client(place)).get_historical_markets, limit=1000)
    return [MARKET(each) for page in pages for each in page.markets]


def trades(place: Place) -> object:
    pages = _pages(kalshi.MarketApi(_client(place)).get_trades, limit=1000)
    return [TRADE(each) for page in pages for each in page.trades]


def archived_trades(place: Place) -> object:
    pages = _pages(kalshi.HistoricalApi(_client(place)).get_trades_historical, limit=1000)
    return [TRADE(each) for page in pages for each in page.trades]


def book(place: Place) -> object:
    seen = kalshi.MarketApi(_client(place)).get_market_orderbook(place.quiet).orderbook_fp
    return {"yes": seen.yes_dollars, "no": seen.no_dollars}


def balance(place: Place) -> object:
    return kalshi.PortfolioApi(_client(place)).get_balance().balance


def resting_order(place: Place) -> object:
    orders = kalshi.OrdersApi(_client(place))
    wanted = _order(place, "rests", count="2.00", price="0.0100", post_only=True)
    placed = orders.create_order_v2(**wanted)
    read = orders.get_order(placed.order_id).order
    pages = _pages(orders.get_orders, ticker=place.quiet)
    listed = [each.order_id for page in pages for each in page.orders]
    orders.cancel_order_v2(placed.order_id)
    after = orders.get_order(placed.order_id).order
    return {
        # The answer to a new order has no status; this one is read below.
        "placed": [placed.order_id, read.status, placed.remaining_count],
        "read": [read.order_id, read.status, read.remaining_count_fp],
        "price": read.yes_price_dollars,
        "book_side": read.book_side,
        "client_order_id": read.client_order_id,
        "listed": listed,
        "after": [after.status, after.remaining_count_fp],
    }


def taking_order(place: Place) -> object:
    client = _client(place)
    seen = kalshi.MarketApi(client).get_market_orderbook(place.quiet).orderbook_fp
    price = 1 - max(Decimal(each[0]) for each in seen.no_dollars)
    orders = kalshi.OrdersApi(client)
    placed = orders.create_order_v2(**_order(place, "takes", count="3.00", price=str(price)))
    return [orders.get_order(placed.order_id).order.status, placed.fill_count, placed.remaining_count]


def fills(place: Place) -> object:
    pages = _pages(kalshi.PortfolioApi(_client(place)).get_fills)
    return [FILL(each) for page in pages for each in page.fills]


def positions(place: Place) -> object:
    pages = _pages(kalshi.PortfolioApi(_client(place)).get_positions)
    return [POSITION(each) for page in pages for each in page.market_positions]


def balance_after(place: Place) -> object:
    return balance(place)


def refusals(place: Place) -> object:
    client, nobody = _client(place), _client(place, key_id="nobody")
    dear = _order(place, "dear", count="900000.00", price="0.0200")
    return {
        "unknown market": _refusal(lambda: kalshi.MarketApi(client).get_market("KXNONE-1")),
        "unknown key": _refusal(kalshi.PortfolioApi(nobody).get_balance),
        "unaffordable order": _refusal(lambda: kalshi.OrdersApi(client).create_order_v2(**dear)),
    }


def _client(place: Place, *, key_id: str = "") -> Any:  # noqa: ANN401 - a foreign type
    client = kalshi.ApiClient(kalshi.Configuration(host=place.base_url))
    pem = Path(place.pem).read_text(encoding="ascii")
    client.kalshi_auth = kalshi.KalshiAuth(key_id or place.key_id, pem)
    return client


def _pages(get: Callable[..., Any], **asked: object) -> Iterator[Any]:
    cursor = None
    while cursor != "":
        page = get(cursor=cursor, **asked)
        yield page
        cursor = page.cursor or ""


def _order(place: Place, client_order_id: str, **more: object) -> dict[str, object]:
    return {
        "ticker": place.quiet,
        "client_order_id": client_order_id,
        "side": "bid",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
        **more,
    }


def _refusal(action: Callable[[], object]) -> object:
    try:
        return [f"nothing refused: {action()}"]
    except kalshi.ApiException as error:
        return [error.status, type(error).__name__]


if __name__ == "__main__":
    run(
        [
            markets, open_markets, archived_markets, trades, archived_trades, book, balance, resting_order,
            taking_order, fills, positions, balance_after, refusals,
        ]
    )  # fmt: skip
