"""Where a lake lies and how its tables are opened: a folder or an s3:// address.

LAKE/tapehouse.json            {"format": 1}
LAKE/<table>/_delta_log/…      one Delta table for each declared table
LAKE/<table>/date=…/….parquet  its files
LAKE/warehouse.duckdb          the published catalog
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from warehouse.errors import CorruptFile, LakeTooNew, LakeUnwritable, NeedsFolder, NoSuchVersion
from warehouse.tables import TABLES, Table

FORMAT: Final = 1
FORMAT_FILE: Final = "tapehouse.json"
CATALOG_FILE: Final = "warehouse.duckdb"
DEFAULT_LAKE: Final = "./lake"

_PARQUET_MAGIC: Final = b"PAR1"
# delta-rs 1.6.6 panics on these or looks elsewhere; DuckDB 2.0.0 reads options after a question mark.
_UNFIT: Final = re.compile(r"[\[\]|?\\^\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Place:
    """A lake's address and what is needed to reach it."""

    uri: str
    options: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return "://" not in self.uri

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            NeedsFolder: the lake lies in a bucket.
        """
        if not self.is_local:
            raise NeedsFolder(f"{self.uri} is a bucket; the DuckDB catalog needs a lake in a folder")
        return Path(self.uri)

    def of(self, table: Table) -> str:
        """Return the address of one table."""
        return f"{self.uri}/{table.name}"


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The exact files of one version of a table; `files` has path, n_bytes, n_rows and date (or null)."""

    version: int
    files: pl.DataFrame

    def between(self, first: date | None, last: date | None) -> "TableFiles":
        """Keep files of dates `first`..`last`, both included; files without a date always stay."""
        keep = pl.lit(value=True)
        if first is not None:
            keep &= pl.col("date").is_null() | (pl.col("date") >= first)
        if last is not None:
            keep &= pl.col("date").is_null() | (pl.col("date") <= last)
        return TableFiles(self.version, self.files.filter(keep))

    def on(self, dates: pl.Series) -> "TableFiles":
        """Keep files of exactly these dates."""
        return TableFiles(self.version, self.files.join(dates.to_frame("date"), on="date", how="semi"))

    @property
    def paths(self) -> list[str]:
        """Addresses of the files, oldest date first."""
        return self.files["path"].to_list()


def place(uri: str | Path | None, environment: Mapping[str, str] = os.environ) -> Place:
    """Resolve a lake's address: the argument, else TAPEHOUSE_LAKE, else ./lake; folders become absolute.

    Raises:
        LakeUnwritable: the folder's name has a character that Delta's paths cannot hold.
    """
    given = str(uri) if uri is not None else environment.get("TAPEHOUSE_LAKE") or DEFAULT_LAKE
    if given.startswith("file://"):
        given = given.removeprefix("file://")
    if "://" in given:
        options = {key.lower(): value for key, value in environment.items() if key.startswith("AWS_")}
        return Place(given.rstrip("/"), options)
    folder = str(Path(given).expanduser().absolute())
    if _UNFIT.search(folder):
        raise LakeUnwritable(
            f"{folder!r}: a lake's folder cannot have one of [ ] | ? \\ ^ in its name; choose another"
        )
    return Place(folder, {})


