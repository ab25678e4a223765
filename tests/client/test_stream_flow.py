"""The flow of a stream: silence, slow readers, a clean end, and the synchronous face."""

import asyncio
from typing import Any

from pipelines.client import BlockingClient
from pipelines.client.stream import (
    Connected,
    Disconnected,
    Gap,
    Item,
    Message,
    Stalled,
)
from pipelines.client.stream.watchdog import Watchdog
from tests.client.streams import BOOKS, A, B, Exchange, Peer, a_snapshot, exchange, of, play, until


async def two_books(peer: Peer) -> None:
    """Confirm the subscription and send both snapshots."""
    await peer.subscribed()
    await peer.snapshot(1, A)
    await peer.snapshot(2, B)


def test_data_that_stops_while_pings_go_on_is_told_and_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await two_books(peer)
        while peer.number == 1:
            await peer.socket.ping()
            await asyncio.sleep(0.01)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS, silence_s=0.3) as stream:
            return await until(stream, Connected, n=2)

    items = play(story())
    assert [type(item) for item in items[-3:]] == [Stalled, Disconnected, Connected]
    (stalled,) = of(Stalled, items)
    assert stalled.silent_s >= 0.3
    assert stalled.n_pings > 0


def test_a_watchdog_hears_frames_and_pings_apart() -> None:
    now_s = 0.0
    dog = Watchdog(silence_s=120.0, link_s=60.0, now_s=lambda: now_s)
    assert dog.next_look_s() == 60.0
    for _ in range(4):
        now_s += 29.75
        dog.ping()
    assert dog.verdict(expects_data=True) == "fine"
    now_s = 120.0
    assert (dog.verdict(expects_data=True), dog.n_pings) == ("silent", 4)
    assert dog.verdict(expects_data=False) == "fine"
    now_s = 179.0
    assert dog.verdict(expects_data=False) == "dead"
    dog.frame()
    assert (dog.verdict(expects_data=True), dog.silent_s, dog.n_pings) == ("fine", 0.0, 0)


def test_a_watchdog_does_not_blame_the_exchange_for_our_own_pause() -> None:
    now_s = 0.0
    dog = Watchdog(silence_s=10.0, link_s=10.0, now_s=lambda: now_s)
    dog.pause()
    now_s = 1_000.0
    assert dog.verdict(expects_data=True) == "fine"
    dog.resume()
    assert (dog.verdict(expects_data=True), dog.silent_s) == ("fine", 0.0)


def test_a_slow_consumer_makes_the_exchange_wait_and_loses_nothing() -> None:
    """18 MB of books: 5 may wait here, and a few on the way; the rest stays with the exchange."""
    n_books, n_sent = 900, 0
    deep = {"yes_dollars_fp": [["0.0100", "100.00"]] * 1_000}

    async def script(peer: Peer) -> None:
        nonlocal n_sent
        await peer.subscribed()
        for seq in range(1, n_books + 1):
            await peer.say("orderbook_snapshot", sid=1, seq=seq, msg=a_snapshot(A, **deep))
            n_sent += 1
        await peer.stay()

    async def story() -> tuple[list[Item], int, dict[str, Any]]:
        async with exchange(script, write_limit=1_000) as running:
            client = running.client()
            async with client, client.stream(BOOKS, n_buffered=5) as stream:
                before = -1
                while n_sent != before:  # until nothing moves any more
                    before = n_sent
                    await asyncio.sleep(0.2)
                return await until(stream, Message, n=n_books), before, client.telemetry.summary()["stream"]

    items, n_before, told = play(story())
    assert n_before < n_books
    assert [one.seq for one in of(Message, items)] == list(range(1, n_books + 1))
    assert not of(Gap, items)
    assert told["paused"] > 0


def test_a_consumer_may_change_feeds_while_its_buffer_is_full() -> None:
    """The reply stands behind what waits; the line makes room for it."""

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        for seq in range(1, 9):
            await peer.delta(seq)
        await peer.ok(await peer.hear(), 9)
        await peer.stay()

    async def story() -> list[Item]:
        async with exchange(script) as running, running.stream(BOOKS, n_buffered=5) as stream:
            while len(stream._world.buffer) < 5:  # noqa: ASYNC110, SLF001  until the reader pauses
                await asyncio.sleep(0.01)
            await stream.add("orderbook_delta", ["KXC-1-Y"])
            return await until(stream, Message, n=8)

    assert [one.seq for one in of(Message, play(story()))] == list(range(1, 9))


def test_closing_ends_the_iteration_and_the_connection_cleanly() -> None:
    closed: list[int | None] = []

    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.stay()
        closed.append(peer.socket.close_code)

    async def story() -> list[Item]:
        async with exchange(script) as running:
            stream = running.stream(BOOKS)
            async with stream:
                await until(stream, Message, n=2)
            await stream.aclose()
            return [item async for item in stream]

    assert play(story()) == []
    assert closed == [1000]


def test_a_stream_can_be_iterated_without_an_event_loop() -> None:
    """The synchronous face: `for item in client.stream(...)`; leaving the loop closes the connection."""

    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.stay()

    def read(running: Exchange) -> list[Any]:
        found = []
        with BlockingClient(running.client().settings) as client:
            for item in client.stream(BOOKS):
                found.append(item)
                if len(of(Message, found)) == 2:
                    break
        return found

    async def story() -> list[Any]:
        async with exchange(script) as running:
            return await asyncio.to_thread(read, running)

    assert [one.seq for one in of(Message, play(story()))] == [1, 2]


def test_every_frame_is_told_as_it_came_before_anything_is_made_of_it() -> None:
    """Repeated ones and what cannot be read too: whoever keeps frames keeps all of them."""
    kept: list[tuple[str, int, bytes]] = []

    async def script(peer: Peer) -> None:
        await two_books(peer)
        await peer.snapshot(2, B)
        await peer.socket.send("{ no frame")
        await peer.stay()

    async def story() -> list[Item]:
        def keep(connection: str, received_ns: int, payload: bytes) -> None:
            kept.append((connection, received_ns, payload))

        async with exchange(script) as running, running.stream(BOOKS, on_frame=keep) as stream:
            return [await anext(stream) for _ in range(6)]

    connected, *items = play(story())
    assert [type(item).__name__ for item in items] == [
        "Reply",
        "Message",
        "Message",
        "Repeated",
        "Unreadable",
    ]
    assert [each[:2] for each in kept] == [(item.connection, item.received_ns) for item in items]
    assert {each[0] for each in kept} == {connected.connection}
    assert kept[-1][2] == b"{ no frame"
    assert kept[2][2] == kept[3][2]
