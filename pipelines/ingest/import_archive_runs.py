"""Rows in no order of time, sorted by date on disk: in bounded memory, and resumable after a kill.

FOLDER/run-00000.parquet       up to RUN_ROWS rows, sorted by time, so that a range of dates reads few of them
FOLDER/run-00000.json          written last: a run without it does not count. Says what was read so far
FOLDER/bad-00000.parquet       rows of the same stretch that were refused
FOLDER/done-35-2025-01-01      the commit of 35 runs that begins with this date is in the lake

A run says which files it came from (a digest of all up to there) and where the next one has to go on; runs
are taken over only as far as the archive's files are still the same.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.import_archive_files import ArchiveFile, digest_of

RUN_ROWS: Final = 2_000_000  # about 0.3 GB in memory while they are sorted
COMMIT_ROWS: Final = 1_000_000
_DAY: Final = timedelta(days=1)
_ROWS_PER_GROUP: Final = 65_536


@dataclass(slots=True)
class Run:
    """What one run holds, and how far the archive was read with it.

    `n_files` files were read whole, and `n_batches` of the next; `digest` tells all those files. Of `n_read`
    rows `n_bad` were refused and `n_late`, of `until` or later, left out; `days` has the others by date.
    """

    n_files: int = 0
    n_batches: int = 0
    until: str = ""
    digest: str = ""
    n_read: int = 0
    n_bad: int = 0
    n_late: int = 0
    days: dict[str, int] = field(default_factory=dict)

    def n_between(self, first: date, last: date) -> int:
        """Return how many rows the dates `first`..`last` have."""
        return sum(n for day, n in self.days.items() if first <= date.fromisoformat(day) <= last)


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Hold the folder for one import; it stays when the import does not finish.

    Raises:
        BadRequest: another import is at work there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise _no_room(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest(f"{folder}: another import of an archive is at work; wait for it") from error
        yield folder


def finished_runs(folder: Path, files: Sequence[ArchiveFile], until: str) -> list[Run]:
    """Return the runs of an interrupted import that fit the files and `until`; what else lies there goes."""
    runs: list[Run] = []
    while (told := _info(folder, len(runs))).is_file():
        run = Run(**json.loads(told.read_text()))
        if (run.until, run.digest) != (until, digest_so_far(files, run)):
            break
        runs.append(run)
    kept = {path for number in range(len(runs)) for path in _paths(folder, number)}
    stale = [path for path in folder.iterdir() if path not in kept and path.name.startswith(("run-", "bad-"))]
    for path in stale:
        path.unlink()
    if stale:
        for path in folder.glob("done-*"):
            path.unlink()
    return runs


def keep_run(folder: Path, number: int, run: Run, rows: pl.DataFrame, bad: pl.DataFrame) -> None:
    """Write one run; it counts from its last step on.

    Raises:
        BadRequest: the folder cannot be written; runs before this one stay.
    """
    data, refused, told = _paths(folder, number)
    fresh = told.with_suffix(".new")
    try:
        rows.sort("event_ts").write_parquet(data, row_group_size=_ROWS_PER_GROUP)
        bad.write_parquet(refused)
        fresh.write_text(json.dumps(asdict(run)))
        for path in (data, refused, fresh):
            with path.open("rb") as written:
                os.fsync(written.fileno())
        fresh.replace(told)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise _no_room(folder, error) from error


def bad_rows(folder: Path, number: int) -> pl.DataFrame:
    """Return the refused rows of a run."""
    return pl.read_parquet(_paths(folder, number)[1], glob=False)


def spans(runs: Sequence[Run]) -> list[tuple[date, date]]:
    """Return ranges of dates `[first, last]` with about COMMIT_ROWS rows, ascending; a date is never divided.

    A day of one market has to come in one piece: which source speaks for it is decided by the day.
    """
    counted: dict[date, int] = {}
    for run in runs:
        for text, n_rows in run.days.items():
            counted[date.fromisoformat(text)] = counted.get(date.fromisoformat(text), 0) + n_rows
    found: list[tuple[date, date]] = []
    n_waiting = 0
    for day in sorted(counted):
        if not found or n_waiting + counted[day] > COMMIT_ROWS:
            found.append((day, day))
            n_waiting = 0
        found[-1] = (found[-1][0], day)
        n_waiting += counted[day]
    return found


def rows_of(folder: Path, runs: Sequence[Run], first: date, last: date) -> pl.DataFrame:
    """Return the rows of the dates `first`..`last` out of all runs."""
    paths = [_paths(folder, number)[0] for number in range(len(runs))]
    held = [path for path, run in zip(paths, runs, strict=True) if run.n_between(first, last)]
    at = pl.col("event_ts")
    is_inside = (at >= pl.lit(first).cast(pl.Datetime("us", "UTC"))) & (
        at < pl.lit(last + _DAY).cast(pl.Datetime("us", "UTC"))
    )
    return pl.scan_parquet(held, glob=False).filter(is_inside).collect()


def done_mark(folder: Path, runs: Sequence[Run], first: date) -> Path:
    """Return the file that says, by being there, that the commit beginning with this date is in the lake.

    Its name counts the runs: when the archive has grown since, all its dates are looked at again.
    """
    return folder / f"done-{len(runs)}-{first.isoformat()}"


def clear(folder: Path) -> None:
    """Remove everything: the import is finished."""
    shutil.rmtree(folder)


def digest_so_far(files: Sequence[ArchiveFile], run: Run) -> str:
    """Return the digest of all files that were read with this run and before it."""
    return digest_of(_touched(files, run))


def _no_room(folder: Path, error: Exception) -> BadRequest:
    said = " ".join(str(error).split()) or type(error).__name__
    return BadRequest(
        f"{folder}: cannot be written ({said}); make room and run it again, or name another folder with --tmp"
    )


def _touched(files: Sequence[ArchiveFile], run: Run) -> Sequence[ArchiveFile]:
    return files[: run.n_files + (run.n_batches > 0)]


def _paths(folder: Path, number: int) -> tuple[Path, Path, Path]:
    return (
        folder / f"run-{number:05}.parquet",
        folder / f"bad-{number:05}.parquet",
        _info(folder, number),
    )


def _info(folder: Path, number: int) -> Path:
    return folder / f"run-{number:05}.json"
