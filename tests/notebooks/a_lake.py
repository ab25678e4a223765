"""A small lake for the notebooks, made as anybody would make one: synced from a sandbox, books imported."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final

from pipelines.client import Client, Settings
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.sync import sync
from sandbox import World, running
from sandbox.recording import write_recording
from warehouse import Lake

TIER: Final = "prestige"
SERIES: Final = "KXSIMBTC15M"
OTHER: Final = "KXSIMHIGHNY"


def build_lake(folder: Path, *, seed: int = 7, days: int = 10) -> Lake:
    """Return a published lake under `folder`: all listings, two series' tapes, one series' books."""
    world, lake = World(seed, days=days), Lake(folder / "lake")
    with running(world, tier=TIER) as sandbox:
        asyncio.run(_pull(sandbox.base_url, world, lake))
    recording = folder / "recording.jsonl.gz"
    opened = [
        each.ticker
        for each in world.markets()
        if each.ticker.startswith(SERIES) and each.status != "initialized"
    ]
    write_recording(world, recording, opened, hole_seed=seed)
    import_ws(lake, [recording], observed_ts=world.now_ts)
    lake.publish()
    return lake


async def _pull(base_url: str, world: World, lake: Lake) -> None:
    def now() -> datetime:
        return world.now_ts

    async with Client(Settings(base_url=base_url, tier=TIER)) as client:
        await sync(client, lake, ["series", "events", "markets", "fees"], now=now)
        for series in (SERIES, OTHER):
            await sync(client, lake, ["trades", "candles"], series=series, now=now)
