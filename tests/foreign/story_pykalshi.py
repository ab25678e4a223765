"""What pykalshi sees of the sandbox.

It takes another REST address as an argument (`api_base`); for the WebSocket it has two fixed addresses and no
argument, so the story sets the attribute that it reads them into. RSA keys only.
"""

import threading
from operator import attrgetter
from typing import Any

from pykalshi import Action, KalshiClient, MarketStatus, Side  # type: ignore[import-not-found]
from pykalshi.exceptions import KalshiAPIError  # type: ignore[import-not-found]
from pykalshi.orderbook import OrderbookManager  # type: ignore[import-not-found]

from tests.foreign.telling import Place, ask, run

WAIT_S = 15.0
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
    "trade_id",
    "order_id",
    "ticker",
    "yes_price_dollars",
    "count_fp",
    "book_side",
    "is_taker",
    "fee_cost_dollars",
)
POSITION = attrgetter(
    "ticker", "position_fp", "market_exposure_dollars", "total_traded_dollars", "fees_paid_dollars",
    "realized_pnl_dollars",
)  # fmt: skip


def markets(place: Place) -> object:
    with _client(place) as client:
        return [MARKET(each.data) for each in client.get_markets(limit=200, fetch_all=True)]


def open_markets(place: Place) -> object:
    with _client(place) as client:
        return [each.ticker for each in client.get_markets(status=MarketStatus.OPEN, fetch_all=True)]


def archived_markets(place: Place) -> object:
    with _client(place) as client:
        return [MARKET(each.data) for each in client.history.get_markets(limit=1000, fetch_all=True)]


def trades(place: Place) -> object:
    with _client(place) as client:
        return [TRADE(each) for each in client.get_trades(limit=1000, fetch_all=True)]


def archived_trades(place: Place) -> object:
    with _client(place) as client:
        return [TRADE(each) for each in client.history.get_trades(limit=1000, fetch_all=True)]


def book(place: Place) -> object:
    with _client(place) as client:
        seen = client.get_market(place.quiet).get_orderbook()
    return {
        "yes": seen.orderbook.yes_dollars,
        "no": seen.orderbook.no_dollars,
        "best": [seen.best_yes_bid, seen.best_yes_ask],
    }


def balance(place: Place) -> object:
    with _client(place) as client:
        return client.portfolio.get_balance().balance


def resting_order(place: Place) -> object:
    with _client(place) as client:
        placed = client.portfolio.place_order(
            place.quiet,
            Action.BUY,
            Side.YES,
            "2.00",
            yes_price_dollars="0.0100",
            client_order_id="rests",
            post_only=True,
        )
        read = client.portfolio.get_order(placed.order_id)
        listed = [each.order_id for each in client.portfolio.get_orders(ticker=place.quiet)]
        client.portfolio.cancel_order(placed.order_id)
        after = client.portfolio.get_order(placed.order_id)
    return {
        "placed": [placed.order_id, placed.status, placed.remaining_count_fp],
        "read": [read.order_id, read.status, read.remaining_count_fp],
        "price": read.yes_price_dollars,
        "book_side": read.data.book_side,
        "client_order_id": read.data.client_order_id,
        "listed": listed,
        "after": [after.status, after.remaining_count_fp],
    }


def taking_order(place: Place) -> object:
    with _client(place) as client:
        ask_dollars = client.get_market(place.quiet).get_orderbook().best_yes_ask
        placed = client.portfolio.place_order(
            place.quiet, Action.BUY, Side.YES, "3.00", yes_price_dollars=ask_dollars, client_order_id="takes"
        )
        return [placed.status, placed.fill_count_fp, placed.remaining_count_fp]


def fills(place: Place) -> object:
    with _client(place) as client:
        seen = client.portfolio.get_fills(fetch_all=True)
    return [FILL(each) for each in seen]


def positions(place: Place) -> object:
    with _client(place) as client:
        seen = client.portfolio.get_positions(fetch_all=True)
    return [POSITION(each) for each in seen]


def balance_after(place: Place) -> object:
    return balance(place)


def refusals(place: Place) -> object:
    with _client(place) as client, KalshiClient("nobody", place.pem, place.base_url) as nobody:
        return {
            "unknown market": _refusal(lambda: client.get_market("KXNONE-1")),
            "unknown key": _refusal(nobody.portfolio.get_balance),
            "unaffordable order": _refusal(
                lambda: client.portfolio.place_order(
                    place.quiet, Action.BUY, Side.YES, "900000.00", yes_price_dollars="0.0200"
                )
            ),
        }


def stream(place: Place) -> object:
    """Follow one book until as many changes came as the world made."""
    seen: dict[str, Any] = {"deltas": 0, "trades": 0}
    manager = OrderbookManager(place.busy)
    changed = threading.Condition()

    def on_book(message: Any) -> None:  # noqa: ANN401 - a foreign type
        with changed:
            if hasattr(message, "yes_dollars"):
                manager.apply_snapshot(message.yes_dollars, message.no_dollars)
                seen["snapshots"] = seen.get("snapshots", 0) + 1
            else:
                manager.apply_delta(message.side, message.price_dollars, message.delta_fp)
                seen["deltas"] += 1
            changed.notify_all()

    def on_trade(message: Any) -> None:  # noqa: ANN401 - a foreign type
        with changed:
            seen["trades"] += int(message.market_ticker == place.busy)
            changed.notify_all()

    with _client(place) as client:
        feed = client.feed()
        feed._ws_url = place.ws_url  # noqa: SLF001 - pykalshi offers no other way
        feed.on("orderbook_delta", on_book)
        feed.on("trade", on_trade)
        feed.subscribe("trade", market_ticker=place.busy)
        feed.subscribe("orderbook_delta", market_ticker=place.busy)
        with feed, changed:
            changed.wait_for(lambda: "snapshots" in seen, WAIT_S)
            made = ask("stream")
            is_whole = changed.wait_for(lambda: all(seen[each] >= n for each, n in made.items()), WAIT_S)
    return seen | {"yes": list(manager.yes.items()), "no": list(manager.no.items()), "is_whole": is_whole}


def _client(place: Place) -> Any:  # noqa: ANN401 - a foreign type
    return KalshiClient(place.key_id, place.pem, place.base_url)


def _refusal(action: Any) -> object:  # noqa: ANN401 - a foreign callable
    try:
        return f"nothing refused: {action()}"
    except KalshiAPIError as error:
        return [error.status_code, type(error).__name__]


if __name__ == "__main__":
    run(
        [
            markets, open_markets, archived_markets, trades, archived_trades, book, balance, resting_order,
            taking_order, fills, positions, balance_after, refusals, stream,
        ]
    )  # fmt: skip
