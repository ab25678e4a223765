"""A stream through everything that happens to connections: holes, dead subscriptions, ends."""

import asyncio
import gzip
import json

import pytest

from pipelines.client import StreamLost, wire
from pipelines.client.retry import Retry
from pipelines.client.stream import (
    Connected,
    Disconnected,
    Feed,
    Gap,
    Item,
    Message,
    Refusal,
    Repeated,
    Reply,
    Stream,
    Unreadable,
)
from pipelines.client.stream.live import MAX_REPEATS
from tests.client.loopback import patient
from tests.client.streams import BOOKS, A, B, Exchange, Peer, a_delta, exchange, of, play, until
from tests.realdata import DATA, needs_real_data

CAPTURE = DATA / "ws" / "cockpit_ws_orderbook_stream_2026-08-07.json.gz"


async def two_books(peer: Peer) -> None:
    """Confirm the subscription and send both snapshots."""
    await peer.subscribed()
    await peer.snapshot(1, A)
    await peer.snapshot(2, B)


async def all_into(items: list[Item], stream: Stream) -> None:
    """Append everything until the stream ends."""
    async for item in stream:
        items.append(item)  # noqa: PERF401  what came before the end must not be lost with it


def test_messages_arrive_in_order_with_our_time_and_the_chosen_prices() -> None:
    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.say("orderbook_delta", sid=1, seq=3, msg=a_delta(A), sending_ts_ms=1_790_000_000_001)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS, now_ns=lambda: 42) as stream:
            items = await until(stream, Message, n=3)
            assert of(Connected, items)[0].connection == stream.connection
            return items

    messages = of(Message, play(story()))
    assert [(one.seq, type(one.msg)) for one in messages] == [
        (1, wire.BookSnapshot),
        (2, wire.BookSnapshot),
        (3, wire.BookDelta),
    ]
    assert {(one.received_ns, one.use_yes_price, one.channel) for one in messages} == {
        (42, True, "orderbook_delta")
    }
    assert messages[2].sending_ts_ms == 1_790_000_000_001


@pytest.mark.parametrize("use_yes_price", [True, False])
def test_the_kind_of_prices_is_always_said_and_kept(*, use_yes_price: bool) -> None:
    """Kalshi will flip its default and then drop the choice: KALSHI.md §10.4."""

    async def script(peer: Peer) -> None:
        command = await peer.subscribed()
        assert command["params"]["use_yes_price"] is use_yes_price
        await peer.snapshot(1)
        await peer.stay()

    async def story() -> list[Item]:
        feed = Feed("orderbook_delta", (A,), use_yes_price=use_yes_price)
        async with exchange(script) as running, running.stream(feed) as stream:
            return await until(stream, Message)

    assert of(Message, play(story()))[0].use_yes_price is use_yes_price


@needs_real_data
def test_the_capture_through_a_server_is_one_whole_stream() -> None:
    """12 markets on one sid, 11 `ok` frames among the numbers: no false gap, nothing asked for again."""
    told = json.loads(gzip.decompress(CAPTURE.read_bytes()))
    feed = Feed("orderbook_delta", tuple(told["tickers"]), use_yes_price=False)

    async def script(peer: Peer) -> None:
        command = await peer.hear()
        first, *rest = [line["frame"] for line in told["frames"]]
        for frame in (first | {"id": command["id"]}, *rest):
            await peer.socket.send(json.dumps(frame))
        await peer.stay()

    async def story() -> tuple[list[Item], Exchange]:
        async with exchange(script) as running, running.stream(feed) as stream:
            return await until(stream, Message, n=12 + 245), running

    items, running = play(story())
    assert [type(item) for item in items if not isinstance(item, Message | Reply)] == [Connected]
    assert len(of(Reply, items)) == 12
    assert len(running.heard) == 1


def test_a_hole_of_books_is_told_and_whole_books_are_asked_for_at_once() -> None:
    """Number 3 is missing: both books are in doubt, and both snapshots come inside the stream."""

    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.delta(4)
        command = await peer.hear()
        await peer.snapshot(5, A, id=command["id"])
        await peer.snapshot(6, B, id=command["id"])
        await peer.delta(7)
        await peer.stay()

    async def story() -> tuple[list[Item], Exchange]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Message, n=6), running

    items, running = play(story())
    (gap,) = of(Gap, items)
    assert (gap.expected, gap.got, gap.tickers) == (3, 4, (A, B))
    assert running.commands[1:] == [
        (
            "update_subscription",
            {"sids": [1], "action": "get_snapshot", "market_tickers": [A, B]},
        )
    ]
    assert [one.seq for one in of(Message, items)] == [1, 2, 4, 5, 6, 7]
    assert not of(Disconnected, items)


def test_an_unreadable_delta_blinds_its_own_market_only() -> None:
    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.say("orderbook_delta", sid=1, seq=3, msg=a_delta(B, price_dollars=0.96))
        command = await peer.hear()
        assert command["params"]["market_tickers"] == [B]
        await peer.snapshot(4, B, id=command["id"])
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Message, n=3)

    items = play(story())
    (bad,) = of(Unreadable, items)
    assert (bad.tickers, bad.seq, bad.channel) == ((B,), 3, "orderbook_delta")
    assert "price_dollars" in bad.reason
    assert not of(Gap, items)


def test_books_that_cannot_be_mended_come_with_a_new_connection() -> None:
    """get_snapshot is refused: only a new session has snapshots of everything."""

    async def script(peer: Peer) -> None:
        await two_books(peer)
        if peer.number == 1:
            await peer.delta(4)
            await peer.refuse(await peer.hear(), 1)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Message, n=5)

    items = play(story())
    assert "could not be mended" in of(Disconnected, items)[0].cause
    assert [one.seq for one in of(Message, items)] == [1, 2, 4, 1, 2]


