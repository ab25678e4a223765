"""Trades held against the changes of recorded books: each takes exactly its size off the level it hits.

Trades and changes share the exchange's clock, but come over different channels, and many have one
millisecond; so a trade's change is sought among the changes next to it, as far off as real ones were
(warehouse.book_trades).
"""

from typing import Final, NamedTuple

import polars as pl

from exchange.fees import COMBO_PREFIX
from exchange.units import DOLLAR_CC
from warehouse.book_trades import PRINTS, WITHIN_ROWS, matched

TAKINGS: Final = {
    "ok": "A change takes exactly its size off the level it hits.",
    "unknown": "The stream was broken, or not heard yet, within 2 s of it.",
    "missing": "Changes of its market are there, but none that takes its size off its level.",
}
"""What a trade may be to the changes of a recorded stream, and the sentence of it."""

WRONG_TAKINGS: Final = ("missing",)

_MARGIN_US: Final = 2_000_000
_FOREVER_US: Final = 2**62
_STREAM: Final = ["ticker", "session"]


def on_book() -> pl.Expr:
    """Tell the rows of `trades` that go through a market's own book: no blocks, no combos."""
    return ~pl.col("is_block_trade").fill_null(value=False) & ~pl.col("ticker").str.starts_with(COMBO_PREFIX)


class Heard(NamedTuple):
    """What recorded streams told of markets.

    streams: ticker, session, first_ts (of the first whole book).
    deltas: rows of `book_deltas`, sorted by (session, sid, seq).
    gaps: ticker, session, from_ts, until_ts (null: for good).
    """

    streams: pl.DataFrame
    deltas: pl.DataFrame
    gaps: pl.DataFrame


def taken(trades: pl.DataFrame, heard: Heard) -> pl.DataFrame:
    """Say of every trade what it is to each stream that recorded its market.

    Args:
        trades: rows of the table `trades`, per `on_book`.
        heard: of their markets, from before the first trade to after the last.

    Returns:
        ticker, session, trade_id, event_ts, side (whose bids it takes), price_cc (in that side's prices),
        count_centi, taking (see TAKINGS); sorted by (ticker, session, event_ts, trade_id).
    """
    is_no = pl.col("taker_side") == "yes"
    price_cc = pl.when(is_no).then(DOLLAR_CC - pl.col("yes_price_cc")).otherwise("yes_price_cc")
    hits = (
        trades.join(heard.streams, on="ticker")
        .select(
            *_STREAM,
            "trade_id",
            "event_ts",
            side=pl.when(is_no).then(pl.lit("no")).otherwise(pl.lit("yes")),
            price_cc=price_cc.cast(pl.Int32),
            count_centi="count_centi",
        )
        .sort(*_STREAM, "event_ts", "trade_id")
        .with_row_index("hit")
    )
    taking = (
        pl.when(_is_blind(hits, heard))
        .then(pl.lit("unknown"))
        .when(_is_matched(hits, heard.deltas))
        .then(pl.lit("ok"))
        .otherwise(pl.lit("missing"))
    )
    return hits.with_columns(taking=taking).drop("hit")


def _is_matched(hits: pl.DataFrame, deltas: pl.DataFrame) -> pl.Series:
    """Pair trades and changes in the exchange's order; of one millisecond, changes come first."""
    columns = [*_STREAM, "event_ts", "side", "price_cc", "count_centi"]
    changes = deltas.join(hits.select(_STREAM).unique(), on=_STREAM, how="semi").with_columns(
        count_centi=-pl.col("delta_centi"),
        hit=pl.lit(None, dtype=hits.schema["hit"]),
        is_trade=pl.lit(value=False),
    )
    both = pl.concat(
        [
            each.select(*columns, "hit", "is_trade")
            for each in (changes, hits.with_columns(is_trade=pl.lit(value=True)))
        ]
    )
    # Streams lie further apart than a pair can.
    stream = pl.struct(_STREAM).rle_id().cast(pl.Int64)
    lined = (
        both.with_columns(pl.col("event_ts").dt.truncate("1ms"))
        .sort(*_STREAM, "event_ts", "is_trade", maintain_order=True)
        .with_columns(line=pl.int_range(pl.len()) + stream * (WITHIN_ROWS + 1))
    )
    pairs = matched(lined.select(list(PRINTS)))
    found = lined.join(pairs, on="line", how="semi")["hit"]
    return hits["hit"].is_in(found.implode())


def _is_blind(hits: pl.DataFrame, heard: Heard) -> pl.Series:
    """Tell whether a stream was broken, or not there yet, near each trade."""
    gaps = heard.gaps.select(*_STREAM, "from_ts", "until_ts")
    unheard = heard.streams.select(
        *_STREAM, from_ts=pl.lit(None, dtype=gaps.schema["from_ts"]), until_ts="first_ts"
    )
    blind = (
        pl.concat([unheard, gaps])
        .with_columns(
            pl.col("from_ts").to_physical().fill_null(0),
            pl.col("until_ts").to_physical().fill_null(_FOREVER_US),
        )
        .sort("from_ts")
        .with_columns(pl.col("until_ts").cum_max().over(_STREAM))
    )
    at_us = pl.col("event_ts").to_physical()
    near = (
        hits.select("hit", *_STREAM, first_us=at_us - _MARGIN_US, last_us=at_us + _MARGIN_US)
        .sort("last_us")
        .join_asof(blind, left_on="last_us", right_on="from_ts", by=_STREAM, check_sortedness=False)
    )
    return near.sort("hit").select(pl.col("until_ts") >= pl.col("first_us")).to_series()
