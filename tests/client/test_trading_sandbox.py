"""Trading on a real desk over real sockets: what we are told is what the account has."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TypeVar

import pytest

from exchange.fees import QUADRATIC, FeeTerms, charge_fill, rounding_at
from exchange.units import DOLLAR_CC, parse_cc, parse_centi, parse_micros, parse_ts, to_us
from pipelines.client import Client, HttpError, NotFound, RateLimited, Retry, Settings, UnknownOutcome
from pipelines.client.trading import Patience, Trading, buy_no, buy_yes, sell_yes
from sandbox.clock import Stepped
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import Running, running
from sandbox.world import DEFAULT_END_TS, World
from tests.client.keys import KEY_ID, pem, public_pem

T = TypeVar("T")
KEY = pem("ed25519")


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


@cache
def _made() -> bytes:
    return pickle.dumps(World(7, days=6, activity=0.15))


@contextmanager
def a_desk(*faults: object, world: World | None = None) -> Iterator[tuple[World, Running, Settings]]:
    world = world or pickle.loads(_made())  # noqa: S301 - a copy: orders change it
    script = Faults(tuple(faults))  # type: ignore[arg-type]  # faults, made in the tests
    with running(world, tier="prestige", keys={KEY_ID: public_pem(KEY)}, faults=script) as server:
        yield (
            world,
            server,
            Settings(
                base_url=server.base_url, tier="prestige", key_id=KEY_ID, private_key=KEY, trading="demo"
            ),
        )


def acted(settings: Settings, act: Callable[[Client, Trading], Awaitable[T]]) -> T:
    async def story() -> T:
        async with Client(settings, retry=Retry(sleep=no_time, try_s=2.0)) as client:
            quick = Trading(client, client.trading._session, patience=Patience(sleep=no_time))  # noqa: SLF001
            return await act(client, quick)

    return asyncio.run(story())


def a_market(world: World) -> tuple[str, int, int]:
    """Return a market that trades, with best bid and ask."""
    for each in world.markets():
        if each.status == "active" and 1_000 < each.yes_bid_cc < each.yes_ask_cc < 9_000:
            return each.ticker, each.yes_bid_cc, each.yes_ask_cc
    raise AssertionError("nothing trades")


def test_an_order_trades_rests_shrinks_and_ends() -> None:
    """Take 2 at the ask; rest 5 at $0.01, make it 3, take it out; money adds up to the micro-dollar."""
    with a_desk() as (world, _, settings):
        ticker, _bid, ask_cc = a_market(world)

        async def story(client: Client, trading: Trading) -> None:
            before = (await client.balance()).balance_micros
            taken = await trading.create(buy_yes(ticker, count_centi=200, price_cc=ask_cc))
            assert (taken.filled_centi, taken.remaining_centi) == (200, 0)
            rested = await trading.create(buy_yes(ticker, count_centi=500, price_cc=100))
            assert (rested.filled_centi, rested.remaining_centi) == (0, 500)
            assert rested.order_id is not None
            smaller = await trading.decrease(rested.order_id, to_centi=300)
            assert smaller.remaining_count == "3.00"
            order = await client.order(rested.order_id)
            dearer = await trading.amend(order, yes_price_cc=200, count_centi=300)
            assert dearer.remaining_centi == 300
            assert (await client.order(rested.order_id)).yes_price_cc == 200
            assert parse_centi(await client.queue_position(rested.order_id)) >= 0
            gone = await trading.cancel(rested.order_id)
            assert gone.reduced_by == "3.00"
            again = await trading.cancel(rested.order_id)
            assert (again.reduced_by, again.client_order_id) == ("0.00", rested.client_order_id)

            fills = [fill async for page in client.fills() for fill in page]
            assert sum(parse_centi(fill.count_fp) for fill in fills) == 200
            spent = sum(parse_centi(f.count_fp) * parse_cc(f.yes_price_dollars) + f.fee_micros for f in fills)
            assert (await client.balance()).balance_micros == before - spent
            (page,) = [page async for page in client.positions()]
            assert [each.position_centi for each in page.market_positions or []] == [200]
            with pytest.raises(NotFound):
                await trading.cancel("11111111-2222-4333-8444-555555555555")

        acted(settings, story)


def test_the_fee_of_a_fill_is_the_law_at_that_time() -> None:
    """One contract at the ask, priced by `exchange.fees` on its own."""
    with a_desk() as (world, _, settings):
        ticker, _bid, ask_cc = a_market(world)
        event = next(each for each in world.events() if ticker.startswith(each.ticker))
        series = next(each for each in world.series() if each.ticker == event.series_ticker)
        terms = FeeTerms(series.fee_type, series.fee_multiplier_ppm)

        async def story(client: Client, trading: Trading) -> tuple[int, int]:
            await trading.create(buy_yes(ticker, count_centi=100, price_cc=ask_cc))
            (fill,) = [fill async for page in client.fills() for fill in page]
            law = charge_fill(
                terms=terms,
                price_cc=parse_cc(fill.yes_price_dollars),
                count_centi=100,
                is_taker=True,
                is_combo=False,
                rounding=rounding_at(parse_ts(fill.created_time or "")),
            )
            return parse_micros(fill.fee_cost), law.fee_micros

        charged, law = acted(settings, story)
        assert charged == law > 0
        assert terms.fee_type.startswith(QUADRATIC)


@pytest.mark.parametrize(
    "lost",
    [
        fault("error", status=504, done=True, method="POST", limit=1),
        fault("reset", when="after", method="POST", limit=1),
        fault("reset", when="during", method="POST", limit=1),
        fault("hang", for_s=3.0, done=True, method="POST", limit=1),
        fault("truncate", method="POST", limit=1),
    ],
    ids=lambda each: f"{each.kind}-{each.values.get('when', '')}",
)
def test_an_order_that_was_placed_behind_a_lost_answer_is_found_and_there_is_one(lost: object) -> None:
    with a_desk(lost) as (world, server, settings):
        ticker, _bid, _ask = a_market(world)

        async def story(client: Client, trading: Trading) -> None:
            outcome = await trading.create(buy_yes(ticker, count_centi=500, price_cc=100))
            orders = [each async for page in client.orders(ticker=ticker) for each in page]
            assert [each.order_id for each in orders] == [outcome.order_id]
            assert (outcome.how, outcome.remaining_centi) == ("found", 500)

        acted(settings, story)
        assert server.faults.injected.total() == 1


def test_an_order_lost_on_its_way_is_never_sent_twice() -> None:
    """The sandbox's records stand in March: they cannot prove that it is not there."""
    with a_desk(fault("reset", when="before", method="POST", limit=1)) as (world, _, settings):
        ticker, _bid, _ask = a_market(world)

        async def story(client: Client, trading: Trading) -> None:
            with pytest.raises(UnknownOutcome):
                await trading.create(buy_yes(ticker, count_centi=500, price_cc=100))
            assert [each async for page in client.orders() for each in page] == []

        acted(settings, story)


