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
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.kernels.arrays import (
    CHANGE,
    CLEAR,
    DELTA,
    END,
    I32,
    I64,
    NEVER,
    SET,
    SIZE,
    TOP,
    UNKNOWN,
    Records,
)
from exchange.units import DOLLAR_CC

# What a tape of quotes reads of them.
QUOTE_COLUMNS: Final = (
    *("ticker", "session", "event_ts", "received_ts"),
    *("bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi"),
)
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
        quotes: `QUOTE_COLUMNS`; rows of one instant and market count as the last of them by received_ts.
        markets: ticker and close_us, one row per market; its order is the tape's.
    """
    from backtest.kernels.tops import quote_tops, rows_by_market

    market, n = _places(quotes["ticker"], markets["ticker"]), markets.height
    ts_us = _fixed(quotes["event_ts"].dt.epoch("us").fill_null(NEVER))
    rows, offsets, least_us = rows_by_market(market, ts_us, _fixed(markets["close_us"]))
    if least_us[0] < 1:
        rows = _in_order(quotes, market, ts_us, rows)
    tops, sizes = np.zeros(len(rows), TOP), np.zeros(len(rows), SIZE)
    bids, asks = _side_shown(quotes, "bid"), _side_shown(quotes, "ask")
    quote_tops(tops, sizes, offsets, rows, ts_us, bids, asks)
    return Tape(
        is_book=False,
        offsets=offsets,
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
    has_rows = np.diff(tape.offsets) > 0
    first, last = tape.offsets[:-1][has_rows], tape.offsets[1:][has_rows] - 1
    at_us = np.ascontiguousarray(tape.tops["ts_us"])
    lengths = np.diff(at_us, append=0)
    lengths[last] = np.where(close_us[has_rows] < NEVER, close_us[has_rows] - at_us[last], 0)
    total = np.zeros(len(has_rows), np.int64)
    total[has_rows] = np.add.reduceat(lengths * tape.tops["is_live"], first)
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


def _places(tickers: pl.Series, known: pl.Series) -> I64:
    """Return where each ticker stands in `known`, -1 where it does not; a run of one is looked up once."""
    runs = tickers.rle().struct.unnest()
    places = pl.DataFrame({"value": known}).with_row_index("place")
    found = runs.join(places, on="value", how="left", maintain_order="left")["place"]
    return np.repeat(found.cast(pl.Int64).fill_null(-1).to_numpy(), runs["len"].to_numpy())


def _side_shown(quotes: pl.DataFrame, side: str) -> tuple[I32, I64]:
    price, size = quotes[f"{side}_cc"].cast(pl.Int32), quotes[f"{side}_size_centi"].cast(pl.Int64)
    return _fixed(price.fill_null(0)), _fixed(size.fill_null(-1))


def _fixed(column: pl.Series) -> "np.ndarray[tuple[int], np.dtype[Any]]":
    """Return values read-only, copied or not: numba compiles kernels again for arrays it may write to."""
    values = column.to_numpy().view()
    values.flags.writeable = False
    return values


def _in_order(quotes: pl.DataFrame, market: I64, ts_us: I64, rows: I64) -> I64:
    """Sort `rows` by market, ts_us, received_ts and session; the last two count within one instant."""
    if ((np.diff(ts_us[rows]) < 0) & (np.diff(market[rows]) == 0)).any():
        rows = rows[np.lexsort((ts_us[rows], market[rows]))]
    is_tied = (np.diff(ts_us[rows]) == 0) & (np.diff(market[rows]) == 0)
    places = np.flatnonzero(np.append(is_tied, [False]) | np.append([False], is_tied))
    tied = rows[places]
    by = ("market", "ts_us", "received_ts", "session")
    keys = quotes.select(pl.col("received_ts", "session").gather(tied)).with_columns(
        market=pl.Series(market[tied]), ts_us=pl.Series(ts_us[tied]), row=pl.Series(tied)
    )
    rows[places] = keys.sort(*by, maintain_order=True)["row"].to_numpy()
    return rows


def _offsets(market: "np.ndarray[tuple[int], np.dtype[np.generic]]", n: int) -> I64:
    return np.searchsorted(market, np.arange(n + 1)).astype(np.int64)
