"""Reads of an account over real sockets: both tiers, every page and every subaccount tell one story."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import pytest

from exchange.units import parse_centi, parse_micros
from pipelines.client import Client, NotFound, Settings
from pipelines.client.trading import buy_yes
from pipelines.client.wire import EventPosition, MarketPosition, Order, PositionsPage
from sandbox.access import KeyFacts
from sandbox.clock import Stepped
from sandbox.serve import running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem
from tests.sandbox.places import a_copied_world

pytestmark = pytest.mark.slow

T = TypeVar("T")
FED: Final = "KXSIMFED-MAR-H0"  # open for weeks; two days before the end .4550 to .4650
NEXT_FED: Final = "KXSIMFED-MAR-C25"  # of the same event
KEY: Final = pem("ed25519")


def a_living_world(*, before: timedelta) -> tuple[World, Stepped]:
    """Return a small world, and its clock, which stands some time before its end."""
    return a_copied_world(before=before, activity=0.05, archive_days=1)


def lived(world: World, story: Callable[[Client], Awaitable[None]], facts: KeyFacts | None = None) -> None:
    """Let one customer live through a story; nothing that it reads may be unknown."""

    async def live(base_url: str) -> None:
        settings = Settings(
            base_url=base_url, tier="prestige", key_id=KEY_ID, private_key=KEY, trading="demo"
        )
        async with Client(settings) as client:
            await story(client)
            assert client.drift.report() == []

    keys, key_facts = {KEY_ID: public_pem(KEY)}, {KEY_ID: facts} if facts else None
    with running(world, tier="prestige", keys=keys, key_facts=key_facts) as server:
        asyncio.run(live(server.base_url))


async def every(pages: AsyncIterator[list[T]]) -> list[T]:
    return [row async for page in pages for row in page]


async def held(pages: AsyncIterator[PositionsPage]) -> dict[str, int]:
    """Return hundredths of contracts by market."""
    return {each.ticker: each.position_centi async for page in pages for each in page.market_positions or []}


async def bought(client: Client, ticker: str, n_contracts: int, subaccount: int | None = None) -> str:
    """Take contracts at whatever they cost; return the id of the order."""
    order = buy_yes(
        ticker,
        count_centi=n_contracts * 100,
        price_cc=9_900,
        time_in_force="immediate_or_cancel",
        subaccount=subaccount,
    )
    outcome = await client.trading.create(order)
    assert outcome.filled_centi == n_contracts * 100
    assert outcome.order_id is not None
    return outcome.order_id


async def rested(client: Client, n_contracts: int, subaccount: int | None = None) -> str:
    """Bid $0.30 for contracts, below the market; return the id of the order."""
    order = buy_yes(FED, count_centi=n_contracts * 100, price_cc=3_000, subaccount=subaccount)
    outcome = await client.trading.create(order)
    assert outcome.remaining_centi == n_contracts * 100
    assert outcome.order_id is not None
    return outcome.order_id


def test_both_tiers_together_tell_the_whole_history_and_overlap() -> None:
    """Bought four days, 21 hours and one hour before the end: archived, in both tiers, and live alone."""
    world, clock = a_living_world(before=timedelta(days=4))
    quarter = next(
        each.ticker for each in world.markets() if "15M" in each.ticker and each.status == "active"
    )

    async def story(client: Client) -> None:
        first, paid_out = await bought(client, FED, 2), await bought(client, quarter, 1)
        resting = await rested(client, 1)
        clock.advance(timedelta(days=3, hours=3))
        second = await bought(client, FED, 3)
        clock.advance(timedelta(hours=20))
        third = await bought(client, FED, 4)
        clock.advance(timedelta(hours=1))

        live_fills, old_fills = await every(client.fills()), await every(client.historical_fills())
        assert {each.order_id for each in live_fills} == {second, third}
        assert {each.order_id for each in old_fills} == {first, paid_out, second}
        once = {each.fill_id: each for each in [*live_fills, *old_fills]}
        assert sum(parse_centi(each.count_fp) for each in once.values()) == 1_000

        live_orders, old_orders = await every(client.orders()), await every(client.historical_orders())
        assert [each.order_id for each in live_orders] == [third, second, resting]
        assert {each.order_id for each in old_orders} == {first, paid_out, second}

        assert await held(client.positions(settlement_status="all")) == {FED: 900}
        assert await held(client.historical_positions()) == {quarter: 0}
        assert await held(client.historical_positions(ticker=FED)) == {}
        (paid,) = await every(client.settlements())
        assert (paid.ticker, paid.yes_count_fp) == (quarter, "1.00")
        assert paid.fee_cost == next(each.fee_cost for each in old_fills if each.order_id == paid_out)

    lived(world, story)


def test_pages_of_one_are_the_page_of_all() -> None:
    world, clock = a_living_world(before=timedelta(days=2))
    quarters = [each.ticker for each in world.markets() if "15M" in each.ticker and each.status == "active"]

    async def story(client: Client) -> None:
        for ticker in (FED, NEXT_FED, quarters[0]):
            await bought(client, ticker, 1)
        clock.advance(timedelta(hours=2))
        for listing in (client.fills, client.orders, client.settlements):
            at_once, *more = [page async for page in listing()]
            assert more == []
            assert [page async for page in listing(page_size=1)] == [[row] for row in at_once]

        for status, tickers in (
            ("all", {FED, NEXT_FED, quarters[0]}),
            ("settled", {quarters[0]}),
            ("unsettled", {FED, NEXT_FED}),
        ):
            pages = [page async for page in client.positions(settlement_status=status, page_size=1)]
            assert len(pages) == len(tickers)
            assert {each.ticker for each in by_market(pages)} == tickers
        assert await held(client.positions(count_filter=["position"], settlement_status="settled")) == {}

    lived(world, story)


def test_an_event_is_the_sum_of_its_markets() -> None:
    """Two markets of one event: exposure and fees of the event are theirs, and so is what left the cash."""
    world, _ = a_living_world(before=timedelta(days=2))

    async def story(client: Client) -> None:
        before_micros = (await client.balance()).balance_micros
        await bought(client, FED, 2)
        await bought(client, NEXT_FED, 3)
        pages = [page async for page in client.positions(event_ticker="KXSIMFED-MAR")]
        (event,), markets = by_event(pages), by_market(pages)
        assert {each.ticker: each.position_fp for each in markets} == {FED: "2.00", NEXT_FED: "3.00"}
        exposure = sum(parse_micros(each.market_exposure_dollars) for each in markets)
        fees = sum(parse_micros(each.fees_paid_dollars) for each in markets)
        assert parse_micros(event.event_exposure_dollars) == exposure > 0
        assert parse_micros(event.fees_paid_dollars) == fees > 0
        assert fees == sum(each.fee_micros for each in await every(client.fills()))
        assert (await client.balance()).balance_micros == before_micros - exposure - fees

    lived(world, story)


def test_resting_orders_have_a_place_in_the_queue_and_a_value() -> None:
    """5 and then 2 at $0.30: the second waits for 5 more than the first, and both may cost $2.10."""
    world, _ = a_living_world(before=timedelta(days=2))

    async def story(client: Client) -> None:
        first, second = await rested(client, 5), await rested(client, 2)
        ahead = {
            each.order_id: parse_centi(each.queue_position_fp) for each in await client.queue_positions()
        }
        assert ahead[second] - ahead[first] == 500
        assert parse_centi(await client.queue_position(second)) == ahead[second]
        assert len(await client.queue_positions(tickers=[FED])) == 2
        assert await client.queue_positions(tickers=[NEXT_FED]) == []

        value = await client.total_resting_order_value()
        (shard,) = value.resting_order_value_breakdown or []
        assert (value.total_resting_order_value, parse_micros(shard.balance)) == (210, 2_100_000)

        order: Order = await client.order(second)
        assert (order.status, order.yes_price_cc, order.remaining_centi) == ("resting", 3_000, 200)
        assert [order] == [each for each in await every(client.orders()) if each.order_id == second]
        with pytest.raises(NotFound):
            await client.order("11111111-2222-4333-8444-555555555555")

    lived(world, story)


def test_without_a_subaccount_fills_are_of_all_and_positions_of_the_primary_one() -> None:
    """1 bought and 2 bid for by the primary one, 3 bought and 4 bid for by number 5."""
    world, _ = a_living_world(before=timedelta(days=2))

    async def story(client: Client) -> None:
        await bought(client, FED, 1)
        await bought(client, FED, 3, subaccount=5)
        await rested(client, 2)
        await rested(client, 4, subaccount=5)
        assert {each.subaccount_number for each in await every(client.fills())} == {0, 5}
        assert {each.subaccount_number for each in await every(client.orders())} == {0, 5}
        assert {each.subaccount_number for each in await every(client.fills(subaccount=0))} == {0}
        assert await held(client.positions()) == {FED: 100}
        assert await held(client.positions(subaccount=5)) == {FED: 300}
        assert len(await client.queue_positions()) == 1
        assert len(await client.queue_positions(subaccount=5)) == 1
        assert (await client.balance()).balance_micros > (await client.balance(subaccount=5)).balance_micros

    lived(world, story)


def test_a_key_that_is_bound_to_a_subaccount_is_told_no_breakdown() -> None:
    world, _ = a_living_world(before=timedelta(days=2))

    async def story(client: Client) -> None:
        balance = await client.balance(subaccount=5)
        assert balance.balance_breakdown is None
        assert balance.balance_micros == 10_000 * 1_000_000

    lived(world, story, KeyFacts(subaccount=5))


def test_an_account_that_did_nothing_has_empty_listings() -> None:
    world, _ = a_living_world(before=timedelta(days=2))

    async def story(client: Client) -> None:
        for listing in (client.fills, client.historical_fills, client.orders, client.historical_orders):
            assert [page async for page in listing()] == []
        assert [page async for page in client.settlements()] == []
        assert [page async for page in client.positions(settlement_status="all")] == []
        assert [page async for page in client.historical_positions()] == []
        assert await client.queue_positions() == []
        assert (await client.total_resting_order_value()).total_resting_order_value == 0

    lived(world, story)


def by_market(pages: list[PositionsPage]) -> list[MarketPosition]:
    return [each for page in pages for each in page.market_positions or []]


def by_event(pages: list[PositionsPage]) -> list[EventPosition]:
    return [each for page in pages for each in page.event_positions or []]
