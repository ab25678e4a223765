"""Recordings of the order book stream, into the lake: books, their gaps, quotes, trades, facts of markets."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest.frame_logs import is_log
from pipelines.ingest.import_log import import_log
from pipelines.ingest.market_facts import import_results
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from pipelines.ingest.ws_gaps import find_gaps
from pipelines.ingest.ws_recording import read_recording
from pipelines.ingest.ws_rows import Rows, commit, count_ignored, facts_of, numbered, refused_of, rows_of
from pipelines.ingest.ws_sessions import with_sessions
from pipelines.ingest.ws_wire import NONE
from warehouse.lake import Lake
from warehouse.progress import Progress, silent

# Finding out what is new reads the keys of the day, so recordings of one day are committed together.
_COMMIT_FRAMES: Final = 1_000_000


def import_ws(
    lake: Lake,
    files: Sequence[Path],
    progress: Progress = silent,
    *,
    observed_ts: datetime,
    markets: Path | None = None,
) -> ImportReceipt:
    """Bring recordings into book_deltas, book_snapshots, book_gaps, quotes, trades and markets.

    A file (see `ws_recording`) goes in whole or not at all; the folder of a frame log (see `frame_logs`) is
    one recording and goes in part by part. Lines that are no frames are named and quarantined; a frame of a
    book that cannot be read, like one that is missing, blinds its markets until their next snapshot
    (`book_gaps`).

    Args:
        lake: where the rows go.
        files: recordings; a connection keeps its name whatever file it is in.
        progress: told of every file.
        observed_ts: when the results in `markets` count as observed.
        markets: a CSV of markets and results (see `market_facts`).

    Raises:
        UnreadableFile: a file holds no frame at all; files before it may be in, whole.
    """
    started_s = time.monotonic()
    receipt = ImportReceipt("ws", files=[str(each) for each in files])
    waiting: list[Rows] = []
    for done, path in enumerate(files):
        progress("import recordings", done, len(files))
        if is_log(path):
            import_log(lake, path, receipt)
            continue
        waiting.append(_read(lake, path, receipt))
        if sum(each.n_frames for each in waiting) >= _COMMIT_FRAMES:
            commit(lake, waiting, receipt)
            waiting = []
    commit(lake, waiting, receipt)
    if markets is not None:
        import_results(lake, markets, observed_ts, receipt)
    progress("import recordings", len(files), len(files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _read(lake: Lake, path: Path, receipt: ImportReceipt) -> Rows:
    recording = read_recording(path)
    frames = with_sessions(recording.frames)
    is_numbered = pl.col("seq") != NONE
    is_repeat = is_numbered & (pl.col("seq") == pl.col("seq").shift(1)).over("session", "sid")
    repeats = frames.filter(is_repeat)
    frames = frames.join(repeats, on="line", how="anti", maintain_order="left")
    for table, rows in refused_of(path.name, recording.refused):
        quarantine(lake, table, rows, receipt)
    count_ignored(frames, repeats.height, receipt)
    receipt.n_rows += recording.frames.height + recording.refused.filter(pl.col("kind") == "").height
    source = pl.lit(f"import:{path.name}").alias("source")
    tables = rows_of(recording, frames, find_gaps(numbered(recording, frames)))
    return Rows(
        {name: rows.with_columns(source) for name, rows in tables.items()},
        facts_of(recording, frames).with_columns(source),
        recording.frames.height,
    )
