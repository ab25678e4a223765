"""What earlier checks found, and how this one's findings are kept beside them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from warehouse.errors import CorruptFile, NoSuchVersion
from warehouse.lake import Lake
from warehouse.storage import collected
from warehouse.tables import CHECKS, Table


@dataclass(frozen=True, slots=True)
class Earlier:
    """The last kept run of one check: when, whether it flagged anything, and what it had read."""

    run_ts: datetime
    n_flagged: int
    versions: Mapping[str, int]


def earlier_runs(lake: Lake) -> dict[str, Earlier]:
    """Return the last kept run of every check that ever ran, by name."""
    rows = lake.scan(CHECKS).sort("run_ts").group_by("check_name", maintain_order=True).last()
    return {
        row["check_name"]: Earlier(
            row["run_ts"].astimezone(UTC), row["n_flagged"], json.loads(row["versions"])
        )
        for row in collected(rows, lake.uri).iter_rows(named=True)
    }


def rows_then(lake: Lake, table: Table, earlier: Earlier | None) -> pl.DataFrame:
    """Return the rows that a table had when an earlier run read it; none where nobody can tell."""
    version = None if earlier is None else earlier.versions.get(table.name)
    try:
        return table.empty() if version is None else collected(lake.scan(table, version=version), lake.uri)
    except (NoSuchVersion, CorruptFile):
        return table.empty()  # vacuumed


def changed_dates(lake: Lake, table: Table, earlier: Earlier | None) -> set[date] | None:
    """Return the dates whose files are not those of an earlier run; None where nobody can tell, so all."""
    version = None if earlier is None else earlier.versions.get(table.name)
    now = lake.files(table)
    if version is None or now is None:
        return None
    try:
        before = lake.files(table, version=version)
    except NoSuchVersion:
        return None  # its log was cleaned up
    if before is None:
        return None
    files = pl.concat([before.files.select("path", "date"), now.files.select("path", "date")])
    return set(files.filter(~pl.col("path").is_duplicated())["date"])
