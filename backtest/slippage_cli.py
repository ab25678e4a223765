"""`tapehouse backtest slippage`: measure what trading costs, and say it as a configuration does."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from backtest.cli_options import Json, LakeAt


def slippage(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Your own fills, CSV or JSON, instead of recorded books.", metavar="[FILE…]"),
    ] = None,
    series: Annotated[str | None, typer.Option("--series", help="The markets of this series.")] = None,
    ticker: Annotated[
        list[str] | None, typer.Option("--ticker", help="This market; may be given again.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="From this UTC date or time on.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Before this UTC date or time.")] = None,
    every: Annotated[str, typer.Option("--every", help="From one book to the next.")] = "10s",
    impact: Annotated[
        str | None, typer.Option("--impact", help="linear or sqrt; by default the better one.")
    ] = None,
    lake: LakeAt = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Measure half-spreads and impact in recorded books, or in what your own orders paid.

    What it prints last is a line for a configuration: for fills = "trades", or "touch" without sizes.

    Exits 0 when done, 2 when there is nothing to measure.
    """
    from backtest.slippage_measured import calibrate_slippage
    from warehouse import Lake
    from warehouse.errors import NoLake

    opened = Lake(lake)
    if not opened.exists():
        raise NoLake.at(opened.uri)
    measured = calibrate_slippage(
        opened, series=series, tickers=ticker, start=start, end=end, every=every, fills=files, impact=impact
    )
    assert measured.fit is not None
    if as_json:
        told = {"slippage": measured.told, "explained_share": measured.explained_share}
        typer.echo(json.dumps(told | {"fit": measured.fit.to_dicts()}))
        return
    from backtest.printing import print_slippage

    print_slippage(measured)
    given = {name: value for name, value in measured.told.items() if value is not None}
    typer.echo(f"slippage = {_toml(given)}")


def _toml(value: Any) -> str:  # noqa: ANN401 -- of a manifest
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value)