@pytest.mark.parametrize("code", [10, 25])
def test_a_dead_subscription_is_a_gap_without_end_and_is_subscribed_again(code: int) -> None:
    """KALSHI.md §10.6: terminal errors; numbers of the new sid begin with 1."""

    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.say("error", sid=1, seq=3, msg={"code": code, "msg": "over"})
        await peer.subscribed(sid=2)
        await peer.snapshot(1, A, sid=2)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Message, n=3)

    items = play(story())
    (gap,) = of(Gap, items)
    assert (gap.sid, gap.expected, gap.got, gap.tickers) == (1, 4, None, (A, B))
    assert gap.cause == f"error {code} (over)"
    assert of(Refusal, items)[0].code == code
    assert of(Message, items)[2].sid == 2
    assert not of(Disconnected, items)


def test_subscriptions_that_die_again_and_again_end_the_connection() -> None:
    async def script(peer: Peer) -> None:
        for sid in range(1, 100):
            await peer.subscribed(sid)
            await peer.say("error", sid=sid, msg={"code": 10, "msg": "over"})

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Disconnected)

    items = play(story())
    assert "broken 16 times" in of(Disconnected, items)[0].cause
    assert len(of(Gap, items)) == 17


def test_everything_wanted_is_subscribed_again_after_a_connection_ends() -> None:
    """Added and removed while connected and while not: the next session has exactly what is wanted."""

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await two_books(peer)
            await peer.ok(await peer.hear(), 3)
            await peer.socket.close(1001, "maintenance")
        elif peer.number == 2:
            await peer.subscribed()
            await peer.subscribed(sid=2)
            await peer.stay()

    async def story() -> tuple[list[Item], Exchange, Stream]:
        is_back = asyncio.Event()

        async def until_back(_pause_s: float) -> None:
            await is_back.wait()

        retry = Retry(sleep=until_back)
        async with exchange(script) as running, running.stream(BOOKS, retry=retry) as stream:
            await until(stream, Message, n=2)
            await stream.add("orderbook_delta", ["KXC-1-Y"])
            items = await until(stream, Disconnected)
            assert stream.connection is None
            await stream.remove("orderbook_delta", [A])
            await stream.subscribe(Feed("trade"))
            is_back.set()
            items += await until(stream, Connected)
            while len(running.heard) < 4:  # noqa: ASYNC110  play() limits it
                await asyncio.sleep(0.01)
            return items, running, stream

    items, running, stream = play(story())
    first, second = of(Disconnected, items)[0], of(Connected, items)[0]
    assert "maintenance" in first.cause
    assert first.connection != second.connection
    assert running.commands[2:] == [
        (
            "subscribe",
            {
                "channels": ["orderbook_delta"],
                "use_yes_price": True,
                "market_tickers": [B, "KXC-1-Y"],
            },
        ),
        ("subscribe", {"channels": ["trade"]}),
    ]
    assert [feed.channel for feed in stream.feeds] == ["orderbook_delta", "trade"]


def test_a_stream_is_lost_after_the_last_try_and_says_why() -> None:
    """Everyone is thrown out at once: no back-off may be reset by that."""

    async def script(peer: Peer) -> None:
        await peer.socket.close(1011, "trouble")

    async def story() -> tuple[list[Item], int]:
        items: list[Item] = []
        async with exchange(script) as running:
            stream = running.stream(BOOKS, retry=patient(max_tries=4))
            async with stream:
                with pytest.raises(StreamLost, match=r"after 4 tries.*1011.*trouble"):
                    await all_into(items, stream)
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
            return items, running.n_connections

    items, n_connections = play(story())
    assert n_connections == 4
    assert [one.n_tries for one in of(Connected, items)] == [1, 2, 3, 4]


def test_an_outage_longer_than_allowed_is_lost_too() -> None:
    """Four hours are borne, five are not; the clock is the test's."""
    now_s = 0.0

    async def an_hour(_pause_s: float) -> None:
        nonlocal now_s
        now_s += 3_600.0

    async def script(peer: Peer) -> None:
        await peer.socket.close(1001)

    async def story() -> int:
        retry = Retry(max_tries=2_000, total_s=4 * 3_600.0, sleep=an_hour)
        async with exchange(script) as running, running.stream(retry=retry, now_s=lambda: now_s) as stream:
            with pytest.raises(StreamLost, match=r"in 18000 s"):
                await until(stream, Message)
            return running.n_connections

    assert play(story()) == 6


def test_numbers_that_run_backward_end_the_connection() -> None:
    """A server that began to count anew: nothing would ever be delivered again."""

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        for seq in range(1, MAX_REPEATS + 1):
            await peer.delta(seq)
        for seq in range(1, MAX_REPEATS + 1):
            await peer.delta(seq)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return await until(stream, Disconnected)

    items = play(story())
    assert len(of(Repeated, items)) == MAX_REPEATS
    assert "run backward" in of(Disconnected, items)[0].cause


def test_a_refused_feed_does_not_take_the_others_with_it() -> None:
    """After a new connection one channel is refused: it is told, the other one flows."""

    async def script(peer: Peer) -> None:
        await peer.refuse(await peer.hear(), 26, "Subscription market limit exceeded")
        await peer.subscribed(sid=2)
        await peer.say("trade", sid=2, seq=1, msg={})
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS, Feed("trade")) as stream:
            return await until(stream, Unreadable)

    (refusal,) = of(Refusal, play(story()))
    assert (refusal.channel, refusal.code) == ("orderbook_delta", 26)
    assert "several streams" in refusal.advice