def test_a_batch_tells_of_each_order_what_became_of_it() -> None:
    """Two good, one of a market that is not there between them; the same after the answer was lost."""
    for faults in ((), (fault("error", status=502, done=True, method="POST", limit=1),)):
        with a_desk(*faults) as (world, _, settings):
            ticker, _bid, _ask = a_market(world)

            async def story(_client: Client, trading: Trading, ticker: str = ticker) -> list[bool | None]:
                orders = [
                    buy_yes(ticker, count_centi=100, price_cc=100),
                    buy_yes("KXSIMNOSUCH-1", count_centi=100, price_cc=100),
                    buy_no(ticker, count_centi=100, price_cc=100),
                ]
                told = await trading.create_batch(orders)
                ids = [each.order_id for each in told if each.order_id]
                gone = await trading.cancel_batch(ids)
                assert [each.reduced_by for each in gone] == ["1.00", "1.00"]
                return [each.is_placed for each in told]

            # The sandbox's records stand in March: they cannot prove that the one in the middle is not there.
            assert acted(settings, story) == [True, None if faults else False, True]


def test_everything_that_rests_can_be_taken_out_at_once() -> None:
    with a_desk() as (world, _, settings):
        ticker, _bid, _ask = a_market(world)

        async def story(client: Client, trading: Trading) -> list[str]:
            for price_cc in (100, 200, 300):
                await trading.create(buy_yes(ticker, count_centi=100, price_cc=price_cc))
            assert (await client.total_resting_order_value()).total_resting_order_value == 6
            await trading.cancel_all()
            return [each.status async for page in client.orders() for each in page]

        assert acted(settings, story) == ["canceled"] * 3


