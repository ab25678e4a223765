"""Versions of the tables over time: which one stood at a moment, and what made each."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from deltalake.exceptions import DeltaError

from exchange.units import format_ts
from warehouse.asking import Moment, moment
from warehouse.compacting import COMPACTION
from warehouse.errors import CorruptFile, NoSuchVersion
from warehouse.place import Place, first_line
from warehouse.storage import open_table
from warehouse.tables import TABLES, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake

_SCHEMA: Final = pl.Schema(
    {
        "table": pl.String(),
        "version": pl.Int64(),
        "committed_ts": pl.Datetime("us", "UTC"),
        "change": pl.String(),
        "n_files_added": pl.Int64(),
        "n_rows_added": pl.Int64(),
    }
)
_CHANGES: Final = {
    "CREATE TABLE": "created",
    "WRITE": "rows",
    "SET TBLPROPERTIES": "evolved",
    "VACUUM START": "vacuum started",
    "VACUUM END": "vacuum ended",
}


def history(lake: "Lake", *tables: Table) -> pl.DataFrame:
    """Return the versions of tables (default: all), the newest first.

    Columns: table, version, committed_ts (by the clock of the machine that wrote it), change (created, rows,
    compaction, evolved, or Delta's own word), n_files_added, n_rows_added (null where nothing was appended).

    Raises:
        CorruptFile: a log cannot be read.
    """
    rows = [row for each in tables or TABLES.values() for row in _entries(lake.place, each)]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort(
        "committed_ts", "table", "version", descending=True
    )


def versions_at(lake: "Lake", at: Moment) -> dict[str, int]:
    """Return the version that stood at a moment, for every table that existed then.

    Raises:
        NoSuchVersion: the log does not go back so far; it is kept for 400 days.
        NaiveTime: the moment has no zone.
    """
    at_ts = moment(at)
    found: dict[str, int] = {}
    for name, table in TABLES.items():
        entries = _entries(lake.place, table)
        earlier = [version for _, version, committed_ts, *_ in entries if committed_ts <= at_ts]
        if earlier:
            found[name] = max(earlier)
        elif entries and min(version for _, version, *_ in entries) > 0:
            raise NoSuchVersion(
                f"{lake.place.of(table)}: its log does not go back to {format_ts(at_ts)}; the oldest version "
                f"is of {format_ts(min(committed_ts for _, _, committed_ts, *_ in entries))}"
            )
    return found


def _entries(at: Place, table: Table) -> list[tuple[str, int, datetime, str, int | None, int | None]]:
    delta = open_table(at, table)
    if delta is None:
        return []
    try:
        return [_entry(table, each) for each in delta.history()]
    except (DeltaError, OSError) as error:
        raise CorruptFile(f"{at.of(table)}: its log cannot be read ({first_line(error)})") from error


def _entry(table: Table, told: dict[str, Any]) -> tuple[str, int, datetime, str, int | None, int | None]:
    metrics = told.get("operationMetrics") or {}
    operation = "compaction" if COMPACTION in told else str(told.get("operation", ""))
    return (
        table.name,
        int(told["version"]),
        datetime.fromtimestamp(told["timestamp"] / 1_000, UTC),
        _CHANGES.get(operation, operation.lower()),
        metrics.get("num_added_files"),
        metrics.get("num_added_rows"),
    )
