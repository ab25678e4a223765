"""From when to when markets' quotes were recorded: streams, polls and imports alike, by their sessions."""

import polars as pl

from warehouse.tape_schemas import BREAKS


def stops(gaps: pl.LazyFrame) -> pl.LazyFrame:
    """Return the last end on record of each session of a market: ticker, session, stop_ts.

    `gaps` are rows of the table `book_gaps`; those of a stream that went on tell no end.
    """
    ended = gaps.filter(~pl.col("cause").is_in(BREAKS)).explode("tickers")
    told = ended.select("session", ticker="tickers", stop_ts="from_ts").drop_nulls()
    return told.group_by("ticker", "session").agg(pl.col("stop_ts").max())


def spans(quotes: pl.LazyFrame, stops: pl.LazyFrame) -> pl.LazyFrame:
    """Return ticker, session, first_ts, until_ts, is_ended: the recordings of markets.

    They begin with the first of `quotes`, rows of the table, and last until the end on record (`is_ended`),
    both included; without one until the last quote. A recorder's clock may be behind the exchange's: no
    recording ends before its last quote.
    """
    key = ["ticker", "session"]
    event_ts = pl.col("event_ts")
    told = quotes.group_by(key).agg(first_ts=event_ts.min(), last_ts=event_ts.max())
    return told.join(stops, on=key, how="left").select(
        *key,
        "first_ts",
        until_ts=pl.max_horizontal("last_ts", "stop_ts"),
        is_ended=pl.col("stop_ts").is_not_null(),
    )
