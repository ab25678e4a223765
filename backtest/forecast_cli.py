"""`tapehouse backtest forecast`: score a file of probabilities against what came, and against the market."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from backtest.cli_options import Json, LakeAt


def forecast(
    file: Annotated[
        Path, typer.Argument(help="Parquet or CSV with ticker, known_ts and prob (of YES).", metavar="FILE")
    ],
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", help="How long a quote counts without a next one, such as 1h."),
    ] = None,
    lake: LakeAt = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Score a forecast, and the middle between bid and ask that was known at the same instants.

    First the Brier score and the log loss of both (less is better), averaged over events, and what the
    forecast has more; its 95 % interval draws whole UTC days. Then how often what each called so likely came
    to pass, by tenths of probability. Last, what could not be scored: where the market had no middle, or the
    outcome is not known, neither is scored.

    Exits 0 when done, 2 when the file or the lake cannot be used, or nothing can be scored.
    """
    from backtest.scores import score_forecast
    from warehouse import Lake
    from warehouse.errors import NoLake

    opened = Lake(lake)
    if not opened.exists():
        raise NoLake.at(opened.uri)
    scores = score_forecast(file, opened, max_age=max_age)
    if as_json:
        told = {each.name: getattr(scores, each.name).to_dicts() for each in fields(scores)}
        typer.echo(json.dumps(told, default=str))
        return
    from backtest.printing import print_scores

    print_scores(scores)
