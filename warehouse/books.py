"""Order books out of the lake: one book at one moment, or all events that rebuild them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from exchange.books import OrderBook
from exchange.units import format_ts
from warehouse.asking import Moment, bounds, moment
from warehouse.errors import BookUnknown
from warehouse.naming import tickers_of
from warehouse.panels import dates_around
from warehouse.storage import collected
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS
from warehouse.tape_schemas import PASSING_ENDS

if TYPE_CHECKING:
    from warehouse.lake import Lake

# A stream's order in time: one counter per subscription, subscriptions one after the other.
STREAM: Final = ["ticker", "session", "sid"]
IS_WHOLE: Final = pl.col("depth").is_null()
"""Of a row of book_snapshots: every level was recorded. Without the others, no book can be told from it."""
_ORDER: Final = [*STREAM, "seq", "captured_ts"]
_SIDES: Final = ["yes_prices_cc", "yes_counts_centi", "no_prices_cc", "no_counts_centi"]
# Clocks of recorder and exchange differ by seconds at most; a base snapshot this much older is safe.
_CLOCK_SKEW: Final = timedelta(minutes=10)
_INSTANT: Final = timedelta(microseconds=1)


class BookEvents(NamedTuple):
    """What rebuilds books; `known_ts` never goes back along a stream (ticker, session, sid).

    snapshots: ticker, session, sid, seq, known_ts, captured_ts, yes_prices_cc, yes_counts_centi,
        no_prices_cc, no_counts_centi, method; sorted by (ticker, session, sid, seq, captured_ts). sid and
        seq are null for REST polls.
    deltas: ticker, session, sid, seq, known_ts, event_ts, side, price_cc, delta_centi; sorted by (ticker,
        session, sid, seq). Applies on top of the stream's last snapshot with a smaller seq.
    gaps: ticker, session, sid, from_seq, to_seq, from_ts, until_ts, cause, is_recovered; sorted by (ticker,
        session, sid, from_seq). The books of the session are unknown after from_ts and before until_ts (null:
        for good); from_ts is moved to the known_ts of the last event before the gap where that is later. The
        end of a recording that has grown since is left out; if numbers are missing there, it lasts until the
        stream is heard again.
    """

    snapshots: pl.DataFrame
    deltas: pl.DataFrame
    gaps: pl.DataFrame


def book_events(
    lake: "Lake", tickers: Sequence[str] | None, start: Moment | None, end: Moment | None
) -> BookEvents:
    """Return all events of the markets that are known before `end`, from the last snapshot at `start` on.

    Every (ticker, session) begins with its last snapshot known at or before `start`, if it has one, so that
    books are whole at `start`. Overlapping sessions of one market are all there.

    Raises:
        UnknownTicker: the lake has neither listing nor books of it.
    """
    start_ts, end_ts = bounds(start, end)
    named = tickers_of(lake, BOOK_SNAPSHOTS, ticker=tickers)
    snapshots = _snapshots(lake, named, start_ts, end_ts)
    deltas = _deltas(lake, named, snapshots, start_ts, end_ts)
    snapshots, deltas = _with_known_ts(snapshots, deltas)
    gaps = _gaps(lake, named, snapshots, deltas)
    return _cut(BookEvents(snapshots, deltas, gaps), start_ts, end_ts)


def book(lake: "Lake", ticker: str, at: Moment, *, session: str | None = None) -> OrderBook:
    """Return the book of one market as it was known at a moment.

    Without `session`, from the stream whose snapshot is the latest among those that were not broken then.

    Raises:
        BookUnknown: no snapshot by then, or every stream was broken at that moment.
        UnknownTicker: the lake has neither listing nor books of it.
    """
    at_ts = moment(at)
    snapshots, deltas, gaps = book_events(lake, [ticker], at_ts, at_ts + _INSTANT)
    if session is not None:
        snapshots = snapshots.filter(pl.col("session") == session)
    if snapshots.is_empty():
        told = "" if session is None else f" in session {session}"
        advice = "ask for a later moment"
        if _has_limited(lake, ticker, at_ts):
            advice = "only some of its levels were recorded: see `book_levels`, which tells the depth"
        raise BookUnknown(f"{ticker}{told}: no snapshot known at {format_ts(at_ts)}; {advice}")
    blind = gaps.filter(
        pl.col("from_ts") < at_ts, pl.col("until_ts").is_null() | (pl.col("until_ts") > at_ts)
    )
    sound = snapshots.filter(~pl.col("session").is_in(blind["session"].implode()))
    if sound.is_empty():
        gap = blind.sort("from_ts").row(-1, named=True)
        raise BookUnknown(
            f"{ticker}: at {format_ts(at_ts)} the stream was broken ({gap['cause']} since "
            f"{format_ts(gap['from_ts'])}); ask for a moment outside `book_gaps`"
        )
    chosen = sound.sort("known_ts", maintain_order=True).row(-1, named=True)
    return _rebuilt(chosen, deltas.filter(pl.col("session") == chosen["session"]))


def _has_limited(lake: "Lake", ticker: str, at_ts: datetime) -> bool:
    rows = lake.scan(BOOK_SNAPSHOTS, dates=dates_around(None, at_ts)).filter(~IS_WHOLE)
    rows = rows.filter(pl.col("ticker") == ticker, pl.col("captured_ts") <= at_ts)
    return not collected(rows.select("ticker").head(1), lake.uri).is_empty()


def _rebuilt(snapshot: dict[str, Any], deltas: pl.DataFrame) -> OrderBook:
    book = OrderBook(snapshot["ticker"])
    book.apply_snapshot(
        zip(snapshot["yes_prices_cc"], snapshot["yes_counts_centi"], strict=True),
        zip(snapshot["no_prices_cc"], snapshot["no_counts_centi"], strict=True),
    )
    for side, price_cc, delta_centi in deltas.select("side", "price_cc", "delta_centi").iter_rows():
        book.apply_delta(side, price_cc, delta_centi)
    return book


def _snapshots(
    lake: "Lake", named: list[str] | None, start_ts: datetime | None, end_ts: datetime | None
) -> pl.DataFrame:
    rows = lake.scan(BOOK_SNAPSHOTS, dates=dates_around(None, end_ts)).filter(IS_WHOLE)
    if named is not None:
        rows = rows.filter(pl.col("ticker").is_in(named))
    if end_ts is not None:
        rows = rows.filter(pl.col("captured_ts") < end_ts + _CLOCK_SKEW)
    if start_ts is not None:
        is_base = pl.col("captured_ts") <= start_ts - _CLOCK_SKEW
        base_ts = pl.col("captured_ts").filter(is_base).max().over("ticker", "session")
        rows = rows.filter(base_ts.is_null() | (pl.col("captured_ts") >= base_ts))
    rows = rows.sort(_ORDER).select(*STREAM, "seq", "captured_ts", *_SIDES, "method")
    return collected(rows.with_columns(known_ts=pl.col("captured_ts")), lake.uri)


def _deltas(
    lake: "Lake",
    named: list[str] | None,
    snapshots: pl.DataFrame,
    start_ts: datetime | None,
    end_ts: datetime | None,
) -> pl.DataFrame:
    first_ts = start_ts
    if start_ts is not None and not snapshots.is_empty():
        first_ts = min(start_ts, snapshots["captured_ts"].to_list()[snapshots["captured_ts"].arg_min() or 0])
    rows = lake.scan(BOOK_DELTAS, dates=dates_around(first_ts, end_ts))
    if named is not None:
        rows = rows.filter(pl.col("ticker").is_in(named))
    rows = rows.sort(*STREAM, "seq").with_columns(known_ts=BOOK_DELTAS.known_ts.expr)
    columns = (*STREAM, "seq", "known_ts", "event_ts", "side", "price_cc", "delta_centi")
    return collected(rows.select(columns), lake.uri)


def _with_known_ts(snapshots: pl.DataFrame, deltas: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Let nothing be known before what came before it in its stream: a reader takes frames in order."""
    both = pl.concat(
        [
            frame.select(*STREAM, "seq", "known_ts").with_row_index("row").with_columns(kind=pl.lit(kind))
            for kind, frame in enumerate((snapshots, deltas))
        ]
    )
    both = both.sort(*STREAM, "seq", "kind", "row").with_columns(pl.col("known_ts").cum_max().over(STREAM))
    known = [both.filter(pl.col("kind") == kind).sort("row")["known_ts"] for kind in (0, 1)]
    return snapshots.with_columns(known[0]), deltas.with_columns(known[1])


