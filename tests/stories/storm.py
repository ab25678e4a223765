"""Pulls on a bad day: the storm of the documentation, a client in a hurry, and what came of it.

`python -m tests.stories.storm [SEED …]` pulls through a storm of each seed, with every pause as it is in
earnest (some minutes each), and prints what became of it.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from exchange.units import to_us
from pipelines.client import Budget, Client, Retry, Settings
from pipelines.ingest.sync import sync
from pipelines.ingest.windows import Receipt
from sandbox import Faults, World, read_faults, running
from sandbox.fault_kinds import Fault
from sandbox.world import DEFAULT_END_TS
from warehouse import Lake
from warehouse.ledger import COMPLETE
from warehouse.tables import TRADES, Table

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTED: Final = ROOT / "docs" / "examples" / "storm.toml"
DAYS: Final = 20
# The storm withholds trades younger than ten minutes; the clock of this world stands at its end.
END_TS: Final = DEFAULT_END_TS - timedelta(minutes=10)
START_TS: Final = END_TS - timedelta(days=DAYS)
EVERY: Final = timedelta(hours=6)
HURRY: Final = 20
PROVENANCE: Final = ("source", "fetched_ts", "observed_ts")
# What the storm does in earnest, and how long a test waits for it.
_SHORTER: Final = {"hang": {"for_s": 0.05}, "slow": {"delay_s": 0.02}, "dribble": {"pause_s": 0.002}}


@dataclass(slots=True)
class Pulled:
    """What became of a pull that was repeated until nothing failed: receipts and what the clients did."""

    n_syncs: int = 0
    n_sent: int = 0
    receipts: list[Receipt] = field(default_factory=list)
    retries: Counter[str] = field(default_factory=Counter)
    breaker: Counter[str] = field(default_factory=Counter)
    novelties: set[str] = field(default_factory=set)

    @property
    def failed(self) -> list[Receipt]:
        """The windows that failed, as often as they did."""
        return [each for each in self.receipts if each.status != COMPLETE]

    @property
    def n_requests(self) -> int:
        """Different requests: what was sent, without what was sent again."""
        return self.n_sent - self.retries.total()


@cache
def _made(days: int, activity: float) -> World:
    return World(7, days=days, activity=activity)


def a_world(days: int = DAYS, activity: float = 1.0) -> World:
    """Return the world of this run, with a border of its own between the tiers: storms move that."""
    return copy(_made(days, activity))


def n_traded(world: World, start_ts: datetime, end_ts: datetime) -> int:
    """Count the trades of a span, as the world itself knows them."""
    first, end = world.tape(None).span(to_us(start_ts), to_us(end_ts))
    return end - first


def a_storm(seed: int = 7, *, without: Sequence[str] = ()) -> Faults:
    """Return the documented storm with short pauses."""
    lines = [
        Fault(each.kind, {**each.values, **_SHORTER.get(each.kind, {})})
        for each in read_faults(DOCUMENTED).lines
        if each.kind not in without
    ]
    return Faults(tuple(lines), seed)


def a_client(base_url: str, **more: Any) -> Client:  # noqa: ANN401 -- settings of the client
    """Return a client for which budgets and pauses pass twenty times as fast; it tries as often as any."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / HURRY)

    return Client(
        Settings(base_url=base_url, tier="prestige", **more),
        budget=Budget.for_tier("prestige", now_ns=lambda: time.monotonic_ns() * HURRY, sleep=sleep),
        retry=Retry(sleep=sleep),
    )


def pulled(
    base_url: str,
    lake: Lake,
    resources: Sequence[str] = ("trades",),
    *,
    syncs: int = 1,
    client: dict[str, Any] | None = None,
    **asked: Any,  # noqa: ANN401 -- as sync takes them
) -> Pulled:
    """Sync until no window fails, at most so many times, each time with a client of its own."""
    done = Pulled()
    while done.n_syncs < syncs:
        done.n_syncs += 1
        receipts = asyncio.run(_synced(a_client(base_url, **(client or {})), lake, resources, asked, done))
        done.receipts += receipts
        if all(each.status == COMPLETE for each in receipts):
            break
    return done


async def _synced(
    client: Client, lake: Lake, resources: Sequence[str], asked: dict[str, Any], done: Pulled
) -> list[Receipt]:
    async with client:
        receipts = await sync(client, lake, resources, **asked)
    told = client.telemetry.summary()
    done.n_sent += client.n_requests
    done.retries.update(told["retries"])
    done.breaker.update(told["breaker"])
    done.novelties |= {each.where for each in client.drift.report()}
    return receipts


def rows(lake: Lake, table: Table = TRADES) -> pl.DataFrame:
    """Return what a table says, without where and when it was read, in one order."""
    kept = [name for name in table.columns if name not in PROVENANCE]
    return lake.scan(table).select(kept).collect().sort(kept, nulls_last=True)


def main(arguments: Sequence[str]) -> int:
    """Pull through a storm of each seed in earnest; `--pull URL LAKE START END` pulls once, to be killed."""
    if arguments[:1] == ["--pull"]:
        _, base_url, lake, start, end = arguments
        done = pulled(
            base_url,
            Lake(lake),
            start=datetime.fromisoformat(start),
            end=datetime.fromisoformat(end),
            page_size=200,
            every=EVERY,
        )
        return int(bool(done.failed))
    with TemporaryDirectory() as folder:
        outcomes = [_in_earnest(int(seed), Path(folder)) for seed in arguments or ["7"]]
    return int(not all(outcomes))


def _in_earnest(seed: int, folder: Path) -> bool:
    world, lake = a_world(), Lake(folder / str(seed))
    script = read_faults(DOCUMENTED)
    began_s, n_syncs, n_sent, is_done = time.monotonic(), 0, 0, False

    async def once(base_url: str) -> tuple[bool, int]:
        settings = Settings(base_url=base_url, tier="prestige")
        async with Client(settings, budget=Budget.for_tier("prestige")) as client:
            span: dict[str, Any] = {"start": START_TS, "end": END_TS, "page_size": 200, "every": EVERY}
            receipts = await sync(client, lake, ["trades"], **span)
            return all(each.status == COMPLETE for each in receipts), client.n_requests

    with running(world, tier="prestige", faults=Faults(script.lines, seed)) as server:
        while not is_done and n_syncs < 10:
            is_done, n = asyncio.run(once(server.base_url))
            n_syncs, n_sent = n_syncs + 1, n_sent + n
        told: dict[str, Any] = {"seed": seed, "is_done": is_done, "n_syncs": n_syncs, "n_sent": n_sent}
        told |= {"wall_s": round(time.monotonic() - began_s, 1), "n_rows": rows(lake).height}
        sys.stdout.write(json.dumps(told | {"injected": dict(server.faults.injected)}) + "\n")
    return is_done and rows(lake).height == n_traded(world, START_TS, END_TS)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
