"""`tapehouse backtest compare`: why two results differ, or a result from what really happened."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from backtest.cli_options import Json
from exchange.errors import BadInput


def compare(
    run: Annotated[Path, typer.Argument(help="A folder of results, or its CONFIG.toml.", metavar="RUN")],
    other: Annotated[Path | None, typer.Argument(help="Another one.", metavar="OTHER")] = None,
    fills: Annotated[
        list[Path] | None,
        typer.Option(
            "--fills",
            help="Instead of OTHER, your own fills, CSV or JSON; may be given again.",
            metavar="FILE",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="Of a sweep, the row to take; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="With --fills: from this UTC date or time on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="With --fills: before this UTC date or time.")
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(
            "--lake", help="With --fills: a lake that knows payouts of markets the run did not trade."
        ),
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Say why another result, or your own account, made more or less than a run, to the micro-dollar.

    Contracts meet one by one: the first that one side bought in a market meets the first of the other. What
    differs is the sum of its causes: price, fee, payout (or mark), and what only one of them has. Then what
    differs in orders and manifests. Beside an account, markets and times count that both cover; the rest is
    named.

    Exits 0 when every contract has its like to the micro-dollar, 1 when some do not, 2 when something cannot
    be read or compared.
    """
    from backtest.comparing import compare as compare_results
    from warehouse import Lake
    from warehouse.errors import NoLake

    opened = None if lake is None else Lake(lake)
    if opened is not None and not opened.exists():
        raise NoLake.at(opened.uri)
    found = compare_results(
        _folder(run),
        None if other is None else _folder(other),
        fills=fills,
        lake=opened,
        start=start,
        end=end,
        params=dict(_param(each) for each in param or []),
    )
    if as_json:
        frames = {name: getattr(found, name).to_dicts() for name in _FRAMES}
        typer.echo(json.dumps({"is_equal": found.is_equal} | frames, default=str))
    else:
        from backtest.printing import print_comparison

        print_comparison(found)
    if not found.is_equal:
        raise typer.Exit(1)


_FRAMES = ("summary", "causes", "contracts", "manifest", "left_out")


def _folder(path: Path) -> Path:
    from backtest.config import read_config

    return read_config(path).out if path.suffix == ".toml" else path


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInput(f"--param {text!r}: write NAME=VALUE, such as min_edge=0.02")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value
