"""The REST routes of a world whose clock runs: what they tell is always the world as it is now."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx

from exchange.units import to_us
from sandbox.catalog import READ_LAG, Catalog
from sandbox.clock import Frozen, Stepped
from sandbox.world import DEFAULT_END_TS, World
from tests.sandbox.places import Json, a_client, a_copied_world, every_page

END_US = to_us(DEFAULT_END_TS)
HOUR_US = 3_600_000_000
HOUR = timedelta(hours=1)


def hours_before_end(hours: int) -> int:
    return END_US - hours * HOUR_US


@contextmanager
def a_living_exchange(hours: int) -> Iterator[tuple[httpx.Client, World, Stepped]]:
    """Serve a world that stands so many hours before its end until its clock is pushed."""
    world, clock = a_copied_world(3, before=timedelta(hours=hours), days=6, activity=0.05)
    with a_client(world) as (client, _):
        yield client, world, clock


def everything(client: httpx.Client) -> dict[str, list[Json]]:
    """Return what every listing tells."""
    trades = "trades"
    return {
        "markets": every_page(client, "/markets", "markets", limit=1000),
        "archived": every_page(client, "/historical/markets", "markets", limit=1000),
        "events": every_page(client, "/events", "events", limit=200, with_nested_markets="true"),
        "series": client.get("/series?include_volume=true").json()["series"],
        "trades": every_page(client, "/markets/trades", trades, limit=1000),
        "archived trades": every_page(client, "/historical/trades", trades, limit=1000),
        "fees": client.get("/series/fee_changes").json()["series_fee_change_arr"],
        "cutoff": [client.get("/historical/cutoff").json()],
    }


def test_every_listing_is_the_world_as_it_is_now() -> None:
    """After each step a living server tells, to the letter, what one tells that was frozen there."""
    with a_living_exchange(30) as (client, _, clock):
        everything(client)
        for hours in (1, 4, 25):
            clock.advance(hours * HOUR)
            frozen = World(3, days=6, activity=0.05, clock=Frozen(clock.now_us()))
            with a_client(frozen) as (other, _):
                assert everything(client) == everything(other)


def test_a_new_market_is_listed_before_its_own_route_knows_it() -> None:
    """For two seconds of exchange time `GET /markets/{ticker}` is a 404; the frozen exchange has no lag."""
    with a_living_exchange(3) as (client, world, clock):
        before = {each["ticker"] for each in every_page(client, "/markets", "markets", limit=1000)}
        created_ts = DEFAULT_END_TS - timedelta(
            hours=1, minutes=10, microseconds=-123_450
        )  # the 23:50 quarter
        clock.advance(timedelta(microseconds=to_us(created_ts) - clock.now_us()))
        new = [m for m in every_page(client, "/markets", "markets", limit=1000) if m["ticker"] not in before]
        assert [each["status"] for each in new] == ["initialized"]
        ticker = new[0]["ticker"]
        assert client.get(f"/markets/{ticker}").json() == {
            "code": "not_found",
            "message": f"market {ticker} not found",
        }
        clock.advance(READ_LAG - timedelta(microseconds=1))
        assert client.get(f"/markets/{ticker}").status_code == 404
        clock.advance(timedelta(microseconds=1))
        assert client.get(f"/markets/{ticker}").json()["market"] == new[0]
        frozen = World(3, days=6, activity=0.05, clock=Frozen(to_us(created_ts)))
        assert Catalog(frozen).is_readable(Catalog(frozen).markets[ticker])
        assert world.now_ts > created_ts


def test_the_cutoff_moves_when_the_clock_passes_midnight() -> None:
    """Both kinds move by a day: what was live is archived."""
    with a_living_exchange(1) as (client, world, clock):
        before = client.get("/historical/cutoff").json()
        assert before["trades_created_ts"] == "2026-02-24T00:00:00Z"
        clock.advance(HOUR)
        after = client.get("/historical/cutoff").json()
        assert after["trades_created_ts"] == "2026-02-25T00:00:00Z"
        assert after["market_settled_ts"] == "2026-02-26T00:00:00Z"
        assert world.now_ts == DEFAULT_END_TS


def test_a_cutoff_that_moves_between_two_pages_hides_nothing_from_both_tiers() -> None:
    """Live pages end early; read the archive afterwards and, without duplicates, every row is there once."""
    world = World(3, days=6, activity=0.05, archive_days=4)
    with a_client(world) as (client, _):
        whole = {each["ticker"] for each in every_page(client, "/markets", "markets", limit=1000)}
        whole |= {each["ticker"] for each in every_page(client, "/historical/markets", "markets", limit=1000)}
        first = client.get("/markets?limit=20").json()
        n_live = len(every_page(client, "/markets", "markets", limit=1000))
        world.move_cutoff(timedelta(days=1))
        rest = client.get(f"/markets?limit=1000&cursor={first['cursor']}").json()["markets"]
        seen = [each["ticker"] for each in [*first["markets"], *rest]]
        assert len(seen) == len(set(seen)) < n_live
        archived = every_page(client, "/historical/markets", "markets", limit=1000)
        assert set(seen) | {each["ticker"] for each in archived} == whole


def test_rows_keep_their_ranks_while_new_ones_arrive() -> None:
    """Pages taken while markets are created and trades made: no row twice, none of the old ones missing."""
    with a_living_exchange(20) as (client, _, clock):
        for path, key, name in (("/markets", "markets", "ticker"), ("/markets/trades", "trades", "trade_id")):
            old = [each[name] for each in every_page(client, path, key, limit=1000)]
            paged: list[str] = []
            cursor = ""
            while True:
                body = client.get(path, params={"limit": 9, "cursor": cursor}).json()
                paged += [each[name] for each in body[key]]
                cursor = body["cursor"]
                if not cursor:
                    break
                clock.advance(timedelta(minutes=1))
            assert paged == old


def test_a_frozen_exchange_prints_a_market_once() -> None:
    """A payload is the same object until something about the market changes; a trade changes it."""
    world = World(3, days=6, activity=0.05)
    catalog = Catalog(world)
    ticker = "KXSIMFED-MAR-H0"
    told = catalog.tell(catalog.markets[ticker])
    catalog.refresh()
    assert catalog.tell(catalog.markets[ticker]) is told
    ask = world.book(ticker).best_ask()
    assert ask is not None
    world.floor.submit(ticker, side="yes", limit_cc=ask.price_cc, count_centi=100, owner=1_000, rests=True)
    catalog.refresh()
    assert catalog.tell(catalog.markets[ticker])["last_price_dollars"] == f"{ask.price_cc / 10_000:.4f}"
