"""Recordings of books read part by part: what goes into which table, and the rows that are none."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest import book_cells as cells
from pipelines.ingest import book_changes, book_depth, book_tops
from pipelines.ingest.book_layouts import CHANGES, TOPS, Layout
from pipelines.ingest.tape_files import tape_chunks
from warehouse.book_trades import WITHIN_ROWS, TradeMatcher
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS, QUOTES, Table

_SPARE_FRACTION: Final = r"(\.[0-9]{6})[0-9]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file and how to read it; `ticker` is told where no column tells it."""

    path: Path
    layout: Layout
    ticker: str | None
    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What some rows of a recording make.

    Attributes:
        refused: rows that were meant for `table`, per REFUSED.
        lost: line and ticker of those rows.
    """

    n_rows: int
    last_line: int
    rows: Mapping[str, pl.DataFrame]
    table: Table
    refused: pl.DataFrame
    lost: pl.DataFrame


def parts(recording: Recording, seen: dict[str, int], ignored: dict[str, int]) -> Iterator[Part]:
    """Read a recording part by part; what is counted on the way is added to `seen` and `ignored`."""
    kind = recording.layout.kind
    if kind == CHANGES:
        return _changes(recording, seen, ignored)
    if kind == TOPS:
        return _tops(recording)
    return _wide(recording) if recording.layout.levels else _long(recording)


def told_rows(
    path: Path, layout: Layout, ticker: str | None, readings: Iterable[pl.Expr] = ()
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file as text (see `tape_chunks`), with at_ts, ticker, and these readings."""
    for chunk in tape_chunks(path, layout.needed):
        time = pl.col(layout.time).str.replace(_SPARE_FRACTION, "${1}")
        who = pl.lit(ticker) if ticker is not None else pl.col(layout.ticker or "")
        at_ts = cells.moment(layout.time, layout.time_unit, layout.zone).alias("at_ts")
        rows = chunk.with_columns(time).with_columns(at_ts, who.alias("ticker"))
        yield rows.with_columns(readings)


def _tops(recording: Recording) -> Iterator[Part]:
    layout = recording.layout
    checks = [*_row_checks(layout), *book_tops.checks(layout)]
    waiting: pl.DataFrame | None = None
    for chunk in told_rows(recording.path, layout, recording.ticker, book_tops.readings(layout)):
        good, bad = _divided(chunk, checks)
        both = good if waiting is None else pl.concat([waiting, good])
        # Of one instant the last row stands, and the last instant may go on in the next part.
        is_open = pl.col("at_ts").rle_id() == pl.col("at_ts").rle_id().max()
        waiting = both.filter(is_open)
        settled = {QUOTES.name: book_tops.quotes(both.filter(~is_open))}
        yield _part(recording, chunk, settled, QUOTES, bad)
    if waiting is not None:
        rest = {QUOTES.name: book_tops.quotes(waiting)}
        yield _part(recording, waiting.clear(), rest, QUOTES, waiting.clear())


def _wide(recording: Recording) -> Iterator[Part]:
    layout = recording.layout
    checks = [*_row_checks(layout), *book_depth.wide_checks(layout)]
    for chunk in told_rows(recording.path, layout, recording.ticker, book_depth.wide_readings(layout)):
        good, bad = _divided(chunk, checks)
        books = {BOOK_SNAPSHOTS.name: _snapshots(recording, book_depth.wide_books(good, layout))}
        yield _part(recording, chunk, books, BOOK_SNAPSHOTS, bad)


def _long(recording: Recording) -> Iterator[Part]:
    layout = recording.layout
    checks = [*_row_checks(layout), *book_depth.long_checks(layout)]
    waiting: pl.DataFrame | None = None
    for chunk in told_rows(recording.path, layout, recording.ticker, book_depth.long_readings(layout)):
        judged = cells.judged(chunk, checks)
        both = judged if waiting is None else pl.concat([waiting, judged])
        n_settled = book_depth.n_settled(both)
        waiting = both.slice(n_settled)
        yield _long_part(recording, chunk, both.head(n_settled))
    if waiting is not None:
        yield _long_part(recording, waiting.clear(), waiting)


