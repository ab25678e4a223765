"""Reads files whole to find what has changed in them since they were written.

Size and ends of a file, which every reader looks at, say nothing about its pages, and zstd in Parquet has
no checksum: of 300 single flipped bits in a file of trades polars, pyarrow and DuckDB noticed 20 to 32
and read the others as other rows. Files that compaction wrote have a checksum for every page, which only
pyarrow looks at, and only when asked: there it noticed all 300. Rows that were appended have none until
they are compacted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import CorruptFile
from warehouse.place import Place, filesystem, first_line
from warehouse.progress import Progress, silent
from warehouse.storage import TableFiles, check_files
from warehouse.tables import TABLES, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class Damage:
    """One file of a table that is not as it was written."""

    table: str
    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read whole, and what of it is damaged."""

    n_files: int
    n_bytes: int
    damages: tuple[Damage, ...]


def verify(lake: "Lake", tables: Sequence[Table], *, progress: Progress = silent) -> Verified:
    """Read every file of the newest versions whole, page checksums included.

    Raises:
        CorruptFile: a log cannot be read, so nobody knows the files.
    """
    n_files = n_bytes = 0
    damages: list[Damage] = []
    for table in tables:
        found = lake.files(table)
        if found is None:
            continue
        damages += damaged(lake.place, table, found, progress=progress)
        n_files, n_bytes = n_files + found.files.height, n_bytes + int(found.files["n_bytes"].sum())
    return Verified(n_files, n_bytes, tuple(damages))


def damaged(at: Place, table: Table, files: TableFiles, *, progress: Progress = silent) -> Iterator[Damage]:
    """Yield every file that is damaged, and how."""
    for number, row in enumerate(files.files.iter_slices(1)):
        progress(f"verify {table.name}", number, files.files.height)
        path, n_rows = row["path"][0], row["n_rows"][0]
        try:
            check_files(at, files.only(row))
        except CorruptFile as error:
            yield Damage(table.name, path, str(error).removeprefix(f"{path}: ").partition("; restore")[0])
            continue
        what = _unreadable(at, path, n_rows)
        if what is not None:
            yield Damage(table.name, path, what)
    progress(f"verify {table.name}", files.files.height, files.files.height)


def check_footers(lake: "Lake") -> None:
    """Refuse a lake with files that cannot even be opened; their pages are not read.

    Raises:
        CorruptFile: names the first such file.
    """
    for table in TABLES.values():
        found = lake.files(table)
        if found is not None and lake.place.is_local:
            check_files(lake.place, found)
            for path in found.paths:
                _check_footer(path)


def _check_footer(path: str) -> None:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise CorruptFile(f"{path}: {first_line(error)}; restore the file from a copy") from error


def _unreadable(at: Place, path: str, n_rows: int | None) -> str | None:
    """Read a file group by group; return what is wrong with it."""
    reach, _ = filesystem(at)
    try:
        with (
            reach.open_input_file(path.removeprefix("s3://")) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as file,
        ):
            found = sum(file.read_row_group(each).num_rows for each in range(file.num_row_groups))
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        return f"cannot be read ({first_line(error)})"
    return None if found == n_rows else f"has {found} rows where the log says {n_rows}"
