"""The stream before a real exchange: books are the exchange's own, or they are said to be unknown."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from exchange.books import OrderBook
from exchange.units import DOLLAR_CC, parse_cc, parse_centi
from pipelines.client import Client, Retry, Settings, StreamError, StreamRefused, wire
from pipelines.client.stream import (
    Connected,
    Disconnected,
    Feed,
    Gap,
    Message,
    Stream,
)
from sandbox.clock import Stepped
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem
from tests.sandbox.places import a_copied_world

STEPS = 14


class Follower:
    """Keeps books the obvious way; forgets what a gap or an end puts in doubt."""

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self.kinds: list[str] = []

    def hear(self, item: object) -> None:
        self.kinds.append(type(item).__name__)
        if isinstance(item, Gap):
            for ticker in item.tickers:
                self.books.pop(ticker, None)
        elif isinstance(item, Disconnected):
            self.books.clear()
        elif isinstance(item, Message) and isinstance(item.msg, wire.BookSnapshot):
            book = self.books[item.msg.market_ticker] = OrderBook(item.msg.market_ticker)
            book.apply_snapshot(
                [(parse_cc(price), parse_centi(count)) for price, count in item.msg.yes_dollars_fp or []],
                [
                    (_no_price(price, item), parse_centi(count))
                    for price, count in item.msg.no_dollars_fp or []
                ],
            )
        elif isinstance(item, Message) and isinstance(item.msg, wire.BookDelta):
            msg = item.msg
            if msg.market_ticker in self.books:
                is_no = msg.side == "no"
                price_cc = _no_price(msg.price_dollars, item) if is_no else parse_cc(msg.price_dollars)
                side: Any = msg.side
                self.books[msg.market_ticker].apply_delta(side, price_cc, parse_centi(msg.delta_fp))


def _no_price(text: str, item: Message) -> int:
    return DOLLAR_CC - parse_cc(text) if item.use_yes_price else parse_cc(text)


@contextmanager
def an_exchange(*faults: object, seed: int = 0) -> Iterator[tuple[World, Stepped, Settings]]:
    world, clock = a_copied_world(before=timedelta(hours=7), activity=0.25)
    key = pem("ed25519")
    script = Faults(tuple(faults), seed=seed)  # type: ignore[arg-type]  # faults, made in the tests
    with running(world, tier="prestige", keys={KEY_ID: public_pem(key)}, faults=script) as server:
        yield world, clock, Settings(base_url=server.base_url, key_id=KEY_ID, private_key=key)


async def settled(stream: Stream, follower: Follower, n_quiet: int = 3) -> None:
    """Hear until nothing comes for a while, which is long for a loopback exchange that stands still."""
    quiet = 0
    while quiet < n_quiet:
        try:
            async with asyncio.timeout(0.15):
                follower.hear(await anext(stream))
                quiet = 0
        except TimeoutError:
            quiet += 1


def followed(
    world: World, clock: Stepped, settings: Settings, *, retry: Retry, seed: int = 3
) -> tuple[Follower, int]:
    """Follow all active markets for six hours in uneven steps; at each stop every known book is checked."""
    tickers = sorted(each.ticker for each in world.markets() if each.status == "active")
    follower = Follower()

    async def story() -> int:
        rng, n_checked = random.Random(seed), 0
        async with (
            Client(settings) as client,
            client.stream(Feed("orderbook_delta", tuple(tickers)), retry=retry) as stream,
        ):
            await settled(stream, follower)
            for _ in range(STEPS):
                clock.advance(timedelta(seconds=rng.randrange(60, 2_000)))
                await settled(stream, follower, n_quiet=2)
                # A frame lost at the very end shows when another number comes: two snapshots bring two.
                with suppress(StreamError):  # the connection may drop upon it, and then no book is known
                    await stream.get_snapshot(tickers[:2])
                await settled(stream, follower, n_quiet=2)
                for ticker, book in follower.books.items():
                    assert book == world.book(ticker), ticker
                    n_checked += 1
        return n_checked

    return follower, asyncio.run(story())


QUICK = Retry(first_s=0.01, longest_s=0.02, max_tries=50)


@pytest.mark.slow
def test_every_book_followed_is_the_exchanges_own() -> None:
    with an_exchange() as (world, clock, settings):
        follower, n_checked = followed(world, clock, settings, retry=QUICK)
    assert n_checked > 5 * STEPS
    assert {"Gap", "Disconnected", "Repeated", "Unreadable"}.isdisjoint(follower.kinds[:-1])


@pytest.mark.slow
def test_under_losses_and_drops_a_known_book_is_never_a_wrong_one() -> None:
    """Lost and repeated frames, ended subscriptions, drops: unknown for a while, never false."""
    misfortunes = (
        fault("ws_hole", route="orderbook_delta", chance=0.02),
        fault("ws_duplicate", route="orderbook_delta", chance=0.02),
        fault("ws_overflow", route="orderbook_delta", chance=0.002),
        fault("ws_disconnect", route="orderbook_delta", chance=0.002),
    )
    with an_exchange(*misfortunes, seed=11) as (world, clock, settings):
        follower, n_checked = followed(world, clock, settings, retry=QUICK)
    assert n_checked > STEPS
    assert {"Gap", "Repeated", "Disconnected", "Connected"} <= set(follower.kinds)


def test_a_key_that_the_exchange_does_not_know_is_refused_at_the_door() -> None:
    with an_exchange() as (_, _, settings):
        stranger = settings.model_copy(update={"key_id": "c0ffee00-ec3b-4b5b-b8f9-11dae589608c"})

        async def story() -> None:
            async with Client(stranger) as client, client.stream(Feed("ticker")):
                raise AssertionError("let in")

        with pytest.raises(StreamRefused, match="401"):
            asyncio.run(story())


def test_a_new_session_says_so_first() -> None:
    with an_exchange() as (_, _, settings):

        async def story() -> object:
            async with Client(settings) as client, client.stream(Feed("ticker")) as stream:
                return await anext(stream)

        assert isinstance(asyncio.run(story()), Connected)
