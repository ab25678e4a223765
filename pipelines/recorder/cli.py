"""`tapehouse books`: order books, as they happen."""

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange.units import parse_duration
from pipelines.client import Client
from pipelines.ingest.cli import JsonOption, LakeOption
from pipelines.ingest.errors import BadRequest
from pipelines.recorder.fleet import PER_CONNECTION
from pipelines.recorder.recording import Pace, Recorder, State
from pipelines.recorder.shard import BOOKS, CHANNELS, Habits
from pipelines.recorder.watching import Watch
from warehouse.lake import Lake

FRAMES: Final = "frames"
_ALL: Final = ",".join(CHANNELS)

app = typer.Typer(name="books", help="Record order books as they happen.", no_args_is_help=True)


@app.callback()
def _books() -> None:
    """Keep `record` a command of its own."""


@app.command("record")
def record(
    *,
    ticker: Annotated[list[str] | None, typer.Option(help="Watch this market; may be repeated.")] = None,
    series: Annotated[
        list[str] | None, typer.Option(help="Watch what is open of this series; may be repeated.")
    ] = None,
    most_active: Annotated[int, typer.Option(help="Watch so many markets with most 24-hour volume.")] = 0,
    channels: Annotated[str, typer.Option(help="What to subscribe, with commas between.")] = _ALL,
    for_: Annotated[
        str | None, typer.Option("--for", help="Stop after this time, such as 10m; default never.")
    ] = None,
    frames: Annotated[
        Path | None, typer.Option(help="Folder for raw frames; default LAKE/frames.", show_default=False)
    ] = None,
    every: Annotated[str, typer.Option(help="How often frames become rows of the lake.")] = "1m",
    relist: Annotated[str, typer.Option(help="How often to look for markets that opened or closed.")] = "1m",
    state: Annotated[str, typer.Option(help="How often to say on stderr where it stands.")] = "10s",
    silence: Annotated[
        str, typer.Option(help="Renew a connection that says nothing for so long, though asked.")
    ] = "1m",
    per_connection: Annotated[int, typer.Option(help="Markets a connection carries.")] = PER_CONNECTION,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record order books, quotes and trades from the WebSocket: raw frames first, rows second.

    Needs a key. Raw frames go to disk within about a second; rows follow. Killed at any instant, start it
    again: it finishes what the last run left, and whatever was lost is in book_gaps. Ctrl-C or SIGTERM end it
    in order. `tapehouse import ws FOLDER` reads the frames again, into any lake.
    """
    into = Lake(lake)
    if frames is None and not into.place.is_local:
        raise BadRequest(f"{into.uri}: raw frames need a folder on this machine: name one with --frames")
    recorder = Recorder(
        client=Client(),
        lake=into,
        frames=frames or into.path / FRAMES,
        watch=Watch(
            tickers=ticker or (), series=series or (), most_active=_at_least("--most-active", most_active, 0)
        ),
        pace=Pace(
            commit_s=_seconds(every),
            relist_s=_seconds(relist),
            state_s=_seconds(state),
            for_s=None if for_ is None else _seconds(for_),
        ),
        habits=Habits(channels=_channels(channels), silence_s=_seconds(silence)),
        per_connection=_at_least("--per-connection", per_connection, 1),
        tell=_say,
    )
    folder = asyncio.run(_until_signalled(recorder))
    told: dict[str, Any] = {"frames": str(folder), **recorder.tally.as_json(), "tables": {}}
    told["tables"] = recorder.receipt.as_json()["tables"]
    if as_json:
        typer.echo(json.dumps(told))
        return
    tally = recorder.tally
    typer.echo(f"{tally.n_frames:,} frames in {folder}")
    for table, counts in recorder.receipt.tables.items():
        typer.echo(f"  {table}: {counts.n_new:,} new, {counts.n_known:,} known")


async def _until_signalled(recorder: Recorder) -> Path:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    async with recorder.client:
        return await recorder.run(stop)


def _say(state: State) -> None:
    typer.echo(str(state), err=True)


def _seconds(text: str) -> float:
    return parse_duration(text) / timedelta(seconds=1)


def _at_least(name: str, value: int, least: int) -> int:
    if value < least:
        raise BadRequest(f"{name} {value}: give {least} or more")
    return value


def _channels(text: str) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if unknown := [each for each in named if each not in CHANNELS]:
        raise BadRequest(f"--channels {unknown[0]}: there are {', '.join(CHANNELS)}")
    if BOOKS not in named:
        raise BadRequest(f"--channels {text}: {BOOKS} must be among them, it is what is recorded")
    return named
