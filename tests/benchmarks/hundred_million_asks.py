"""One question to one engine in a process of its own; see tests.benchmarks.hundred_million.

`python -m tests.benchmarks.hundred_million_asks ASK ENGINE WORK ROWS` prints a JSON object: seconds to the
first answer of the process (imports apart), the median seconds of further ones, the answer, peak memory.
"""

import json
import statistics
import sys
import warnings
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from tests.benchmarks.figures import timed
from tests.benchmarks.hundred_million_places import Places, peak_mb
from tests.benchmarks.year_of_trades import busy_market, midnight
from warehouse.lake import Lake
from warehouse.tables import TRADES

DAY: Final = 20
RANK: Final = 20
STRETCHES: Final = 12
MEMORY_LIMIT: Final = "3GB"

Scan = Callable[[str | None, int, int], pl.LazyFrame]

ASKS: Final = {
    "market_day": "whole rows of one market on one day",
    "market": "whole rows of one market, all days",
    "day": "sum of one day",
    "total": "sum of all trades",
    "by_ticker": "trades and contracts by market",
    "asof": "1 M orders as-of trades, month by month",
}
ENGINES: Final = {
    "lake_polars": "lake, polars",
    "lake_duckdb": "lake, DuckDB",
    "hive_polars": "hive Parquet, polars",
    "hive_duckdb": "hive Parquet, DuckDB",
    "native_duckdb": "DuckDB table",
}
_WARM: Final = {"market_day": 15, "market": 5, "day": 9, "total": 3, "by_ticker": 3, "asof": 0}


def by_polars(ask: str, scan: Scan, places: Places) -> pl.DataFrame:
    """Answer with polars; `scan(ticker, first, last)` gives trades of days `first`..`last`, both included."""
    ticker, last_day = busy_market(DAY, RANK), places.year.n_days - 1
    traded = (pl.len().alias("n"), pl.col("count_centi").sum().alias("count_centi"))
    if ask == "market_day":
        return scan(ticker, DAY, DAY).collect()
    if ask == "market":
        return scan(ticker, 0, last_day).collect()
    if ask == "day":
        return scan(None, DAY, DAY).select(*traded).collect()
    if ask == "total":
        return scan(None, 0, last_day).select(*traded).collect()
    if ask == "by_ticker":
        return scan(None, 0, last_day).group_by("ticker").agg(*traded).collect()
    orders = pl.scan_parquet(places.orders)
    parts = []
    for first, last in stretches(places.year.n_days):
        asked = orders.filter(pl.col("at_ts").is_between(midnight(first), midnight(last + 1), closed="left"))
        known = scan(None, first, last).select("ticker", "event_ts", "yes_price_cc")
        joined = asked.join_asof(
            known, left_on="at_ts", right_on="event_ts", by="ticker", check_sortedness=False
        )
        price = pl.col("yes_price_cc")
        # Cast first: a sum of 32-bit numbers wraps in silence.
        parts.append(joined.select(n=price.count(), cc=price.cast(pl.Int64).sum()).collect())
    return pl.concat(parts).sum()


def by_duckdb(ask: str, con: duckdb.DuckDBPyConnection, trades: str, places: Places) -> pl.DataFrame:
    """Answer with DuckDB; `trades` is what stands after FROM."""
    day, ticker = day_of(DAY), busy_market(DAY, RANK)
    columns, traded = ", ".join(TRADES.columns), "count(*) n, sum(count_centi)::bigint count_centi"
    if ask == "asof":
        parts = [_answered(con, _asof(trades, places, *each)) for each in stretches(places.year.n_days)]
        return pl.DataFrame(pl.concat(parts).sum())
    queries = {
        "market_day": f"select {columns} from {trades} where ticker = '{ticker}' and date = date '{day}'",
        "market": f"select {columns} from {trades} where ticker = '{ticker}'",
        "day": f"select {traded} from {trades} where date = date '{day}'",
        "total": f"select {traded} from {trades}",
        "by_ticker": f"select ticker, {traded} from {trades} group by 1",
    }
    return _answered(con, queries[ask])


