"""Runs the checks against one set of versions, in a DuckDB in memory, and keeps what they found."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import polars as pl

from warehouse import catalog, storage
from warehouse.checks.all import CHECKS
from warehouse.checks.book_rebuilt import SCHEMAS as REBUILT
from warehouse.checks.book_rebuilt import Rebuilt
from warehouse.checks.days import checked_days, to_keep
from warehouse.checks.declaring import FLAGGED, OK, Check
from warehouse.checks.digested import Digested
from warehouse.checks.facts import FACTS, needed
from warehouse.checks.held import held_windows
from warehouse.checks.kept import Earlier, earlier_runs, rows_then
from warehouse.checks.turns import turns
from warehouse.errors import CorruptFile, NoLake, UnknownCheck
from warehouse.lake import Lake
from warehouse.place import first_line
from warehouse.progress import Progress, silent
from warehouse.tables import CHECKS as CHECKS_TABLE
from warehouse.tables import DAY_DIGESTS, DRIFT, QUARANTINE, TABLES

MEMORY_LIMIT: Final = "2GB"  # of DuckDB; what does not fit goes to a temporary folder
EXAMPLES: Final = 5
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Example:
    """One flagged thing: where it is, what should be there, what is."""

    place: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `classes` has how many things of each class, the flagged ones among them."""

    check: Check
    classes: Mapping[str, int]
    examples: tuple[Example, ...]
    wall_ms: int

    @property
    def n_looked_at(self) -> int:
        """How many things there were."""
        return sum(self.classes.values())

    @property
    def n_flagged(self) -> int:
        """How many nobody can explain."""
        return self.classes.get(FLAGGED, 0)

    @property
    def n_explained(self) -> int:
        """How many are not as they should be for a reason of the check's."""
        return self.n_looked_at - self.n_flagged - self.classes.get(OK, 0)

    @property
    def status(self) -> str:
        """Return ok, warned, failed, or nothing: there was nothing that could be decided."""
        if self.n_flagged:
            return "warned" if self.check.is_warning else _FAILED
        undecided = {each.name for each in self.check.explained if each.is_undecided}
        n_decided = sum(n for name, n in self.classes.items() if name not in undecided)
        return "ok" if n_decided else "nothing"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found, check by check, and what it read."""

    lake: str
    run_ts: datetime
    versions: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks that failed; warnings do not."""
        return tuple(each for each in self.findings if each.status == _FAILED)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def run_checks(
    lake: Lake,
    only: Sequence[str] = (),
    *,
    keep: bool = True,
    accept: bool = False,
    n_examples: int = EXAMPLES,
    progress: Progress = silent,
    now: Callable[[], datetime] = _utc_now,
) -> Report:
    """Run all checks, or `only` those named, on the lake as it is now.

    Args:
        lake: a lake in a folder.
        only: names of checks; docs/checks.md has them.
        keep: write what was found into the tables `checks` and `day_digests`.
        accept: take days that lost or changed rows as they are from now on.
        n_examples: how many flagged things of each check to name.
        progress: told of every check.
        now: our clock, which stamps the run.

    Raises:
        UnknownCheck: no check has that name.
        NoLake: nothing was ever committed here.
        NeedsFolder: the lake lies in a bucket.
        CorruptFile: a file of the lake is damaged.
    """
    checks = _named(only)
    if not lake.exists():
        raise NoLake.at(lake.uri)
    pinned, run_ts = lake.pinned(), now()
    earlier, days = earlier_runs(pinned), _Days(pinned, progress)
    rebuilt = Rebuilt(pinned, earlier, progress)
    findings = []
    with _database(pinned) as connection:
        made: set[str] = set()
        for done, check in enumerate(checks):
            progress("checks", done, len(checks))
            started_s = time.monotonic()
            _make_facts(connection, check, pinned, made, earlier.get(check.name), days, progress)
            for name in REBUILT.keys() & check.needs:
                _put(connection, name, rebuilt.fact(name))
            finding = _run(connection, pinned, check, n_examples)
            findings.append(replace(finding, wall_ms=round((time.monotonic() - started_s) * 1_000)))
        progress("checks", len(checks), len(checks))
    report = Report(lake.uri, run_ts, pinned.versions(), tuple(findings))
    if keep:
        lake.commit(CHECKS_TABLE, _rows(report))
        if days.found is not None:
            lake.commit(DAY_DIGESTS, to_keep(days.found, run_ts, accept=accept))
    return report


