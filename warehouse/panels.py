"""Readers for notebooks and engines: tidy lazy frames by series, event, ticker (one or several) and time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from exchange.units import to_us
from warehouse.asking import Moment, bounds, moment
from warehouse.asof import markets_asof
from warehouse.naming import Names, Tickers, listing, tickers_of
from warehouse.storage import TableFiles
from warehouse.tables import CANDLES, EVENTS, MARKETS, QUOTES, SERIES, TRADES, Table
from warehouse.tops import tops

if TYPE_CHECKING:
    from warehouse.lake import Lake

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)


def series(lake: "Lake") -> pl.LazyFrame:
    """Return the latest state of every series, sorted by ticker."""
    return latest(lake.scan(SERIES), SERIES)


def events(lake: "Lake") -> pl.LazyFrame:
    """Return the latest state of every event, sorted by ticker."""
    return latest(lake.scan(EVENTS), EVENTS)


def markets(lake: "Lake", asof: Moment | None) -> pl.LazyFrame:
    """Return every market once, sorted by ticker; `series_ticker` is filled in from the event.

    With `asof`, as it could be known then, with a column `basis` (observed or assumed; see warehouse.asof).
    """
    states = lake.scan(MARKETS)
    return with_series(lake, latest(states, MARKETS) if asof is None else markets_asof(states, moment(asof)))


def with_series(lake: "Lake", markets: pl.LazyFrame) -> pl.LazyFrame:
    """Fill in `series_ticker` from the event, where the market's own row lacks it; sorted by ticker.

    Another state of the market tells it, too, if that names the same event.
    """
    key = ["ticker", "event_ticker"]
    told = listing(lake).lazy().select(*key, _told="series_ticker").drop_nulls()
    told = told.sort(*key, "_told").unique(key, keep="first")
    return (
        markets.join(told, on=key, how="left", maintain_order="left")
        .with_columns(pl.coalesce("series_ticker", "_told").alias("series_ticker"))
        .drop("_told")
        .sort("ticker")
    )


def latest(states: pl.LazyFrame, table: Table) -> pl.LazyFrame:
    """Return the last observed state of every ticker, sorted by ticker."""
    last = states.sort("ticker", "observed_ts").group_by("ticker", maintain_order=True).last()
    return last.select(list(table.columns)).sort("ticker")


def trades(
    lake: "Lake",
    *,
    series: Names | None,
    event: Names | None,
    ticker: Tickers | None,
    start: Moment | None,
    end: Moment | None,
) -> pl.LazyFrame:
    """Return executions of `[start, end)` with `known_ts`, sorted by (ticker, event_ts, trade_id)."""
    return _asked(lake, TRADES, series=series, event=event, ticker=ticker, start=start, end=end)


def candles(
    lake: "Lake",
    *,
    series: Names | None,
    event: Names | None,
    ticker: Tickers | None,
    start: Moment | None,
    end: Moment | None,
    period_s: int | None,
) -> pl.LazyFrame:
    """Return bars that ended in `[start, end)` with `known_ts`, sorted by (ticker, period_s, end_ts)."""
    rows = _asked(lake, CANDLES, series=series, event=event, ticker=ticker, start=start, end=end)
    return rows if period_s is None else rows.filter(pl.col("period_s") == period_s)


def quotes(
    lake: "Lake",
    *,
    series: Names | None,
    event: Names | None,
    ticker: Tickers | None,
    start: Moment | None,
    end: Moment | None,
) -> pl.LazyFrame:
    """Return tops of book known in `[start, end)`, sorted by (ticker, known_ts), then as the table declares.

    Recorded quotes, and the closes of candles while nobody recorded a market; see warehouse.tops.

    Columns: ticker, known_ts, bid_cc, bid_size_centi, ask_cc, ask_size_centi, last_price_cc, quote_age
    (known_ts minus event_ts: how old the quote was when it became known), source, session.
    """
    start_ts, end_ts = bounds(start, end)
    tickers = tickers_of(lake, QUOTES, series=series, event=event, ticker=ticker)
    rows = _known(QUOTES, tops(lake, tickers, dates=dates_around(start_ts, end_ts)), start_ts, end_ts)
    shown = _by_known_ts(lake, rows, tickers).select(
        "ticker",
        "known_ts",
        "bid_cc",
        "bid_size_centi",
        "ask_cc",
        "ask_size_centi",
        "last_price_cc",
        (pl.col("known_ts") - pl.col("event_ts")).alias("quote_age"),
        "source",
        "session",
    )
    return shown.set_sorted("ticker")


def _by_known_ts(lake: "Lake", rows: pl.LazyFrame, tickers: list[str] | None) -> pl.LazyFrame:
    """Sort tops of book; at a third of the cost where each date has one file, which is sorted."""
    files = lake.files(QUOTES)
    dates = [] if files is None else files.files["date"].to_list()
    is_sorted = len(set(dates)) == len(dates) and lake.version(CANDLES) is None
    if not tickers or not dates or not is_sorted:
        return rows.sort("ticker", "known_ts", *QUOTES.sort[1:])
    number = pl.col("ticker").cast(pl.Enum(tickers)).to_physical()
    room_us = 2**63 // len(tickers) - 1
    if timedelta(microseconds=room_us) < dates[-1] - dates[0] + 2 * _DAY:
        return rows.sort(number, "known_ts", maintain_order=True)
    # Market and time as one number: two keys take half as long again.
    first_us = to_us(datetime.combine(dates[0], time.min, UTC))
    since_us = (pl.col("known_ts").to_physical() - first_us).clip(upper_bound=room_us - 1)
    return rows.sort(number.cast(pl.Int64) * room_us + since_us, maintain_order=True)


def _asked(
    lake: "Lake",
    table: Table,
    *,
    series: Names | None,
    event: Names | None,
    ticker: Tickers | None,
    start: Moment | None,
    end: Moment | None,
) -> pl.LazyFrame:
    """Return rows with `known_ts` in `[start, end)`, sorted as the table declares."""
    start_ts, end_ts = bounds(start, end)
    tickers = tickers_of(lake, table, series=series, event=event, ticker=ticker)
    found = lake.files(table)
    if found is None:
        return _known(table, table.empty().lazy(), start_ts, end_ts)
    files = found.between(*_dates(table, start_ts, end_ts))
    rows = lake.read(table, files, found)
    if tickers is not None:
        rows = rows.filter(_is_one_of(tickers))
    rows = _known(table, rows, *_uncut(table, start_ts, end_ts))
    rows = rows if _lies_sorted(table, files, tickers) else rows.sort(table.sort)
    return rows.set_sorted("ticker")  # then `over("ticker")` takes a third of the time


def _is_one_of(tickers: list[str]) -> pl.Expr:
    ticker = pl.col("ticker")
    return ticker == tickers[0] if len(tickers) == 1 else ticker.is_in(tickers)


def _lies_sorted(table: Table, files: TableFiles, tickers: list[str] | None) -> bool:
    """Tell whether the files, each of them sorted and the oldest date first, give rows in the table's order.

    Sorting costs more than reading does, and would read every column of the order even where only one other
    is wanted.
    """
    dates = files.files["date"]
    if len(dates) <= 1:
        return True
    is_one_market = tickers is not None and len(tickers) == 1
    return is_one_market and table.sort[1] == table.partition_by and dates.n_unique() == len(dates)


def _known(
    table: Table, rows: pl.LazyFrame, start_ts: datetime | None, end_ts: datetime | None
) -> pl.LazyFrame:
    rows = rows.with_columns(table.known_ts.expr.alias("known_ts"))
    if start_ts is not None:
        rows = rows.filter(pl.col("known_ts") >= _at(start_ts))
    if end_ts is not None:
        rows = rows.filter(pl.col("known_ts") < _at(end_ts))
    return rows


def _at(moment_ts: datetime) -> pl.Expr:
    """Return a moment as an expression: of an aware time polars would make one by running a query."""
    return pl.lit(to_us(moment_ts), pl.Int64).cast(pl.Datetime("us", "UTC"))


def _uncut(
    table: Table, start_ts: datetime | None, end_ts: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Return the bounds that the dates of the files do not draw; to filter means to read the times."""
    if not _is_cut_by_known_ts(table):
        return start_ts, end_ts
    is_start_drawn = start_ts is not None and start_ts.time() == time.min
    is_end_drawn = end_ts is not None and end_ts.time() == time.min
    return None if is_start_drawn else start_ts, None if is_end_drawn else end_ts


def _dates(
    table: Table, start_ts: datetime | None, end_ts: datetime | None
) -> tuple[date | None, date | None]:
    """Return the file dates that may hold rows known in the interval: exactly, if known_ts cuts the files."""
    if not _is_cut_by_known_ts(table):
        return dates_around(start_ts, end_ts)
    return (
        None if start_ts is None else start_ts.date(),
        None if end_ts is None else (end_ts - _INSTANT).date(),
    )


def _is_cut_by_known_ts(table: Table) -> bool:
    return table.partition_by is not None and table.known_ts.expr.meta.eq(pl.col(table.partition_by))


def dates_around(start_ts: datetime | None, end_ts: datetime | None) -> tuple[date | None, date | None]:
    """Return the file dates that may hold rows known in the interval: clocks may differ by up to a day."""
    return (
        None if start_ts is None else (start_ts - _DAY).date(),
        None if end_ts is None else (end_ts + _DAY).date(),
    )
