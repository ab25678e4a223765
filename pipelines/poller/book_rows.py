"""Polled books as rows of `book_snapshots`, and those that cannot be read."""

import json
from collections.abc import Sequence

import polars as pl

from pipelines.client import WireError
from pipelines.client.wire import OrderBook
from pipelines.ingest import exact
from pipelines.ingest.refused import REFUSED, as_refused
from pipelines.ingest.ws_columns import LEVELS, books_of


def book_rows(books: Sequence[OrderBook]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read books exactly, one row each; an empty book is a row too.

    Returns:
        (ticker, captured_ts, latency_us, yes_prices_cc, yes_counts_centi, no_prices_cc, no_counts_centi) of
        the good ones in their order, and the others per REFUSED.
    """
    told = pl.DataFrame(
        {
            "line": range(len(books)),
            "market_ticker": [book.ticker for book in books],
            "captured_ts": [book.captured_ts for book in books],
            "latency_us": [book.latency_us for book in books],
            "yes_dollars_fp": [[*book.yes_dollars] for book in books],
            "no_dollars_fp": [[*book.no_dollars] for book in books],
        },
        schema={
            "line": pl.Int64(),
            "market_ticker": pl.String(),
            "captured_ts": exact.TIME,
            "latency_us": pl.Int64(),
            "yes_dollars_fp": LEVELS,
            "no_dollars_fp": LEVELS,
        },
    )
    good, wrong = books_of(told)
    whose = told.select("line", pl.col("market_ticker").alias("ticker"), "captured_ts", "latency_us")
    refused = wrong.with_columns(
        location=pl.Series([_path(books[line].ticker) for line in wrong["line"]], dtype=pl.String),
        payload=pl.Series([_payload(books[line]) for line in wrong["line"]], dtype=pl.String),
    )
    rows = whose.join(good, on="line", maintain_order="left").drop("line")
    return rows, as_refused(refused)


def unread(ticker: str, error: WireError) -> pl.DataFrame:
    """Return an answer that could not even be decoded, per REFUSED."""
    return pl.DataFrame(
        {
            "location": [_path(ticker)],
            "field": [error.field],
            "value": [None],
            "reason": [error.reason],
            "payload": [error.payload.decode(errors="replace")],
        },
        schema=REFUSED,
    )


def _path(ticker: str) -> str:
    return f"/markets/{ticker}/orderbook"


def _payload(book: OrderBook) -> str:
    return json.dumps({"yes_dollars": book.yes_dollars, "no_dollars": book.no_dollars})
