"""The files of an export: Parquet as declared, CSV in friendly units, or one DuckDB file with views.

PARQUET: `trades/2026-05-13.parquet` for each day, `markets.parquet` for what lies in one piece; the declared
columns, integers in centicents and hundredths, sorted as declared. This is what can be imported again.
CSV: the views in dollars and contracts, exact decimals, UTC times as RFC 3339, lists as JSON.
DUCKDB: native tables `raw.*`, and the same views, macros and comments as the catalog of a lake.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
import pyarrow.parquet as pq

from warehouse.catalog import STORAGE_VERSION, build
from warehouse.exporting_manifest import ExportedFile, described
from warehouse.exporting_selection import Selection
from warehouse.layout import DATE, arrow_schema, arrow_writer
from warehouse.progress import Progress, silent
from warehouse.storage import TableFiles
from warehouse.tables import BOOK_SNAPSHOTS, EVENTS, MARKETS, Table

DUCKDB_FILE: Final = "tapehouse.duckdb"
_MEMORY: Final = "2GB"
_SPILL: Final = ".spill"
_VIEWS: Final = {BOOK_SNAPSHOTS.name: "book_levels"}
_ORDERS: Final = {"book_levels": ("ticker", "captured_ts", "session", "side", "price")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is written where: `versions` are the files that the rows come from, for `_snapshot`."""

    folder: Path
    selection: Selection
    tables: Sequence[Table]
    made_ts: datetime
    versions: Mapping[str, TableFiles | None] = field(default_factory=dict)
    is_gzip: bool = False
    progress: Progress = silent

    def days(self) -> Iterator[tuple[Table, date | None]]:
        """Yield every table with every day that it may have rows of, and tell how far that is."""
        for table in self.tables:
            days = self.selection.days(table)
            for number, day in enumerate(days):
                self.progress(f"export {table.name}", number, len(days))
                yield table, day
            self.progress(f"export {table.name}", len(days), len(days))


def write_parquet(job: Job) -> list[ExportedFile]:
    """Write Parquet files, one a day; a day without rows has none."""
    written: list[ExportedFile] = []
    for table, day in job.days():
        path = _path(job.folder, table.name, day, "parquet")
        n_rows = _one_parquet(path, table, job.selection.parts(table, day))
        if n_rows:
            written.append(described(job.folder, path, table.name, n_rows))
    return written


def write_csv(job: Job) -> list[ExportedFile]:
    """Write CSV files of the views, one a day; a day without rows has none."""
    written: list[ExportedFile] = []
    with _database(job, ":memory:") as connection:
        if MARKETS in job.tables and EVENTS not in job.tables:
            _load(connection, EVENTS, None, job.selection)  # they tell the markets' series
        for table, day in job.days():
            if not _load(connection, table, day, job.selection):
                continue
            view = _VIEWS.get(table.name, table.name)
            path = _path(job.folder, view, day, "csv.gz" if job.is_gzip else "csv")
            n_rows = _one_csv(connection, view, _ORDERS.get(view, table.sort), path)
            written.append(described(job.folder, path, table.name, n_rows))
            if table is not EVENTS:
                connection.execute(f"delete from raw.{table.name}")
    return written


def write_duckdb(job: Job) -> list[ExportedFile]:
    """Write one DuckDB file that needs no other file."""
    path = job.folder / DUCKDB_FILE
    n_rows = 0
    with _database(job, str(path)) as connection:
        for table, day in job.days():
            n_rows += _load(connection, table, day, job.selection)
        connection.execute("checkpoint")
    return [described(job.folder, path, "*", n_rows)] if n_rows else []


def _path(folder: Path, name: str, day: date | None, ending: str) -> Path:
    path = folder / f"{name}.{ending}" if day is None else folder / name / f"{day.isoformat()}.{ending}"
    path.parent.mkdir(exist_ok=True)
    return path


def _one_parquet(path: Path, table: Table, parts: Iterator[pl.DataFrame]) -> int:
    schema = arrow_schema(table, is_packed=False)
    if table.partition_by:
        schema = schema.remove(schema.get_field_index(DATE))
    n_rows = 0
    writer: pq.ParquetWriter | None = None
    try:
        for rows in parts:
            writer = writer or pq.ParquetWriter(path, schema, **arrow_writer(table))
            writer.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema))
            n_rows += rows.height
    finally:
        if writer is not None:
            writer.close()
    return n_rows


@contextmanager
def _database(job: Job, name: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database with the tables, views and macros of a catalog; it spills beside the files."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "temp_directory": str(job.folder / _SPILL),
    }
    if name != ":memory:":
        config["storage_compatibility_version"] = STORAGE_VERSION
    connection = duckdb.connect(name, config=config)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("begin")
        build(connection, job.versions, "an export", published_ts=job.made_ts, is_native=True)
        connection.execute("commit")
        yield connection
    finally:
        connection.close()


def _load(connection: duckdb.DuckDBPyConnection, table: Table, day: date | None, selection: Selection) -> int:
    n_rows = 0
    for rows in selection.parts(table, day):
        dated = rows if day is None else rows.with_columns(pl.lit(day).alias(DATE))
        connection.register("_part", dated.to_arrow(compat_level=pl.CompatLevel.oldest()))
        connection.execute(f"insert into raw.{table.name} by name select * from _part")
        connection.unregister("_part")
        n_rows += rows.height
    return n_rows


def _one_csv(connection: duckdb.DuckDBPyConnection, view: str, order: Sequence[str], path: Path) -> int:
    described_view = connection.execute(f"describe {view}").fetchall()
    columns = ", ".join(f"{_as_text(name, kind)} as {name}" for name, kind, *_ in described_view)
    names = {name for name, *_ in described_view}
    ordered = ", ".join(f"v.{each}" for each in order if each in names)
    codec = "gzip" if path.suffix == ".gz" else "uncompressed"
    counted = connection.execute(
        f"copy (select {columns} from {view} v order by {ordered}) "
        f"to '{str(path).replace(chr(39), chr(39) * 2)}' (format csv, header, compression {codec})"
    ).fetchall()
    return int(counted[0][0])


def _as_text(name: str, kind: str) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(v.{name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.endswith("]") or kind.startswith("STRUCT"):
        return f"cast(to_json(v.{name}) as varchar)"
    return f"v.{name}"
