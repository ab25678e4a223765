"""`tapehouse warehouse check`: does the lake agree with itself and with what the exchange tells?"""

import json
from typing import Annotated

import typer

from warehouse.checks.running import EXAMPLES, run_checks
from warehouse.checks.telling import HEADER, as_json, as_lines, as_rows, summary
from warehouse.errors import ChecksFailed
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.progress import terminal_progress
from warehouse.screen import print_table


def check(
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this check; may be given again. Default: all.")
    ] = None,
    no_keep: Annotated[
        bool, typer.Option("--no-keep", help="Leave no trace: the next check compares with an earlier one.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take days that lost or changed rows as they are, from now on.")
    ] = False,
    examples: Annotated[
        int, typer.Option("--examples", min=1, help="How many flagged things of each check to name.")
    ] = EXAMPLES,
    lake: LakeOption = None,
    as_json_: JsonOption = False,
) -> None:
    """Hold the lake against itself: trades, volumes, candles, results, windows, days.

    Ends with code 1 when a check fails. What is found is kept in the tables `checks` and `day_digests`;
    docs/checks.md says what each check is.
    """
    with terminal_progress() as progress:
        report = run_checks(
            Lake(lake),
            only or (),
            keep=not no_keep,
            accept=accept,
            n_examples=examples,
            progress=progress,
        )
    if as_json_:
        typer.echo(json.dumps(as_json(report)))
    else:
        print_table(HEADER, as_rows(report), right=(1, 3))
        for line in as_lines(report):
            typer.echo(line)
        typer.echo(f"\n{summary(report)}")
    if report.failed:
        raise ChecksFailed(
            f"{report.lake}: {', '.join(each.check.name for each in report.failed)} failed; "
            "docs/checks.md says what each one means"
        )
