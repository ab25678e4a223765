"""Deletes files that nobody needs any more, and none that an open reader or a pinned backtest may need.

Two kinds lie about: files that compaction replaced, which earlier versions still name, and files of writers
that were killed, which no version ever named. The first are kept for `keep_days`, and longer while the
published catalog names them; the second for a day, since a writer may still be about to commit them.
"""

from dataclasses import dataclass
from typing import Final

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from warehouse.errors import LakeUnwritable, WarehouseError
from warehouse.place import CATALOG_FILE, Place, filesystem, unwritable
from warehouse.storage import open_table
from warehouse.tables import Table

KEEP_DAYS: Final = 400  # pinned backtests must still open
_DAY_HOURS: Final = 24
# delta-rs refuses a shorter time than the table's own unless it is told not to look.
_FREELY: Final = False


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was deleted of a table: files that were replaced, and files that no version ever named."""

    table: str
    n_replaced: int
    n_orphans: int
    n_bytes: int


def vacuum(at: Place, table: Table, *, keep_days: int = KEEP_DAYS) -> Vacuumed:
    """Delete what versions of the last `keep_days` days and the published catalog do not name.

    Versions older than that cannot be read afterwards: reading them says which file is gone.

    Raises:
        LakeUnwritable: the place refuses deleting; or `keep_days` is less than one.
    """
    if keep_days < 1:
        raise LakeUnwritable(f"--keep-days is {keep_days}: files that readers have open are kept for a day")
    delta = open_table(at, table)
    if delta is None:
        return Vacuumed(table.name, 0, 0, 0)
    try:
        replaced = set(_unneeded(delta, _DAY_HOURS, full=False))
        orphans = sorted(set(_unneeded(delta, _DAY_HOURS, full=True)) - replaced)
        versions = _published(at, table)
        doomed = _unneeded(delta, keep_days * _DAY_HOURS, full=False, versions=versions)
        n_bytes = _sizes(at, table, [*orphans, *doomed])
        _delete(at, table, orphans)
        if doomed:
            delta.vacuum(
                keep_days * _DAY_HOURS,
                dry_run=False,
                enforce_retention_duration=_FREELY,
                keep_versions=versions or None,
            )
    except (DeltaError, OSError) as error:
        raise unwritable(at, error) from error
    return Vacuumed(table.name, len(doomed), len(orphans), n_bytes)


def _unneeded(delta: DeltaTable, hours: int, *, full: bool, versions: list[int] | None = None) -> list[str]:
    return delta.vacuum(
        hours,
        dry_run=True,
        enforce_retention_duration=_FREELY,
        full=full,
        keep_versions=versions or None,
    )


def _published(at: Place, table: Table) -> list[int]:
    """Return the version that the catalog in the lake's folder names, if there is one."""
    if not at.is_local or not (at.path / CATALOG_FILE).is_file():
        return []
    try:
        with duckdb.connect(str(at.path / CATALOG_FILE), read_only=True) as connection:
            query = "select version from _snapshot where table_name = ? and version is not null"
            return [version for (version,) in connection.execute(query, [table.name]).fetchall()]
    except duckdb.Error as error:
        raise WarehouseError(
            f"{at.path / CATALOG_FILE}: which files it names cannot be read ({error}); publish it again first"
        ) from error


def _sizes(at: Place, table: Table, paths: list[str]) -> int:
    files, root = filesystem(at)
    found = files.get_file_info([f"{root}/{table.name}/{each}" for each in paths])
    return sum(each.size or 0 for each in found)


def _delete(at: Place, table: Table, paths: list[str]) -> None:
    files, root = filesystem(at)
    for each in paths:
        files.delete_file(f"{root}/{table.name}/{each}")
