"""One market's book at one moment, asked of all that answer: three readers, the tape, a slow oracle."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, cast

import duckdb
import polars as pl

from backtest.tape import book_tape
from exchange.books import OrderBook
from exchange.units import to_us
from tests.oracles.books import speaker
from warehouse import Lake, books
from warehouse.catalog import build
from warehouse.errors import BookUnknown
from warehouse.rebuilding import showing
from warehouse.rebuilding.ops import CLEAR, DELTA, NEVER, SET, UNKNOWN
from warehouse.rebuilding.reading import EXCHANGE, read_streams
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, TABLES, Table

Row = Mapping[str, Any]
Levels = list[tuple[str, int, int]]
INSTANT: Final = timedelta(microseconds=1)


class BooksInMemory:
    """As much of a lake as readers of books ask for: rows of tables, and what checks tickers."""

    uri = "memory"

    def __init__(self, tables: "Tables") -> None:
        self._tables = tables

    def pinned(self) -> "BooksInMemory":
        return self

    def files(self, table: Table) -> "BooksInMemory":
        assert table.name in TABLES
        return self

    def read(self, table: Table, *_: object, **__: object) -> pl.LazyFrame:
        return self.scan(table)

    def scan(self, table: Table, **_: object) -> pl.LazyFrame:
        rows = [{name: row.get(name) for name in table.polars_schema} for row in self._tables.of(table)]
        return pl.LazyFrame(rows, schema=table.polars_schema)


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows of the three tables of books."""

    book_snapshots: Sequence[Row]
    book_deltas: Sequence[Row] = ()
    book_gaps: Sequence[Row] = ()

    def of(self, table: Table) -> Sequence[Row]:
        """Return the rows of a table; of others there are none."""
        rows: Sequence[Row] = getattr(self, table.name, ())
        return rows

    def lake(self) -> Lake:
        """Return a lake of them, in memory."""
        return cast("Lake", BooksInMemory(self))


def levels_of(book: OrderBook) -> Levels:
    """Return side, price and count, YES bids and then NO bids, best first."""
    return [(side, *level) for side in ("yes", "no") for level in reversed(book.levels(side))]


def by_book(tables: Tables, ticker: str, at_ts: datetime) -> Levels | None:
    """Ask `Lake.book`; None where the book is unknown."""
    try:
        return levels_of(books.book(tables.lake(), ticker, at_ts))
    except BookUnknown:
        return None


def by_books(tables: Tables, ticker: str, at_ts: datetime, since: timedelta = timedelta(0)) -> Levels | None:
    """Ask `Lake.books` for every change since then; None where the last of them leaves the book unknown."""
    rows = showing.books(tables.lake(), ticker, at_ts - since, at_ts + INSTANT).collect()
    return in_frame(rows.row(-1, named=True))


def in_frame(row: Row) -> Levels | None:
    """Return the levels of one row of `Lake.books`."""
    if not row["is_known"]:
        assert row["cause"] is not None
        assert all(row[name] is None for name in showing.BOOKS if "_cc" in name or "_centi" in name)
        return None
    assert row["cause"] is None
    bids = zip(row["bid_prices_cc"], row["bid_counts_centi"], strict=True)
    asks = zip(row["ask_prices_cc"], row["ask_counts_centi"], strict=True)
    return [*(("yes", *bid) for bid in bids), *(("no", 10_000 - price, count) for price, count in asks)]


@cache
def _blank() -> duckdb.DuckDBPyConnection:
    """Return a catalog without tables of books: to make one for every few rows took most of the time."""
    connection = duckdb.connect()
    build(connection, {}, "nowhere")
    for table in (BOOK_SNAPSHOTS, BOOK_DELTAS, BOOK_GAPS):
        connection.execute(f"drop view raw.{table.name}")
    return connection


@contextmanager
def catalog(tables: Tables) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a catalog whose tables of books hold these rows, until the next is opened."""
    with _blank().cursor() as connection:
        for table in (BOOK_SNAPSHOTS, BOOK_DELTAS, BOOK_GAPS):
            rows = tables.lake().scan(table).with_columns(date=pl.lit(None, pl.Date)).collect()
            assert table.name in TABLES
            connection.execute(f"create or replace table raw.{table.name} as select * from rows")
            assert rows is not None
        yield connection


def by_sql(connection: duckdb.DuckDBPyConnection, ticker: str, at_ts: datetime) -> Levels:
    """Ask the macro `book_at`; nothing where the book is empty, or unknown."""
    query = "select side, (price * 10000)::int, (contracts * 100)::int from book_at(?, ?::timestamptz)"
    return connection.execute(query, [ticker, at_ts]).fetchall()


def by_tape(tables: Tables, ticker: str, at_ts: datetime) -> Levels | None:
    """Apply the changes of the backtest's tape until then."""
    markets = pl.DataFrame({"ticker": [ticker], "close_us": [int(NEVER)]})
    tape = book_tape(read_streams(tables.lake(), [ticker], None, None, clock=EXCHANGE), markets)
    book, is_known = OrderBook(ticker), False
    for ts_us, op, level, amount in zip(
        tape.tops["ts_us"].tolist(),
        *(tape.changes[each].tolist() for each in ("op", "level", "amount")),
        strict=True,
    ):
        if ts_us > to_us(at_ts):
            break
        if op == UNKNOWN:
            is_known = False
        elif op == CLEAR:
            book, is_known = OrderBook(ticker), True
        elif op in (SET, DELTA):
            price, is_bid = int(tape.level_cc[level]), level < tape.level_split[0]
            book.apply_delta("yes" if is_bid else "no", price if is_bid else 10_000 - price, amount)
    return levels_of(book) if is_known else None


def by_oracle(tables: Tables, ticker: str, at_ts: datetime) -> Levels | None:
    """Ask the slow oracle."""
    snapshots, deltas = (
        [row for row in rows if row["ticker"] == ticker]
        for rows in (tables.book_snapshots, tables.book_deltas)
    )
    gaps = [row for row in tables.book_gaps if ticker in row["tickers"]]
    spoken = speaker(snapshots, deltas, gaps, at_ts)
    return None if spoken is None else levels_of(spoken.book(at_ts))
