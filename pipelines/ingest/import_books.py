"""Recordings of books that others made, into the lake: changes, tops of book, depth of some levels or all.

Layouts are recognised by their columns or declared (`book_layouts`). What a file does not tell stays
unknown: a book of limited depth says so, changes without a whole book come with a gap, and after the last row
of a recording nothing is known (a `session_end` in `book_gaps`).
"""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from pipelines.ingest import book_cells as cells
from pipelines.ingest import exact
from pipelines.ingest.book_depth import RUN
from pipelines.ingest.book_layouts import CHANGES, DEPTH, Layout, check_zone, recognised
from pipelines.ingest.book_parts import Part, Recording, parts, told_rows
from pipelines.ingest.book_refusals import Refusals
from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from pipelines.ingest.tape_files import check_tape, tape_chunks
from warehouse.lake import Lake
from warehouse.progress import Progress, silent
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES

COMMIT_ROWS: Final = 1_000_000
# As for recordings of frames: without snapshots nobody can rebuild a book, so they go in last.
_ORDER: Final = (BOOK_GAPS, BOOK_DELTAS, QUOTES, BOOK_SNAPSHOTS)
_TIMES: Final = {BOOK_DELTAS.name: "event_ts", QUOTES.name: "event_ts", BOOK_SNAPSHOTS.name: "captured_ts"}
_TICKER: Final = re.compile(r"[A-Z0-9]+(-[A-Z0-9.]+)+")
_HEAD_ROWS: Final = 1_000
_GAP: Final = {
    name: dtype for name, dtype in BOOK_GAPS.polars_schema.items() if name not in ("source", "fetched_ts")
}