def _answered(con: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    """Run a query as DuckDB's command line does; `con.sql` would look at every file of a view twice."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # the rows are copied: few come
        return pl.DataFrame(con.execute(query).to_arrow_table())


def _asof(trades: str, places: Places, first: int, last: int) -> str:
    begin, end = midnight(first).isoformat(), midnight(last + 1).isoformat()
    return (
        "select count(t.yes_price_cc) n, sum(t.yes_price_cc)::bigint cc from "
        f"(from '{places.orders}' where at_ts >= '{begin}' and at_ts < '{end}') o asof join "
        f"(select ticker, event_ts, yes_price_cc from {trades} "
        f"where date between date '{day_of(first)}' and date '{day_of(last)}') t "
        "on o.ticker = t.ticker and o.at_ts >= t.event_ts"
    )


def stretches(n_days: int) -> list[tuple[int, int]]:
    """Cut the tape in twelve: a whole year's join would need more memory than we allow ourselves."""
    cuts = [n_days * each // STRETCHES for each in range(STRETCHES + 1)]
    return [(first, after - 1) for first, after in pairwise(cuts)]


def day_of(number: int) -> date:
    """Return the date of day `number`."""
    return midnight(number).date()


def lake_scan(lake: Lake, n_days: int) -> Scan:
    """Read the lake as an analyst does: a market through `trades`, many through `scan`."""

    def scan(ticker: str | None, first: int, last: int) -> pl.LazyFrame:
        if ticker is None:
            return lake.scan(TRADES, dates=(day_of(first), day_of(last)))
        start, end = _ends(first, last, n_days)
        return lake.trades(ticker=ticker, start=start, end=end).select(list(TRADES.columns))

    return scan


def _ends(first: int, last: int, n_days: int) -> tuple[datetime | None, datetime | None]:
    """Return no bounds for the whole tape: nobody writes them."""
    if (first, last) == (0, n_days - 1):
        return None, None
    return midnight(first), midnight(last) + timedelta(days=1)


def hive_scan(places: Places) -> Scan:
    """Read plain Parquet with polars, which skips folders by the filter on their date."""

    def scan(ticker: str | None, first: int, last: int) -> pl.LazyFrame:
        rows = pl.scan_parquet(places.hive, hive_partitioning=True)
        if (first, last) != (0, places.year.n_days - 1):
            rows = rows.filter(pl.col("date").is_between(day_of(first), day_of(last)))
        if ticker is not None:
            rows = rows.filter(pl.col("ticker") == ticker).select(list(TRADES.columns))
        return rows

    return scan


def opened(engine: str, places: Places) -> Callable[[str], pl.DataFrame]:
    """Open what an engine reads; return how to ask it."""
    if engine == "lake_polars":
        scan = lake_scan(Lake(places.lake), places.year.n_days)
        return lambda ask: by_polars(ask, scan, places)
    if engine == "hive_polars":
        return lambda ask: by_polars(ask, hive_scan(places), places)
    path, trades = {
        "lake_duckdb": (str(places.lake / "warehouse.duckdb"), "raw.trades"),
        "hive_duckdb": (":memory:", f"read_parquet('{places.hive}/*/*.parquet', hive_partitioning = true)"),
        "native_duckdb": (str(places.native), "trades"),
    }[engine]
    con = duckdb.connect(path, read_only=path != ":memory:")
    con.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set temp_directory = '{places.work}/spill'")
    con.execute("set timezone = 'UTC'")
    return lambda ask: by_duckdb(ask, con, trades, places)


def digest(answer: pl.DataFrame) -> list[int | str]:
    """Return what must be equal whoever answers: rows, sums of whole numbers, least and greatest id."""
    whole = [
        int(answer[name].cast(pl.Int64).sum())
        for name in sorted(answer.columns)
        if answer[name].dtype.is_integer()
    ]
    if "trade_id" not in answer.columns:
        return [answer.height, *whole]
    ids = answer["trade_id"].cast(pl.String)
    return [answer.height, *whole, str(ids.min()), str(ids.max())]


def main(ask: str, engine: str, work: str, n_rows: str) -> None:
    """Ask once cold, then some times warm."""
    places = Places(Path(work), int(n_rows))
    busy_market(DAY, RANK)  # remembered from here on
    first = timed(lambda: opened(engine, places)(ask))
    told: dict[str, Any] = {"answer": digest(first.result), "cold_s": first.wall_s, "warm_s": first.wall_s}
    told |= {"cpu_s": first.cpu_s}
    again = opened(engine, places)
    warm = [timed(lambda: again(ask)) for _ in range(_WARM[ask])]
    if warm:
        told["warm_s"] = statistics.median(each.wall_s for each in warm)
        told["cpu_s"] = statistics.median(each.cpu_s for each in warm)
    sys.stdout.write(json.dumps(told | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
