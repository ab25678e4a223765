"""Whether rebuilt books are right: held against what the exchange said of their tops, and against trades.

Neither shows in rows by themselves, so the books are rebuilt, some markets of one day at a time. What can be
asked of gaps and clocks alone is SQL: `book_coverage` and `book_latency` in the catalog.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from warehouse.asking import Moment, interval
from warehouse.book_quality_tops import classified, states_of, told_tops
from warehouse.book_quality_trades import Heard, on_book, taken
from warehouse.books import IS_WHOLE
from warehouse.naming import Tickers, tickers_of
from warehouse.panels import dates_around
from warehouse.rebuilding.ends import without_passed_ends
from warehouse.storage import collected
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES, TRADES, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake

ROWS_AT_ONCE: Final = 2_000_000
"""So many changes of a day are looked at at once, or those of one market."""

_DAY: Final = timedelta(days=1)
# Books and changes are looked at from before to after what is held against them.
_AROUND: Final = timedelta(seconds=10)


class Part(NamedTuple):
    """Markets of one day that are looked at together, at what was known in `[start_ts, end_ts)`."""

    tickers: list[str]
    start_ts: datetime
    end_ts: datetime


def quotes_agreement(lake: "Lake", tickers: Tickers, start: Moment, end: Moment) -> pl.DataFrame:
    """Hold every message of the ticker channel that came with a recorded stream against the rebuilt books.

    Returns:
        ticker, session, known_ts, told_ts (when a change of the moment that it tells of was known), bid_cc,
        bid_centi, ask_cc, ask_centi (0 where a side is empty), agreement (see
        `warehouse.book_quality_tops.AGREEMENTS`); sorted by (ticker, known_ts).

    Raises:
        UnknownTicker: the lake has neither listing nor books of it.
        ReversedInterval, NaiveTime: the interval is none.
    """
    start_ts, end_ts = interval(start, end)
    looked_at = _asked(lake, QUOTES, tickers, start_ts, end_ts)
    found = [quotes_in(lake, part, states_in(lake, part)) for part in looked_at]
    return pl.concat(found).sort("ticker", "known_ts")


def trades_agreement(lake: "Lake", tickers: Tickers, start: Moment, end: Moment) -> pl.DataFrame:
    """Hold every trade of the lake against each recorded stream of its market.

    Returns:
        ticker, session, trade_id, event_ts, side, price_cc, count_centi, taking (see
        `warehouse.book_quality_trades`); a row for each trade and stream, sorted by (ticker, session,
        event_ts, trade_id).

    Raises:
        UnknownTicker: the lake has neither listing nor books of it.
        ReversedInterval, NaiveTime: the interval is none.
    """
    start_ts, end_ts = interval(start, end)
    looked_at = _asked(lake, TRADES, tickers, start_ts, end_ts)
    found = [trades_in(lake, part) for part in looked_at]
    return pl.concat(found).sort("ticker", "session", "event_ts", "trade_id")


def _asked(lake: "Lake", of: Table, tickers: Tickers, start_ts: datetime, end_ts: datetime) -> Iterator[Part]:
    """Yield nobody, for whom the answer has its columns, and then the parts."""
    named = tickers_of(lake, BOOK_SNAPSHOTS, ticker=tickers)
    yield Part([], start_ts, end_ts)
    yield from parts(lake, [of], named, start_ts, end_ts)


def states_in(lake: "Lake", part: Part) -> pl.DataFrame:
    """Return the tops of a part's books, per `states_of`, from shortly before the part to shortly after."""
    books = lake.books(part.tickers, part.start_ts - _AROUND, part.end_ts + _AROUND, depth=1)
    return states_of(collected(books, lake.uri))


def quotes_in(lake: "Lake", part: Part, states: pl.DataFrame) -> pl.DataFrame:
    """Return the messages of a part and what they are to the books."""
    dates = dates_around(part.start_ts, part.end_ts)
    streams = lake.scan(BOOK_SNAPSHOTS).filter(pl.col("method") == "ws").select("session").unique()
    rows = (
        lake.scan(QUOTES, dates=dates)
        .filter(pl.col("ticker").is_in(part.tickers))
        .filter(QUOTES.known_ts.expr.is_between(part.start_ts, part.end_ts, closed="left"))
        .join(streams, on="session", how="semi")
    )
    return classified(told_tops(collected(rows, lake.uri), _ahead(lake, part)), states)


