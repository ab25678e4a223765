"""Many small files become few sorted ones, beside writers and readers.

A partition's files are read, sorted and written anew, and one commit swaps them. Delta checks that what it
takes away is still there: of two compactions of the same files one fails, and rows that were appended in the
meantime stay as they are. A kill leaves files that no version names; `vacuum` removes them.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from warehouse.errors import LakeTooNew
from warehouse.layout import DATE, ROWS_PER_GROUP, arrow_schema, arrow_writer, in_order
from warehouse.place import Place, check_room, filesystem, synced, unwritable
from warehouse.progress import Progress, silent
from warehouse.storage import (
    TableFiles,
    check_files,
    collected,
    files_of,
    open_table,
    scan_stored,
    writable_table,
)
from warehouse.tables import Table

ROWS_PER_FILE: Final = 4_000_000  # what is sorted in memory at once; a million trades take about 0.2 GB
_TRIES: Final = 20
COMPACTION: Final = "tapehouse.compaction"  # what the log says of such a commit
_TURN: Final = "compaction"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one compaction did to a table: `n_partitions` were rewritten, `version` is the table's afterwards.

    `n_busy` partitions were left alone because another compaction was faster.
    """

    table: str
    version: int | None
    n_partitions: int
    n_busy: int
    n_files_before: int
    n_files_after: int
    n_rows: int
    n_bytes_before: int
    n_bytes_after: int


def compact(
    at: Place, table: Table, *, before: date | None = None, at_least: int = 2, progress: Progress = silent
) -> Compacted:
    """Rewrite every partition that has more files than it needs, and at least `at_least`, in sorted order.

    Args:
        at: the lake.
        table: which table.
        before: only partitions of earlier dates; None means all. Days that still grow are better left.
        at_least: leave partitions with fewer files alone.
        progress: told of every partition.

    Raises:
        LakeTooNew: the table has columns that this program does not know and would lose.
        LakeUnwritable, DiskFull: the place refuses writing, or has no room; what was swapped before stays so.
        CorruptFile: a file that had to be read is damaged; its partition stays as it is.
    """
    delta = writable_table(at, table)
    if delta is None:
        return Compacted(table.name, None, 0, 0, 0, 0, 0, 0, 0)
    strange = {each.name for each in delta.schema().fields} - {*table.columns, DATE}
    if strange:
        raise LakeTooNew(
            f"{at.of(table)}: has the column {', '.join(sorted(strange))}, unknown to this Tapehouse, "
            "which would lose it; upgrade Tapehouse"
        )
    partitions = _crowded(files_of(at, table, delta), before, at_least)
    done: list[tuple[TableFiles, list[AddAction]]] = []
    for number, files in enumerate(partitions):
        progress(f"compact {table.name}", number, len(partitions))
        added = _swapped(at, table, files)
        if added is not None:
            done.append((files, added))
    progress(f"compact {table.name}", len(partitions), len(partitions))
    newest = open_table(at, table)
    return Compacted(
        table=table.name,
        version=None if newest is None else newest.version(),
        n_partitions=len(done),
        n_busy=len(partitions) - len(done),
        n_files_before=sum(files.files.height for files, _ in done),
        n_files_after=sum(len(added) for _, added in done),
        n_rows=sum(int(files.files["n_rows"].sum()) for files, _ in done),
        n_bytes_before=sum(int(files.files["n_bytes"].sum()) for files, _ in done),
        n_bytes_after=sum(each.size for _, added in done for each in added),
    )


