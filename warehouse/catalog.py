"""The published catalog: a small DuckDB file whose views name the exact files of one version of each table.

Analysts open `LAKE/warehouse.duckdb` read-only from anywhere, with the plain DuckDB client. Paths in it are
absolute: a relative path would mean the reader's working directory. After moving a lake, publish again.
A new catalog replaces the old one by rename, so that readers keep the one they opened.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from warehouse import storage
from warehouse.errors import CorruptFile, NoLake
from warehouse.macros import MACROS
from warehouse.packing import sql_text
from warehouse.place import CATALOG_FILE, synced, unwritable
from warehouse.source_views import ALL_SENTENCE, spoken_select
from warehouse.storage import TableFiles
from warehouse.tables import TABLES, Table
from warehouse.views import VIEWS, raw_comments, sql_type

if TYPE_CHECKING:
    from warehouse.lake import Lake

# Clients from DuckDB 1.2 on can open it; the default of 2.0 locks out everything older (PLATFORM.md §1.3).
STORAGE_VERSION: Final = "v1.2.0"
_ABANDONED_S: Final = 3_600.0
# What DuckDB raises on a disk that is full or fails: while writing, committing, making a checkpoint.
_DISK_ERRORS: Final = (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)

_BLANK: Final[list[bytes]] = []  # the catalog of a lake without rows, once this process has made it

_SNAPSHOT_COMMENTS: Final = {
    "table_name": "Name of the table.",
    "version": "Its version in this catalog; empty while the table has never been written.",
    "n_rows": "Rows of that version.",
    "n_files": "Files of that version.",
    "published_ts": "When this catalog was published.",
    "lake": "Where the lake lay then; its views read the files there.",
}


def publish(lake: "Lake", *, published_ts: datetime) -> Path:
    """Write the catalog of the lake's newest versions and put it in place atomically; return its path.

    Raises:
        NoLake: nothing was ever committed here.
        LakeUnwritable, DiskFull: the folder refuses writing, or has no room; the old catalog stays.
        CorruptFile: a file of the lake is damaged; the old catalog stays.
    """
    if not lake.exists():
        raise NoLake.at(lake.uri)
    target = lake.path / CATALOG_FILE
    fresh = target.with_name(f".{CATALOG_FILE}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with _one_publisher(lake.path):
            # The ledger first, as in Lake.versions: a window that is complete has its rows.
            files = {name: lake.files(table) for name, table in reversed(TABLES.items())}
            for found in files.values():
                if found is not None:
                    storage.check_files(lake.place, found)
            _check_order(target, files, lake.uri)
            _write(fresh, files, lake.uri, published_ts)
            synced(fresh)
            fresh.replace(target)
            synced(lake.path)
    except (OSError, *_DISK_ERRORS) as error:
        raise unwritable(lake.place, error) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even to delete what is not there
            fresh.unlink(missing_ok=True)
            fresh.with_name(f"{fresh.name}.wal").unlink(missing_ok=True)
    return target


@contextmanager
def in_memory(lake: "Lake") -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield the catalog of a lake, pinned or not, without writing it anywhere.

    Raises:
        NeedsFolder: the lake lies in a bucket.
        CorruptFile: a log cannot be read, or a file is damaged or was vacuumed.
    """
    where = str(lake.path)
    files = {name: lake.files(table) for name, table in TABLES.items()}
    for found in files.values():
        if found is not None:
            storage.check_files(lake.place, found)
    with duckdb.connect() as connection:
        build(connection, files, where)
        yield connection


def build(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, TableFiles | None],
    lake: str,
    *,
    published_ts: datetime | None = None,
    is_native: bool = False,
) -> None:
    """Create schema raw, views, macros, `_snapshot` and all comments in an empty database.

    Native, `raw` has empty tables to be filled instead of views of the files.
    """
    build_raw(connection, files, lake, is_native=is_native)
    for table in TABLES.values():
        _comment_raw(connection, table, "table" if is_native else "view")
    for view in VIEWS:
        connection.execute(f"create view {view.name} as {view.sql}")
        _comment(connection, view.name, view.sentence, view.comments)
    _snapshot(connection, files, lake, published_ts)
    for macro in MACROS:
        kind = "table" if macro.is_table else ""
        connection.execute(f"create macro {macro.name}({macro.parameters}) as {kind} {macro.sql}")
        connection.execute(f"comment on macro {kind} {macro.name} is {_quoted(macro.sentence)}")


def build_raw(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, TableFiles | None],
    lake: str,
    *,
    is_native: bool = False,
) -> None:
    """Create schema raw alone, as `build` does, without comments."""
    connection.execute("create schema raw")
    for name, table in TABLES.items():
        _raw(connection, table, files.get(name), lake, is_native=is_native)


def _raw(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: TableFiles | None,
    lake: str,
    *,
    is_native: bool,
) -> None:
    """Create `raw.<table>`; where sources have ranks, also `raw.<table>_all` with what each of them told.

    They take the place of what the catalog has under these names.
    """
    name, kind = f"raw.{table.name}", "table" if is_native else "view"
    everything = read = _raw_select(table, None if is_native else files)
    if table.ranks and not is_native:
        read = spoken_select(connection, table, files, lake, _raw_select)
    connection.execute(f"create or replace {kind} {name} as {read}")
    if table.ranks:
        everything = f"select * from {name}" if is_native else everything
        connection.execute(f"create or replace view {name}_all as {everything}")


