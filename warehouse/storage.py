"""How the tables of a lake are opened, listed and read: exactly the files of one version, and whole ones."""

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType

from warehouse import logs
from warehouse.errors import CorruptFile, NoSuchVersion
from warehouse.layout import stored_schema, told
from warehouse.place import Place, first_line
from warehouse.tables import TABLES, Table

EVOLVED: Final = "tapehouse.evolved"  # a table's property: some of its files lack columns of others

_PARQUET_MAGIC: Final = b"PAR1"
_BINARY: Final = PrimitiveType("binary")
_ENTRY: Final = re.compile(r"([0-9]{20})\.json")

# Which entry of each log was the last when somebody looked; where to look from, and no more than that.
_last_numbers: dict[str, int] = {}


@dataclass(frozen=True, slots=True, eq=False)
class TableFiles:
    """The exact files of one version; `files` has path, n_bytes, n_rows and date (or null), in order of date.

    first_source and last_source bound the names of their sources where the log tells (warehouse.choosing).
    A log that has not moved gives the same object again: what was learnt of it may be remembered by it.
    `is_packed` says whether ids lie in them as binary (warehouse.packing), `is_evolved` whether some may lack
    columns that others have, `lacks` which columns none of them has: an earlier Tapehouse wrote them all.
    """

    version: int
    files: pl.DataFrame
    is_packed: bool = True
    is_evolved: bool = False
    lacks: frozenset[str] = frozenset()

    def between(self, first: date | None, last: date | None) -> "TableFiles":
        """Keep files of dates `first`..`last`, both included; files without a date always stay."""
        dates = self.files["date"]
        if dates.null_count():
            return self
        sorted_dates = dates.to_list()  # polars would start an engine for each of the two
        begin = 0 if first is None else bisect_left(sorted_dates, first)
        end = len(sorted_dates) if last is None else bisect_right(sorted_dates, last)
        return self.only(self.files.slice(begin, max(end - begin, 0)))

    def on(self, dates: pl.Series) -> "TableFiles":
        """Keep files of exactly these dates."""
        return self.only(self.files.join(dates.to_frame("date"), on="date", how="semi"))

    def only(self, files: pl.DataFrame) -> "TableFiles":
        """Keep these of the files."""
        return replace(self, files=files)

    @property
    def paths(self) -> list[str]:
        """Addresses of the files, oldest date first."""
        return self.files["path"].to_list()


def open_table(at: Place, table: Table, *, version: int | None = None) -> DeltaTable | None:
    """Open a table at its newest or at a pinned version; None when it does not exist yet.

    Raises:
        NoSuchVersion: the pinned version is not in the log.
        CorruptFile: the log cannot be read.
        LakeTooNew: it has features that would be misread.
    """
    uri = at.of(table)
    if at.is_local and not logs.is_there(Path(uri)):
        if version is not None:
            raise NoSuchVersion(f"{uri}: the table does not exist, so it has no version {version}")
        return None
    try:
        if at.is_local:
            logs.check_entries(Path(uri))
        delta = DeltaTable(uri, storage_options=dict(at.options) or None)
        if version is not None and not 0 <= version <= delta.version():
            raise NoSuchVersion(f"{uri}: no version {version}; the newest is {delta.version()}")
        if version is not None and version != delta.version():
            delta.load_as_version(version)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise logs.misread(uri, error, is_local=at.is_local) from error
    logs.check_reader(uri, delta)
    return delta


def writable_table(at: Place, table: Table) -> DeltaTable | None:
    """Open a table's newest version to write on top of it; errors as in `open_table`.

    Raises:
        LakeTooNew: it has rules for writers that we do not know.
    """
    delta = open_table(at, table)
    if delta is not None:
        logs.check_writer(at.of(table), delta)
    return delta


def listed(at: Place, table: Table, *, version: int | None = None) -> TableFiles | None:
    """List the files of the newest or a pinned version; a log that has not moved is not read again.

    None when the table does not exist yet. Raises as `open_table` does.
    """
    newest = _newest_entry(f"{at.of(table)}/_delta_log") if at.is_local else None
    if newest is not None and table.name in TABLES:
        return _listed(at.uri, table.name, version, newest)
    delta = open_table(at, table, version=version)
    return None if delta is None else files_of(at, table, delta)


def files_of(at: Place, table: Table, delta: DeltaTable) -> TableFiles:
    """List the files of an opened table, by date."""
    adds = pl.DataFrame(delta.get_add_actions(flatten=True))
    dated = pl.col("partition.date") if "partition.date" in adds.columns else pl.lit(None, dtype=pl.Date)
    files = adds.select(
        path=pl.lit(f"{at.of(table)}/") + pl.col("path"),
        n_bytes=pl.col("size_bytes").cast(pl.Int64),
        n_rows=pl.col("num_records").cast(pl.Int64),
        date=dated.cast(pl.Date),
        first_source=_bound(adds, "min.source"),
        last_source=_bound(adds, "max.source"),
    )
    return TableFiles(
        delta.version(),
        files.sort("date", "path"),
        is_packed=has_packed(delta, table),
        is_evolved=EVOLVED in delta.metadata().configuration,
        lacks=frozenset(table.columns) - {each.name for each in delta.schema().fields},
    )