def _ahead(lake: "Lake", part: Part) -> pl.DataFrame:
    """Return session, ahead: the least lag of its changes of a part, received minus happened."""
    rows = lake.scan(BOOK_DELTAS, dates=dates_around(part.start_ts, part.end_ts)).filter(
        pl.col("ticker").is_in(part.tickers), pl.col("event_ts").is_between(part.start_ts, part.end_ts)
    )
    lag = pl.col("received_ts") - pl.col("event_ts")
    return collected(rows.group_by("session").agg(lag.min().alias("ahead")), lake.uri)


def trades_in(lake: "Lake", part: Part) -> pl.DataFrame:
    """Return the trades of a part and what they are to the streams of their markets."""
    is_inside = pl.col("event_ts").is_between(part.start_ts, part.end_ts, closed="left")
    rows = lake.scan(TRADES, dates=(part.start_ts.date(), part.end_ts.date())).filter(
        pl.col("ticker").is_in(part.tickers), is_inside, on_book()
    )
    trades = collected(rows, lake.uri)
    return taken(trades, _heard(lake, trades["ticker"].unique().to_list(), part))


def _heard(lake: "Lake", named: list[str], part: Part) -> Heard:
    """Return what streams told of markets around a part; no books, so not from their snapshots on."""
    is_its = pl.col("ticker").is_in(named)
    first_ts, last_ts = part.start_ts - _AROUND, part.end_ts + _AROUND
    streams = lake.scan(BOOK_SNAPSHOTS).filter(is_its, IS_WHOLE, pl.col("method") != "rest")
    deltas = lake.scan(BOOK_DELTAS, dates=(first_ts.date(), last_ts.date())).filter(
        is_its, pl.col("event_ts").is_between(first_ts, last_ts)
    )
    gaps = lake.scan(BOOK_GAPS).explode("tickers").rename({"tickers": "ticker"}).filter(is_its)
    return Heard(
        collected(streams.group_by("ticker", "session").agg(first_ts=pl.col("captured_ts").min()), lake.uri),
        collected(deltas.sort("session", "sid", "seq"), lake.uri),
        without_passed_ends(lake, collected(gaps, lake.uri)),
    )


def parts(
    lake: "Lake",
    of: Sequence[Table],
    tickers: Sequence[str] | None = None,
    start_ts: datetime | None = None,
    end_ts: datetime | None = None,
) -> Iterator[Part]:
    """Yield the markets with recorded books, day by day, as many at once as fit in memory.

    Of each day while books were recorded, those that have rows of a table in `of`.
    """
    for day in _days(lake, of):
        midnight = datetime.combine(day, time(), UTC)
        begin_ts = max(start_ts or midnight, midnight)
        until_ts = min(end_ts or midnight + _DAY, midnight + _DAY)
        if begin_ts < until_ts:
            yield from (Part(each, begin_ts, until_ts) for each in _together(lake, of, day, tickers))


def _days(lake: "Lake", of: Sequence[Table]) -> list[date]:
    recorded = _dates(lake, BOOK_DELTAS, BOOK_SNAPSHOTS)
    return (
        sorted(each for each in _dates(lake, *of) if min(recorded) <= each <= max(recorded))
        if recorded
        else []
    )


def _dates(lake: "Lake", *tables: Table) -> set[date]:
    found = [lake.files(table) for table in tables]
    return {day for files in found if files is not None for day in files.files["date"]}


def _together(
    lake: "Lake", of: Sequence[Table], day: date, tickers: Sequence[str] | None
) -> Iterator[list[str]]:
    """Yield markets, so many at a time as are looked at at once."""
    books = lake.scan(BOOK_SNAPSHOTS).filter(IS_WHOLE).select("ticker").unique()
    asked = pl.concat([lake.scan(table, dates=(day, day)).select("ticker") for table in of]).unique()
    counts = lake.scan(BOOK_DELTAS, dates=(day, day)).group_by("ticker").agg(n=pl.len())
    rows = asked.join(books, on="ticker", how="semi").join(counts, on="ticker", how="left").sort("ticker")
    if tickers is not None:
        rows = rows.filter(pl.col("ticker").is_in(list(tickers)))
    waiting: list[str] = []
    n_waiting = 0
    for ticker, n in collected(rows.with_columns(pl.col("n").fill_null(0)), lake.uri).iter_rows():
        if waiting and n_waiting + n > ROWS_AT_ONCE:
            yield waiting
            waiting, n_waiting = [], 0
        waiting.append(ticker)
        n_waiting += n
    if waiting:
        yield waiting