def _comment_raw(connection: duckdb.DuckDBPyConnection, table: Table, kind: str) -> None:
    name, columns = f"raw.{table.name}", raw_comments(table)
    _comment(connection, name, table.sentence, columns, kind)
    if table.ranks:
        _comment(connection, f"{name}_all", ALL_SENTENCE.format(name=table.name), columns)


def _check_order(catalog: Path, files: Mapping[str, TableFiles | None], lake: str) -> None:
    """Refuse to go back to an earlier version of a table than the catalog in place names.

    Raises:
        CorruptFile: the last entries of a log are lost, with the rows that they committed.
    """
    try:
        with duckdb.connect(str(catalog), read_only=True) as connection:
            query = "select table_name, version from _snapshot where lake = ? and version is not null"
            named = connection.execute(query, [lake]).fetchall()
    except duckdb.Error:
        return  # there is none yet, or none of ours
    for name, version in named:
        found = files.get(name)
        newest = None if found is None else found.version
        if newest is None or newest < version:
            raise CorruptFile(
                f"{lake}/{name}: its log ends at version {newest}, the catalog names version {version}: "
                "entries of the log are lost; restore them from a copy, or delete "
                f"{CATALOG_FILE} to go on without"
            )


def _write(path: Path, files: Mapping[str, TableFiles | None], lake: str, published_ts: datetime) -> None:
    _put_blank(path)
    with _at_once(path) as connection:
        for name, found in files.items():
            if found is not None:
                _raw(connection, TABLES[name], found, lake, is_native=False)
                _comment_raw(connection, TABLES[name], "view")
        _snapshot(connection, files, lake, published_ts)


def _put_blank(path: Path) -> None:
    """Write the catalog of a lake without rows: views, macros and the comments of hundreds of columns.

    All of it is the same in every lake, and a copy takes a tenth of the time.
    """
    if _BLANK:
        path.write_bytes(_BLANK[0])
        return
    with _at_once(path) as connection:
        build(connection, {}, "")
    _BLANK.append(path.read_bytes())


@contextmanager
def _at_once(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for one transaction: hundreds of comments would each wait for the disk."""
    with duckdb.connect(str(path), config={"storage_compatibility_version": STORAGE_VERSION}) as connection:
        connection.execute("begin")
        yield connection
        connection.execute("commit")
        connection.execute("checkpoint")


def _raw_select(table: Table, files: TableFiles | None) -> str:
    dated = bool(table.partition_by)
    if files is None or files.files.is_empty():
        typed = ", ".join(f"cast(null as {sql_type(t)}) as {name}" for name, t in table.polars_schema.items())
        return f"select {typed}{', cast(null as date) as date' if dated else ''} where false"
    listed = ", ".join(_quoted(_literal(path)) for path in files.paths)
    union = ", union_by_name = true" if files.is_evolved else ""  # reads every file's footer
    hive = "hive_partitioning = true, hive_types = {'date': date}" if dated else "hive_partitioning = false"
    # Qualified, because DuckDB takes a bare `ticker` for the parameter of a macro that reads this view.
    packed = table.packed if files.is_packed else ()
    told = {each: f"{sql_text(f'f.{each}')} as {each}" for each in packed} | {
        each: f"cast(null as {sql_type(table.polars_schema[each])}) as {each}" for each in files.lacks
    }
    columns = ", ".join(
        told.get(each, f"f.{each}") for each in [*table.columns, *(["date"] if dated else [])]
    )
    return f"select {columns} from read_parquet([{listed}], {hive}{union}) f"


def _snapshot(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[str, TableFiles | None],
    lake: str,
    published_ts: datetime | None,
) -> None:
    connection.execute(
        "create or replace table _snapshot (table_name varchar, version bigint, n_rows bigint, "
        "n_files bigint, published_ts timestamptz, lake varchar)"
    )
    for name in TABLES:
        found = files.get(name)
        row = (
            (name, None, 0, 0)
            if found is None
            else (name, found.version, int(found.files["n_rows"].sum()), found.files.height)
        )
        connection.execute("insert into _snapshot values (?, ?, ?, ?, ?, ?)", (*row, published_ts, lake))
    _comment(
        connection,
        "_snapshot",
        "Which version of every table this catalog reads.",
        _SNAPSHOT_COMMENTS,
        "table",
    )


def _comment(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    sentence: str,
    columns: Mapping[str, str],
    kind: str = "view",
) -> None:
    connection.execute(f"comment on {kind} {name} is {_quoted(sentence)}")
    for column, said in columns.items():
        connection.execute(f"comment on column {name}.{column} is {_quoted(said)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(path: str) -> str:
    """Keep DuckDB from reading a folder's name as a pattern."""
    return "".join("[*]" if letter == "*" else letter for letter in path)


@contextmanager
def _one_publisher(folder: Path) -> Iterator[None]:
    """Let publishers of one machine take turns, so that an older catalog never replaces a newer one."""
    with (folder / ".publish.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(f".{CATALOG_FILE}.*"):
            with suppress(FileNotFoundError):  # its publisher removed it just now
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    left.unlink()
        yield
