"""Asks a lake for single books, in a process of its own; see tests.benchmarks.book_rates.

`python -m tests.benchmarks.book_asks python|sql LAKE ROWS RANK` prints a JSON object: seconds of the first
answer and the median of others, and all levels of the last.
"""

import json
import statistics
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from tests.benchmarks.figures import timed
from tests.benchmarks.hundred_million_places import peak_mb
from tests.benchmarks.made_up_books import Books, midnight, tickers
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS

N_ASKED: Final = 10
_SQL: Final = (
    "select side, (price * 10000)::int, (contracts * 100)::bigint "
    "from book_at('{ticker}', '{at}'::timestamptz) order by all"
)


def main(door: str, uri: str, n_rows: str, rank: str) -> None:
    """Ask at one moment after the other, each on a day of its own as long as there are any."""
    lake, books = Lake(uri), Books(int(n_rows))
    moments = [_moment(books, each) for each in range(N_ASKED)]
    asked = [(tickers(day)[int(rank)], at_ts) for day, at_ts in moments]
    by_door = {"python": _by_python, "sql": _by_sql(lake)}
    took = [timed(lambda each=each: by_door[door](lake, *each)) for each in asked]  # type: ignore[misc]
    ticker, at_ts = asked[-1]
    known = lake.scan(BOOK_DELTAS).filter(pl.col("ticker") == ticker, BOOK_DELTAS.known_ts.expr <= at_ts)
    told = {
        "cold_s": took[0].wall_s,
        "warm_s": statistics.median(each.wall_s for each in took[1:]),
        "answer": took[-1].result,
        "peak_mb": peak_mb(),
        "n_changes": known.select(pl.len()).collect().item(),
    }
    sys.stdout.write(json.dumps(told))


def _moment(books: Books, turn: int) -> tuple[int, datetime]:
    """Return a day and a moment between its first and its last hour."""
    day = (turn * 7 + books.n_days // 2) % books.n_days
    return day, midnight(day) + timedelta(hours=1 + turn * 22 / N_ASKED, seconds=turn)


def _by_python(lake: Lake, ticker: str, at_ts: datetime) -> list[list[Any]]:
    book = lake.book(ticker, at_ts)
    return sorted([side, *level] for side in ("yes", "no") for level in book.levels(side))


def _by_sql(lake: Lake) -> Any:  # noqa: ANN401 - a function of the same form as the other
    con = duckdb.connect(str(Path(lake.uri) / "warehouse.duckdb"), read_only=True)
    con.execute("set timezone = 'UTC'")

    def ask(lake: Lake, ticker: str, at_ts: datetime) -> list[list[Any]]:
        del lake
        rows = con.execute(_SQL.format(ticker=ticker, at=at_ts.isoformat())).fetchall()
        return sorted([list(each) for each in rows])

    return ask


if __name__ == "__main__":
    main(*sys.argv[1:])
