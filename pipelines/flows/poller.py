"""Whole order books over REST: a run that lasts, and that the next one makes good when it dies."""

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from exchange.units import parse_duration
from pipelines.flows.budget import client_of_flow
from pipelines.poller.cli import MARKS, summary
from pipelines.poller.polling import Pace, Poller
from pipelines.recorder.watching import Watch
from warehouse import Lake


@flow(name="poll-books")
async def poll_books(
    tickers: list[str] | None = None,
    series: list[str] | None = None,
    most_active: int = 0,
    every: str = "1m",
    hours: float | None = None,
    marks: str | None = None,
    lake: str | None = None,
) -> dict[str, Any]:
    """Ask for whole order books every so often until the time is over or the run is cancelled; needs no key.

    Args:
        tickers: markets to poll.
        series: of these, whatever is open.
        most_active: and so many markets with the largest 24-hour volume.
        every: how often, such as 1m.
        hours: how long; default for ever.
        marks: folder where runs are marked; default the folder `polls` of the lake.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened, logger = Lake(lake), get_run_logger()
    async with client_of_flow() as client:
        poller = Poller(
            client=client,
            lake=opened,
            marks=Path(marks) if marks else opened.path / MARKS,
            watch=Watch(tickers=tickers or (), series=series or (), most_active=most_active),
            pace=Pace(
                every_s=parse_duration(every).total_seconds(),
                for_s=None if hours is None else hours * 3_600,
            ),
            tell=logger.info,
        )
        await poller.run(asyncio.Event())
    return summary(poller)
