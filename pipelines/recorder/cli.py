"""`tapehouse books`: order books, as they happen."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pipelines.client import Client
from pipelines.ingest.cli import JsonOption, LakeOption
from pipelines.ingest.errors import BadRequest
from pipelines.recorder.bringing import Apart
from pipelines.recorder.fleet import PER_CONNECTION
from pipelines.recorder.options import (
    ForOption,
    MostActiveOption,
    RelistOption,
    SeriesOption,
    StateOption,
    TickerOption,
    at_least,
    seconds,
    tell_tables,
    until_signalled,
)
from pipelines.recorder.recording import Pace, Recorder, State
from pipelines.recorder.shard import BOOKS, CHANNELS, Habits
from pipelines.recorder.watching import Watch
from warehouse import ladder_cli
from warehouse.lake import Lake

FRAMES: Final = "frames"
_ALL: Final = ",".join(CHANNELS)

app = typer.Typer(name="books", help="Record order books, and look at them.", no_args_is_help=True)

app.command()(ladder_cli.show)


@app.command("record")
def record(
    *,
    ticker: TickerOption = None,
    series: SeriesOption = None,
    most_active: MostActiveOption = 0,
    channels: Annotated[str, typer.Option(help="What to subscribe, with commas between.")] = _ALL,
    for_: ForOption = None,
    frames: Annotated[
        Path | None, typer.Option(help="Folder for raw frames; default LAKE/frames.", show_default=False)
    ] = None,
    every: Annotated[str, typer.Option(help="How often frames become rows of the lake.")] = "1m",
    relist: RelistOption = "1m",
    state: StateOption = "10s",
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
    apart = Apart()
    recorder = Recorder(
        client=Client(),
        lake=into,
        frames=frames or into.path / FRAMES,
        watch=Watch(
            tickers=ticker or (), series=series or (), most_active=at_least("--most-active", most_active, 0)
        ),
        pace=Pace(
            commit_s=seconds("--every", every),
            relist_s=seconds("--relist", relist),
            state_s=seconds("--state", state),
            for_s=None if for_ is None else seconds("--for", for_),
        ),
        habits=Habits(channels=_channels(channels), silence_s=seconds("--silence", silence)),
        per_connection=at_least("--per-connection", per_connection, 1),
        bring=apart,
        tell=_say,
    )
    with apart:
        folder = asyncio.run(until_signalled(recorder.client, recorder.run))
    told: dict[str, Any] = {"frames": str(folder), **recorder.tally.as_json(), "tables": {}}
    told["tables"] = recorder.receipt.as_json()["tables"]
    if as_json:
        typer.echo(json.dumps(told))
        return
    tally = recorder.tally
    typer.echo(f"{tally.n_frames:,} frames in {folder}")
    tell_tables(recorder.receipt)


def _say(state: State) -> None:
    typer.echo(str(state), err=True)


def _channels(text: str) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if unknown := [each for each in named if each not in CHANNELS]:
        raise BadRequest(f"--channels {unknown[0]}: there are {', '.join(CHANNELS)}")
    if BOOKS not in named:
        raise BadRequest(f"--channels {text}: {BOOKS} must be among them, it is what is recorded")
    return named
