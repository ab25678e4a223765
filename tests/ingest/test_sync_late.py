"""Hours of syncs on an exchange that goes on living: trades appear late, others pull at the same time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exchange.units import from_us, to_us
from pipelines.client import Client, Settings
from pipelines.ingest.sync import sync
from pipelines.ingest.windows import Receipt
from sandbox import Faults, Running, fault, running
from sandbox.clock import Stepped
from sandbox.world import World
from warehouse import Lake
from warehouse.ledger import COMPLETE
from warehouse.tables import TRADES, WINDOWS

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
END_TS = datetime(2026, 3, 2, tzinfo=UTC)
START_TS = END_TS - timedelta(hours=10)
LATE_S = 90 * 60.0


@dataclass(frozen=True, slots=True)
class Living:
    """A world that moves when its clock is pushed."""

    world: World
    clock: Stepped
    server: Running

    def sync(self, lake: Lake, **asked: Any) -> list[Receipt]:  # noqa: ANN401 -- as sync takes them
        """Sync trades until the world's now."""

        async def syncing() -> list[Receipt]:
            async with Client(Settings(base_url=self.server.base_url, tier="prestige")) as client:
                given: dict[str, Any] = {"start": START_TS, "now": lambda: from_us(self.clock.now_us())}
                given |= asked
                return await sync(client, lake, ["trades"], **given)

        return asyncio.run(syncing())

    def truth(self, start_ts: datetime, end_ts: datetime) -> set[str]:
        """Return the ids of what the world traded in `[start_ts, end_ts)`."""
        tape = self.world.tape(None)
        return {each.trade_id for each in tape.rows(*tape.span(to_us(start_ts), to_us(end_ts)))}


@pytest.fixture
def living() -> Iterator[Living]:
    """Ten hours before the end of a quiet world; a third of the trades appear an hour and a half late."""
    clock = Stepped(to_us(START_TS))
    world = World(seed=5, days=6, activity=0.3, end_ts=END_TS, clock=clock)
    late = Faults((fault("late_trades", chance=0.3, late_s=LATE_S),), seed=3)
    with running(world, tier="prestige", faults=late) as server:
        yield Living(world, clock, server)


def in_lake(lake: Lake) -> set[str]:
    return set(lake.scan(TRADES).collect()["trade_id"])


def test_trades_that_appear_late_come_with_the_next_hours(living: Living, tmp_path: Path) -> None:
    """Hourly syncs, one of them a break of four hours: what is older than the lateness is all there.

    The ledger's newest entry of every window tells exactly what the world traded in it.
    """
    lake = Lake(tmp_path / "lake")
    n_again = 0
    for hours in (1, 1, 1, 4, 1, 1):
        living.clock.advance(hours * HOUR)
        receipts = living.sync(lake)
        assert {each.status for each in receipts} == {COMPLETE}
        n_again += sum(each.n_new for each in receipts[:-1])
        seen_until_ts = receipts[-1].end_ts - timedelta(seconds=LATE_S)
        missing = living.truth(START_TS, seen_until_ts) - in_lake(lake)
        assert missing == set()
    assert n_again > 20  # windows read again, and worth it

    newest = (
        lake.scan(WINDOWS).sort("asked_ts").group_by("start_ts", "end_ts").last().sort("start_ts").collect()
    )
    old = newest.filter(pl.col("end_ts") <= seen_until_ts)
    assert old.height >= 4
    for row in old.iter_rows(named=True):
        assert row["n_rows"] == len(living.truth(row["start_ts"], row["end_ts"]))
    assert lake.missing("trades", "all", START_TS, newest["end_ts"][-1]) == []


def test_without_trailing_the_late_ones_are_missed(living: Living, tmp_path: Path) -> None:
    """The control: the same hours, nothing read again."""
    lake = Lake(tmp_path / "lake")
    for _ in range(3):
        living.clock.advance(2 * HOUR)
        living.sync(lake, trailing=timedelta())
    assert len(living.truth(START_TS, START_TS + 4 * HOUR) - in_lake(lake)) > 5


def test_a_backfill_and_the_incremental_sync_do_each_window_once(living: Living, tmp_path: Path) -> None:
    """Two clients, one lake, from both ends at the same time; where they meet, one window may come twice."""
    living.clock.advance(10 * HOUR)
    lake = Lake(tmp_path / "lake")
    start_ts, end_ts = END_TS - timedelta(days=5), END_TS - timedelta(days=2)
    asked: dict[str, Any] = {"start": start_ts, "end": end_ts, "every": 6 * HOUR}

    async def both() -> tuple[list[Receipt], list[Receipt]]:
        settings = Settings(base_url=living.server.base_url, tier="prestige")
        async with Client(settings) as one, Client(settings) as other:
            first, second = await asyncio.gather(
                sync(one, lake, ["trades"], **asked),
                sync(other, Lake(lake.uri), ["trades"], order="newest", **asked),
            )
        return first, second

    forward, backward = asyncio.run(both())
    assert [each.start_ts for each in forward] == sorted(each.start_ts for each in forward)
    assert [each.start_ts for each in backward] == sorted((e.start_ts for e in backward), reverse=True)
    assert len(forward) > 0 < len(backward)
    assert 12 <= len(forward) + len(backward) <= 13
    expected = living.truth(start_ts, end_ts)
    assert in_lake(lake) == expected
    assert sum(each.n_new for each in [*forward, *backward]) == len(expected)
    assert lake.missing("trades", "all", start_ts, end_ts) == []
