"""Runs that were killed cannot say so: the next one does it for them.

A run keeps a file, locked, in a folder beside the lake for as long as it lasts. One that nobody has locked is
what a killed run left: after the last poll of its markets that is in the lake, nothing is known.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Final

import polars as pl

from pipelines.poller.errors import MarkUnwritable
from pipelines.poller.spells import KILLED, end_of, gap_rows
from warehouse.lake import Lake
from warehouse.storage import collected
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

SUFFIX: Final = ".run"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@contextmanager
def run_mark(folder: Path, now_ts: datetime) -> Iterator[str]:
    """Give a run a name that no other has, and keep it marked until the block ends in order.

    Raises:
        MarkUnwritable: the folder cannot be written.
    """
    run = f"poll-{now_ts.astimezone(UTC):{_STAMP}}-{token_hex(3)}"
    path = folder / f"{run}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = path.open("x")
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fsync(mark.fileno())
    except OSError as error:
        raise MarkUnwritable(
            f"{path}: a run cannot be marked there ({error.strerror}); choose another folder with --marks"
        ) from error
    with mark:
        yield run
        path.unlink()


def end_killed(lake: Lake, folder: Path) -> list[str]:
    """Declare the end of every run that was killed; return those that had any. Twice does no harm.

    Raises:
        WarehouseError: the lake cannot be read or written; the runs are still marked.
    """
    ended = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError), path.open("r+") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it lives
            run = path.name.removesuffix(SUFFIX)
            if _end(lake, run):
                ended.append(run)
            path.unlink(missing_ok=True)
    return ended


def _end(lake: Lake, run: str) -> bool:
    """Write down where nothing says yet that a market's polls ended; return whether there was such a one."""
    began_ts = datetime.strptime(run.split("-")[1], _STAMP).replace(tzinfo=UTC)
    is_its = pl.col("session").str.starts_with(run)
    on = ["session", "sid"]
    ends = lake.scan(BOOK_GAPS).filter(is_its, pl.col("until_ts").is_null()).select(on)
    last = (
        lake.scan(BOOK_SNAPSHOTS, dates=(began_ts.date(), None))
        .filter(is_its)
        .select(*on, "ticker", "seq", at_us=pl.col("captured_ts").dt.epoch("us"))
        .join(ends, on=on, how="anti")
        .group_by(*on, "ticker")
        .agg(pl.col("seq", "at_us").max())
        .sort(on)
    )
    gaps = [end_of(**row, cause=KILLED) for row in collected(last, lake.uri).iter_rows(named=True)]
    if gaps:
        lake.commit(BOOK_GAPS, gap_rows(gaps), location=run)
    return bool(gaps)
