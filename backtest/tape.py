"""The tape of the plan's markets as ragged arrays: quotes as shown, or books rebuilt change by change.

What is here is the exchange's own state by its own clock (`event_ts`): an order that arrives at t meets the
last event at or before t, known to the trader or not. That is no look-ahead: the order was decided on rows
known before, and real orders meet the real book too.

Whose book is a market's, and when it is unknown, says `warehouse.rebuilding.speaking`, as for `Lake.books`.
Rows of one instant are one event. Nothing at or after the close is kept. Crossed states are faults of the
data: nothing fills against them.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.kernels.arrays import (
    CHANGE,
    I32,
    I64,
    NEVER,
    SHELF,
    SIZE,
    SIZE_OF_CLOSE,
    TOP,
    TRADED,
    Flags,
    Records,
)
from backtest.limits import refuse_rows
from exchange.units import DOLLAR_CC
from warehouse.rebuilding.changes import changes_of, numbered
from warehouse.rebuilding.ops import DELTA, SET, SPAN, UNKNOWN, ask_code, bid_code, yes_price_cc
from warehouse.rebuilding.ordering import Streams
from warehouse.storage import batches, collected

# What a tape of quotes reads of them.
QUOTE_COLUMNS: Final = (
    *("ticker", "session", "event_ts", "received_ts"),
    *("bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi"),
)
MID, TOUCH, FROM_TRADES, BOOK = "mid", "touch", "trades", "book"  # what fills rest on
_WHERE: Final = "quotes and candles"
_SORTED_AT_ONCE: Final = 2_000_000  # rows
TRADE_WITHIN_US: Final = 1_000_000  # of the change that it made


@dataclass(frozen=True, slots=True)
class Tape:
    """Records of all markets, one after the other: rows bounded by `offsets`, levels by `level_offsets`.

    A market's bids end, and its asks begin, at `level_split`. Quotes have `sizes` and two levels, the touch;
    books have `changes` and every price that was ever displayed.
    """

    evidence: str
    offsets: I64
    tops: Records
    buckets: Records  # of each market, with `starts`: where a time is looked for
    starts: I32
    sizes: Records
    changes: Records
    level_offsets: I64
    level_split: I64
    level_cc: I64
    holds_us: int = NEVER  # how long a row says what is shown


def quotes_tape(
    quotes: pl.LazyFrame, markets: pl.DataFrame, *, evidence: str = TOUCH, holds_us: int = NEVER
) -> Tape:
    """Return best bids and asks as a tape, or with evidence=MID the middle between them, without a size.

    Half a centicent is rounded against whoever trades: up for buyers of YES, down for sellers.

    Quotes are read piece by piece: their tickers, to count them, and then all, to put each where it belongs.
    Of markets whose rows come mixed up (files of one day that overlap, several recorders) they are read
    again, sorted.

    Args:
        quotes: `QUOTE_COLUMNS`; rows of one instant and market count as the last of them by received_ts. A
            size is null where nobody knows it, OF_A_CLOSE where the row is a candle's close.
        markets: ticker and close_us, one row per market; its order is the tape's.
        evidence: TOUCH or MID.
        holds_us: how long a quote counts that no other one follows.

    Raises:
        CorruptFile: a file cannot be read.
    """
    from backtest.kernels.tops import compare_quotes, to_the_middle

    offsets, shelves = shelved(quotes, markets, _WHERE)
    tops, sizes = np.zeros(offsets[-1], TOP), np.zeros(offsets[-1], SIZE)
    for rows in batches(quotes.select(QUOTE_COLUMNS).drop("session"), _WHERE):
        _put(rows, markets, (tops, sizes, shelves, offsets))
    mixed_up = np.flatnonzero(shelves["is_mixed_up"])
    if len(mixed_up):
        shelves["row"][mixed_up] = offsets[mixed_up]
        n_rows = np.diff(offsets)[mixed_up].sum()
        for some in np.array_split(mixed_up, min(len(mixed_up), 1 + n_rows // _SORTED_AT_ONCE)):
            _put(_in_order(quotes, markets["ticker"].gather(some)), markets, (tops, sizes, shelves, offsets))
    offsets, (tops, sizes) = closed_up(offsets, shelves, tops, sizes)
    compare_quotes(tops, offsets)
    if evidence == MID:
        to_the_middle(tops, sizes)
    return replace(touch_alone(evidence, offsets, tops, sizes), holds_us=holds_us)


def shelved(rows: pl.LazyFrame, markets: pl.DataFrame, where: str) -> tuple[I64, Records]:
    """Count rows by their ticker; return where each market's begin, and its empty shelf.

    Raises:
        CorruptFile: a file cannot be read.
        TooLarge: there are too many.
    """
    counts = np.zeros(markets.height + 1, np.int64)  # the last is of all other markets
    for some in batches(rows.select("ticker"), where):
        np.add.at(counts, *_runs_in(markets["ticker"], some["ticker"]))
    counts = counts[:-1]
    refuse_rows(int(counts.sum()))
    offsets, shelves = np.append(np.zeros(1, np.int64), np.cumsum(counts)), np.zeros(markets.height, SHELF)
    shelves["row"] = offsets[:-1]
    return offsets, shelves


def closed_up(offsets: I64, shelves: Records, *rows: Records) -> tuple[I64, list[Records]]:
    """Return where each market's rows begin, and the rows, without the room for what came after a close."""
    ends = shelves["row"]
    kept = np.append(np.zeros(1, np.int64), np.cumsum(ends - offsets[:-1]))
    moved = np.flatnonzero((kept[:-1] < offsets[:-1]) & (ends > offsets[:-1]))
    for each in rows:
        as_bytes = each.view(np.uint8).reshape(len(each), each.itemsize)  # five times as quick as records
        for m in moved:
            as_bytes[kept[m] : kept[m + 1]] = as_bytes[offsets[m] : ends[m]]
    return kept, [each[: kept[-1]] for each in rows]


