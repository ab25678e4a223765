"""Reads that put several answers together, against the sandbox: the whole must equal its parts."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from typing import Any

import pytest

from pipelines.client import Client, Settings
from pipelines.client.wire import Candle
from sandbox.serve import Running, running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with running(World(seed=3, days=6, activity=0.2), keys={KEY_ID: public_pem(pem("ed25519"))}) as server:
        yield server


def asked(server: Running, story: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Let one client with a key live through a story; nothing that it reads may be unknown."""

    async def live() -> None:
        settings = Settings(base_url=server.base_url, key_id=KEY_ID, private_key=pem("ed25519"))
        async with Client(settings) as client:
            await story(client)
            assert client.drift.report() == []

    asyncio.run(live())


def by_market(pages: list[list[Candle]]) -> dict[str, list[Candle]]:
    found: dict[str, list[Candle]] = {}
    for page in pages:
        found.setdefault(page[0].ticker, []).extend(page)
    return found


def test_an_events_candles_are_those_of_its_markets(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for 100 candles instead of 5,000 the answer is cut and goes on, and nothing is lost."""

    async def story(client: Client) -> None:
        events = [
            one async for page in client.events(status="open", with_nested_markets=True) for one in page
        ]
        event = max(events, key=lambda one: len(one.markets or []))
        markets = event.markets or []
        start_ts = min(datetime.fromisoformat(one.open_time) for one in markets)
        end_ts = max(datetime.fromisoformat(one.close_time) for one in markets)
        apart: list[list[Candle]] = []
        for market in markets:
            candles = client.candles(
                event.series_ticker, market.ticker, start_ts=start_ts, end_ts=end_ts, period_s=60
            )
            apart += [page async for page in candles]
        assert sum(map(len, apart)) > 200

        monkeypatch.setattr("sandbox.routes_candles.MAX_CANDLES", 100)
        n_before = client.n_requests
        whole = client.event_candles(
            event.series_ticker, event.event_ticker, start_ts=start_ts, end_ts=end_ts, period_s=60
        )
        assert by_market([page async for page in whole]) == by_market(apart)
        assert client.n_requests - n_before > 2, "it was cut"

    asked(sandbox, story)


def test_events_with_milestones_are_the_same_events(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        plain = [one async for page in client.events(page_size=5) for one in page]
        both = [page async for page in client.events_with_milestones(page_size=5)]
        assert [one for page in both for one in page.events or []] == plain
        assert plain

    asked(sandbox, story)


def test_metadata_names_the_markets_of_the_event(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        (event, *_) = await anext(client.events(status="open", with_nested_markets=True))
        metadata = await client.event_metadata(event.event_ticker)
        named = {one.market_ticker for one in metadata.market_details or []}
        assert named == {one.ticker for one in event.markets or []}

    asked(sandbox, story)


def test_the_account_answers_beside_its_portfolio(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        assert datetime.fromisoformat((await client.user_data_timestamp()).as_of_time).tzinfo is not None
        assert KEY_ID in {one.api_key_id for one in (await client.api_keys()).api_keys or []}
        levels = {goal.level for one in await client.volume_progress() for goal in one.goals or []}
        assert levels <= {"expert", "premier", "paragon", "prime", "prestige"}

    asked(sandbox, story)