def _crowded(listed: TableFiles, before: date | None, at_least: int) -> list[TableFiles]:
    """Return the partitions to rewrite, each with its files, the oldest first."""
    if listed.files.is_empty():
        return []
    parts = (listed.only(each) for each in listed.files.partition_by(DATE, maintain_order=True))
    return [
        each
        for each in parts
        if each.files.height >= max(at_least, 2)
        and each.files.height > -(-int(each.files["n_rows"].sum()) // ROWS_PER_FILE)
        and (before is None or each.files[DATE][0] is None or each.files[DATE][0] < before)
    ]


def _swapped(at: Place, table: Table, files: TableFiles) -> list[AddAction] | None:
    """Write a partition's rows anew and swap the files; None when somebody else took them away before."""
    check_files(at, files)
    check_room(at, int(files.files["n_bytes"].sum()))
    written: list[AddAction] = []
    try:
        for each in _rewritten(at, table, files):
            written.append(each)  # noqa: PERF402 - what was written before an error has to be known
        if _is_committed(at, table, files, written):
            return written
    except (DeltaError, OSError, pa.ArrowException) as error:
        _drop(at, table, written)
        raise unwritable(at, error) from error
    _drop(at, table, written)
    return None


def _is_committed(at: Place, table: Table, files: TableFiles, written: list[AddAction]) -> bool:
    """Swap files in one commit on top of a version that has all of them, or not at all.

    Delta takes this for an append, whatever it removes; so that two compactions cannot both remove the same
    file, they share an application transaction.
    """
    gone = [_removed(at, table, path, n_bytes, each) for path, n_bytes, each in _told(files)]
    for _ in range(_TRIES):
        delta = open_table(at, table)
        if delta is None or not set(files.paths) <= set(files_of(at, table, delta).paths):
            return False
        turn = (delta.transaction_version(_TURN) or 0) + 1
        try:
            delta.create_write_transaction(
                [*written, *gone],
                mode="append",
                schema=delta.schema(),
                partition_by=[DATE] if table.partition_by else [],
                commit_properties=CommitProperties(
                    custom_metadata={COMPACTION: "true"}, app_transactions=[Transaction(_TURN, turn)]
                ),
            )
        except CommitFailedError:
            continue
        return True
    return False


def _rewritten(at: Place, table: Table, files: TableFiles) -> Iterator[AddAction]:
    """Write the rows of one partition, sorted, to as few files as may be, one after the other."""
    rows = scan_stored(at, table, files)
    schema = arrow_schema(table, is_packed=files.is_packed)
    day = files.files[DATE][0]
    for part in _parts(at, table, rows, int(files.files["n_rows"].sum())):
        ordered = in_order(table, collected(part, at.of(table)))
        yield write_file(at, table, ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema), day)


def _parts(at: Place, table: Table, rows: pl.LazyFrame, n_rows: int) -> Iterator[pl.LazyFrame]:
    """Cut rows by what they are sorted by first, into parts that fit into memory."""
    if n_rows <= ROWS_PER_FILE:
        yield rows
        return
    first = table.sort[0]
    counts = collected(rows.group_by(first).len().sort(first), at.of(table))
    parts = counts.with_columns(part=(pl.col("len").cum_sum() - pl.col("len")) // ROWS_PER_FILE)
    for names in parts.partition_by("part", maintain_order=True):
        low, high = names[first][0], names[first][-1]
        yield rows.filter(pl.col(first).is_between(pl.lit(low), pl.lit(high)))


def write_file(at: Place, table: Table, rows: pa.Table, day: date | None) -> AddAction:
    """Write one file below the table's folder and return what Delta must know of it."""
    folder = "" if day is None else f"{DATE}={day.isoformat()}/"
    path = f"{folder}part-{uuid.uuid4()}.zstd.parquet"
    files, root = filesystem(at)
    if folder:
        files.create_dir(f"{root}/{table.name}/{folder}", recursive=True)
    kept = rows.drop_columns([DATE]) if table.partition_by else rows
    try:
        with files.open_output_stream(f"{root}/{table.name}/{path}") as stream:
            pq.write_table(kept, stream, row_group_size=ROWS_PER_GROUP, **arrow_writer(table))
    except OSError:
        with suppress(OSError):
            files.delete_file(f"{root}/{table.name}/{path}")  # a full disk has no room for half a file
        raise
    if at.is_local:
        synced(at.path / table.name / path)
    size = files.get_file_info(f"{root}/{table.name}/{path}").size
    return AddAction(
        path=path,
        size=size,
        partition_values={} if day is None else {DATE: day.isoformat()},
        modification_time=int(time.time() * 1_000),
        data_change=False,
        stats=json.dumps({"numRecords": rows.num_rows, **_bounds(table, rows)}),
    )


def _bounds(table: Table, rows: pa.Table) -> dict[str, dict[str, str]]:
    """Return the statistics that readers choose sources by (warehouse.choosing)."""
    if not table.ranks or not rows.num_rows:
        return {}
    bounds = pc.min_max(rows["source"]).as_py()
    return {"minValues": {"source": bounds["min"]}, "maxValues": {"source": bounds["max"]}}


def _told(files: TableFiles) -> list[tuple[str, int, date | None]]:
    return list(files.files.select("path", "n_bytes", DATE).iter_rows())


def _removed(at: Place, table: Table, path: str, n_bytes: int, day: date | None) -> RemoveAction:
    return RemoveAction(
        path.removeprefix(f"{at.of(table)}/"),
        data_change=False,
        deletion_timestamp=int(time.time() * 1_000),
        size=n_bytes,
        partition_values={} if day is None else {DATE: day.isoformat()},
    )


def _drop(at: Place, table: Table, written: list[AddAction]) -> None:
    """Remove files that no version will name."""
    files, root = filesystem(at)
    for each in written:
        with suppress(OSError):  # vacuum finds what stays
            files.delete_file(f"{root}/{table.name}/{each.path}")