def _put(quotes: pl.DataFrame, markets: pl.DataFrame, tape: tuple[Records, Records, Records, I64]) -> None:
    from backtest.kernels.tops import put_quotes

    market = places_in(markets["ticker"], quotes["ticker"])
    times = times_us(quotes["event_ts"], NEVER), times_us(quotes["received_ts"], -NEVER)
    sides = _side_shown(quotes, "bid"), _side_shown(quotes, "ask")
    put_quotes(*tape, fixed(markets["close_us"]), market, times, *sides)


def _in_order(quotes: pl.LazyFrame, tickers: pl.Series) -> pl.DataFrame:
    """Collect the quotes of some markets in the order of their instants."""
    some = quotes.filter(pl.col("ticker").is_in(tickers.implode()))
    return collected(some.sort("event_ts", "received_ts", "session", maintain_order=True), _WHERE)


def touch_alone(evidence: str, offsets: I64, tops: Records, sizes: Records) -> Tape:
    """Return a tape without depth: each market has two levels, its bid and its ask."""
    from backtest.kernels.buckets import bucketed

    refuse_rows(len(tops))
    n, (buckets, starts) = len(offsets) - 1, bucketed(tops, offsets)
    return Tape(
        evidence=evidence,
        offsets=offsets,
        tops=tops,
        buckets=buckets,
        starts=starts,
        sizes=sizes,
        changes=np.zeros(0, CHANGE),
        level_offsets=2 * np.arange(n + 1, dtype=np.int64),
        level_split=2 * np.arange(n, dtype=np.int64) + 1,
        level_cc=np.zeros(2 * n, np.int64),
    )


def book_tape(streams: Streams, markets: pl.DataFrame, *, trades: pl.DataFrame | None = None) -> Tape:
    """Return books as a tape of changes; `markets` as for `quotes_tape`.

    Args:
        streams: their rows by the exchange's clock, from the beginning, with levels.
        markets: ticker and close_us, one row per market; its order is the tape's.
        trades: rows of the lake's table, for orders that stand in a queue: the tape then says which changes
            trades made, and has the trades that no change shows.
    """
    from backtest.kernels.buckets import bucketed
    from backtest.kernels.tops import book_tops

    laid = changes_of(streams, markets["ticker"].to_list(), until_us=markets["close_us"].to_numpy())
    is_level = (laid.op == SET) | (laid.op == DELTA)
    price = yes_price_cc(laid.code, is_ask=laid.code >= SPAN)
    # That a book is still unknown, for another reason or as in the beginning, is no event.
    is_again = np.append([False], (laid.op[1:] == UNKNOWN) & (laid.op[:-1] == UNKNOWN))[: len(laid.op)]
    firsts = laid.offsets[:-1][np.diff(laid.offsets) > 0]
    is_again[firsts] = laid.op[firsts] == UNKNOWN
    is_kept = np.where(is_level, (price > 0) & (price < DOLLAR_CC), ~is_again)
    offsets = np.append(np.zeros(1, np.int64), np.cumsum(is_kept))[laid.offsets]
    rows = np.stack([laid.ts_us, laid.op, laid.code, np.where(is_level, laid.amount, 0)])[:, is_kept]
    if trades is not None:
        offsets, rows = _woven(offsets, rows, trades, markets)
    refuse_rows(rows.shape[1])
    op, code = rows[1].astype(np.int8), rows[2].astype(np.int32)
    about = np.where(op >= TRADED, DELTA, op)  # trades are about levels too
    places, (level_offsets, level_split, codes) = numbered(offsets, about, code)
    tops, changes = np.zeros(len(op), TOP), np.zeros(len(op), CHANGE)
    tops["ts_us"], changes["amount"] = rows[0], rows[3]
    changes["op"], changes["level"] = op, places
    buckets, starts = bucketed(tops, offsets)
    tape = Tape(
        evidence=BOOK,
        offsets=offsets,
        tops=tops,
        buckets=buckets,
        starts=starts,
        sizes=np.zeros(0, SIZE),
        changes=changes,
        level_offsets=level_offsets,
        level_split=level_split,
        level_cc=yes_price_cc(codes, is_ask=codes >= SPAN).astype(np.int64),
    )
    book_tops(tops, changes, offsets, level_offsets, level_split, tape.level_cc)
    return tape