def _long_part(recording: Recording, chunk: pl.DataFrame, rows: pl.DataFrame) -> Part:
    books, bad = book_depth.long_books(rows, recording.layout)
    made = {BOOK_SNAPSHOTS.name: _snapshots(recording, books)}
    return _part(recording, chunk, made, BOOK_SNAPSHOTS, bad)


def _changes(recording: Recording, seen: dict[str, int], ignored: dict[str, int]) -> Iterator[Part]:
    layout = recording.layout
    checks = [*cells.row_checks(), *book_changes.checks()]
    stream, matcher = book_changes.ChangeStream(), TradeMatcher()

    def made(settled: pl.DataFrame, *, is_last: bool) -> dict[str, pl.DataFrame]:
        matcher.feed(book_changes.prints(settled), is_last=is_last)
        ticker = pl.lit(recording.ticker).alias("ticker")
        books = stream.books(settled).with_columns(ticker)
        return {
            BOOK_DELTAS.name: book_changes.deltas(settled).with_columns(
                ticker, pl.lit(0, pl.Int64).alias("sid")
            ),
            QUOTES.name: stream.quotes(settled, is_last=is_last).with_columns(ticker),
            BOOK_SNAPSHOTS.name: _snapshots(recording, books, depth=1),
        }

    rows: pl.DataFrame | None = None
    for chunk in told_rows(recording.path, layout, recording.ticker, book_changes.readings(layout.zone)):
        rows, bad = _divided(chunk, checks)
        yield _part(recording, chunk, made(stream.feed(rows), is_last=False), BOOK_DELTAS, bad)
    if rows is not None:
        yield _part(
            recording,
            rows.clear(),
            made(stream.feed(rows.clear(), is_last=True), is_last=True),
            BOOK_DELTAS,
            rows.clear(),
        )
    _tell(recording, stream, matcher, seen, ignored)


def _tell(
    recording: Recording,
    stream: book_changes.ChangeStream,
    matcher: TradeMatcher,
    seen: dict[str, int],
    ignored: dict[str, int],
) -> None:
    what = f"trades with a change of minus their size within {WITHIN_ROWS} rows"
    seen[what] = seen.get(what, 0) + matcher.n_matched
    if missed := matcher.n_trades - matcher.n_matched:
        where = f"{recording.path.name}:{matcher.first_unmatched}"
        seen[f"trades without one, the first at {where}: changes are missing there"] = missed
    if stream.n_halves:
        what = "book rows of one side alone, or with no change after them"
        ignored[what] = ignored.get(what, 0) + stream.n_halves


def _row_checks(layout: Layout) -> list[cells.Check]:
    return [
        *cells.row_checks(),
        (layout.time, pl.col("at_ts").is_null(), cells.TIME_REASON),
        (layout.ticker, pl.col("ticker").fill_null("") == "", "is empty"),
    ]


def _divided(chunk: pl.DataFrame, checks: list[cells.Check]) -> tuple[pl.DataFrame, pl.DataFrame]:
    judged = cells.judged(chunk, checks)
    is_good = pl.col("reason").is_null()
    return judged.filter(is_good), judged.filter(~is_good)


def _snapshots(recording: Recording, books: pl.DataFrame, *, depth: int | None = None) -> pl.DataFrame:
    return books.with_columns(
        sid=pl.lit(0, pl.Int64),
        seq="line",
        method=pl.lit("import"),
        depth=pl.lit(recording.layout.depth if depth is None else depth, pl.Int64),
        _location=cells.location(recording.path),
    ).drop("line")


def _part(
    recording: Recording, chunk: pl.DataFrame, rows: dict[str, pl.DataFrame], table: Table, bad: pl.DataFrame
) -> Part:
    return Part(
        n_rows=chunk.height,
        last_line=0 if chunk.is_empty() else int(chunk["line"][-1]),
        rows=rows,
        table=table,
        refused=cells.refused(recording.path, bad),
        lost=bad.select("line", "ticker"),
    )
