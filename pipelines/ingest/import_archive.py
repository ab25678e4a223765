"""A public archive of trades and markets, whole, into the lake: `tapehouse import archive`.

Its pieces are in no order of time, so they are read once and sorted by date on disk (`import_archive_runs`);
then every date is committed once. Nothing goes in before the last file was read to its end. A kill at any
instant costs at most one run and one commit: run the command again.

An archive fills no windows of the coverage ledger: nobody can tell what it lacks.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.import_archive_files import SOURCE, ArchiveFile, archive_files, batches, check_archive
from pipelines.ingest.import_archive_markets import commit_markets
from pipelines.ingest.import_archive_rows import (
    EXACT_UNTIL,
    MARKET_COLUMNS,
    TRADE_COLUMNS,
    refused_rows,
    trades,
)
from pipelines.ingest.import_archive_runs import (
    RUN_ROWS,
    Run,
    bad_rows,
    clear,
    digest_so_far,
    done_mark,
    finished_runs,
    keep_run,
    rows_of,
    spans,
    workplace,
)
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from warehouse.choosing import lacking
from warehouse.lake import Lake
from warehouse.progress import Progress, silent
from warehouse.tables import TRADES

TRADE: Final = "trades"
MARKET: Final = "markets"
KINDS: Final = (TRADE, MARKET)
WORKPLACE: Final = ".import-archive"
_BAD_ROWS_KEPT: Final = 10_000
_VERDICT: Final = ("field", "value", "reason")


def import_archive(
    lake: Lake,
    folder: Path,
    progress: Progress = silent,
    *,
    kinds: Sequence[str] = KINDS,
    until: datetime = EXACT_UNTIL,
    tmp: Path | None = None,
) -> ImportReceipt:
    """Bring an archive's trades and markets into the lake.

    Trades from `until` on are left out, and market states fetched since then lose prices and counts: see
    `import_archive_rows`. Rows that are none are quarantined, the first 10,000 whole, more are counted in
    `ignored`. Sorting takes about as much room as the archive's trades, below `tmp` (default: the lake).

    Raises:
        UnreadableFile: there is no archive, or a file of it is damaged; the lake is as it was.
        BadRequest: the lake is in a bucket and `tmp` is not given, or another import is at work.
    """
    started_s = time.monotonic()
    files = {kind: archive_files(folder, kind) for kind in kinds}
    if not any(files.values()):
        raise UnreadableFile(
            f"{folder}: no data/kalshi/{' or '.join(kinds)}/*.parquet below it; "
            "name the folder that holds `data`"
        )
    for kind, listed in files.items():
        check_archive(listed, kind)
    if tmp is None and not lake.place.is_local:
        raise BadRequest("--tmp: a lake in a bucket has no room to sort in; name a folder of this machine")
    receipt = ImportReceipt("archive", files=[str(each.path) for listed in files.values() for each in listed])
    with workplace((lake.path if tmp is None else tmp) / WORKPLACE) as place:
        runs = _sorted(place, files.get(TRADE, []), until, progress)
        _read_through(files.get(MARKET, []), progress)
        _commit_trades(lake, place, runs, receipt, progress)
        commit_markets(lake, files.get(MARKET, []), until, receipt, progress)
        clear(place)
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _sorted(place: Path, files: Sequence[ArchiveFile], until: datetime, progress: Progress) -> list[Run]:
    """Read all trades into runs, going on where an interrupted import stopped."""
    runs = finished_runs(place, files, until.isoformat())
    waiting = _Waiting(runs[-1] if runs else Run(until=until.isoformat()))
    for number, n_batches, file, rows in _after(files, waiting.run):
        progress("archive: sort trades", number, len(files))
        waiting.add(file, rows, until)
        waiting.run.n_files, waiting.run.n_batches = number, n_batches
        if waiting.n_rows >= RUN_ROWS:
            runs.append(waiting.kept(place, len(runs), files))
            waiting = _Waiting(runs[-1])
    if waiting.run.n_read:
        runs.append(waiting.kept(place, len(runs), files))
    progress("archive: sort trades", len(files), len(files))
    return runs


class _Waiting:
    """Rows that were read and are not yet in a run, which goes on where the run before it stopped."""

    def __init__(self, before: Run) -> None:
        self.run = Run(before.n_files, before.n_batches, until=before.until)
        self.n_rows = 0
        self._good: list[pl.DataFrame] = []
        self._bad: list[pl.DataFrame] = []

    def add(self, file: ArchiveFile, rows: pl.DataFrame, until: datetime) -> None:
        """Judge a batch of trades."""
        judged = trades(rows)
        is_good = pl.col("reason").is_null()
        is_late = (pl.col("event_ts") >= until).fill_null(value=False)
        good = judged.filter(is_good & ~is_late).drop("line", *_VERDICT)
        bad = judged.filter(~is_good & ~is_late).select("line", *_VERDICT)
        self._good.append(good)
        self._bad.append(refused_rows(file, rows, bad.head(_BAD_ROWS_KEPT)))
        self.n_rows += good.height
        run = self.run
        run.n_read += rows.height
        run.n_bad += bad.height
        run.n_late += rows.height - good.height - bad.height
        for day, n_days_rows in good.group_by(pl.col("event_ts").dt.date()).len().iter_rows():
            run.days[day.isoformat()] = run.days.get(day.isoformat(), 0) + n_days_rows

    def kept(self, place: Path, number: int, files: Sequence[ArchiveFile]) -> Run:
        """Write what waits as one run."""
        self.run.digest = digest_so_far(files, self.run)
        bad = pl.concat(self._bad).head(_BAD_ROWS_KEPT)
        keep_run(place, number, self.run, pl.concat(self._good), bad)
        return self.run


def _after(files: Sequence[ArchiveFile], run: Run) -> Iterator[tuple[int, int, ArchiveFile, pl.DataFrame]]:
    """Yield what follows a run: the file's number, how many of its batches are read then, file and batch."""
    first = run.n_batches
    for number in range(run.n_files, len(files)):
        for place, rows in enumerate(batches(files[number], TRADE_COLUMNS, first=first), start=first + 1):
            yield number, place, files[number], rows
        first = 0


