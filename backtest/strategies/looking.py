"""What a strategy looks at: quotes that are news, and markets, the universe that a report counts from."""

import polars as pl


def looked_at(rows: pl.DataFrame) -> pl.LazyFrame:
    """Return ticker and its first known_ts, sorted by ticker: rows of a plan without an intent."""
    return rows.group_by("ticker").agg(pl.col("known_ts").min()).sort("ticker").lazy()


def newest(quotes: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows of `lake.quotes` but those older than what was known of their market before.

    Of several recorders, one may tell an older quote after another has told a newer one.
    """
    event_ts = pl.col("known_ts") - pl.col("quote_age")
    return quotes.filter(event_ts == event_ts.cum_max().over("ticker"))
