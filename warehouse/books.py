"""Order books out of the lake: one book at one moment, or all events that rebuild them.

`warehouse.rebuilding` has the rule of who speaks for a market, and books over time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from exchange.books import OrderBook
from exchange.units import format_ts, to_us
from warehouse.asking import Moment, bounds, moment
from warehouse.errors import BookUnknown
from warehouse.naming import tickers_of
from warehouse.panels import dates_around
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.reading import IS_WHOLE, SIDES, STREAM, read_streams, with_levels
from warehouse.rebuilding.speaking import turns
from warehouse.storage import collected
from warehouse.tables import BOOK_SNAPSHOTS

if TYPE_CHECKING:
    from warehouse.lake import Lake

__all__ = ["IS_WHOLE", "BookEvents", "book", "book_events"]

_INSTANT: Final = timedelta(microseconds=1)
_SNAPSHOT: Final = [*STREAM, "seq", "known_ts", "captured_ts", *SIDES, "method"]
_DELTA: Final = [*STREAM, "seq", "known_ts", "event_ts", "side", "price_cc", "delta_centi"]
_GAP: Final = [*STREAM, "from_seq", "to_seq", "from_ts", "until_ts", "cause", "is_recovered"]


class BookEvents(NamedTuple):
    """What rebuilds books; `known_ts` never goes back along a stream (ticker, session, sid).

    snapshots: ticker, session, sid, seq, known_ts, captured_ts, yes_prices_cc, yes_counts_centi,
        no_prices_cc, no_counts_centi, method; sorted by (ticker, session, sid, seq, captured_ts). Of polls
        sid is a number for the market and seq that of the poll; older ones may have neither.
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
    read = read_streams(lake, named, start_ts, end_ts, is_sparing=False)
    events = BookEvents(read.snapshots.select(_SNAPSHOT), read.deltas.select(_DELTA), read.gaps.select(_GAP))
    return _cut(events, start_ts, end_ts)


def book(lake: "Lake", ticker: str, at: Moment, *, session: str | None = None) -> OrderBook:
    """Return the book of one market as it was known at a moment.

    Without `session`, of the stream or poll that speaks for the market: see `warehouse.rebuilding.speaking`.

    Raises:
        BookUnknown: nobody had the book by then, or whoever had it was broken at that moment.
        UnknownTicker: the lake has neither listing nor books of it.
    """
    at_ts = moment(at)
    (named,) = tickers_of(lake, BOOK_SNAPSHOTS, ticker=ticker) or [ticker]
    read = read_streams(lake, [named], at_ts, at_ts + _INSTANT, has_levels=False)
    if session is not None:
        is_it = pl.col("session") == session
        read = _only(read, read.snapshots.select(is_it).to_series(), read.gaps.filter(is_it))
    told, at_us = turns(read, [named]), to_us(at_ts)
    place = int(told.at_us.searchsorted(at_us, side="right")) - 1
    base = int(told.base[place]) if place >= 0 else -1
    if base < 0:
        gap = int(told.gap[place]) if place >= 0 else -1
        raise BookUnknown(
            _why(lake, named, at_ts, session, read.gaps.row(gap, named=True) if gap >= 0 else None)
        )
    changes = read.deltas[int(read.delta_from[base]) : int(read.delta_end[base])]
    return _rebuilt(with_levels(lake, read.snapshots[base]), changes.filter(pl.col("known_ts") <= at_ts))


def _only(read: Streams, is_kept: pl.Series, gaps: pl.DataFrame) -> Streams:
    """Keep some of the snapshots, and gaps."""
    rows = is_kept.arg_true().to_numpy()
    return read._replace(
        snapshots=read.snapshots.filter(is_kept),
        gaps=gaps,
        delta_from=read.delta_from[rows],
        delta_end=read.delta_end[rows],
    )


def _why(lake: "Lake", ticker: str, at_ts: datetime, session: str | None, gap: dict[str, Any] | None) -> str:
    if gap is not None:
        return (
            f"{ticker}: at {format_ts(at_ts)} the stream was broken ({gap['cause']} since "
            f"{format_ts(gap['from_ts'])}); ask for a moment outside `book_gaps`"
        )
    told = "" if session is None else f" in session {session}"
    advice = "ask for a later moment"
    if _has_limited(lake, ticker, at_ts):
        advice = "only some of its levels were recorded: see `book_levels`, which tells the depth"
    return f"{ticker}{told}: no snapshot known at {format_ts(at_ts)}; {advice}"


def _has_limited(lake: "Lake", ticker: str, at_ts: datetime) -> bool:
    rows = lake.scan(BOOK_SNAPSHOTS, dates=dates_around(None, at_ts)).filter(~IS_WHOLE)
    rows = rows.filter(pl.col("ticker") == ticker, pl.col("captured_ts") <= at_ts)
    return not collected(rows.select("ticker").head(1), lake.uri).is_empty()


def _rebuilt(snapshot: pl.DataFrame, deltas: pl.DataFrame) -> OrderBook:
    """Return one snapshot's book after these changes of it."""
    sides = [
        snapshot.select(
            side=pl.lit(side),
            price_cc=pl.col(f"{side}_prices_cc"),
            count_centi=pl.col(f"{side}_counts_centi"),
        ).explode("price_cc", "count_centi", empty_as_null=False)
        for side in ("yes", "no")
    ]
    changes = deltas.select("side", "price_cc", count_centi="delta_centi")
    # What falls below zero is gone and counts from zero again: all that is missing is added once.
    count, missing = pl.col("count_centi"), pl.col("count_centi").cum_sum().min().clip(upper_bound=0)
    rows = pl.concat([*sides, changes])
    resting = rows.group_by("side", "price_cc").agg(count.sum() - missing)
    book = OrderBook(snapshot["ticker"].item())
    book.apply_snapshot(
        *(
            resting.filter(pl.col("side") == side).select("price_cc", "count_centi").iter_rows()
            for side in ("yes", "no")
        )
    )
    return book


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
