"""What a lake holds and what was asked for: the facts behind `tapehouse warehouse status`."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from warehouse import storage
from warehouse.errors import NoLake
from warehouse.intervals import Interval, uncovered, union
from warehouse.place import check_format
from warehouse.tables import TABLES, WINDOWS, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake


def status(lake: "Lake") -> dict[str, Any]:
    """Return lake, format, one entry per table and one per (resource, scope) that was ever asked for.

    tables: table, version, n_rows, n_files, n_bytes, first_ts, last_ts (by known_ts; None without rows).
    coverage: resource, scope, start_ts, end_ts, holes (between complete windows), failed (windows that no
    complete one covers, with the last reason), n_windows.

    Raises:
        NoLake: nothing was ever committed here.
        CorruptFile: a file of the lake is damaged.
    """
    if not lake.exists():
        raise NoLake(f"{lake.uri}: no lake there; `tapehouse sync` or `tapehouse import` makes one")
    pinned = lake.pinned()
    return {
        "lake": lake.uri,
        "format": check_format(lake.place),
        "tables": [_table(pinned, table) for table in TABLES.values()],
        "coverage": coverage(pinned),
    }


def coverage(lake: "Lake") -> list[dict[str, Any]]:
    """Return what was asked for by (resource, scope), sorted by both; see `status`."""
    windows = storage.collected(
        lake.scan(WINDOWS).sort("resource", "scope", "start_ts", "asked_ts"), lake.uri
    )
    groups = windows.partition_by("resource", "scope", maintain_order=True)
    return [_coverage(asked) for asked in groups]


def _table(lake: "Lake", table: Table) -> dict[str, Any]:
    found = lake.files(table)
    told: dict[str, Any] = {"table": table.name, "version": None, "n_rows": 0, "n_files": 0, "n_bytes": 0}
    told |= {"first_ts": None, "last_ts": None}
    if found is None:
        return told
    known_ts = table.known_ts.expr
    span = lake.scan(table).select(known_ts.min().alias("first"), known_ts.max().alias("last"))
    first_ts, last_ts = storage.collected(span, lake.uri).row(0)
    return told | {
        "version": found.version,
        "n_rows": int(found.files["n_rows"].sum()),
        "n_files": found.files.height,
        "n_bytes": int(found.files["n_bytes"].sum()),
        "first_ts": _utc(first_ts),
        "last_ts": _utc(last_ts),
    }


def _coverage(asked: pl.DataFrame) -> dict[str, Any]:
    complete = union(_spans(asked.filter(pl.col("status") == "complete")))
    failed = [
        {"start_ts": start_ts, "end_ts": end_ts, "reason": row["reason"]}
        for row in asked.filter(pl.col("status") == "failed").iter_rows(named=True)
        for start_ts, end_ts in uncovered(
            row["start_ts"].astimezone(UTC), row["end_ts"].astimezone(UTC), complete
        )
    ]
    return {
        "resource": asked["resource"][0],
        "scope": asked["scope"][0],
        "start_ts": complete[0][0] if complete else None,
        "end_ts": complete[-1][1] if complete else None,
        "holes": [{"start_ts": left[1], "end_ts": right[0]} for left, right in pairwise(complete)],
        "failed": failed,
        "n_windows": asked.height,
    }


def _spans(windows: pl.DataFrame) -> list[Interval]:
    rows = windows.select("start_ts", "end_ts").iter_rows()
    return [(start_ts.astimezone(UTC), end_ts.astimezone(UTC)) for start_ts, end_ts in rows]


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
