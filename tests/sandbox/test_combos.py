"""A flood of combos: cheap to have, listed like any market, and worth the product of their legs."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from exchange.errors import BadInput
from exchange.units import DOLLAR_CC, to_us
from sandbox.clock import Frozen, Stepped
from sandbox.combos import COLLECTION, SERIES
from sandbox.floor import Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.world import DEFAULT_END_TS, World
from tests.sandbox.places import Json, a_client, a_standing_world, every_page

N = 300
END_US = to_us(DEFAULT_END_TS)
HOUR_US = 3_600_000_000


def a_flooded_world(clock: Frozen | None = None, n: int = N) -> World:
    return a_standing_world(3, days=6, activity=0.02, combos=n, clock=clock)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with a_client(a_flooded_world()) as (client, _):
        yield client


def tickers(rows: list[Json]) -> list[str]:
    return [each["ticker"] for each in rows]


def test_default_listings_are_almost_only_combos_and_a_filter_parts_them(client: httpx.Client) -> None:
    """Both tiers: default = only + exclude, in one order, each with ranks of its own; nothing twice."""
    for path in ("/markets", "/historical/markets"):
        both = every_page(client, path, "markets", limit=33)
        plain = every_page(client, path, "markets", limit=33, mve_filter="exclude")
        flood = [each for each in both if "mve_collection_ticker" in each]
        assert tickers([each for each in both if each not in flood]) == tickers(plain)
        assert len(flood) > len(plain) > 0
        assert len(set(tickers(both))) == len(both)
        created = [each["created_time"] for each in both]
        assert created == sorted(created, reverse=True)
    only = every_page(client, "/markets", "markets", limit=33, mve_filter="only")
    assert all(each["ticker"].startswith("KXMVE") for each in only)
    both = every_page(client, "/markets", "markets", limit=1000)
    assert tickers(only) == [each for each in tickers(both) if each.startswith("KXMVE")]
    assert client.get("/historical/markets?mve_filter=only").status_code == 400


def test_tiers_hold_every_combo(client: httpx.Client) -> None:
    """Live, then archived, without duplicates: N of them."""
    live = every_page(client, "/markets", "markets", limit=1000, mve_filter="only")
    archived = every_page(client, "/historical/markets", "markets", limit=1000, series_ticker=SERIES)
    assert len(set(tickers(live)) | set(tickers(archived))) == N
    assert tickers(live)


@pytest.mark.parametrize("word", ["unopened", "open", "closed", "settled"])
def test_skipping_alike_combos_finds_the_same_rows(client: httpx.Client, word: str) -> None:
    """A status filter gives, page by page, what filtering the whole list gives."""
    words = {
        "unopened": {"initialized"}, "open": {"active"}, "closed": {"closed", "determined"},
        "settled": {"finalized"},
    }  # fmt: skip
    whole = every_page(client, "/markets", "markets", limit=1000)
    wanted = [each for each in whole if each["status"] in words[word]]
    assert every_page(client, "/markets", "markets", limit=7, status=word) == wanted


def test_a_combo_pays_the_product_of_its_legs(client: httpx.Client) -> None:
    """Every settled combo: the value of each leg is told, no legs count from the other side."""
    archived = every_page(client, "/historical/markets", "markets", limit=1000, series_ticker=SERIES)
    results = set()
    for combo in archived:
        value = DOLLAR_CC
        for leg in combo["mve_selected_legs"]:
            assert not leg["market_ticker"].startswith("KXMVE")
            pays = round(float(leg["yes_settlement_value_dollars"]) * DOLLAR_CC)
            value = value * (pays if leg["side"] == "yes" else DOLLAR_CC - pays) // DOLLAR_CC
        assert combo["settlement_value_dollars"] == f"{value / DOLLAR_CC:.4f}"
        assert combo["result"] == {0: "no", DOLLAR_CC: "yes"}.get(value, "scalar")
        results.add(combo["result"])
        assert 2 <= len(combo["mve_selected_legs"]) <= 6
    assert results >= {"yes", "no"}


def test_a_combo_has_routes_of_its_own(client: httpx.Client) -> None:
    """One market, its book, its event, by ticker and by event; legs that are not decided pay nothing yet."""
    combo = client.get("/markets?limit=1&mve_filter=only").json()["markets"][0]
    ticker, event = combo["ticker"], combo["event_ticker"]
    assert combo["mve_collection_ticker"] == COLLECTION
    assert combo["exchange_index"] == 1
    assert client.get(f"/markets/{ticker}").json()["market"] == combo
    assert client.get(f"/markets?tickers={ticker},NOPE").json()["markets"] == [combo]
    assert client.get(f"/markets?event_ticker={event}").json()["markets"] == [combo]
    assert client.get(f"/markets/{ticker}/orderbook").json() == {
        "orderbook_fp": {"yes_dollars": [], "no_dollars": []}
    }
    assert client.get(f"/events/{event}?with_nested_markets=true").json()["event"]["markets"] == [combo]
    assert client.get(f"/markets/{ticker[:-1]}x").status_code == 404
    assert client.get(f"/events/{ticker}").status_code == 404
    period = "start_ts=1772000000&end_ts=1772100000&period_interval=60"
    bars = client.get(f"/series/{SERIES}/markets/{ticker}/candlesticks?{period}").json()
    assert bars == {"ticker": ticker, "candlesticks": []}


def test_events_of_combos_have_a_route_of_their_own(client: httpx.Client) -> None:
    """Not in /events; /events/multivariate pages them, by series or by collection, never by both."""
    plain = every_page(client, "/events", "events", limit=200)
    assert not [each for each in plain if each["event_ticker"].startswith("KXMVE")]
    flood = every_page(client, "/events/multivariate", "events", limit=100, with_nested_markets="true")
    assert len({each["event_ticker"] for each in flood}) == len(flood) == N
    for name, value in (("series_ticker", SERIES), ("collection_ticker", COLLECTION)):
        path = f"/events/multivariate?limit=3&{name}="
        assert len(client.get(path + value).json()["events"]) == 3
        assert client.get(path + "NOPE").json() == {"events": [], "cursor": ""}
    both = f"/events/multivariate?series_ticker={SERIES}&collection_ticker={COLLECTION}"
    assert client.get(both).json()["code"] == "invalid_parameters"
    assert client.get("/events/multivariate?limit=201").status_code == 400


def test_a_combo_made_after_a_pattern_is_the_combo_itself() -> None:
    """At every phase of its life the cheap row equals the market that a trader would meet."""
    world = a_flooded_world()
    for number in (0, 1, 100, 250, N - 1):
        for hours in (0, 6, 12, 24, 48, 144):
            now_us = END_US - hours * HOUR_US
            if world.combos.created_us(number) <= now_us:
                whole = a_flooded_world(Frozen(now_us)) if hours == 24 else None
                stage = world.combos.stage(number)
                stage.catch_up(now_us)
                now_ts = DEFAULT_END_TS - timedelta(hours=hours)
                assert world.combos.market(number, now_ts) == stage.market(now_ts)
                ticker = world.combos.ticker(number)
                assert whole is None or whole.floor.market(ticker) == stage.market(now_ts)


def test_a_combo_can_be_traded() -> None:
    """Two strangers meet in a combo: it prints, and every listing shows it."""
    world = a_flooded_world(Frozen(END_US - 6 * HOUR_US))
    number = world.combos.created_before(END_US - 6 * HOUR_US) - 1
    ticker = world.combos.ticker(number)
    world.floor.submit(ticker, side="no", limit_cc=8_999, count_centi=500, owner=1_001, rests=True)
    placed = world.floor.submit(ticker, side="yes", limit_cc=1_001, count_centi=200, owner=1_000, rests=True)
    assert [(fill.yes_price_cc, fill.count_centi) for fill in placed.fills] == [(1_001, 200)]
    with a_client(world) as (client, _):
        row = client.get("/markets?limit=1&mve_filter=only").json()["markets"][0]
        assert (row["ticker"], row["volume_fp"], row["yes_ask_dollars"]) == (ticker, "2.00", "0.1001")
        assert client.get(f"/series/{SERIES}?include_volume=true").json()["series"]["volume_fp"] == "2.00"
        assert client.get(f"/markets/trades?ticker={ticker}").json()["trades"][0]["count_fp"] == "2.00"
        assert len(every_page(client, "/markets", "markets", limit=50)) == len(
            {each["ticker"] for each in every_page(client, "/markets", "markets", limit=50)}
        )


def test_combos_come_and_go_while_the_clock_runs() -> None:
    """Each is told once per step of its life, in time order, and a living listing is the frozen one's."""

    class Ear(Listener):
        heard: list[LifecycleChange]

        def changed(self, change: LifecycleChange) -> None:
            if change.ticker.startswith("KXMVE"):
                self.heard.append(change)

    clock = Stepped(END_US - 60 * HOUR_US)
    world = World(3, days=6, activity=0.02, combos=N, clock=clock)
    ear = Ear()
    ear.heard = []
    world.floor.listen(ear)
    n_before = world.combos.created_before(clock.now_us() + 1)
    clock.advance(timedelta(hours=60))
    world.floor.advance()
    kinds = [change.kind for change in ear.heard]
    assert kinds.count("created") == kinds.count("event_created") == N - n_before
    assert kinds.count("settled") > 0
    times_us = [change.time_us for change in ear.heard]
    assert times_us == sorted(times_us)
    words = {"created": "active", "closed": "closed", "determined": "determined", "settled": "finalized"}
    assert all(c.market is None or c.market.status == words.get(c.kind, "active") for c in ear.heard)
    with a_client(world) as (living, _), a_client(a_flooded_world()) as (frozen, _):
        for path in ("/markets", "/historical/markets"):
            assert every_page(living, path, "markets", limit=500) == every_page(
                frozen, path, "markets", limit=500
            )


def test_a_hundred_thousand_cost_nothing_until_they_are_looked_at() -> None:
    """Only what was looked at is kept; a filter that none of them matches makes a handful."""
    world = a_flooded_world(n=100_000)
    with a_client(world) as (client, _):
        page = client.get("/markets?limit=1000").json()["markets"]
        assert sum("mve_selected_legs" in each for each in page) > 900
        assert client.get("/markets?status=unopened&limit=5").json()["markets"]
        assert client.get("/markets?status=paused&limit=5").status_code == 200
    assert world.combos.n_made < 1_200


@pytest.mark.parametrize("n", [-1, 1_000_001])
def test_a_flood_that_cannot_be_is_refused(n: int) -> None:
    """None, or at most a million."""
    with pytest.raises(BadInput, match="give 0 to 1,000,000"):
        a_flooded_world(n=n)
