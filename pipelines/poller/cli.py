"""`tapehouse books poll`: whole order books over REST."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pipelines.client import Client
from pipelines.ingest.cli import JsonOption, LakeOption
from pipelines.ingest.errors import BadRequest
from pipelines.poller.polling import Pace, Poller
from pipelines.recorder.cli import app
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
from pipelines.recorder.watching import Watch
from warehouse.lake import Lake

__all__ = ["MARKS", "app", "poll", "summary"]

MARKS: Final = "polls"


@app.command("poll")
def poll(
    *,
    ticker: TickerOption = None,
    series: SeriesOption = None,
    most_active: MostActiveOption = 0,
    every: Annotated[str, typer.Option(help="How often to ask for all books.")] = "1m",
    for_: ForOption = None,
    relist: RelistOption = "1m",
    commit: Annotated[str, typer.Option(help="How often what came goes into the lake.")] = "10s",
    state: StateOption = "1m",
    marks: Annotated[
        Path | None,
        typer.Option(help="Folder where runs are marked; default LAKE/polls.", show_default=False),
    ] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for whole order books over REST, every so often: no key needed, and many markets at once.

    A book is one instant; what happened between two of them nobody knows. Says first what a round costs, and
    whether the budget bears it. Polls that fail are in book_gaps. Killed at any instant, start it again: at
    most the round under way and those of the last ten seconds (--commit) are lost, and the gap is declared.
    Ctrl-C or SIGTERM end it in order.
    """
    into = Lake(lake)
    if marks is None and not into.place.is_local:
        raise BadRequest(f"{into.uri}: runs are marked in a folder on this machine: name one with --marks")
    poller = Poller(
        client=Client(),
        lake=into,
        marks=marks or into.path / MARKS,
        watch=Watch(
            tickers=ticker or (), series=series or (), most_active=at_least("--most-active", most_active, 0)
        ),
        pace=Pace(
            every_s=seconds("--every", every),
            relist_s=seconds("--relist", relist),
            commit_s=seconds("--commit", commit),
            state_s=seconds("--state", state),
            for_s=None if for_ is None else seconds("--for", for_),
        ),
        tell=_say,
    )
    asyncio.run(until_signalled(poller.client, poller.run))
    told = summary(poller)
    if as_json:
        typer.echo(json.dumps(told))
        return
    tally = poller.tally
    typer.echo(f"{tally.n_books:,} books in {tally.n_rounds:,} rounds, {tally.n_missed:,} missed")
    tell_tables(poller.receipt)


def summary(poller: Poller) -> dict[str, Any]:
    """Return what a run came to as plain values."""
    cost = poller.cost
    return {
        **poller.tally.as_json(),
        "every_s": poller.pace.every_s,
        "tokens_a_round": None if cost is None else cost.tokens,
        "fits_budget": None if cost is None else cost.fits,
        "tables": poller.receipt.as_json()["tables"],
    }


def _say(text: str) -> None:
    typer.echo(text, err=True)
