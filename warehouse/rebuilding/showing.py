"""Books as frames: computed when they are collected, a few markets at a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from exchange.units import format_ts, parse_duration, to_us
from warehouse.asking import Moment, interval
from warehouse.errors import BadDepth, BookUnknown
from warehouse.naming import Tickers, tickers_of
from warehouse.panels import dates_around
from warehouse.rebuilding.changes import Changes, changes_of, numbered
from warehouse.rebuilding.ops import ANOMALIES, I8, I32, I64, Flags
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.reading import read_streams
from warehouse.rebuilding.speaking import NOT_RECORDED
from warehouse.storage import collected
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS

if TYPE_CHECKING:
    from warehouse.lake import Lake

Gaps = Literal["mark", "strict"]

BOOKS: Final = pl.Schema(
    {
        "ticker": pl.String(),
        "ts": pl.Datetime("us", "UTC"),
        "is_known": pl.Boolean(),
        "cause": pl.String(),
        "session": pl.String(),
        "method": pl.String(),
        "anomaly": pl.String(),
        "bid_prices_cc": pl.List(pl.Int32()),
        "bid_counts_centi": pl.List(pl.Int64()),
        "ask_prices_cc": pl.List(pl.Int32()),
        "ask_counts_centi": pl.List(pl.Int64()),
    }
)
_ALL_LEVELS: Final = 1 << 30
_GROUP_ROWS: Final = 2_000_000  # deltas and snapshots that are read at once, if they are of several markets
_GROUP_MARKETS: Final = 500
_ROWS: Final = 1 << 17  # of a batch
_LEVELS: Final = 1 << 20  # of a batch, each side


def books(
    lake: "Lake",
    tickers: Tickers,
    start: Moment,
    end: Moment,
    *,
    every: str | timedelta | None = None,
    depth: int | None = None,
    gaps: Gaps = "mark",
) -> pl.LazyFrame:
    """Return the books of markets in `[start, end)`, sorted by (ticker, ts), per BOOKS.

    The first row of a market is at `start`. Levels are best first, in YES prices; null where the book is
    unknown, empty where it is empty. At every instant they are what `Lake.book` says then.

    Args:
        lake: where from; at its versions of now.
        tickers: the markets.
        start: included.
        end: excluded.
        every: a row for each market and instant start, start + every and so on, before end, of the book as it
            was then. None: a row for each instant at which something changed among the levels that show, or
            a new snapshot speaks, or the book became unknown.
        depth: most levels a side; None means all.
        gaps: what to do where the book is unknown: `mark` says so and why in `cause`, `strict` refuses.

    Raises:
        UnknownTicker: the lake has neither listing nor books of it.
        BadDepth: depth or every are no positive number and length.
        BookUnknown: when collected, if strict: the first instant at which a book is unknown.
    """
    start_ts, end_ts = interval(start, end)
    step = parse_duration(every) if isinstance(every, str) else every
    if (depth is not None and depth < 1) or (step is not None and step <= timedelta(0)):
        raise BadDepth(f"depth={depth}, every={every}: one level and one microsecond are the least there is")
    named = tickers_of(lake, BOOK_SNAPSHOTS, ticker=tickers) or []
    pinned = lake.pinned()

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for frame in _frames(pinned, named, (start_ts, end_ts), step, depth, is_strict=gaps == "strict"):
            rows = frame if predicate is None else frame.filter(predicate)
            rows = rows if columns is None else rows.select(columns)
            if left is not None:
                rows = rows.head(left)
                left -= rows.height
            yield rows
            if left == 0:
                return

    return register_io_source(source, schema=BOOKS, is_pure=True, explain_name="books").set_sorted("ticker")


def _frames(
    lake: "Lake",
    named: Sequence[str],
    bounds: tuple[datetime, datetime],
    step: timedelta | None,
    depth: int | None,
    *,
    is_strict: bool,
) -> Iterator[pl.DataFrame]:
    for group in _groups(lake, named, bounds):
        streams = read_streams(lake, group, *bounds)
        changes = changes_of(streams, group, *bounds)
        for rows in shown(changes, streams, group, bounds, step, depth):
            if is_strict and not rows["is_known"].all():
                _refuse(rows.filter(~pl.col("is_known")).row(0, named=True))
            yield rows


def _refuse(row: dict[str, object]) -> None:
    at_ts = row["ts"]
    assert isinstance(at_ts, datetime)
    raise BookUnknown(
        f"{row['ticker']}: unknown at {format_ts(at_ts)} ({row['cause']}); ask for times outside "
        '`book_gaps`, or with gaps="mark"'
    )


def _groups(lake: "Lake", named: Sequence[str], bounds: tuple[datetime, datetime]) -> Iterator[list[str]]:
    """Yield markets in their order, so many at a time that their rows fit into memory."""
    counts = [
        lake.scan(table, dates=dates_around(*bounds))
        .filter(pl.col("ticker").is_in(list(named)))
        .group_by("ticker")
        .agg(n=pl.len())
        for table in (BOOK_DELTAS, BOOK_SNAPSHOTS)
    ]
    n_rows = dict(
        collected(pl.concat(counts).group_by("ticker").agg(pl.col("n").sum()), lake.uri).iter_rows()
    )
    group: list[str] = []
    n = 0
    for ticker in named:
        if group and (n + n_rows.get(ticker, 0) > _GROUP_ROWS or len(group) == _GROUP_MARKETS):
            yield group
            group, n = [], 0
        group.append(ticker)
        n += n_rows.get(ticker, 0)
    if group:
        yield group


def shown(
    changes: Changes,
    streams: Streams,
    tickers: Sequence[str],
    bounds: tuple[datetime, datetime],
    step: timedelta | None,
    depth: int | None,
) -> Iterator[pl.DataFrame]:
    """Yield the books that changes make, per BOOKS, in batches."""
    from warehouse.rebuilding.kernels import STATE, show

    start_us, end_us = map(to_us, bounds)
    step_us = 0 if step is None else step // timedelta(microseconds=1)
    n_instants = -(-(end_us - start_us) // step_us) if step_us else 0
    places, levels = numbered(changes.offsets, changes.op, changes.code)
    n_levels = max(_LEVELS, int(np.diff(levels[0]).max(initial=0)))
    times, said = np.zeros(_ROWS, np.int64), np.zeros(_ROWS, np.int64)
    rows = np.zeros(_ROWS, np.int32), times, said, np.zeros(_ROWS, np.int8)
    bids, asks = (
        (np.zeros(_ROWS + 1, np.int64), np.zeros(n_levels, np.int32), np.zeros(n_levels, np.int64))
        for _ in range(2)
    )
    state, sizes = np.zeros(STATE, np.int64), np.zeros(len(levels[2]), np.int64)
    words = _words(changes, streams)
    while state[0] < len(tickers):
        n_shown = show(
            (changes.offsets, changes.ts_us, changes.op, places, changes.amount),
            levels,
            sizes,
            (start_us, step_us, n_instants),
            _ALL_LEVELS if depth is None else depth,
            state,
            rows,
            bids,
            asks,
        )
        filled = rows[0][:n_shown], rows[1][:n_shown], rows[2][:n_shown], rows[3][:n_shown]
        yield _frame(pl.Series(tickers), words, filled, (bids, asks))


def _words(changes: Changes, streams: Streams) -> pl.DataFrame:
    """Return what a frame says of each turn: is_known, cause, session, method."""
    base, gap = pl.Series(changes.turns.base), pl.Series(changes.turns.gap)
    told = streams.snapshots.select("session", "method")
    causes = streams.gaps["cause"]
    return pl.DataFrame(
        {
            "is_known": base >= 0,
            "cause": causes.gather(gap.set(gap < 0, None)).fill_null(NOT_RECORDED),
            **{name: told[name].gather(base.set(base < 0, None)) for name in told.columns},
        }
    ).with_columns(cause=pl.when(~pl.col("is_known")).then("cause"))


def _frame(
    tickers: pl.Series,
    words: pl.DataFrame,
    rows: tuple[I32, I64, I64, I8],
    sides: tuple[tuple[I64, I32, I64], ...],
) -> pl.DataFrame:
    market, ts_us, turn, anomaly = rows
    is_unknown = turn < 0
    told = words[np.where(is_unknown, -1 - turn, turn)]
    lists = {}
    for side, (ends, prices, counts) in zip(("bid", "ask"), sides, strict=True):
        stops = ends[: len(ts_us) + 1].copy()
        for name, values in ((f"{side}_prices_cc", prices), (f"{side}_counts_centi", counts)):
            lists[name] = _lists(stops, values[: stops[-1]].copy(), is_unknown)
    return pl.DataFrame(
        {
            "ticker": tickers.gather(pl.Series(market)),
            "ts": pl.Series(ts_us.copy()).cast(BOOKS["ts"]),
            **told.to_dict(),
            "anomaly": pl.Series(list(ANOMALIES), dtype=pl.String).gather(pl.Series(anomaly)),
            **lists,
        }
    )


def _lists(
    stops: I64,
    values: I32 | I64,
    is_null: Flags,
) -> pl.Series:
    made = pa.LargeListArray.from_arrays(pa.array(stops), pa.array(values), mask=pa.array(is_null))
    found = pl.from_arrow(made)
    assert isinstance(found, pl.Series)
    return found
