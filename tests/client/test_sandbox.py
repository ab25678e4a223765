"""Against the sandbox, which encodes and verifies with its own code: a mistake must be made twice."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from typing import Any

import pytest

from pipelines.client import Budget, Client, NotFound, Settings, Unauthorized
from sandbox.serve import Running, running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=3, days=6, activity=0.2)


@pytest.fixture(scope="module")
def sandbox(world: World) -> Iterator[Running]:
    keys = {KEY_ID: public_pem(pem("rsa")), "ed": public_pem(pem("ed25519"))}
    with running(world, keys=keys) as server:
        yield server


def asked(server: Running, story: Callable[[Client], Coroutine[Any, Any, None]], **settings: str) -> Client:
    """Let one client live through a story and return it, closed."""

    async def live() -> Client:
        async with Client(Settings(base_url=server.base_url, **settings)) as client:
            await story(client)
            return client

    return asyncio.run(live())


def test_every_public_endpoint_answers_and_holds_nothing_unknown(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        assert (await client.exchange_status()).trading_active
        assert (await client.exchange_schedule()).standard_hours
        assert (await client.endpoint_costs()).default_cost == 10
        series = [one async for page in client.series_list() for one in page]
        events = [one async for page in client.events(with_nested_markets=True) for one in page]
        markets = [one async for page in client.markets(mve_filter="exclude") for one in page]
        archive = [one async for page in client.historical_markets() for one in page]
        assert await client.series(series[0].ticker) == series[0]
        assert await client.market(markets[0].ticker) == markets[0]
        assert await client.historical_market(archive[0].ticker) == archive[0]
        assert [one.ticker for event in events for one in event.markets or []]
        assert (await client.event(events[0].event_ticker)).series_ticker in {one.ticker for one in series}
        assert {one.series_ticker for one in await client.series_fee_changes()} <= {
            one.ticker for one in series
        }
        changed = [one.event_ticker async for page in client.event_fee_changes() for one in page]
        assert set(changed) <= {one.event_ticker for one in events}
        with pytest.raises(NotFound, match="not_found"):
            await client.market("NO-SUCH-MARKET")

    assert asked(sandbox, story).drift.report() == []


def test_trades_candles_and_books_answer_in_both_tiers(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        cutoff = await client.historical_cutoff()
        live = [one async for page in client.trades() for one in page]
        old = [one async for page in client.historical_trades() for one in page]
        assert len({one.trade_id for one in live} | {one.trade_id for one in old}) <= len(live) + len(old)
        assert min(one.created_time for one in live) >= cutoff.trades_created_ts[:10]
        assert live == sorted(live, key=lambda one: datetime.fromisoformat(one.created_time), reverse=True)

        archived = (await anext(client.historical_markets(mve_filter="exclude")))[0]
        candles = client.historical_candles(
            archived.ticker,
            start_ts=datetime.fromisoformat(archived.open_time),
            end_ts=datetime.fromisoformat(archived.close_time),
            period_s=3_600,
        )
        ends = [one.end_period_ts async for page in candles for one in page]
        assert ends == sorted(set(ends))

        listed = [one async for page in client.markets(status="open", mve_filter="exclude") for one in page]
        tickers = [one.ticker for one in listed[:3]]
        assert [book.ticker for book in await client.order_books(tickers)] == tickers
        assert (await client.order_book(tickers[0], 1)).yes_dollars == (
            (await client.order_book(tickers[0])).yes_dollars[-1:]
        )
        opened_ts, closed_ts = (
            datetime.fromisoformat(time) for time in (listed[0].open_time, listed[0].close_time)
        )
        batch = client.candles_batch(tickers, start_ts=opened_ts, end_ts=closed_ts, period_s=3_600)
        assert {one.ticker async for page in batch for one in page} <= set(tickers)

    assert asked(sandbox, story).drift.report() == []


@pytest.mark.parametrize(("key_id", "kind"), [(KEY_ID, "rsa"), ("ed", "ed25519")])
def test_the_sandboxs_own_check_accepts_our_signatures(sandbox: Running, key_id: str, kind: str) -> None:
    async def story(client: Client) -> None:
        limits = await client.adopt_limits()
        assert limits is not None
        assert (limits.usage_tier, limits.read.refill_rate) == ("basic", 200)

    client = asked(sandbox, story, key_id=key_id, private_key=pem(kind))
    assert client.n_requests == 2


def test_a_key_that_the_exchange_does_not_know_is_refused(sandbox: Running) -> None:
    async def story(client: Client) -> None:
        with pytest.raises(Unauthorized, match="check KALSHI_KEY_ID"):
            await client.account_limits()

    asked(sandbox, story, key_id=KEY_ID, private_key=pem("ed25519"))


def test_a_pull_of_more_than_the_burst_is_paced_and_never_refused(world: World) -> None:
    """100 reads are 1,000 tokens: 550 at once, 450 at 200 a second, no 429; `make bench` has the share."""

    async def story(client: Client) -> None:
        page = await anext(client.markets(mve_filter="exclude"))
        await asyncio.gather(*(client.market(page[0].ticker) for _ in range(99)))

    with running(world) as fresh:
        usage = asked(fresh, story).budget.read.usage()
        assert fresh.meter.refused == 0
    assert (usage.spent_tokens, usage.n_refused) == (1_000, 0)


async def three_programs(settings: Settings, budget: Callable[[], Budget | None]) -> list[int]:
    """Let three programs ask 40 questions each, and return how many were answered."""

    async def one_program() -> int:
        async with Client(settings, budget=budget()) as client:
            page = await anext(client.markets(mve_filter="exclude"))
            answers = await asyncio.gather(*(client.market(page[0].ticker) for _ in range(40)))
            return len(answers)

    return await asyncio.gather(*(one_program() for _ in range(3)))


def test_programs_of_one_machine_share_what_their_key_may_ask(world: World) -> None:
    """Three times 410 tokens against one bucket of 600: nobody is refused."""
    with running(world) as fresh:
        answered = asyncio.run(three_programs(Settings(base_url=fresh.base_url), lambda: None))
        assert (answered, fresh.meter.refused) == ([40, 40, 40], 0)


def test_programs_that_share_a_key_without_knowing_slow_down_and_none_fails(world: World) -> None:
    """On three machines: three budgets of 200 tokens/s against one bucket of 200; 429s, and all answered."""
    with running(world) as fresh:
        settings = Settings(base_url=fresh.base_url)
        assert asyncio.run(three_programs(settings, lambda: Budget.for_tier("basic"))) == [40, 40, 40]
        assert fresh.meter.refused > 0
