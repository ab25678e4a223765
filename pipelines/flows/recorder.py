"""Order books as they happen: a run that lasts, and that the next one makes good when it dies."""

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from pipelines.flows.budget import client_of_flow
from pipelines.recorder.bringing import Apart
from pipelines.recorder.cli import FRAMES
from pipelines.recorder.recording import Pace, Recorder
from pipelines.recorder.watching import Watch
from warehouse import Lake


@flow(name="record-books")
async def record_books(
    tickers: list[str] | None = None,
    series: list[str] | None = None,
    most_active: int = 0,
    hours: float | None = None,
    frames: str | None = None,
    lake: str | None = None,
) -> dict[str, Any]:
    """Record order books, quotes and trades until the time is over or the run is cancelled; needs a key.

    A run that died left its raw frames on disk: the next one begins by making rows of them.

    Args:
        tickers: markets to watch.
        series: of these, whatever is open.
        most_active: and so many markets with the largest 24-hour volume.
        hours: how long; default for ever.
        frames: folder for raw frames; default the folder `frames` of the lake.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened, logger = Lake(lake), get_run_logger()
    async with client_of_flow() as client:
        apart = Apart()
        recorder = Recorder(
            client=client,
            lake=opened,
            frames=Path(frames) if frames else opened.path / FRAMES,
            watch=Watch(tickers=tickers or (), series=series or (), most_active=most_active),
            pace=Pace(state_s=60.0, for_s=None if hours is None else hours * 3_600),
            bring=apart,
            tell=lambda state: logger.info("%s", state),
        )
        with apart:
            await recorder.run(asyncio.Event())
    return recorder.tally.as_json()