def import_books(
    lake: Lake,
    files: Sequence[Path],
    progress: Progress = silent,
    *,
    layout: Layout | None = None,
    zone: str | None = None,
    tickers: Mapping[str, str] | None = None,
) -> ImportReceipt:
    """Bring recordings of books (CSV, CSV.gz, Parquet) into book_deltas, book_snapshots, quotes, book_gaps.

    Every file is checked before the first row goes in. A session is named after the layout and how its file
    begins, so that a file goes in once whatever its name, and a longer one adds what it has more.

    Args:
        lake: where the rows go.
        files: recordings.
        progress: told of every file.
        layout: how all the files are laid out; None: recognised file by file.
        zone: of times that name none.
        tickers: for files without tickers, by file name; "" stands for any file.

    Raises:
        UnreadableFile: a file is missing, damaged, lacks a column, or has a book's rows apart.
        BadRequest: a layout, zone or ticker is needed that nobody told.
    """
    started_s = time.monotonic()
    if zone is not None:
        check_zone(zone)
    receipt = ImportReceipt("books", files=[str(each) for each in files])
    recordings = [_checked(path, layout, zone, tickers or {}) for path in files]
    for done, recording in enumerate(recordings):
        progress("import books", done, len(files))
        _import(lake, recording, receipt)
    progress("import books", len(files), len(files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _checked(path: Path, layout: Layout | None, zone: str | None, tickers: Mapping[str, str]) -> Recording:
    names = check_tape(path, layout.needed if layout else (), may_be_naive=True)
    layout = layout or recognised(path, names)
    layout = replace(layout, zone=zone or layout.zone)
    check_tape(path, layout.needed, may_be_naive=True)
    if layout.ticker and (path.name in tickers or "" in tickers):
        raise BadRequest(f"{path}: its column {layout.ticker} tells the markets; leave --ticker out")
    ticker = None if layout.ticker else _ticker(path, layout, tickers)
    head = _head(path, layout)
    if layout.time_unit == "text" and layout.zone is None:
        naive = head.filter(cells.is_naive(layout.time))
        if not naive.is_empty():
            raise BadRequest(
                f"{path}:{naive['line'][0]}: {layout.time}={naive[layout.time][0]!r} has no time zone; say "
                "which the recorder's clock had, --zone UTC or --zone America/New_York"
            )
    if layout.kind == DEPTH and not layout.levels:
        _check_order(path, layout, ticker)
    return Recording(path=path, layout=layout, ticker=ticker, session=_session(layout, ticker, head))


def _ticker(path: Path, layout: Layout, tickers: Mapping[str, str]) -> str:
    stem = path.name.split(".csv")[0].split(".parquet")[0]
    if told := tickers.get(path.name) or tickers.get(""):
        return told
    if layout.ticker_file:
        found = re.search(layout.ticker_file, stem)
        if found and found["ticker"]:
            return found["ticker"]
    elif _TICKER.fullmatch(stem):
        return stem
    raise BadRequest(
        f"{path}: neither a column nor its name tells the market; say --ticker {path.name}=TICKER"
    )


def _head(path: Path, layout: Layout) -> pl.DataFrame:
    """Return the first rows of a file as text, up to the first that has a time."""
    head = pl.DataFrame(schema=dict.fromkeys(("payload", layout.time), pl.String) | {"line": pl.Int64})
    for chunk in tape_chunks(path, layout.needed):
        head = pl.concat([head, chunk.select(head.columns)]).head(_HEAD_ROWS)
        timed = head.select((~cells.blank(layout.time)).arg_true()).to_series()
        if len(timed):
            return head.head(timed[0] + 1)
        if head.height == _HEAD_ROWS:
            break
    return head


def _session(layout: Layout, ticker: str | None, head: pl.DataFrame) -> str:
    """Return a name that stays when the file is renamed or grows, and that no other file has."""
    told = "\n".join([ticker or "", *head["payload"]])
    return f"{layout.name}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _check_order(path: Path, layout: Layout, ticker: str | None) -> None:
    """Refuse a file whose books lie in pieces: each piece would pass for a whole book."""
    last_us: dict[str, int] = {}
    open_key: tuple[str, int] | None = None
    for rows in told_rows(path, layout, ticker):
        runs = rows.drop_nulls("at_ts").filter(pl.col("ticker") != "").group_by(RUN, maintain_order=True)
        firsts = runs.agg(pl.col("line", "ticker").first(), at_us=pl.col("at_ts").first().to_physical())
        for line, who, at_us in firsts.select("line", "ticker", "at_us").iter_rows():
            if (who, at_us) != open_key and at_us <= last_us.get(who, at_us - 1):
                raise UnreadableFile(
                    f"{path}:{line}: {who} comes again with a time that is not later than before; sort the "
                    f"rows by time and ticker, so that those of a book stand together"
                )
            open_key = who, at_us
            last_us[who] = at_us


def _import(lake: Lake, recording: Recording, receipt: ImportReceipt) -> None:
    waiting: list[Part] = []
    told = _Told()
    for part in parts(recording, receipt.seen, receipt.ignored):
        receipt.n_rows += part.n_rows
        quarantine(lake, part.table, part.refused, receipt)
        waiting.append(part)
        told.add(part)
        if sum(rows.height for each in waiting for rows in each.rows.values()) >= COMMIT_ROWS:
            _commit(lake, recording, waiting, told.gaps(recording), receipt)
            waiting = []
    _commit(lake, recording, waiting, [*told.gaps(recording), *told.end()], receipt)


class _Told:
    """What a recording has told so far: of which markets, until when, from which change on."""

    def __init__(self) -> None:
        self._tickers: set[str] = set()
        self._last_us: int | None = None
        self._last_line = 0
        self._first_delta: tuple[int, int] | None = None
        self._refusals = Refusals()
        self._refused: list[dict[str, Any]] = []

    def add(self, part: Part) -> None:
        self._last_line = max(self._last_line, part.last_line)
        if part.table is BOOK_SNAPSHOTS:
            self._refused += self._refusals.add(part.rows[BOOK_SNAPSHOTS.name], part.lost)
        for name, rows in part.rows.items():
            if rows.is_empty():
                continue
            self._tickers |= set(rows["ticker"].unique())
            last_us = rows.select(pl.col(_TIMES[name]).max().to_physical()).item()
            self._last_us = max(self._last_us or last_us, last_us)
            if name == BOOK_DELTAS.name and self._first_delta is None:
                seq, at_us = rows.select("seq", pl.col("event_ts").to_physical()).row(0)
                self._first_delta = seq, at_us

    def gaps(self, recording: Recording) -> Iterator[dict[str, Any]]:
        """Yield the gap of changes that no whole book comes before, for good, and those of refused books."""
        yield from self._refused
        if recording.layout.kind == CHANGES and self._first_delta is not None:
            from_seq, from_us = self._first_delta
            yield self._gap(from_seq, from_us, "no_snapshot")

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield the end of the recording, and of what was never told again."""
        yield from self._refusals.end()
        if self._last_us is not None:
            yield self._gap(self._last_line + 1, self._last_us, "session_end")

    def _gap(self, from_seq: int, from_us: int, cause: str) -> dict[str, Any]:
        return {
            "sid": 0,
            "from_seq": from_seq,
            "to_seq": None,
            "tickers": sorted(self._tickers),
            "from_ts": from_us,
            "until_ts": None,
            "cause": cause,
            "is_recovered": False,
        }


def _commit(
    lake: Lake,
    recording: Recording,
    waiting: Sequence[Part],
    gaps: Iterator[dict[str, Any]] | Sequence[dict[str, Any]],
    receipt: ImportReceipt,
) -> None:
    found: dict[str, list[pl.DataFrame]] = {BOOK_GAPS.name: [_gaps(list(gaps))]}
    for part in waiting:
        for name, rows in part.rows.items():
            found.setdefault(name, []).append(rows)
    for table in _ORDER:
        rows = pl.concat(found[table.name]) if found.get(table.name) else pl.DataFrame()
        if rows.is_empty():
            continue
        rows = rows.with_columns(
            session=pl.lit(recording.session), source=pl.lit(f"import:{recording.path.name}")
        )
        commit = lake.commit(table, rows, location=recording.path.name)
        receipt.count(
            table.name, n_new=commit.n_new, n_known=commit.n_known, n_quarantined=commit.n_quarantined
        )


def _gaps(gaps: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    raw = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in _GAP.items()}
    rows = pl.DataFrame([{"session": "", **each} for each in gaps], schema=raw)
    return rows.with_columns(pl.col(name).cast(exact.TIME) for name in ("from_ts", "until_ts"))
