"""A day and a half of market listings where everything odd happens: nothing that was seen is lost."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import polars as pl
import pytest

from exchange.markets import Market
from exchange.units import from_us, to_us
from pipelines.client import Client, Settings
from pipelines.ingest.sync import sync
from pipelines.ingest.windows import Receipt
from sandbox import Faults, fault, running
from sandbox.clock import Stepped
from sandbox.world import World
from warehouse import Lake
from warehouse.tables import MARKETS

pytestmark = pytest.mark.slow

END_TS = datetime(2026, 3, 2, tzinfo=UTC)
N_RUNS = 12
EVERY = timedelta(hours=3)
# Wrong results are told at 21:00, disputed at 21:20 and corrected at 22:20: the runs are at 00:10, 03:10, …
START_TS = END_TS - N_RUNS * EVERY - timedelta(hours=2, minutes=50)
FACTS = ("status", "result", "close_ts", "settlement_value_cc", "settlement_ts", "floor_strike")
Facts = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Journey:
    """A lake after many listings, what the world was at each of them, and the receipts."""

    lake: Lake
    seen: list[tuple[datetime, dict[str, Market]]]
    receipts: list[Receipt]

    def states(self) -> pl.DataFrame:
        """Return all states that the lake keeps."""
        return self.lake.scan(MARKETS).sort("ticker", "observed_ts").collect()

    def told(self, ticker: str) -> list[Facts]:
        """Return what the world told of a market, run by run, without repetitions."""
        facts = [facts_of(markets[ticker]) for _, markets in self.seen if ticker in markets]
        return [each for each, _ in groupby(facts)]

    def vanished(self) -> set[str]:
        """Return the markets that the world had once and has no more."""
        ever = {ticker for _, markets in self.seen for ticker in markets}
        return ever - self.seen[-1][1].keys()


def facts_of(market: Market) -> Facts:
    return (
        market.status,
        market.result,
        market.close_ts,
        market.settlement_value_cc,
        market.settlement_ts,
        market.floor_strike,
    )


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """List the markets every three hours; five times the border moves between two requests."""
    clock = Stepped(to_us(START_TS))
    world = World(seed=11, days=6, activity=0.1, archive_days=4, end_ts=END_TS, clock=clock, oddities=True)
    faults = Faults((fault("move_cutoff", chance=0.1, hours=3, limit=5),), seed=4)
    lake = Lake(tmp_path_factory.mktemp("markets") / "lake")
    seen: list[tuple[datetime, dict[str, Market]]] = []
    receipts: list[Receipt] = []

    async def journeying(base_url: str) -> None:
        async with Client(Settings(base_url=base_url, tier="prestige")) as client:
            for _ in range(N_RUNS):
                clock.advance(EVERY)
                now_ts = from_us(clock.now_us())
                receipts.extend(await sync(client, lake, ["markets"], now=lambda: from_us(clock.now_us())))
                listed = [each for each in world.markets() if each.mve_collection_ticker is None]
                seen.append((now_ts, {each.ticker: each for each in listed}))

    with running(world, tier="prestige", faults=faults) as server:
        asyncio.run(journeying(server.base_url))
    assert server.faults.injected["move_cutoff"] == 5
    return Journey(lake, seen, receipts)


def test_every_change_that_was_seen_is_kept_and_none_is_written_over(journey: Journey) -> None:
    """Statuses, results, close times, strikes: the lake has the sequence that the world had, run by run."""
    kept = {
        key[0]: [each for each, _ in groupby(rows.select(FACTS).iter_rows())]
        for key, rows in journey.states().partition_by("ticker", as_dict=True, maintain_order=True).items()
    }
    tickers = {ticker for _, markets in journey.seen for ticker in markets}
    assert len(tickers) > 100
    assert kept == {ticker: journey.told(ticker) for ticker in tickers}


def test_a_result_that_was_amended_is_there_before_and_after(journey: Journey) -> None:
    """A wrong result is told first, then corrected: both are states, and the latest one counts."""
    disputed = {ticker for ticker in journey.seen[-1][1] if ticker.startswith("KXODDDISPUTE")}
    both = [ticker for ticker in disputed if {"yes", "no"} <= {facts[1] for facts in journey.told(ticker)}]
    moved = [
        ticker
        for ticker in journey.seen[-1][1]
        if ticker.startswith("KXODDMOVE") and len({facts[2] for facts in journey.told(ticker)}) > 1
    ]
    assert both
    assert moved
    latest = {row["ticker"]: row for row in journey.lake.markets().collect().iter_rows(named=True)}
    for ticker, market in journey.seen[-1][1].items():
        assert tuple(latest[ticker][name] for name in FACTS) == facts_of(market)


def test_the_past_is_told_as_it_was_seen_then(journey: Journey) -> None:
    """At the moment of every fourth run: what that run saw of every market."""
    for at_ts, markets in journey.seen[::4]:
        then = journey.lake.markets(asof=at_ts).filter(pl.col("basis") == "observed").collect()
        told = {row["ticker"]: row for row in then.iter_rows(named=True)}
        for ticker, market in markets.items():
            assert (told[ticker]["status"], told[ticker]["result"]) == (market.status, market.result)
            assert told[ticker]["close_ts"] == market.close_ts


def test_what_vanished_is_kept_as_it_was_and_says_so(journey: Journey) -> None:
    """Provisional markets that nobody traded: their last state stays, flagged, and nothing else is."""
    latest = journey.states().group_by("ticker").last()
    flagged = latest.filter(pl.col("has_vanished"))
    assert set(flagged["ticker"]) == journey.vanished() != set()
    assert flagged["is_provisional"].all()
    rows = {row["ticker"]: row for row in flagged.iter_rows(named=True)}
    for ticker in journey.vanished():
        assert rows[ticker]["status"] == journey.told(ticker)[-1][0] != "finalized"
    told = [note for each in journey.receipts for note in each.notes if "neither tier knows" in note]
    assert len(told) >= 3


def test_the_archive_is_listed_once_and_not_again(journey: Journey) -> None:
    """The first run lists it; the border stays behind the runs after it, so they need not."""
    listed = [not any("archive was not listed" in note for note in each.notes) for each in journey.receipts]
    assert listed == [True] + [False] * (N_RUNS - 1)
    assert {each.status for each in journey.receipts} == {"complete"}
    assert "historical" in set(journey.states()["source"])
