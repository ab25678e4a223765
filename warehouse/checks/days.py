"""What every day of every table holds now, held against what it held when it was last checked: `facts.days`.

A day is digested again only where its files are others than then; so a check costs what changed, however
long the tape is. A day that lost rows, or whose rows say something else, keeps its old entry, and is flagged
until the rows are back or somebody accepts the loss.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

import polars as pl

from warehouse.checks.digested import DIGEST, Digested
from warehouse.checks.turns import Turn, turns
from warehouse.digests import summed_up
from warehouse.lake import Lake
from warehouse.progress import Progress
from warehouse.storage import TableFiles, collected
from warehouse.tables import CHECKS, DAY_DIGESTS, TABLES, Table

SCHEMA: Final[dict[str, pl.DataType]] = {
    "class": pl.String(),
    **{name: dtype for name, dtype in DAY_DIGESTS.polars_schema.items() if name != "checked_ts"},
    "was_n_rows": pl.Int64(),
    "was_digest": pl.String(),
}
FIRST: Final = "first_seen"
_OWN: Final = (CHECKS.name, DAY_DIGESTS.name)


def checked_days(lake: Lake, digested: Digested, progress: Progress) -> pl.DataFrame:
    """Return one row for every day of every table but those of checks, see SCHEMA."""
    last = (
        lake.scan(DAY_DIGESTS).sort("checked_ts").group_by("table_name", "day_ts", maintain_order=True).last()
    )
    known = {
        (row["table_name"], row["day_ts"].astimezone(UTC)): row
        for row in collected(last, lake.uri).iter_rows(named=True)
    }
    found: list[dict[str, Any]] = []
    for table in TABLES.values():
        if table.name in _OWN:
            continue
        its = {day_ts: row for (name, day_ts), row in known.items() if name == table.name}
        found += _days(lake, table, its, digested, progress)
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def to_keep(days: pl.DataFrame, run_ts: datetime, *, accept: bool) -> pl.DataFrame:
    """Return the rows of `day_digests` that a run adds; flagged days only where they are accepted."""
    is_new = pl.col("class").is_in([FIRST, "grown", "rewritten", *(["flagged"] if accept else [])])
    kept = days.filter(is_new).with_columns(pl.lit(run_ts).cast(pl.Datetime("us", "UTC")).alias("checked_ts"))
    return kept.select(list(DAY_DIGESTS.columns))


def _days(
    lake: Lake,
    table: Table,
    known: dict[datetime, dict[str, Any]],
    digested: Digested,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    files = lake.files(table)
    marks = {} if files is None else _marks(table, files)
    seen, there = {row["files"] for row in known.values()}, set(marks.values())
    now = {
        day_ts: (row["n_rows"], row["digest"], row["files"])
        for day_ts, row in known.items()
        if row["files"] in there
    }
    pieces = _pieces(table, files, [day for day, mark in marks.items() if mark not in seen])
    for done, turn in enumerate(pieces):
        progress(f"days of {table.name}", done, len(pieces))
        for day_ts, told in _digests(table, turn, digested).items():
            now[day_ts] = (*told, marks[day_ts.date() if table.partition_by else None])
    # Not a constant: polars would start its threads on import, in every command and in whoever forks.
    nothing = (*summed_up(pl.Series(dtype=pl.UInt64)), "")
    for day_ts in sorted(now.keys() | known.keys()):
        yield _compared(table, day_ts, now.get(day_ts, nothing), known.get(day_ts))


_ALL_TIME: Final = Turn(date.min, date.max)


def _marks(table: Table, files: TableFiles) -> dict[date | None, str]:
    """Return what tells the files of each date from others; those of a table without dates stand at None."""
    names: dict[date | None, list[str]] = {}
    for path, day in files.files.select("path", "date").iter_rows():
        names.setdefault(day if table.partition_by else None, []).append(path.rpartition("/")[2])
    return {day: hashlib.sha256("\n".join(sorted(each)).encode()).hexdigest() for day, each in names.items()}


def _pieces(table: Table, files: TableFiles | None, days: list[date | None]) -> list[Turn]:
    """Return the turns that have one of these days; a table without dates is one turn."""
    if not days:
        return []
    if table.partition_by is None:
        return [_ALL_TIME]
    return [each for each in turns(files) if any(day and each.first <= day <= each.last for day in days)]


def _digests(table: Table, turn: Turn, digested: Digested) -> dict[datetime, tuple[int, str]]:
    """Return number and digest of the rows of every day of a turn."""
    at_ts = table.partition_by or table.known_ts.expr.meta.root_names()[0]
    rows = digested.rows(table, turn, [at_ts])
    days = rows.select(DIGEST, day_ts=pl.col(at_ts).dt.truncate("1d"))
    return {
        part["day_ts"][0].astimezone(UTC): (part.height, summed_up(part[DIGEST])[1])
        for part in days.partition_by("day_ts", maintain_order=True)
    }


def _compared(
    table: Table, day_ts: datetime, now: tuple[int, str, str], was: dict[str, Any] | None
) -> dict[str, Any]:
    n_rows, digest, mark = now
    row = {"table_name": table.name, "day_ts": day_ts, "n_rows": n_rows, "digest": digest, "files": mark}
    if was is None:
        return {"class": FIRST, **row, "was_n_rows": None, "was_digest": None}
    if n_rows == was["n_rows"] and digest == was["digest"]:
        name = "ok" if mark == was["files"] else "rewritten"
    else:
        name = "grown" if n_rows > was["n_rows"] else "flagged"
    return {"class": name, **row, "was_n_rows": was["n_rows"], "was_digest": was["digest"]}