def _bound(adds: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if name in adds.columns else pl.lit(None, dtype=pl.String)


def has_packed(delta: DeltaTable, table: Table) -> bool:
    """Tell whether a table's files keep its ids as binary; those of an earlier Tapehouse do not."""
    return all(each.type == _BINARY for each in delta.schema().fields if each.name in table.packed)


def check_files(at: Place, files: TableFiles) -> None:
    """Refuse files that are gone, cut short or not Parquet; polars would read an empty one as no rows.

    Raises:
        CorruptFile: names the first such file.
    """
    if not at.is_local:
        return
    for path, n_bytes in zip(files.paths, files.files["n_bytes"].to_list(), strict=True):
        try:
            with Path(path).open("rb") as stream:
                head = stream.read(4)
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(size - 4, 0))
                tail = stream.read(4)
        except OSError as error:
            raise CorruptFile(f"{path}: {error.strerror or error}; restore the file from a copy") from error
        if size != n_bytes:
            raise CorruptFile(
                f"{path}: has {size} bytes where the log says {n_bytes}; restore the file from a copy"
            )
        if head != _PARQUET_MAGIC or tail != _PARQUET_MAGIC:
            raise CorruptFile(f"{path}: is not a Parquet file any more; restore the file from a copy")


def scan_files(at: Place, table: Table, files: TableFiles) -> pl.LazyFrame:
    """Read exactly these files lazily, with the declared columns and dtypes only."""
    return told(table, scan_stored(at, table, files), is_packed=files.is_packed)


def scan_stored(at: Place, table: Table, files: TableFiles) -> pl.LazyFrame:
    """Read exactly these files lazily, with ids as they lie there."""
    schema = stored_schema(table, is_packed=files.is_packed)
    if not files.paths:
        return pl.LazyFrame(schema=schema)
    return pl.scan_parquet(
        files.paths,
        schema=schema,
        hive_partitioning=False,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        storage_options=dict(at.options) or None,
    )


def collected(rows: pl.LazyFrame, where: str) -> pl.DataFrame:
    """Collect rows of a lake; damage inside a file that looked whole is an error in our words.

    Raises:
        CorruptFile: polars cannot decode a file.
    """
    with _readable(where):
        return rows.collect()


def batches(rows: pl.LazyFrame, where: str, *, n_rows: int = 500_000) -> Iterator[pl.DataFrame]:
    """Collect rows of a lake in their order, so many at a time: they are never all in memory.

    Raises:
        CorruptFile: polars cannot decode a file.
    """
    with _readable(where):
        yield from rows.collect_batches(chunk_size=n_rows)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        raise CorruptFile(
            f"{where}: a data file cannot be read ({first_line(error)}); `tapehouse warehouse verify` names "
            "it, restore it from a copy"
        ) from error


@lru_cache(maxsize=128)
def _listed(
    uri: str,
    name: str,
    version: int | None,
    newest: tuple[int, int, int, int],  # noqa: ARG001 - what tells one state of the log from the next
) -> TableFiles | None:
    at, table = Place(uri, {}), TABLES[name]
    delta = open_table(at, table, version=version)
    return None if delta is None else files_of(at, table, delta)


def _newest_entry(log: str) -> tuple[int, int, int, int] | None:
    """Return number, inode, time and size of the last entry of a log; None when it has none.

    Entries are added one by one and the last one is never removed, so it is looked for from the one that was
    the last before: a recorder adds half a million in a year, which nobody should list for every reading.
    """
    number = _last_numbers.get(log)
    found = None if number is None else _entry(log, number)
    if number is None or found is None:  # not seen yet, or the lake was made anew
        number = _last_listed(log)
        found = None if number is None else _entry(log, number)
        if number is None or found is None:
            return None
    while (later := _entry(log, number + 1)) is not None:
        number, found = number + 1, later
    _last_numbers[log] = number
    return number, found.st_ino, found.st_mtime_ns, found.st_size


def _entry(log: str, number: int) -> os.stat_result | None:
    try:
        return os.stat(f"{log}/{number:020}.json")  # noqa: PTH116 - a Path would cost as much again
    except OSError:
        return None


def _last_listed(log: str) -> int | None:
    try:
        names = os.listdir(log)  # noqa: PTH208 - 10 times faster
    except OSError:
        return None
    return max((int(found[1]) for name in names if (found := _ENTRY.fullmatch(name))), default=None)
