"""Frames of a recording as rows of the lake, by table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.ingest import exact
from pipelines.ingest.market_facts import commit_facts
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import REFUSED
from pipelines.ingest.ws_recording import Recording
from pipelines.ingest.ws_wire import BOOK_KINDS, NONE, SNAPSHOT, STORED_KINDS, TICKER, TRADE
from warehouse.lake import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES, TRADES, Table

# Without snapshots nobody can rebuild a book: they go in last, so that a kill between two commits leaves
# books unknown rather than wrong.
_ORDER: Final = (BOOK_GAPS, BOOK_DELTAS, QUOTES, TRADES, BOOK_SNAPSHOTS)


@dataclass(frozen=True, slots=True)
class Rows:
    """One recording, or a part of one, as rows of the lake, by table name; `facts` are about markets."""

    tables: dict[str, pl.DataFrame]
    facts: pl.DataFrame
    n_frames: int


def rows_of(recording: Recording, frames: pl.DataFrame, gaps: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the rows of a recording by table; `frames` are those that count, with their sessions."""
    received = moment("received_us")
    origin = frames.select("line", "session", "sid", "seq", "ticker", received.alias("received_ts"))
    deltas = recording.deltas.join(origin, on="line", how="inner", maintain_order="left")
    snapshots = recording.snapshots.join(origin, on="line", how="inner", maintain_order="left")
    quotes = recording.quotes.join(origin, on="line", how="inner", maintain_order="left")
    trades = recording.trades.join(origin, on="line", how="inner", maintain_order="left")
    return {
        BOOK_GAPS.name: gaps,
        BOOK_DELTAS.name: deltas.drop("line"),
        QUOTES.name: quotes.drop("line", "sid", "seq"),
        TRADES.name: trades.drop("line", "session", "sid", "seq", "received_ts"),
        BOOK_SNAPSHOTS.name: snapshots.drop("line")
        .rename({"received_ts": "captured_ts"})
        .with_columns(method=pl.lit("ws")),
    }


def numbered(recording: Recording, frames: pl.DataFrame) -> pl.DataFrame:
    """Return the frames that have a number, as `ws_gaps.find_gaps` takes them."""
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


def facts_of(recording: Recording, frames: pl.DataFrame) -> pl.DataFrame:
    """Return what the recorder noted about markets, as `market_facts.commit_facts` takes it."""
    notes = recording.notes.join(
        frames.select("line", "received_us"), on="line", how="inner", maintain_order="left"
    )
    return notes.filter(pl.col("market_ticker").fill_null("") != "").select(
        pl.col("market_ticker").alias("ticker"),
        moment("received_us").alias("observed_ts"),
        "event_ticker",
        "series_ticker",
        exact.moment("close_time").alias("close_ts"),
        "status",
        pl.col("strike").alias("floor_strike"),
    )


def refused_of(name: str, refused: pl.DataFrame) -> Iterable[tuple[Table, pl.DataFrame]]:
    """Yield the refused lines per REFUSED, with the table that each was meant for."""
    kind = pl.col("kind")
    location = pl.format("{}:{}", pl.lit(name), pl.col("line")).alias("location")
    rows = refused.with_columns(location)
    for table, is_meant in (
        (BOOK_SNAPSHOTS, kind == SNAPSHOT),
        (QUOTES, kind == TICKER),
        (TRADES, kind == TRADE),
        (BOOK_DELTAS, ~kind.is_in([SNAPSHOT, TICKER, TRADE])),
    ):
        yield table, rows.filter(is_meant).select(list(REFUSED))


def count_ignored(frames: pl.DataFrame, n_repeats: int, receipt: ImportReceipt) -> None:
    """Count the frames of a kind that no table holds, and those that came again."""
    kinds = frames.filter(~pl.col("kind").is_in(STORED_KINDS)).get_column("kind").value_counts()
    for kind, n_frames in [*kinds.iter_rows(), ("repeated", n_repeats)]:
        if n_frames:
            receipt.ignored[kind] = receipt.ignored.get(kind, 0) + n_frames


def commit(lake: Lake, waiting: Sequence[Rows], receipt: ImportReceipt) -> None:
    """Commit rows table by table, in an order in which a kill leaves no book that seems known and is not."""
    for table in _ORDER:
        parts: Iterable[pl.DataFrame] = (each.tables[table.name] for each in waiting)
        rows = [part for part in parts if not part.is_empty()]
        if not rows:
            continue
        done = lake.commit(table, pl.concat(rows))
        receipt.count(table.name, n_new=done.n_new, n_known=done.n_known, n_quarantined=done.n_quarantined)
    facts = [each.facts for each in waiting if not each.facts.is_empty()]
    if facts:
        commit_facts(lake, pl.concat(facts), receipt)


def moment(column: str) -> pl.Expr:
    """Return a column of microseconds since 1970 as times."""
    return pl.col(column).cast(exact.TIME)