def _woven(offsets: I64, rows: I64, trades: pl.DataFrame, markets: pl.DataFrame) -> tuple[I64, I64]:
    """Weave the tape's trades, blocks left out, into the changes of its books."""
    from backtest.kernels.prints import weave

    numbers = markets.select("ticker", "close_us").with_row_index("market")
    price, is_ask = pl.col("yes_price_cc").cast(pl.Int64), pl.col("taker_side") == "yes"
    shown = (
        trades.filter(pl.col("is_block_trade").fill_null(value=False).not_())
        .join(numbers, on="ticker")
        .with_columns(
            ts_us=pl.col("event_ts").dt.epoch("us"),
            # Who acquires YES takes from the asks.
            code=pl.when(is_ask).then(ask_code(DOLLAR_CC - price)).otherwise(bid_code(price)),
        )
        .filter(pl.col("ts_us") < pl.col("close_us"))
        .sort("market", "ts_us", "trade_id")
    )
    bounds = np.searchsorted(shown["market"].to_numpy(), np.arange(len(offsets))).astype(np.int64)
    prints = shown.select("ts_us", "code", "count_centi").cast(pl.Int64).to_numpy().T
    return weave(offsets, rows, bounds, np.ascontiguousarray(prints), TRADE_WITHIN_US)


def known_us(tape: Tape, open_us: I64, until_us: I64) -> I64:
    """Return for how long each market's state was known from its opening to a time after its last row."""
    n_rows = np.diff(tape.offsets)
    has_rows = n_rows > 0
    first, last = tape.offsets[:-1][has_rows], tape.offsets[1:][has_rows] - 1
    at_us = np.ascontiguousarray(tape.tops["ts_us"])
    lengths = np.diff(at_us, append=0)
    lengths[last] = until_us[has_rows] - at_us[last]
    np.minimum(lengths, tape.holds_us, out=lengths)  # in place: a tape may have many rows
    before = np.repeat(open_us, n_rows)
    before -= at_us
    lengths -= np.clip(before, 0, lengths, out=before)
    lengths *= tape.tops["is_live"]
    total = np.zeros(len(has_rows), np.int64)
    total[has_rows] = np.add.reduceat(lengths, first)
    return total


def rows_at(tape: Tape, market: I64, at_us: I64) -> I64:
    """Return the last row of each market at or before each time, -1 where none is."""
    first, low, high = tape.offsets[market], tape.offsets[market], tape.offsets[market + 1]
    times = tape.tops["ts_us"]
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_past = is_open & (times[np.minimum(middle, len(times) - 1)] <= at_us)
        low, high = np.where(is_past, middle + 1, low), np.where(is_open & ~is_past, middle, high)
    return np.where(low > first, low - 1, -1)


def are_closes(tape: Tape, market: I64, at_us: I64) -> Flags:
    """Tell of each market and time whether what was shown then was the close of a candle."""
    sizes = tape.sizes
    is_close = (sizes["bid_size"] == SIZE_OF_CLOSE) | (sizes["ask_size"] == SIZE_OF_CLOSE)
    if not is_close.any():
        return np.zeros(len(market), np.bool)
    row = rows_at(tape, market, at_us)
    return np.asarray(is_close[row] & (row >= 0))


def places_in(known: pl.Series, tickers: pl.Series) -> I64:
    """Return where each ticker stands in `known`, -1 where it does not."""
    return np.repeat(*_runs_in(known, tickers))


def _runs_in(known: pl.Series, tickers: pl.Series) -> tuple[I64, I64]:
    """Return where the ticker of each run of one stands in `known`, and how long the run is."""
    runs = tickers.rle().struct.unnest()
    places = pl.DataFrame({"value": known}).with_row_index("place")
    found = runs.join(places, on="value", how="left", maintain_order="left")["place"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy(), runs["len"].cast(pl.Int64).to_numpy()


def _side_shown(quotes: pl.DataFrame, side: str) -> tuple[I32, I64]:
    price, size = quotes[f"{side}_cc"].cast(pl.Int32), quotes[f"{side}_size_centi"].cast(pl.Int64)
    return fixed(price.fill_null(0)), fixed(size.fill_null(-1))


def times_us(column: pl.Series, missing: int) -> I64:
    """Return times, `missing` for null."""
    return fixed(column.dt.epoch("us").fill_null(missing))


def fixed(column: pl.Series) -> "np.ndarray[tuple[int], np.dtype[Any]]":
    """Return values read-only, copied or not: numba compiles kernels again for arrays it may write to."""
    values = column.to_numpy().view()
    values.flags.writeable = False
    return values
