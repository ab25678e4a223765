"""Frame logs into the lake, part by part, from wherever an earlier run came to.

What a part says depends on the log alone, and rows are known by their keys: a run that was killed at any
instant is made good by the next, whether that begins where the last commit was noted or with the first line.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.frame_logs import LOCK, Batch, batches, cut
from pipelines.ingest.log_reading import CARRIED_LINES, Carried, Part, read_part
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from pipelines.ingest.ws_recording import Recording, read_lines
from pipelines.ingest.ws_rows import Rows, commit, count_ignored, facts_of, refused_of, rows_of
from warehouse.lake import Lake

PART_LINES: Final = 400_000
"""How many lines become rows at once; so many fit into some hundred megabytes of memory."""

MAX_PART_LINES: Final = 4 * PART_LINES
"""And how many at most, while markets wait for a snapshot that heals a hole."""


@dataclass(frozen=True, slots=True)
class _Read:
    recording: Recording
    part: Part
    carried: Carried


def import_log(lake: Lake, folder: Path, receipt: ImportReceipt) -> None:
    """Bring a whole log into the lake; if nobody writes it any more, its sessions end there.

    Raises:
        UnreadableFile: a file is missing or damaged; what lies before is in.
    """
    with _unwritten(folder) as is_over:
        _import(lake, folder, Carried(), receipt, is_over=is_over)


def go_on_with_log(lake: Lake, folder: Path, receipt: ImportReceipt, *, is_over: bool) -> bool:
    """Bring what is new of a log into the lake; return whether there was anything.

    How far the lake came is noted beside the log.

    Args:
        lake: where the rows go.
        folder: of the log.
        receipt: where rows are counted.
        is_over: nobody writes the log any more.

    Raises:
        UnreadableFile: a file is missing or damaged; what lies before is in.
    """
    noted = folder / f"progress-{hashlib.sha256(lake.uri.encode()).hexdigest()[:12]}.json"
    carried = _progress(noted)
    if carried is None:
        return False
    went_on = _import(lake, folder, carried, receipt, is_over=is_over, noted=noted)
    if is_over:
        _write(noted, b"null")
    return went_on


def leftovers(frames: Path) -> Iterator[Path]:
    """Yield the logs in a folder that nobody writes; a tail that a kill tore is cut off."""
    for lock in sorted(frames.glob(f"*/{LOCK}")):
        with _unwritten(lock.parent) as is_over:
            if is_over:
                cut(lock.parent)
                yield lock.parent


@contextmanager
def _unwritten(folder: Path) -> Iterator[bool]:
    """Tell whether nobody writes the log, and see that nobody begins to."""
    try:
        with (folder / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
    except OSError as error:
        raise UnreadableFile(f"{folder}: its lock cannot be had ({error.strerror})") from error


def _import(
    lake: Lake,
    folder: Path,
    carried: Carried,
    receipt: ImportReceipt,
    *,
    is_over: bool,
    noted: Path | None = None,
) -> bool:
    began, waiting, n_waiting = carried.position, list[Batch](), 0
    for batch in batches(folder, carried.position):
        waiting.append(batch)
        n_waiting += batch.n_lines
        if n_waiting >= PART_LINES:
            read = _read(folder, waiting, carried, is_last=False)
            if read.part.is_settled or n_waiting >= MAX_PART_LINES:
                carried = _take(lake, folder, read, receipt, noted)
                waiting, n_waiting = [], 0
    if waiting or is_over:
        read = _read(folder, waiting, carried, is_last=is_over)
        if is_over or read.part.is_settled:
            carried = _take(lake, folder, read, receipt, noted)
    return carried.position != began


def _read(folder: Path, waiting: Sequence[Batch], carried: Carried, *, is_last: bool) -> _Read:
    first_line = CARRIED_LINES + carried.position.n_lines + 1
    recording = read_lines(folder.name, first_line, b"".join(each.text for each in waiting))
    part = read_part(recording, carried, is_last=is_last)
    position = waiting[-1].end if waiting else carried.position
    return _Read(recording, part, Carried(position, part.sessions))


def _take(lake: Lake, folder: Path, read: _Read, receipt: ImportReceipt, noted: Path | None) -> Carried:
    recording, part = read.recording, read.part
    source = pl.lit(f"ws:{folder.name}").alias("source")
    refused = recording.refused.with_columns(pl.col("line") - CARRIED_LINES)
    for table, bad in refused_of(folder.name, refused):
        quarantine(lake, table, bad, receipt)
    count_ignored(part.frames, part.n_repeats, receipt)
    receipt.n_rows += recording.frames.height + recording.refused.filter(pl.col("kind") == "").height
    rows = Rows(
        {
            name: each.with_columns(source)
            for name, each in rows_of(recording, part.frames, part.gaps).items()
        },
        facts_of(recording, part.frames).with_columns(source),
        recording.frames.height,
    )
    commit(lake, [rows], receipt)
    if noted is not None:
        _write(noted, msgspec.json.encode(read.carried))
    return read.carried


def _progress(noted: Path) -> Carried | None:
    """Return what was noted: nothing yet, how far the lake came, or None when all of the log is in."""
    try:
        return msgspec.json.decode(noted.read_bytes(), type=Carried | None)
    except FileNotFoundError:
        return Carried()
    except msgspec.MsgspecError as error:
        raise UnreadableFile(
            f"{noted}: damaged ({error}); delete it, the log is then read anew and nothing goes in twice"
        ) from error


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