def test_a_refusal_names_kalshis_code() -> None:
    with a_desk() as (world, _, settings):
        ticker, _bid, _ask = a_market(world)

        async def story(_client: Client, trading: Trading) -> str:
            with pytest.raises(HttpError) as caught:
                await trading.create(buy_yes(ticker, count_centi=10_000_000, price_cc=9_900))
            return caught.value.code

        assert "balance" in acted(settings, story)


def test_a_storm_of_refusals_places_each_order_once() -> None:
    storm = fault("too_many", chance=0.5, method="POST")
    with a_desk(storm) as (world, _, settings):
        ticker, _bid, _ask = a_market(world)

        async def story(client: Client, trading: Trading) -> tuple[int, int]:
            n_placed = 0
            for _ in range(12):
                try:
                    await trading.create(buy_yes(ticker, count_centi=100, price_cc=100))
                    n_placed += 1
                except RateLimited:
                    continue
            return n_placed, len([each async for page in client.orders() for each in page])

        n_placed, n_orders = acted(settings, story)
        assert n_placed == n_orders > 6


def test_a_position_is_paid_out_when_its_market_settles() -> None:
    """Buy in a quarter-hour that ends while we look: the settlement pays $1 or nothing a contract."""
    clock = Stepped(to_us(DEFAULT_END_TS - timedelta(hours=4)))
    world = World(7, activity=0.5, clock=clock)
    with a_desk(world=world) as (_, _server, settings):

        async def story(client: Client, trading: Trading) -> None:
            while True:
                clock.advance(timedelta(minutes=3))
                live = [
                    each
                    async for page in client.markets(series_ticker="KXSIMBTC15M", status="open")
                    for each in page
                    if 1_000 < parse_cc(each.yes_ask_dollars) < 9_000
                ]
                if live:
                    break
            market = live[0]
            bought = await trading.create(
                buy_yes(market.ticker, count_centi=100, price_cc=parse_cc(market.yes_ask_dollars))
            )
            assert bought.filled_centi == 100
            cash = (await client.balance()).balance_micros
            clock.advance(timedelta(hours=1))
            (settled,) = [each async for page in client.settlements() for each in page]
            payout = DOLLAR_CC * 100 if settled.market_result == "yes" else 0
            assert (settled.ticker, settled.revenue) == (market.ticker, payout // 10_000)
            assert (await client.balance()).balance_micros == cash + payout
            (page,) = [page async for page in client.positions(settlement_status="settled")]
            assert [each.ticker for each in page.market_positions or []] == [market.ticker]

        acted(settings, story)


def test_selling_what_is_not_held_is_buying_the_other_side() -> None:
    with a_desk() as (world, _, settings):
        ticker, bid_cc, _ask = a_market(world)

        async def story(client: Client, trading: Trading) -> int:
            sold = await trading.create(sell_yes(ticker, count_centi=100, price_cc=bid_cc))
            assert sold.filled_centi == 100
            (page,) = [page async for page in client.positions()]
            return (page.market_positions or [])[0].position_centi

        assert acted(settings, story) == -100
