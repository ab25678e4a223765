"""The tape of the plan's markets as ragged arrays: quotes as shown, or books rebuilt change by change.

What is here is the exchange's own state by its own clock (`event_ts`): an order that arrives at t meets the
last event at or before t, known to the trader or not. That is no look-ahead: the order was decided on rows
known before, and real orders meet the real book too.

Rules of the book: a market follows one session at a time, the one with the latest snapshot; REST polls count
only for markets without any stream; after a hole, and after a session's end, the book is unknown until the
next snapshot. Rows of one instant are one event. Nothing at or after the close is kept. Crossed states are
faults of the data: nothing fills against them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from backtest.kernels.arrays import (
    CHANGE,
    CLEAR,
    DELTA,
    END,
    I64,
    NEVER,
    SET,
    SIZE,
    TOP,
    UNKNOWN,
    Records,
)
from exchange.units import DOLLAR_CC

_SPAN: Final = DOLLAR_CC + 1  # one side's prices


@dataclass(frozen=True, slots=True)
class Tape:
    """Records of all markets, one after the other: rows bounded by `offsets`, levels by `level_offsets`.

    A market's bids end, and its asks begin, at `level_split`. Quotes have `sizes` and two levels, the touch;
    books have `changes` and every price that was ever displayed.
    """

    is_book: bool
    offsets: I64
    tops: Records
    sizes: Records
    changes: Records
    level_offsets: I64
    level_split: I64
    level_cc: I64


def quotes_tape(quotes: pl.DataFrame, markets: pl.DataFrame) -> Tape:
    """Return best bids and asks as a tape.

    Args:
        quotes: ticker, session, event_ts, received_ts, bid_cc, bid_size_centi, ask_cc, ask_size_centi; rows
            of one instant and market count as the last of them by received_ts.
        markets: ticker and close_us, one row per market; its order is the tape's.
    """
    numbered = markets.select("ticker", "close_us").with_row_index("market")
    is_bid = pl.col("bid_cc").is_between(1, DOLLAR_CC - 1) & (pl.col("bid_size_centi").fill_null(1) > 0)
    is_ask = pl.col("ask_cc").is_between(1, DOLLAR_CC - 1) & (pl.col("ask_size_centi").fill_null(1) > 0)
    shown = (
        quotes.lazy()
        .with_columns(ts_us=pl.col("event_ts").dt.epoch("us"))
        .join(numbered.lazy(), on="ticker", how="inner", maintain_order="left")
        .filter(pl.col("ts_us") < pl.col("close_us"))
        .collect()
    )
    if not shown.select(_ascends()).item():
        shown = shown.sort("market", "ts_us", "received_ts", "session", maintain_order=True)
    rows = (
        shown.lazy()
        .select(
            "market",
            "ts_us",
            bid_cc=pl.when(is_bid).then("bid_cc").otherwise(0),
            ask_cc=pl.when(is_ask).then("ask_cc").otherwise(DOLLAR_CC),
            bid_size=pl.when(is_bid).then(pl.col("bid_size_centi").fill_null(-1)).otherwise(0),
            ask_size=pl.when(is_ask).then(pl.col("ask_size_centi").fill_null(-1)).otherwise(0),
        )
        .with_columns(
            bid_run=_runs("bid_cc"),
            ask_run=_runs("ask_cc"),
            is_live=_is_last() & (pl.col("bid_cc") < pl.col("ask_cc")),
        )
        .collect()
    )
    n = markets.height
    tops, sizes = np.zeros(rows.height, TOP), np.zeros(rows.height, SIZE)
    for name in ("ts_us", "bid_cc", "ask_cc", "is_live"):
        tops[name] = rows[name].to_numpy()
    for name in ("bid_size", "ask_size", "bid_run", "ask_run"):
        sizes[name] = rows[name].to_numpy()
    return Tape(
        is_book=False,
        offsets=_offsets(rows["market"].to_numpy(), n),
        tops=tops,
        sizes=sizes,
        changes=np.zeros(0, CHANGE),
        level_offsets=2 * np.arange(n + 1, dtype=np.int64),
        level_split=2 * np.arange(n, dtype=np.int64) + 1,
        level_cc=np.zeros(2 * n, np.int64),
    )


def book_tape(
    snapshots: pl.DataFrame, deltas: pl.DataFrame, gaps: pl.DataFrame, markets: pl.DataFrame
) -> Tape:
    """Return books as a tape of changes; frames as in the lake's tables, `markets` as for `quotes_tape`."""
    from backtest.kernels.tops import book_tops

    numbered = markets.select("ticker", "close_us").with_row_index("market")
    segments = _segments(snapshots, numbered)
    rows = _placed(_changes(segments, deltas, gaps), segments)
    market = rows["market"].to_numpy().astype(np.int64)
    is_level = rows["op"].is_in([SET, DELTA]).to_numpy()
    cc = rows["yes_cc"].to_numpy().astype(np.int64)
    is_ask = rows["is_ask"].to_numpy().astype(np.int64)
    # Sorts as levels lie: by market, bids before asks, best first.
    code = market * 2 * _SPAN + is_ask * _SPAN + np.where(is_ask == 1, cc, DOLLAR_CC - cc)
    codes, place = np.unique(code[is_level], return_inverse=True)
    n, price = markets.height, codes % _SPAN
    tops, changes = np.zeros(rows.height, TOP), np.zeros(rows.height, CHANGE)
    tops["ts_us"] = rows["ts_us"].to_numpy()
    changes["op"] = rows["op"].to_numpy()
    changes["amount"] = rows["amount"].to_numpy()
    changes["level"][is_level] = place
    tape = Tape(
        is_book=True,
        offsets=_offsets(market, n),
        tops=tops,
        sizes=np.zeros(0, SIZE),
        changes=changes,
        level_offsets=_offsets(codes // (2 * _SPAN), n),
        level_split=np.searchsorted(codes, (2 * np.arange(n) + 1) * _SPAN).astype(np.int64),
        level_cc=np.where(codes // _SPAN % 2 == 1, price, DOLLAR_CC - price).astype(np.int64),
    )
    book_tops(tops, changes, tape.offsets, tape.level_offsets, tape.level_split, tape.level_cc)
    return tape


def known_us(tape: Tape, close_us: I64) -> I64:
    """Return, for each market, for how long its state was known, up to the close or its last event."""
    n = len(tape.offsets) - 1
    market = np.repeat(np.arange(n), np.diff(tape.offsets))
    at_us = tape.tops["ts_us"]
    until = np.append(at_us[1:], 0)
    last = tape.offsets[1:][np.diff(tape.offsets) > 0] - 1
    ends = close_us[market[last]]
    until[last] = np.where(ends < NEVER, ends, at_us[last])
    lengths = np.where(tape.tops["is_live"] == 1, until - at_us, 0)
    total = np.zeros(n, np.int64)
    total[market[last]] = np.add.reduceat(lengths, tape.offsets[:-1][np.diff(tape.offsets) > 0])
    return total


def _segments(snapshots: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """Number the snapshots that count, by market and time: a segment lasts until the market's next one."""
    has_stream = (pl.col("method") == "ws").any().over("market")
    return (
        snapshots.join(numbered, on="ticker", how="inner")
        .filter((pl.col("method") == "ws") | ~has_stream)
        .with_columns(from_us=pl.col("captured_ts").dt.epoch("us"))
        .sort("market", "from_us", "session", "sid", "seq", maintain_order=True)
        .with_row_index("segment")
        .with_columns(
            until_us=pl.min_horizontal(
                pl.col("from_us").shift(-1).over("market").fill_null(NEVER), pl.col("close_us")
            )
        )
    )


def _changes(segments: pl.DataFrame, deltas: pl.DataFrame, gaps: pl.DataFrame) -> pl.DataFrame:
    """Return all that happens inside segments: segment, seq, step, op, is_ask, yes_cc, amount, raw_us."""
    head = pl.col("seq").fill_null(-1)
    starts = segments.select("segment", seq=head, raw_us="from_us")
    levels = [
        segments.select(
            "segment", seq=head, raw_us="from_us", price=f"{side}_prices_cc", amount=f"{side}_counts_centi"
        )
        .explode("price", "amount")
        .select("segment", "seq", *_side(side == "no", pl.col("price")), "amount", "raw_us")
        for side in ("yes", "no")
    ]
    streamed = _in_segment(deltas, segments, "seq").select(
        "segment",
        "seq",
        *_side(pl.col("side") == "no", pl.col("price_cc")),
        amount="delta_centi",
        raw_us=pl.col("event_ts").dt.epoch("us"),
    )
    blind = _in_segment(
        gaps.rename({"tickers": "ticker"}).explode("ticker").drop_nulls("ticker"), segments, "from_seq"
    ).select("segment", seq="from_seq", raw_us=pl.col("from_ts").dt.epoch("us"))
    parts = [
        _step(starts, 0, CLEAR),
        *(_step(each, 1, SET) for each in levels),
        _step(starts, 2, END),
        _step(blind, 3, UNKNOWN),
        _step(streamed, 4, DELTA),
    ]
    rows = pl.concat(parts, how="vertical")
    is_level = pl.col("op").is_in([SET, DELTA])
    return rows.filter(~is_level | pl.col("yes_cc").is_between(1, DOLLAR_CC - 1))


def _placed(changes: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """Order changes as they took effect; none before its snapshot, none after its segment."""
    return (
        changes.join(segments.select("segment", "market", "until_us"), on="segment", how="left")
        .sort("segment", "seq", "step", maintain_order=True)
        .with_columns(ts_us=pl.col("raw_us").cum_max().over("segment"))
        .filter(pl.col("ts_us") < pl.col("until_us"))
    )


def _in_segment(rows: pl.DataFrame, segments: pl.DataFrame, seq: str) -> pl.DataFrame:
    """Give each streamed row the segment of the snapshot that precedes it in its own session."""
    by = ["ticker", "session", "sid"]
    heads = segments.filter(pl.col("seq").is_not_null()).select(*by, "segment", head="seq").sort("head")
    return (
        rows.sort(seq, maintain_order=True)
        .join_asof(heads, left_on=seq, right_on="head", by=by, strategy="backward", check_sortedness=False)
        .drop_nulls("segment")
    )


def _side(is_ask: "pl.Expr | bool", price: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    asks = is_ask if isinstance(is_ask, pl.Expr) else pl.lit(is_ask)
    cc = price.cast(pl.Int64)
    return asks.cast(pl.Int8).alias("is_ask"), pl.when(asks).then(DOLLAR_CC - cc).otherwise(cc).alias(
        "yes_cc"
    )


def _step(rows: pl.DataFrame, step: int, op: int) -> pl.DataFrame:
    given = rows.columns
    return rows.select(
        "segment",
        "seq",
        pl.lit(step, dtype=pl.Int8).alias("step"),
        pl.lit(op, dtype=pl.Int8).alias("op"),
        "is_ask" if "is_ask" in given else pl.lit(0, dtype=pl.Int8).alias("is_ask"),
        "yes_cc" if "yes_cc" in given else pl.lit(1, dtype=pl.Int64).alias("yes_cc"),
        "amount" if "amount" in given else pl.lit(0, dtype=pl.Int64).alias("amount"),
        "raw_us",
    )


def _runs(column: str) -> pl.Expr:
    is_new = (pl.col(column) != pl.col(column).shift()) | (pl.col("market") != pl.col("market").shift())
    return is_new.fill_null(value=True).cum_sum().cast(pl.Int32)


def _is_last() -> pl.Expr:
    is_same = (pl.col("ts_us") == pl.col("ts_us").shift(-1)) & (
        pl.col("market") == pl.col("market").shift(-1)
    )
    return ~is_same.fill_null(value=False)


def _ascends() -> pl.Expr:
    """Tell whether rows lie by market and time without ties: sorting five million rows is worth avoiding."""
    market, ts_us = pl.col("market"), pl.col("ts_us")
    is_later = (market == market.shift()) & (ts_us > ts_us.shift())
    return ((market > market.shift()) | is_later).fill_null(value=True).all()


def _offsets(market: "np.ndarray[tuple[int], np.dtype[np.generic]]", n: int) -> I64:
    return np.searchsorted(market, np.arange(n + 1)).astype(np.int64)
