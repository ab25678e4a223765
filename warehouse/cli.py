"""`tapehouse warehouse`: what is in the lake, questions in SQL, the catalog for analysts."""

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import duckdb
import typer

from warehouse import exporting_cli, upkeep_cli, verify_cli
from warehouse.catalog import in_memory
from warehouse.checks import cli as checks_cli
from warehouse.damage import check_footers
from warehouse.errors import DiskFull, LakeTooNew, LakeUnwritable, NoLake, QueryFailed
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.place import CATALOG_FILE
from warehouse.screen import print_table
from warehouse.showing import cell, plain
from warehouse.status import status as status_of

app = typer.Typer(
    name="warehouse",
    help="Look into the lake: what it holds, what was asked for, questions in SQL.",
    no_args_is_help=True,
)

app.command()(checks_cli.check)
app.command()(upkeep_cli.compact)
app.command()(upkeep_cli.vacuum)
app.command()(verify_cli.verify)
app.command("export")(exporting_cli.export_command)
app.command("verify-export")(exporting_cli.verify_command)
app.command()(upkeep_cli.history)

ROWS_SHOWN: Final = 100
_BATCH: Final = 10_000
_MISTAKES: Final = (duckdb.ParserException, duckdb.CatalogException)
_NEWER: Final = ("newer version of DuckDB", "Unsupported Storage Version")


@app.command()
def status(*, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Show tables, versions, sizes and times, and which windows were pulled, with holes and failures."""
    told = status_of(Lake(lake))
    if as_json:
        typer.echo(json.dumps(told, default=plain))
        return
    _show_tables(told)
    _show_coverage(told)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help='SQL over the views, such as "from trades limit 5".')],
    *,
    lake: LakeOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="Ask the lake as it stood then: a date, or a time with a zone.")
    ] = None,
) -> None:
    """Ask the published catalog; it is published first when there is none for this address yet.

    Examples: "from markets limit 5", "from ohlc('TICKER', interval 1 hour)", "from _snapshot". What could be
    known of markets at a time is markets_asof(TIME); --at is about the lake: what was in it then.
    """
    if not query.strip():
        raise QueryFailed('no query: say, for example, tapehouse warehouse sql "from trades limit 5"')
    try:
        opened = Lake(lake)
        with _catalog(opened, at) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(query)
            columns = [str(each[0]) for each in connection.description or []]
            _print_rows(columns, connection, as_json=as_json, as_csv=as_csv)
    except duckdb.Error as error:
        if not isinstance(error, _MISTAKES):
            check_footers(opened)
        raise QueryFailed(f"DuckDB: {_one_line(error)}") from error


@contextmanager
def _catalog(lake: Lake, at: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    if at is not None:
        if not lake.exists():
            raise NoLake.at(lake.uri)
        with in_memory(lake.at(at)) as connection:
            yield connection
        return
    path = lake.path / CATALOG_FILE
    is_ours = path.is_file() and _address(path) == lake.uri
    if not is_ours and not _is_published(lake):
        with in_memory(lake) as connection:
            yield connection
        return
    with duckdb.connect(str(path), read_only=True) as connection:
        _warn_if_old(connection, lake)
        yield connection


@app.command()
def publish(*, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Write warehouse.duckdb anew, for the newest version of every table; do so after moving a lake."""
    opened = Lake(lake)
    path = opened.publish()
    versions = opened.versions()
    if as_json:
        typer.echo(json.dumps({"catalog": str(path), "versions": versions}))
    else:
        typer.echo(
            f"published {path}: {', '.join(f'{name} {version}' for name, version in versions.items())}"
        )


def _print_rows(
    columns: Sequence[str], connection: duckdb.DuckDBPyConnection, *, as_json: bool, as_csv: bool
) -> None:
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        for rows in _batches(connection):
            writer.writerows([cell(each) for each in row] for row in rows)
    elif as_json:
        read = (row for rows in _batches(connection) for row in rows)
        found = [dict(zip(columns, map(_finite, row), strict=True)) for row in read]
        typer.echo(json.dumps({"columns": columns, "rows": found}, default=plain))
    else:
        rows = connection.fetchmany(ROWS_SHOWN + 1)
        print_table(columns, [[cell(each) for each in row] for row in rows[:ROWS_SHOWN]])
        if not rows and columns:
            typer.echo("no rows", err=True)
        if len(rows) > ROWS_SHOWN:
            typer.echo(f"only the first {ROWS_SHOWN} rows: add a limit, or --csv for all", err=True)


def _finite(value: object) -> object:
    """JSON knows no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _batches(connection: duckdb.DuckDBPyConnection) -> Iterator[list[Any]]:
    while rows := connection.fetchmany(_BATCH):
        yield rows


def _is_published(lake: Lake) -> bool:
    """Publish; a lake that cannot be written can still be asked."""
    try:
        lake.publish()
    except (DiskFull, LakeUnwritable):
        return False
    return True


def _address(catalog: Path) -> str | None:
    """Return where the lake lay when this catalog was published: a copied or moved lake needs its own."""
    try:
        with duckdb.connect(str(catalog), read_only=True) as connection:
            return str(connection.execute("select any_value(lake) from _snapshot").fetchall()[0][0])
    except duckdb.Error as error:
        if any(each in str(error) for each in _NEWER):
            raise LakeTooNew(
                f"{catalog}: a newer DuckDB wrote this catalog; upgrade Tapehouse, or write it anew with "
                "`tapehouse warehouse publish`"
            ) from error
        return None  # not one of ours, or damaged: publishing replaces it, or says why it cannot


def _warn_if_old(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    rows = connection.execute(
        "select table_name, version from _snapshot where version is not null"
    ).fetchall()
    if dict(rows) != lake.versions():
        typer.echo("the catalog is older than the lake: `tapehouse warehouse publish` renews it", err=True)


def _show_tables(told: dict[str, Any]) -> None:
    typer.echo(f"{told['lake']} (format {told['format']})")
    header = ["table", "version", "rows", "files", "MB", "from", "to"]
    rows = [
        [
            each["table"],
            "-" if each["version"] is None else str(each["version"]),
            f"{each['n_rows']:,}",
            f"{each['n_files']:,}",
            f"{each['n_bytes'] / 1e6:,.2f}",
            cell(each["first_ts"]),
            cell(each["last_ts"]),
        ]
        for each in told["tables"]
    ]
    print_table(header, rows, right=(1, 2, 3, 4))


def _show_coverage(told: dict[str, Any]) -> None:
    if not told["coverage"]:
        typer.echo("no windows were ever pulled; imports do not make any")
        return
    rows = [
        [
            each["resource"],
            each["scope"],
            cell(each["start_ts"]),
            cell(each["end_ts"]),
            "\n".join(f"{cell(hole['start_ts'])} .. {cell(hole['end_ts'])}" for hole in each["holes"])
            or "none",
            "\n".join(f"{cell(bad['start_ts'])}: {bad['reason']}" for bad in each["failed"]) or "none",
        ]
        for each in told["coverage"]
    ]
    print_table(["resource", "scope", "from", "to", "holes", "failed"], rows)


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    n_told = 3 if len(lines) > 1 and lines[1].endswith(":") else 2  # the candidates stand below their title
    return " ".join(lines[:n_told]) if lines else type(error).__name__
