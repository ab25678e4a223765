"""How many bytes of Parquet a row costs in the lake, and how quickly rows go in and come out."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq

from tests.benchmarks import made_up
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.tape_lake import build, tape_lake
from warehouse.lake import Lake
from warehouse.tables import TRADES, Table

_WORK = "5 M made-up trades, 2,000 markets, 10 days"


def figures(work: Path) -> Iterator[Figure]:
    """Yield commit rate, bytes per trade and read times of the dense made-up tape."""
    took = build(work)
    for name, each in took.items():
        yield Figure(what=f"commit {name}", value=each.result / each.wall_s, unit="rows/s", work=_WORK)
    lake = tape_lake(work)
    with_id, without_id = bytes_per_row(lake, TRADES), bytes_per_row(lake, TRADES, leave_out="trade_id")
    yield Figure(what="lake, whole row", value=with_id, unit="B/trade", work=_WORK, at_most=22)
    yield Figure(what="lake, without trade_id", value=without_id, unit="B/trade", work=_WORK, at_most=6)
    yield from _reads(lake)


def bytes_per_row(lake: Lake, table: Table, *, leave_out: str = "") -> float:
    """Return bytes of Parquet per row of a table's newest version, whole files or all columns but one."""
    listed = lake.files(table)
    assert listed is not None
    n_bytes = int(listed.files["n_bytes"].sum()) - sum(_of_column(path, leave_out) for path in listed.paths)
    return n_bytes / int(listed.files["n_rows"].sum())


def _of_column(path: str, column: str) -> int:
    found = pq.read_metadata(path)
    chunks = (
        found.row_group(i).column(j) for i in range(found.num_row_groups) for j in range(found.num_columns)
    )
    return sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema == column)


def _reads(lake: Lake) -> Iterator[Figure]:
    """Read a mid-sized market, and add up one day, with polars and with DuckDB: equal answers first."""
    ticker = made_up.tickers()[20]
    start_ts = made_up.START_TS + timedelta(days=4)
    catalog = lake.publish()
    rows = timed(lambda: lake.trades(ticker=ticker).collect(), n_times=5)
    end_ts = start_ts + timedelta(days=1)
    of_day = timed(lambda: lake.trades(ticker=ticker, start=start_ts, end=end_ts).collect(), n_times=15)
    n_of_day = rows.result.filter(pl.col("event_ts").is_between(start_ts, end_ts, closed="left")).height
    assert of_day.result.height == n_of_day
    with duckdb.connect(str(catalog), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        by_duckdb = timed(
            lambda: con.execute("select count(*) from trades where ticker = ?", [ticker]).fetchall()[0][0],
            n_times=5,
        )
        assert by_duckdb.result == rows.result.height
        day = timed(lambda: _day_by_polars(lake, start_ts, end_ts), n_times=5)
        day_by_duckdb = timed(
            lambda: con.execute(
                "select sum(contracts) from trades "
                "where event_ts >= ?::timestamptz and event_ts < ?::timestamptz",
                [start_ts, end_ts],
            ).fetchall()[0][0],
            n_times=5,
        )
        assert int(day_by_duckdb.result * 100) == day.result
    market = f"one market of 2,000, {rows.result.height:,} trades"
    yield Figure(
        what="lake.trades(ticker=…) of one day",
        value=of_day.cpu_s * 1e3,
        unit="ms CPU",
        work=f"one market of 2,000, {n_of_day:,} trades",
        at_most=5,
    )
    yield Figure(what="lake.trades(ticker=…)", value=rows.wall_s * 1e3, unit="ms", work=market)
    yield Figure(what="DuckDB count of it", value=by_duckdb.wall_s * 1e3, unit="ms", work=market)
    yield Figure(what="sum of one day, polars", value=day.wall_s * 1e3, unit="ms", work=_WORK, at_most=20)
    yield Figure(
        what="sum of one day, DuckDB", value=day_by_duckdb.wall_s * 1e3, unit="ms", work=_WORK, at_most=20
    )


def _day_by_polars(lake: Lake, start_ts: datetime, end_ts: datetime) -> int:
    day = lake.trades(start=start_ts, end=end_ts)
    return int(day.select(pl.col("count_centi").sum()).collect().item())