def _gaps(
    lake: "Lake", named: list[str] | None, snapshots: pl.DataFrame, deltas: pl.DataFrame
) -> pl.DataFrame:
    gaps = lake.scan(BOOK_GAPS).explode("tickers").rename({"tickers": "ticker"})
    if named is not None:
        gaps = gaps.filter(pl.col("ticker").is_in(named))
    columns = [*STREAM, "from_seq", "to_seq", "from_ts", "until_ts", "cause", "is_recovered"]
    ordered = _without_passed_ends(lake, collected(gaps.select(columns), lake.uri)).sort("from_seq")
    before = pl.concat([each.select(*STREAM, "seq", "known_ts") for each in (snapshots, deltas)])
    return (
        ordered.join_asof(
            before.drop_nulls("seq").sort("seq"),
            left_on="from_seq",
            right_on="seq",
            by=STREAM,
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .with_columns(from_ts=pl.max_horizontal("from_ts", "known_ts"))
        .select(columns)
        .sort(*STREAM, "from_seq")
    )


def _without_passed_ends(lake: "Lake", gaps: pl.DataFrame) -> pl.DataFrame:
    """Drop the ends of streams that went on: a recording was imported, grew, and was imported again."""
    ends = gaps.filter(pl.col("cause").is_in(PASSING_ENDS))
    if ends.is_empty():
        return gaps
    first_date, _ = dates_around(ends["from_ts"].min(), None)  # type: ignore[arg-type]  # a column of times
    later = [
        lake.scan(table, dates=(first_date, None))
        .filter(pl.col("session").is_in(ends["session"].unique().to_list()))
        .select("session", "sid", "seq", known_ts=table.known_ts.expr)
        for table in (BOOK_DELTAS, BOOK_SNAPSHOTS)
    ]
    heard = (
        pl.concat(later)
        .join(ends.lazy().select("session", "sid", "from_seq", "cause").unique(), on=["session", "sid"])
        .filter(pl.col("seq") >= pl.col("from_seq"))
        .group_by("session", "sid", "from_seq", "cause")
        .agg(pl.col("seq", "known_ts").sort_by("seq").first().name.prefix("_"))
    )
    told = gaps.join(collected(heard, lake.uri), on=["session", "sid", "from_seq", "cause"], how="left")
    return (
        told.filter(pl.col("_seq").ne_missing(pl.col("from_seq")))
        .with_columns(pl.coalesce("until_ts", "_known_ts").alias("until_ts"))
        .select(gaps.columns)
    )


def _cut(events: BookEvents, start_ts: datetime | None, end_ts: datetime | None) -> BookEvents:
    snapshots, deltas, gaps = events
    if start_ts is not None:
        numbered = snapshots.with_row_index("row")
        bases = (
            numbered.filter(pl.col("known_ts") <= start_ts)
            .group_by("ticker", "session")
            .agg(pl.col("row", "sid", "seq").last().name.prefix("base_"))
        )
        is_after = (pl.col("sid") > pl.col("base_sid")) | (
            (pl.col("sid") == pl.col("base_sid")) & (pl.col("seq") > pl.col("base_seq"))
        )
        snapshots = numbered.join(bases, on=["ticker", "session"], how="left", maintain_order="left")
        snapshots = snapshots.filter(pl.col("row") >= pl.col("base_row").fill_null(0)).select(
            events.snapshots.columns
        )
        deltas = deltas.join(bases, on=["ticker", "session"], how="left", maintain_order="left")
        deltas = deltas.filter(is_after.fill_null(value=True)).select(events.deltas.columns)
        gaps = gaps.filter(pl.col("until_ts").is_null() | (pl.col("until_ts") > start_ts))
    if end_ts is not None:
        snapshots = snapshots.filter(pl.col("known_ts") < end_ts)
        deltas = deltas.filter(pl.col("known_ts") < end_ts)
        gaps = gaps.filter(pl.col("from_ts") < end_ts)
    return BookEvents(snapshots, deltas, gaps)
