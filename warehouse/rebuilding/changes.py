"""Books as ragged arrays: every market's changes, one after the other, as they took effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from exchange.units import to_us
from warehouse.rebuilding.ops import I8, I32, I64, NEVER, ask_code, bid_code
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.speaking import Turns, between, turns


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed when, market by market in order of time; bounded by `offsets`.

    A turn to a book is CLEAR, then SET for every level, then END, all at one time; its changes are DELTA. A
    turn to none is UNKNOWN. `code` is of the level (warehouse.rebuilding.ops), `amount` what is added (DELTA)
    or rests there (SET); of CLEAR and UNKNOWN the row of `turns`, of END 1 if a level had fallen below zero.
    """

    offsets: I64
    ts_us: I64
    op: I8
    code: I32
    amount: I64
    turns: Turns

    @property
    def columns(self) -> tuple[I64, I64, I8, I32, I64]:
        """All of it, as kernels take it."""
        return self.offsets, self.ts_us, self.op, self.code, self.amount


def changes_of(
    streams: Streams,
    tickers: Sequence[str],
    start_ts: datetime | None = None,
    end_ts: datetime | None = None,
    *,
    until_us: I64 | None = None,
) -> Changes:
    """Lay out the changes of markets, in the order given.

    Args:
        streams: their rows, with levels.
        tickers: the markets.
        start_ts: where each begins with the book as it was; None means with the first that was recorded.
        end_ts: where all end, excluded.
        until_us: where each ends, excluded.
    """
    from warehouse.rebuilding.kernels import lay_out

    told = turns(streams, tickers)
    end_us = NEVER if end_ts is None else to_us(end_ts)
    if start_ts is not None:
        told = between(told, to_us(start_ts), end_us)
    ends = np.full(len(tickers), end_us) if until_us is None else np.minimum(until_us, end_us)
    (first_level, end_level), levels = _levels(streams.snapshots)
    known_us = streams.snapshots["known_ts"].dt.epoch("us").to_numpy(writable=True)
    spoken = told.offsets, told.at_us, told.base
    bases = known_us, streams.delta_from, streams.delta_end, first_level, end_level
    deltas, ends = _deltas(streams.deltas), ends.astype(np.int64)
    offsets = np.zeros(len(tickers) + 1, np.int64)
    n = lay_out(spoken, bases, levels, deltas, ends, offsets, _rows(0))
    rows = _rows(n)
    lay_out(spoken, bases, levels, deltas, ends, offsets, rows)
    return Changes(offsets, *rows, told)


def numbered(offsets: I64, op: I8, code: I32) -> tuple[I32, tuple[I64, I64, I32]]:
    """Number the levels of each market, best bids to worst asks.

    Returns:
        The level of each row; each market's first level (and where the last one's end), where its asks begin,
        and the code of every level.
    """
    from warehouse.rebuilding.kernels import number_levels

    first, split = np.zeros(len(offsets), np.int64), np.zeros(len(offsets) - 1, np.int64)
    places = np.zeros(len(op), np.int32)
    n = number_levels(offsets, op, code, (first, split, np.zeros(0, np.int32)), places)
    levels = (first, split, np.zeros(n, np.int32))
    number_levels(offsets, op, code, levels, places)
    return places, levels


def _rows(n: int) -> tuple[I64, I8, I32, I64]:
    return np.empty(n, np.int64), np.empty(n, np.int8), np.empty(n, np.int32), np.empty(n, np.int64)


def _levels(snapshots: pl.DataFrame) -> tuple[tuple[I64, I64], tuple[I32, I64]]:
    """Return where each snapshot's levels begin and end; their codes and counts, bids before asks."""
    n_yes, n_no = (
        snapshots[f"{side}_prices_cc"].list.len().cast(pl.Int64).to_numpy() for side in ("yes", "no")
    )
    ends = np.cumsum(n_yes + n_no)
    first, n = ends - n_yes - n_no, int(np.sum(n_yes + n_no))
    codes, counts = np.empty(n, np.int32), np.empty(n, np.int64)
    for side, begin, width, code in (
        ("yes", first, n_yes, bid_code),
        ("no", first + n_yes, n_no, ask_code),
    ):
        places = np.arange(width.sum()) + np.repeat(begin - np.cumsum(width) + width, width)
        codes[places] = code(_flat(snapshots[f"{side}_prices_cc"]))
        counts[places] = _flat(snapshots[f"{side}_counts_centi"])
    return (first, ends), (codes, counts)


def _flat(lists: pl.Series) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return lists.explode(empty_as_null=False).cast(pl.Int64).to_numpy()


def _deltas(deltas: pl.DataFrame) -> tuple[I64, I32, I64]:
    told = deltas.select(
        pl.col("known_ts").dt.epoch("us"),
        pl.when(pl.col("side") == "yes")
        .then(bid_code(pl.col("price_cc")))
        .otherwise(ask_code(pl.col("price_cc")))
        .cast(pl.Int32)
        .alias("code"),
        pl.col("delta_centi").cast(pl.Int64),
    )
    # Read-only arrays would make numba compile the kernels again.
    known_us, codes, amounts = (each.to_numpy(writable=True) for each in told)
    return known_us, codes.astype(np.int32), amounts
