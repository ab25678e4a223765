"""`tapehouse warehouse compact` and `vacuum`: few sorted files instead of many, and no old ones for ever."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import polars as pl
import typer

from exchange.units import format_ts
from warehouse.compacting import Compacted
from warehouse.errors import NoLake, UnknownTable
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.progress import terminal_progress
from warehouse.tables import TABLES, Table
from warehouse.vacuuming import KEEP_DAYS

TableOption = Annotated[
    list[str] | None, typer.Option("--table", help="Only this table; may be given again. Default: all.")
]
_MB: Final = 1e6


def compact(
    *,
    table: TableOption = None,
    today: Annotated[
        bool, typer.Option("--today", help="Also days that still grow: today and yesterday in UTC.")
    ] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rewrite days that lie in many small files as few sorted ones, beside writers and readers.

    Rows do not change. Earlier versions and open readers keep the files they name, until `vacuum`.
    """
    opened, tables = _opened(lake), named(table)
    with terminal_progress() as progress:
        done = opened.compact(tables, before=None if today else _yesterday(), progress=progress)
    if opened.place.is_local and any(each.n_partitions for each in done):
        opened.publish()
    if as_json:
        typer.echo(json.dumps({"tables": [asdict(each) for each in done]}))
        return
    for each in done:
        if each.n_partitions or each.n_busy:
            typer.echo(_compacted(each))
    if not any(each.n_partitions or each.n_busy for each in done):
        typer.echo("nothing to compact: every day has as few files as it needs")


def vacuum(
    *,
    table: TableOption = None,
    keep_days: Annotated[
        int, typer.Option("--keep-days", help="Keep what versions of so many days name; at least 1.")
    ] = KEEP_DAYS,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete files that compaction replaced long ago, and those of killed writers.

    What the published catalog names is kept, and what is younger than a day. A backtest that pins versions
    older than --keep-days can not be repeated afterwards.
    """
    done = _opened(lake).vacuum(named(table), keep_days=keep_days)
    if as_json:
        typer.echo(json.dumps({"keep_days": keep_days, "tables": [asdict(each) for each in done]}))
        return
    n_replaced, n_orphans = sum(each.n_replaced for each in done), sum(each.n_orphans for each in done)
    n_bytes = sum(each.n_bytes for each in done)
    typer.echo(
        f"deleted {n_replaced} files replaced over {keep_days} days ago, {n_orphans} of killed writers: "
        f"{n_bytes / _MB:,.1f} MB"
    )


def history(
    *,
    table: TableOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many versions.")] = 50,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List versions of the tables, the newest first: when each was made, and by what.

    `tapehouse warehouse sql --at TIME` asks the lake as it stood then.
    """
    found = _opened(lake).history(*named(table))
    shown = found.head(limit)
    if as_json:
        rows = shown.with_columns(pl.col("committed_ts").dt.to_string("iso:strict")).to_dicts()
        typer.echo(json.dumps({"n_versions": found.height, "versions": rows}))
        return
    for name, version, committed_ts, change, n_files, n_rows in shown.iter_rows():
        added = "" if n_rows is None else f", {n_rows:,} rows in {n_files} files"
        typer.echo(f"{format_ts(committed_ts)}  {name} {version}: {change}{added}")
    if found.height > limit:
        typer.echo(f"{found.height - limit} earlier ones: give a larger --limit", err=True)


def _opened(lake: str | None) -> Lake:
    opened = Lake(lake)
    if not opened.exists():
        raise NoLake.at(opened.uri)
    return opened


def named(names: Sequence[str] | None) -> list[Table]:
    """Return the tables of these names, or all."""
    for each in names or ():
        if each not in TABLES:
            raise UnknownTable(each, TABLES, where="the lake")
    return [TABLES[each] for each in names or TABLES]


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _compacted(done: Compacted) -> str:
    busy = f"; {done.n_busy} left to another compaction" if done.n_busy else ""
    return (
        f"{done.table}: {done.n_partitions} days, {done.n_files_before} files -> {done.n_files_after}, "
        f"{done.n_bytes_before / _MB:,.1f} -> {done.n_bytes_after / _MB:,.1f} MB, {done.n_rows:,} rows{busy}"
    )