class _Days:
    """The days of all tables, looked at once and only if asked for."""

    def __init__(self, lake: Lake, progress: Progress) -> None:
        self._lake, self._progress = lake, progress
        self.digested = Digested(lake)
        self.found: pl.DataFrame | None = None

    def look(self) -> pl.DataFrame:
        self.found = checked_days(self._lake, self.digested, self._progress)
        return self.found


def _named(only: Sequence[str]) -> list[Check]:
    known = {each.name: each for each in CHECKS}
    if strange := [name for name in only if name not in known]:
        raise UnknownCheck(strange[0], known, where="docs/checks.md")
    return [each for each in CHECKS if not only or each.name in only]


@contextmanager
def _database(pinned: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory with `raw` as the catalog has it, at the pinned versions."""
    assert pinned.path
    files = {name: pinned.files(table) for name, table in TABLES.items()}
    for found in files.values():
        if found is not None:
            storage.check_files(pinned.place, found)
    with (
        tempfile.TemporaryDirectory(prefix="tapehouse-checks-") as spill,
        duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill}) as connection,
    ):
        connection.execute("set TimeZone = 'UTC'")
        try:
            catalog.build_raw(connection, files, pinned.uri)
            connection.execute("create schema facts")
            yield connection
        except duckdb.ProgrammingError:
            raise  # a query of ours is wrong, not a file
        except duckdb.Error as error:
            raise CorruptFile(
                f"{pinned.uri}: a data file cannot be read ({first_line(error)}); restore it from a copy"
            ) from error


def _make_facts(
    connection: duckdb.DuckDBPyConnection,
    check: Check,
    lake: Lake,
    made: set[str],
    earlier: Earlier | None,
    days: _Days,
    progress: Progress,
) -> None:
    for name in needed(frozenset(check.needs)):
        if name not in made:
            connection.execute(f"create table facts.{name} as {FACTS[name]}")
            made.add(name)
    if "held" in check.needs:
        _put(connection, "held", held_windows(lake, days.digested, earlier, progress))
    if "days" in check.needs:
        _put(connection, "days", days.look())
    for table in (QUARANTINE, DRIFT):
        if f"told_{table.name}" in check.needs:
            _put(connection, f"told_{table.name}", rows_then(lake, table, earlier))


def _put(connection: duckdb.DuckDBPyConnection, name: str, rows: pl.DataFrame) -> None:
    connection.register("made", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
    connection.execute(f"create table facts.{name} as from made")
    connection.unregister("made")


def _run(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    check: Check,
    n_examples: int,
) -> Finding:
    classes: dict[str, int] = {}
    examples: list[Example] = []
    for _ in _turns(connection, lake, check):
        rows = connection.execute(
            f"select class, sum(n)::bigint, arg_min(struct_pack(p := place, e := expected, f := found), "
            f"place, {n_examples}) from ({check.sql}) where n > 0 group by class"
        ).fetchall()
        for name, n, first in rows:
            classes[name] = classes.get(name, 0) + n
            if name == FLAGGED:
                examples += [Example(*map(str, each.values())) for each in first or ()]
    known = {OK, FLAGGED, *(each.name for each in check.explained)}
    assert classes.keys() <= known, (check.name, classes)
    return Finding(check, classes, tuple(examples[:n_examples]), 0)


def _turns(connection: duckdb.DuckDBPyConnection, lake: Lake, check: Check) -> Iterator[None]:
    if check.by_date_of is None:
        yield
        return
    for turn in turns(lake.files(check.by_date_of)):
        connection.execute("set variable first = ?::date", [turn.first])
        connection.execute("set variable last = ?::date", [turn.last])
        yield


def _rows(report: Report) -> pl.DataFrame:
    told: list[dict[str, Any]] = [
        {
            "run_ts": report.run_ts,
            "check_name": each.check.name,
            "status": each.status,
            "n_looked_at": each.n_looked_at,
            "n_explained": each.n_explained,
            "n_flagged": each.n_flagged,
            "classes": json.dumps(dict(sorted(each.classes.items()))),
            "examples": json.dumps(
                [{"place": e.place, "expected": e.expected, "found": e.found} for e in each.examples]
            ),
            "versions": json.dumps(dict(report.versions)),
            "wall_ms": each.wall_ms,
        }
        for each in report.findings
    ]
    return pl.DataFrame(told, schema=CHECKS_TABLE.polars_schema)