def _commit_trades(
    lake: Lake, place: Path, runs: Sequence[Run], receipt: ImportReceipt, progress: Progress
) -> None:
    n_kept = 0
    for number, run in enumerate(runs):
        receipt.n_rows += run.n_read
        bad = bad_rows(place, number).head(_BAD_ROWS_KEPT - n_kept)
        quarantine(lake, TRADES, bad, receipt)
        n_kept += bad.height
    _leave_out(receipt, sum(run.n_late for run in runs), "trades from the day on when counts may be cut")
    _leave_out(receipt, sum(run.n_bad for run in runs) - n_kept, "refused trades beyond those in quarantine")
    days = spans(runs)
    for number, (first, last) in enumerate(days):
        progress("archive: commit days of trades", number, len(days))
        mark = done_mark(place, runs, first)
        if mark.is_file():
            receipt.count(TRADES.name, n_known=sum(run.n_between(first, last) for run in runs))
            continue
        rows = rows_of(place, runs, first, last).with_columns(pl.lit(SOURCE).alias("source"))
        told = lacking(lake.place, TRADES, lake.files(TRADES), rows)
        commit = lake.commit(TRADES, told, location=SOURCE)
        receipt.count(TRADES.name, n_new=commit.n_new, n_known=rows.height - commit.n_new)
        mark.touch()
    progress("archive: commit days of trades", len(days), len(days))


def _leave_out(receipt: ImportReceipt, n_rows: int, why: str) -> None:
    if n_rows:
        receipt.ignored[why] = n_rows


def _read_through(files: Sequence[ArchiveFile], progress: Progress) -> None:
    for number, file in enumerate(files):
        progress("archive: check markets", number, len(files))
        for _ in batches(file, MARKET_COLUMNS):
            pass
    progress("archive: check markets", len(files), len(files))
