"""Recordings of the order book stream, into the lake: deltas, snapshots, gaps, quotes, facts of markets."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest import exact
from pipelines.ingest.market_facts import commit_facts, import_results
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import REFUSED, quarantine
from pipelines.ingest.ws_gaps import find_gaps
from pipelines.ingest.ws_recording import Recording, read_recording
from pipelines.ingest.ws_sessions import with_sessions
from pipelines.ingest.ws_wire import BOOK_KINDS, NONE, SNAPSHOT, STORED_KINDS, TICKER
from warehouse.lake import Lake
from warehouse.progress import Progress, silent
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES, Table

# Without snapshots nobody can rebuild a book: they go in last, so that a kill between two commits leaves
# books unknown rather than wrong.
_ORDER: Final = (BOOK_GAPS, BOOK_DELTAS, QUOTES, BOOK_SNAPSHOTS)

# Finding out what is new reads the keys of the day, so recordings of one day are committed together.
_COMMIT_FRAMES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Tables:
    """One recording as rows of the lake, by table name; `facts` are about markets."""

    rows: dict[str, pl.DataFrame]
    facts: pl.DataFrame
    n_frames: int


def import_ws(
    lake: Lake,
    files: Sequence[Path],
    progress: Progress = silent,
    *,
    observed_ts: datetime,
    markets: Path | None = None,
) -> ImportReceipt:
    """Bring recordings (see `ws_recording`) into book_deltas, book_snapshots, book_gaps, quotes and markets.

    A file goes in whole or not at all. Lines that are no frames are named and quarantined; a frame of a
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
    waiting: list[_Tables] = []
    for done, path in enumerate(files):
        progress("import recordings", done, len(files))
        waiting.append(_read(lake, path, receipt))
        if sum(each.n_frames for each in waiting) >= _COMMIT_FRAMES:
            _commit(lake, waiting, receipt)
            waiting = []
    _commit(lake, waiting, receipt)
    if markets is not None:
        import_results(lake, markets, observed_ts, receipt)
    progress("import recordings", len(files), len(files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _read(lake: Lake, path: Path, receipt: ImportReceipt) -> _Tables:
    recording = read_recording(path)
    frames = with_sessions(recording.frames)
    numbered = pl.col("seq") != NONE
    is_repeat = numbered & (pl.col("seq") == pl.col("seq").shift(1)).over("session", "sid")
    repeats = frames.filter(is_repeat)
    frames = frames.join(repeats, on="line", how="anti", maintain_order="left")
    for table, rows in _refused(path, recording):
        quarantine(lake, table, rows, receipt)
    kinds = frames.filter(~pl.col("kind").is_in(STORED_KINDS)).get_column("kind").value_counts()
    counts = [*kinds.iter_rows(), ("repeated", repeats.height)]
    for kind, n_frames in counts:
        if n_frames:
            receipt.ignored[kind] = receipt.ignored.get(kind, 0) + n_frames
    receipt.n_rows += recording.frames.height + recording.refused.filter(pl.col("kind") == "").height
    source = pl.lit(f"import:{path.name}").alias("source")
    tables = {name: rows.with_columns(source) for name, rows in _rows(recording, frames).items()}
    return _Tables(tables, _facts(recording, frames).with_columns(source), recording.frames.height)


def _rows(recording: Recording, frames: pl.DataFrame) -> dict[str, pl.DataFrame]:
    received = _moment("received_us")
    origin = frames.select("line", "session", "sid", "seq", "ticker", received.alias("received_ts"))
    deltas = recording.deltas.join(origin, on="line", how="inner", maintain_order="left")
    snapshots = recording.snapshots.join(origin, on="line", how="inner", maintain_order="left")
    quotes = recording.quotes.join(origin, on="line", how="inner", maintain_order="left")
    return {
        BOOK_GAPS.name: find_gaps(_numbered(recording, frames)),
        BOOK_DELTAS.name: deltas.drop("line"),
        QUOTES.name: quotes.drop("line", "sid", "seq"),
        BOOK_SNAPSHOTS.name: snapshots.drop("line")
        .rename({"received_ts": "captured_ts"})
        .with_columns(method=pl.lit("ws")),
    }


def _numbered(recording: Recording, frames: pl.DataFrame) -> pl.DataFrame:
    is_bad = pl.col("line").is_in(recording.refused.get_column("line").implode())
    happened = recording.deltas.select("line", event_us=pl.col("event_ts").to_physical())
    return (
        frames.filter(pl.col("seq") != NONE)
        .join(happened, on="line", how="left", maintain_order="left")
        .select(
            "session",
            "sid",
            "seq",
            "line",
            "kind",
            "ticker",
            known_us=pl.max_horizontal("received_us", "event_us"),
            is_bad=is_bad & pl.col("kind").is_in(BOOK_KINDS),
        )
    )


def _facts(recording: Recording, frames: pl.DataFrame) -> pl.DataFrame:
    notes = recording.notes.join(
        frames.select("line", "received_us"), on="line", how="inner", maintain_order="left"
    )
    return notes.filter(pl.col("market_ticker").fill_null("") != "").select(
        pl.col("market_ticker").alias("ticker"),
        _moment("received_us").alias("observed_ts"),
        "event_ticker",
        "series_ticker",
        exact.moment("close_time").alias("close_ts"),
        "status",
        pl.col("strike").alias("floor_strike"),
    )


def _refused(path: Path, recording: Recording) -> Iterable[tuple[Table, pl.DataFrame]]:
    kind = pl.col("kind")
    location = pl.format("{}:{}", pl.lit(path.name), pl.col("line")).alias("location")
    rows = recording.refused.with_columns(location)
    for table, is_meant in (
        (BOOK_SNAPSHOTS, kind == SNAPSHOT),
        (QUOTES, kind == TICKER),
        (BOOK_DELTAS, ~kind.is_in([SNAPSHOT, TICKER])),
    ):
        yield table, rows.filter(is_meant).select(list(REFUSED))


def _commit(lake: Lake, waiting: Sequence[_Tables], receipt: ImportReceipt) -> None:
    for table in _ORDER:
        parts: Iterable[pl.DataFrame] = (each.rows[table.name] for each in waiting)
        rows = [part for part in parts if not part.is_empty()]
        if not rows:
            continue
        commit = lake.commit(table, pl.concat(rows))
        receipt.count(
            table.name, n_new=commit.n_new, n_known=commit.n_known, n_quarantined=commit.n_quarantined
        )
    facts = [each.facts for each in waiting if not each.facts.is_empty()]
    if facts:
        commit_facts(lake, pl.concat(facts), receipt)


def _moment(column: str) -> pl.Expr:
    return pl.col(column).cast(exact.TIME)
