"""The programs of the week: the hourly sync, the backfill, the upkeep; each in a process to be killed."""

import asyncio
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import tapehouse
from pipelines.ingest.publishing import publish
from pipelines.ingest.sync import sync
from tests.stories.storm import a_client
from tests.stories.week_exchange import Time
from warehouse import Lake
from warehouse.ledger import COMPLETE

# As the deployments of prefect.yaml have it, but that a night reads two days again: trades of this exchange
# are up to twenty hours late.
LOOK_BACK: Final = timedelta(hours=24)
NIGHTLY_AGAIN: Final = timedelta(hours=48)
NIGHT_HOUR: Final = 1
DONE: Final = 0
WINDOWS_FAILED: Final = 3  # not 1, with which Python ends after an error that nobody caught


def hourly(base_url: str, folder: Path, at: Time, log: Path, series: str) -> None:
    """Bring markets and a day of trades up to now, at night the other listings and what may be late."""
    end_ts = at.now_ts() - timedelta(minutes=5)
    asked = {"start": end_ts - LOOK_BACK, "end": end_ts}
    jobs: list[tuple[tuple[str, ...], dict[str, Any]]] = [(("markets", "trades"), asked)]
    if at.now_ts().hour == NIGHT_HOUR:
        jobs.append((("series", "events", "fees"), {}))
        jobs.append((("trades",), {"start": end_ts - NIGHTLY_AGAIN, "end": end_ts, "reread": True}))
        jobs.append((("candles",), asked | {"series": series}))
    _run(base_url, folder, at, jobs, log)


def reread(base_url: str, folder: Path, at: Time, log: Path, start: datetime, end: datetime) -> None:
    """Bring everything up to now, and read `[start, end)` of the tape once more."""
    listings = ("series", "events", "markets", "fees")
    span = {"start": start, "end": end}
    _run(base_url, folder, at, [(listings, {}), (("trades",), span | {"reread": True})], log)


def backfill(base_url: str, folder: Path, at: Time, log: Path, start: datetime, end: datetime) -> None:
    """Bring what of the past the lake lacks, newest first."""
    _run(base_url, folder, at, [(("trades",), {"start": start, "end": end, "order": "newest"})], log)


def command(arguments: list[str], log: Path) -> None:
    """Run `tapehouse <arguments>`."""
    _say_to(log)
    tapehouse.main(arguments)


def _run(
    base_url: str, folder: Path, at: Time, jobs: list[tuple[tuple[str, ...], dict[str, Any]]], log: Path
) -> None:
    _say_to(log)
    lake = Lake(folder, now=at.now_ts)
    failed = [
        each for resources, asked in jobs for each in asyncio.run(_job(base_url, lake, at, resources, asked))
    ]
    publish(lake)
    for reason in failed:
        sys.stderr.write(f"window failed: {reason}\n")
    sys.stderr.flush()
    os._exit(WINDOWS_FAILED if failed else DONE)


async def _job(
    base_url: str, lake: Lake, at: Time, resources: tuple[str, ...], asked: dict[str, Any]
) -> list[str]:
    async with a_client(base_url) as client:
        receipts = await sync(client, lake, resources, now=at.now_ts, **asked)
    return [f"{each.resource} {each.reason}" for each in receipts if each.status != COMPLETE]


def _say_to(log: Path) -> None:
    """Send what is said to a file: a traceback in it is a defect."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
