"""`tapehouse warehouse export` and `verify-export`: rows for others, whole and with a manifest."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from exchange.units import parse_when
from warehouse.exporting import KINDS, PARQUET, export
from warehouse.exporting_manifest import Manifest, verify_export
from warehouse.exporting_selection import EXPORTED, Asked
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.progress import terminal_progress

Target = Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)]
_MB = 1e6


def export_command(
    target: Target,
    *,
    table: Annotated[
        list[str] | None, typer.Option(help=f"Which tables, by commas or again: {', '.join(EXPORTED)}.")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Only this series, such as KXHIGHNY.")] = None,
    event: Annotated[str | None, typer.Option(help="Only this event.")] = None,
    ticker: Annotated[str | None, typer.Option(help="Only this market.")] = None,
    start: Annotated[
        str | None, typer.Option(help="First moment: a date (UTC midnight) or a time with a zone.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="The moment after the last.")] = None,
    kind: Annotated[str, typer.Option("--format", help=f"{', '.join(KINDS)}.")] = PARQUET,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress CSV files.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write market data to a new folder, with a manifest of versions and digests.

    Times choose trades, candles, quotes and books; series, events, markets and fees go along whole. The
    folder appears when all is in it. `tapehouse import export` reads the Parquet form into another lake.
    """
    asked = Asked(
        series=series,
        event=event,
        ticker=ticker,
        start_ts=None if start is None else parse_when(start),
        end_ts=None if end is None else parse_when(end),
    )
    names = [name.strip() for each in table or () for name in each.split(",") if name.strip()]
    with terminal_progress() as progress:
        manifest = export(
            Lake(lake),
            target,
            made_ts=datetime.now(UTC),
            asked=asked,
            tables=names,
            kind=kind,
            is_gzip=gzip,
            progress=progress,
        )
    _tell(manifest, target, "exported", as_json=as_json)


def verify_command(
    folder: Annotated[Path, typer.Argument(help="A folder that `export` made.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Compare every file of an export with its manifest: size and SHA-256."""
    with terminal_progress() as progress:
        manifest = verify_export(folder, progress)
    _tell(manifest, folder, "unchanged", as_json=as_json)


def _tell(manifest: Manifest, folder: Path, verb: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "n_rows": manifest.n_rows, **manifest.as_json()}))
        return
    n_mb = sum(each.n_bytes for each in manifest.files) / _MB
    typer.echo(
        f"{verb}: {folder}: {manifest.n_rows:,} rows in {len(manifest.files):,} {manifest.kind} files, "
        f"{n_mb:,.2f} MB"
    )
