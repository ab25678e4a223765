"""The lake of docs/sql-cookbook.md: a small exchange, visited three times in its last day and a half.

Everything in it comes from the seed and from clocks that are moved by hand, so that a query's output is the
same on every machine.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from exchange.units import to_us
from pipelines.client import Client, Settings
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.sync import sync
from sandbox import Faults, World, fault, running
from sandbox.clock import Stepped
from sandbox.faults import CALM
from sandbox.recording import write_recording
from sandbox.world import DEFAULT_END_TS
from warehouse import Lake

SEED: Final = 7
DAYS: Final = 6
TRAILING: Final = timedelta(days=1)
ACTIVITY: Final = 0.15
TIER: Final = "prestige"
# When the exchange is visited, counted back from its end; the last visit finds what the others could not.
VISITS: Final = tuple(timedelta(hours=hours) for hours in (36, 2.5, 0))
RECORDED: Final = "KXSIMBTC15M"
N_RECORDED: Final = 8
BARS_OF: Final = ("KXSIMHIGHNY-26MAR01", "KXSIMCPI-FEB")
# From the second visit the exchange keeps some prints back; the last one reads the day before again.
LATE: Final = Faults((fault("late_trades", chance=0.05, tries=1),), seed=SEED)


def build(folder: Path) -> Lake:
    """Return a published lake under `folder`: listings and trades of all, bars of one series, some books."""
    clock = Stepped(to_us(DEFAULT_END_TS - VISITS[0]))
    world = World(SEED, days=DAYS, activity=ACTIVITY, oddities=True, clock=clock)
    lake = Lake(folder / "lake", now=lambda: world.now_ts)
    for before in VISITS:
        clock.advance(timedelta(microseconds=to_us(DEFAULT_END_TS - before) - clock.now_us()))
        world.floor.advance()
        faults, bars_of = (LATE if before == VISITS[1] else CALM), (BARS_OF if before == VISITS[-1] else ())
        with running(world, tier=TIER, faults=faults) as sandbox:
            asyncio.run(_visit(sandbox.base_url, lake, world, bars_of=bars_of))
    _record(world, lake, folder / "recording.jsonl.gz")
    lake.publish()
    return lake


async def _visit(base_url: str, lake: Lake, world: World, *, bars_of: Sequence[str]) -> None:
    def now() -> datetime:
        return world.now_ts

    start = DEFAULT_END_TS - timedelta(days=DAYS)
    async with Client(Settings(base_url=base_url, tier=TIER)) as client:
        await sync(client, lake, ["series", "events", "markets", "fees"], now=now)
        await sync(client, lake, ["trades"], start=start, trailing=TRAILING, now=now)
        for event in bars_of:
            await sync(client, lake, ["candles"], event=event, now=now)


def _record(world: World, lake: Lake, path: Path) -> None:
    write_recording(world, path, _recorded(world), hole_seed=SEED)
    import_ws(lake, [path], observed_ts=world.now_ts)


def _recorded(world: World) -> Sequence[str]:
    opened = [
        each.ticker
        for each in world.markets()
        if each.ticker.startswith(RECORDED) and each.status != "initialized"
    ]
    return opened[-N_RECORDED:]
