"""The sandbox's WebSocket: numbers, books that can be followed, and the error of every wrong command."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from exchange.books import OrderBook
from exchange.units import DOLLAR_CC, parse_cc, parse_centi, to_us
from sandbox.clock import Stepped
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import running
from sandbox.stream_commands import ERRORS
from sandbox.world import World
from tests.sandbox.places import a_copied_world, a_world
from tests.sandbox.streams import KEY_ID, Json, Reader, a_reader, signed, ws_url

BOTH = '{"id":1,"cmd":"subscribe","params":{"channels":["trade"],"market_ticker":"A","market_tickers":["B"]}}'
BOOKS: dict[str, Any] = {"channels": ["orderbook_delta"], "use_yes_price": False}


def a_living_world(*, before: timedelta = timedelta(hours=6)) -> tuple[World, Stepped]:
    return a_copied_world(before=before, activity=0.25)


def active(world: World) -> list[str]:
    return [each.ticker for each in world.markets() if each.status == "active"]


def follow(frames: list[Json], *, yes_price: bool = False) -> dict[str, OrderBook]:
    """Rebuild books the obvious way; NO levels are kept in NO prices."""
    books: dict[str, OrderBook] = {}

    def own(price: str) -> int:
        return DOLLAR_CC - parse_cc(price) if yes_price else parse_cc(price)

    for frame in frames:
        msg = frame.get("msg", {})
        if frame["type"] == "orderbook_snapshot":
            book = books.setdefault(msg["market_ticker"], OrderBook(msg["market_ticker"]))
            book.apply_snapshot(
                [(parse_cc(price), parse_centi(count)) for price, count in msg.get("yes_dollars_fp", [])],
                [(own(price), parse_centi(count)) for price, count in msg.get("no_dollars_fp", [])],
            )
        elif frame["type"] == "orderbook_delta":
            price_cc = own(msg["price_dollars"]) if msg["side"] == "no" else parse_cc(msg["price_dollars"])
            books[msg["market_ticker"]].apply_delta(msg["side"], price_cc, parse_centi(msg["delta_fp"]))
    return books


def drain(reader: Reader) -> None:
    """Read all that was sent before now: the answer to a command comes behind it."""
    reader.say("list_subscriptions", command_id=999)
    while reader.next().get("id") != 999:
        pass


def test_nobody_is_let_in_without_a_good_signature() -> None:
    """Public channels included: 401 before the handshake, whatever is wrong."""
    key, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    with running(a_world(), keys={KEY_ID: key.public_key()}) as server:
        for headers in (
            {},
            signed(stranger),
            signed(key, key_id="nobody"),
            signed(key, path="/trade-api/v2/ws"),
        ):
            with pytest.raises(InvalidStatus) as caught:
                connect(ws_url(server), additional_headers=headers)
            assert caught.value.response.status_code == 401
        assert server.meter.unauthorized == 4
        connect(ws_url(server), additional_headers=signed(key)).close()


@pytest.mark.parametrize("use_yes_price", [False, True])
def test_snapshot_and_deltas_give_the_exchanges_own_book(*, use_yes_price: bool) -> None:
    """Six hours of every active market: what is followed equals what REST tells, in both spellings of NO."""
    world, clock = a_living_world()
    tickers = active(world)
    with a_reader(world) as (reader, _):
        reader.say(
            "subscribe", channels=["orderbook_delta"], market_tickers=tickers, use_yes_price=use_yes_price
        )
        reader.until("orderbook_snapshot", len(tickers))
        clock.advance(timedelta(hours=5))
        reader.until("orderbook_delta", 200)
        drain(reader)
        books = follow(reader.frames, yes_price=use_yes_price)
        assert len(books) == len(tickers) > 5
        for ticker in tickers:
            assert books[ticker] == world.book(ticker)


def test_one_counter_spans_all_markets_of_a_subscription() -> None:
    """1, 2, 3 … through snapshots, deltas and ok frames; `subscribed` has no number."""
    world, clock = a_living_world()
    first, second, third = active(world)[:3]
    with a_reader(world) as (reader, _):
        reader.say("subscribe", 1, **BOOKS, market_tickers=[first])
        subscribed, snapshot = reader.next(), reader.next()
        assert subscribed == {"id": 1, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}}
        assert (snapshot["sid"], snapshot["seq"]) == (1, 1)
        reader.say("update_subscription", 2, sid=1, action="add_markets", market_tickers=[second])
        ok = reader.next()
        assert ok == {
            "id": 2, "sid": 1, "seq": 2, "type": "ok", "msg": {"market_tickers": sorted([first, second])},
        }  # fmt: skip
        assert reader.next()["seq"] == 3  # the snapshot of the second market
        reader.say("subscribe", 3, **BOOKS, market_tickers=[second, third])  # merges, same sid
        assert reader.next()["msg"]["market_tickers"] == sorted([first, second, third])
        assert reader.next()["msg"]["market_ticker"] == third
        reader.say("update_subscription", 4, sids=[1], action="get_snapshot", market_tickers=[first])
        again = reader.next()
        assert (again["id"], again["type"], again["seq"]) == (4, "orderbook_snapshot", 6)
        clock.advance(timedelta(hours=3))
        reader.until("orderbook_delta", 50)
        reader.say("update_subscription", 5, sid=1, action="delete_markets", market_tickers=[third])
        reader.until("ok")
        reader.say("unsubscribe", 6, sids=[1])
        reader.until("unsubscribed")
        numbers = [frame["seq"] for frame in reader.frames if "seq" in frame]
        assert numbers == list(range(1, len(numbers) + 1))
        clock.advance(timedelta(hours=1))
        drain(reader)
        assert reader.frames[-1]["msg"] == []


def test_an_empty_side_is_left_out_of_its_snapshot() -> None:
    world, _ = a_living_world()
    empty = [t for t in active(world) if not world.book(t).levels("no") or not world.book(t).levels("yes")]
    closed = [each.ticker for each in world.markets() if each.status in {"closed", "determined", "finalized"}]
    with a_reader(world) as (reader, server):
        live = server.state.catalog.live
        name = (empty or [ticker for ticker in closed if live(ticker)])[0]
        reader.say("subscribe", **BOOKS, market_tickers=[name])
        (snapshot,) = reader.until("orderbook_snapshot")
        sides = {side for side in ("yes", "no") if world.book(name).levels(side)}
        assert {key for key in snapshot["msg"] if key.endswith("_fp")} == {f"{s}_dollars_fp" for s in sides}
        assert sides != {"yes", "no"}


def test_trades_and_tickers_agree_with_the_tape_and_the_listing() -> None:
    world, clock = a_living_world()
    with a_reader(world) as (reader, _):
        reader.say("subscribe", channels=["trade", "ticker"])
        reader.until("subscribed", 2)
        since_us = to_us(world.now_ts)
        clock.advance(timedelta(hours=4))
        reader.until("ticker", 3)
        drain(reader)
        told = [frame["msg"]["trade_id"] for frame in reader.frames if frame["type"] == "trade"]
        tape = world.tape(None)
        first, end = tape.span(since_us, to_us(world.now_ts) + 1)
        assert told == [each.trade_id for each in tape.rows(first, end)]
        assert len(told) > 20
        last = {f["msg"]["market_ticker"]: f["msg"] for f in reader.frames if f["type"] == "ticker"}
        for ticker, msg in last.items():
            market = world.floor.market(ticker)
            assert parse_cc(msg["yes_bid_dollars"]) == market.yes_bid_cc
            assert parse_centi(msg["volume_fp"]) == market.volume_centi
        assert all("seq" not in frame for frame in reader.frames if frame["type"] == "ticker")


def test_the_life_of_a_quarter_hour_is_told_and_openings_are_not() -> None:
    """Created … determined, settled; opening and closing on time are silent [KALSHI.md §9]."""
    world, clock = a_living_world()
    with a_reader(world) as (reader, _):
        reader.say("subscribe", channels=["market_lifecycle_v2"])
        reader.until("subscribed")
        clock.advance(timedelta(hours=6))
        reader.until("market_lifecycle_v2", 8)
        drain(reader)
        lives: dict[str, list[str]] = {}
        for frame in reader.frames:
            if frame["type"] == "market_lifecycle_v2":
                lives.setdefault(frame["msg"]["market_ticker"], []).append(frame["msg"]["event_type"])
        assert ["created", "determined", "settled"] in lives.values()
        numbers = [frame["seq"] for frame in reader.frames if "seq" in frame]
        assert numbers == list(range(1, len(numbers) + 1))
        determined = next(f["msg"] for f in reader.frames if f["msg"] and "result" in f["msg"])
        assert determined["result"] in {"yes", "no", "scalar"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 1),
        ("[]", 1),
        ("[" * 100_000, 1),
        ('{"id":-1,"cmd":"subscribe"}', 1),
        ('{"id":1,"cmd":"subscribe"}', 2),
        ('{"id":1,"cmd":"subscribe","params":{"channels":[]}}', 3),
        ('{"id":1,"cmd":"unsubscribe","params":{"sid":1}}', 4),
        ('{"id":1,"cmd":"shout","params":{"a":1}}', 5),
        ('{"id":1,"cmd":"unsubscribe","params":{"sids":[77]}}', 7),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["ticker_v2"]}}', 8),
        (BOTH, 11),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["trade"],"market_tickers":[1]}}', 11),
        ('{"id":1,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}', 12),
        ('{"id":1,"cmd":"update_subscription","params":{"sid":1,"action":"dance"}}', 13),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}', 14),
        ('{"id":1,"cmd":"update_subscription","params":{"sid":1}}', 15),
        ('{"id":1,"cmd":"subscribe","params":{"channels":["pyth_value"]}}', 28),
    ],
)  # fmt: skip
def test_a_wrong_command_is_answered_with_its_documented_number(text: str, code: int) -> None:
    with a_reader(a_world()) as (reader, _):
        reader.say_text(text)
        told = reader.next()
        assert (told["type"], told["msg"]["code"]) == ("error", code)
        assert told["msg"]["msg"].startswith(ERRORS[code])
        assert told.get("id") == (1 if code != 1 else None)


def test_a_frozen_exchange_shows_its_book_and_stays_silent() -> None:
    world = a_world()
    name = active(world)[0]
    with a_reader(world) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=[name, "NO-SUCH-MARKET"])
        reader.until("orderbook_snapshot")
        drain(reader)
        assert follow(reader.frames) == {name: world.book(name)}


def misfortune(kind: str, **more: Any) -> Faults:  # noqa: ANN401  keys of a fault
    return Faults((fault(kind, route="orderbook_delta", **more),))


def test_a_lost_frame_leaves_a_hole_in_the_numbers() -> None:
    world, clock = a_living_world()
    names = active(world)
    with a_reader(world, faults=misfortune("ws_hole", chance=0.1)) as (reader, server):
        reader.say("subscribe", **BOOKS, market_tickers=names)
        reader.until("subscribed")
        clock.advance(timedelta(hours=5))
        reader.until("orderbook_delta", 100)
        reader.say("unsubscribe", 2, sids=[1])
        reader.until("unsubscribed")
        numbers = [frame["seq"] for frame in reader.frames if "seq" in frame]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] - len(numbers) == server.state.faults.injected["ws_hole"] > 0


def test_a_frame_can_come_twice() -> None:
    world, _ = a_living_world()
    names = active(world)[:2]
    with a_reader(world, faults=misfortune("ws_duplicate", limit=1)) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=names)
        assert [frame["seq"] for frame in reader.until("orderbook_snapshot", 3)] == [1, 1, 2]


def test_an_overflow_ends_the_subscription_with_error_25() -> None:
    world, _ = a_living_world()
    with a_reader(world, faults=misfortune("ws_overflow")) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=active(world)[:3])
        (told,) = reader.until("error")
        assert (told["sid"], told["msg"]["code"]) == (1, 25)
        drain(reader)
        assert reader.frames[-1]["msg"] == []
        assert [frame["type"] for frame in reader.frames] == ["subscribed", "error", "ok"]


def test_a_connection_can_drop_without_a_word() -> None:
    world, _ = a_living_world()
    with a_reader(world, faults=misfortune("ws_disconnect", limit=1)) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=active(world)[:1])
        with pytest.raises((ConnectionClosed, ConnectionError)):
            reader.until("orderbook_snapshot")


def test_a_stall_holds_frames_back_and_loses_none() -> None:
    world, _ = a_living_world()
    names = active(world)[:3]
    with a_reader(world, faults=misfortune("ws_stall", for_s=0.2, limit=1)) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=names)
        assert [frame["seq"] for frame in reader.until("orderbook_snapshot", 3)] == [1, 2, 3]


def test_every_frame_is_whole_json_with_a_type() -> None:
    world, clock = a_living_world()
    with a_reader(world) as (reader, _):
        reader.say("subscribe", channels=["ticker"], market_tickers=active(world), send_initial_snapshot=True)
        clock.advance(timedelta(hours=1))
        for frame in reader.until("ticker", 5):
            assert json.loads(json.dumps(frame)) == frame
