"""Private channels: an account hears of its own orders, fills and positions, and nobody else does."""

import base64
import json
import time

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.sync.client import connect

from sandbox.serve import running
from tests.sandbox.places import a_world
from tests.sandbox.streams import Json, Reader, signed, ws_url

PATH = "/trade-api/v2/portfolio/events/orders"
CHANNELS = ["fill", "user_orders", "market_positions"]


def ordered(http: httpx.Client, key: Ed25519PrivateKey, key_id: str, body: Json) -> Json:
    stamp = str(time.time_ns() // 1_000_000)
    signature = base64.b64encode(key.sign(f"{stamp}POST{PATH}".encode())).decode()
    headers = {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": signature,
    }
    answer = http.post(PATH, content=json.dumps(body), headers=headers)
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


def test_an_order_its_fill_and_its_position_are_told_to_their_account_alone() -> None:
    """Take 1 contract at the ask, then rest a bid at 1 cent: two orders, one fill, one position."""
    world = a_world()
    name = next(
        each.ticker
        for each in world.markets()
        if each.status == "active" and 200 < each.yes_bid_cc < each.yes_ask_cc < 9_800
    )
    ask = world.book(name).best_ask()
    assert ask is not None
    mine, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    keys = {"mine": mine.public_key(), "other": other.public_key()}
    with (
        running(world, tier="prestige", keys=keys) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http,
        connect(ws_url(server), additional_headers=signed(mine, key_id="mine")) as my_socket,
        connect(ws_url(server), additional_headers=signed(other, key_id="other")) as their_socket,
    ):
        me, them = Reader(my_socket), Reader(their_socket)
        for reader in (me, them):
            reader.say("subscribe", channels=[*CHANNELS, "orderbook_delta"], market_tickers=[name])
            reader.until("orderbook_snapshot")
        body = {
            "ticker": name,
            "side": "bid",
            "count": "1",
            "self_trade_prevention_type": "taker_at_cross",
            "time_in_force": "good_till_canceled",
        }
        price = f"{ask.price_cc / 10_000:.4f}"
        taken = ordered(http, mine, "mine", body | {"price": price, "client_order_id": "take"})
        ordered(http, mine, "mine", body | {"price": "0.0100", "client_order_id": "rest"})

        fill = me.first("fill", order_id=taken["order_id"])
        assert (fill["is_taker"], fill["count_fp"], fill["post_position_fp"]) == (True, "1.00", "1.00")
        assert fill["yes_price_dollars"] == price
        assert me.first("user_order", client_order_id="take")["status"] == "executed"
        assert me.first("user_order", client_order_id="rest")["remaining_count_fp"] == "1.00"
        assert me.first("market_position", market_ticker=name)["position_fp"] == "1.00"
        rested = me.first("orderbook_delta", client_order_id="rest")
        assert (rested["price_dollars"], rested["delta_fp"], rested["side"]) == ("0.0100", "1.00", "yes")

        them.until("orderbook_delta", 2)
        them.say("list_subscriptions", 9)
        while them.next().get("id") != 9:
            pass
        kinds = {frame["type"] for frame in them.frames}
        assert kinds == {"subscribed", "orderbook_snapshot", "orderbook_delta", "ok"}
        assert all("client_order_id" not in frame["msg"] for frame in them.frames)