def check_format(at: Place) -> int | None:
    """Read the lake's format; None when nothing was written there yet.

    Raises:
        LakeTooNew: a later Tapehouse wrote it.
        CorruptFile: tapehouse.json is not what we write.
    """
    where = f"{at.uri}/{FORMAT_FILE}"
    text = _read_text(at, FORMAT_FILE)
    if text is None:
        return None
    try:
        found = int(json.loads(text)["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile(f'{where}: expected {{"format": {FORMAT}}}; restore it from a copy') from error
    if found > FORMAT:
        raise LakeTooNew(
            f"{where}: the lake has format {found}, this Tapehouse reads up to {FORMAT}; upgrade Tapehouse"
        )
    return found


def write_format(at: Place) -> None:
    """Make the lake's folder and say which format it has.

    Raises:
        LakeUnwritable: the place refuses writing.
    """
    text = json.dumps({"format": FORMAT}) + "\n"
    try:
        if at.is_local:
            at.path.mkdir(parents=True, exist_ok=True)
            fresh = at.path / f".{FORMAT_FILE}.{os.getpid()}"
            fresh.write_text(text)
            fresh.replace(at.path / FORMAT_FILE)
        else:
            filesystem, root = _bucket(at)
            with filesystem.open_output_stream(f"{root}/{FORMAT_FILE}") as stream:
                stream.write(text.encode())
    except OSError as error:
        raise unwritable(at, error) from error


def unwritable(at: Place, error: Exception) -> LakeUnwritable:
    """Say in one line why a lake cannot be written and what to do."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return LakeUnwritable(
        f"cannot write the lake at {at.uri}: {reason}; give a writable place with --lake or TAPEHOUSE_LAKE"
    )


def open_table(at: Place, table: Table, *, version: int | None = None) -> DeltaTable | None:
    """Open a table at its newest or at a pinned version; None when it does not exist yet.

    Raises:
        NoSuchVersion: the pinned version is not in the log.
        CorruptFile: the log cannot be read.
    """
    uri = at.of(table)
    if at.is_local and not Path(uri, "_delta_log").is_dir():
        if version is not None:
            raise NoSuchVersion(f"{uri}: the table does not exist, so it has no version {version}")
        return None
    try:
        delta = DeltaTable(uri, storage_options=dict(at.options) or None)
        if version is not None and not 0 <= version <= delta.version():
            raise NoSuchVersion(f"{uri}: no version {version}; the newest is {delta.version()}")
        if version is not None and version != delta.version():
            delta.load_as_version(version)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise CorruptFile(f"{uri}: its log cannot be read ({_first_line(error)}); restore it") from error
    return delta


def listed(at: Place, table: Table, *, version: int | None = None) -> TableFiles | None:
    """List the files of the newest or a pinned version; a log that has not moved is not read again.

    None when the table does not exist yet. Raises as `open_table` does.
    """
    newest = _newest_entry(Path(at.of(table), "_delta_log")) if at.is_local else None
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
    )
    return TableFiles(delta.version(), files.sort("date", "path"))


def check_files(at: Place, files: TableFiles) -> None:
    """Refuse files that are gone, cut short or not Parquet; polars would read an empty one as no rows.

    Raises:
        CorruptFile: names the first such file.
    """
    if not at.is_local:
        return
    for path, n_bytes in files.files.select("path", "n_bytes").iter_rows():
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


def scan_files(at: Place, table: Table, paths: Sequence[str]) -> pl.LazyFrame:
    """Read exactly these files lazily, with the declared columns and dtypes only."""
    if not paths:
        return table.empty().lazy()
    return pl.scan_parquet(
        list(paths),
        schema=table.polars_schema,
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
    try:
        return rows.collect()
    except (pl.exceptions.ComputeError, OSError) as error:
        raise CorruptFile(
            f"{where}: a data file cannot be read ({_first_line(error)}); restore it from a copy"
        ) from error


@lru_cache(maxsize=128)
def _listed(
    uri: str,
    name: str,
    version: int | None,
    newest: tuple[str, int, int, int],  # noqa: ARG001 - what tells one state of the log from the next
) -> TableFiles | None:
    at, table = Place(uri, {}), TABLES[name]
    delta = open_table(at, table, version=version)
    return None if delta is None else files_of(at, table, delta)


def _newest_entry(log: Path) -> tuple[str, int, int, int] | None:
    """Return name, inode, time and size of the last entry of a log: entries are only ever added."""
    try:
        name = max(each for each in os.listdir(log) if each.endswith(".json"))  # noqa: PTH208 - 10 times faster
        found = (log / name).stat()
    except (OSError, ValueError):
        return None
    return name, found.st_ino, found.st_mtime_ns, found.st_size


def _read_text(at: Place, file_name: str) -> str | None:
    if at.is_local:
        path = at.path / file_name
        try:
            return path.read_text() if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptFile(f"{path}: {_first_line(error)}; restore it from a copy") from error
    filesystem, root = _bucket(at)
    try:
        with filesystem.open_input_stream(f"{root}/{file_name}") as stream:
            return str(stream.read().decode())
    except FileNotFoundError:
        return None


def _bucket(at: Place):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- pyarrow ships no types
    from pyarrow import fs

    options = at.options
    endpoint = options.get("aws_endpoint_url", "")
    scheme, _, host = endpoint.rpartition("://")
    filesystem = fs.S3FileSystem(
        access_key=options.get("aws_access_key_id"),
        secret_key=options.get("aws_secret_access_key"),
        session_token=options.get("aws_session_token"),
        region=options.get("aws_region") or options.get("aws_default_region"),
        endpoint_override=host or None,
        scheme=scheme or "https",
    )
    return filesystem, at.uri.partition("://")[2]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
