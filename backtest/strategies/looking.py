"""Which markets a strategy looked at, wanted or not: the universe that a report counts from."""

import polars as pl


def looked_at(rows: pl.DataFrame) -> pl.LazyFrame:
    """Return ticker and its first known_ts, sorted by ticker: rows of a plan without an intent."""
    return rows.group_by("ticker").agg(pl.col("known_ts").min()).sort("ticker").lazy()
