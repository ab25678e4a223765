"""Streams in order: one key for (ticker, session, sid, seq), and the time at which each row was known."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from warehouse.rebuilding.ops import I64

_STREAM: Final = ["ticker", "session", "sid"]
_SEQ_BITS: Final = 40
_TIME: Final = pl.Datetime("us", "UTC")


class Streams(NamedTuple):
    """Rows of some markets' books, whole enough to rebuild them, by stream and number.

    snapshots: ticker, session, sid, seq, captured_ts, method, known_ts, and the levels, if asked for.
    deltas: ticker, session, sid, seq, side, price_cc, delta_centi, event_ts, known_ts.
    gaps: as in `warehouse.books.BookEvents`, and `said_ts`: from_ts as it was written down.
    delta_from, delta_end: for each snapshot, which deltas follow it in its stream.
    """

    snapshots: pl.DataFrame
    deltas: pl.DataFrame
    gaps: pl.DataFrame
    delta_from: I64
    delta_end: I64


def in_order(snapshots: pl.DataFrame, deltas: pl.DataFrame, gaps: pl.DataFrame) -> Streams:
    """Sort the rows, and set `known_ts` of snapshots and deltas and `from_ts` of gaps."""
    heads, changes, breaks = _keys((snapshots, "seq"), (deltas, "seq"), (gaps, "from_seq"))
    order = np.lexsort((_us(snapshots, "captured_ts"), heads))
    snapshots, heads = snapshots[order], heads[order]
    if (changes[1:] < changes[:-1]).any():
        order = np.argsort(changes, kind="stable")
        deltas, changes = deltas[order], changes[order]
    order = np.argsort(breaks, kind="stable")
    gaps, breaks = gaps[order], breaks[order]
    delta_from = np.searchsorted(changes, heads, side="right").astype(np.int64)
    delta_end = np.searchsorted(changes, (_stream(heads) + 1) << _SEQ_BITS).astype(np.int64)
    known = _highest(_us(deltas, "known_ts"), changes)
    first = _highest(_after(_us(snapshots, "captured_ts"), heads, known, changes), heads)
    has_deltas = delta_from < delta_end
    np.maximum.at(known, delta_from[has_deltas], first[has_deltas])
    known = _highest(known, changes)
    from_us = _after(_us(gaps, "from_ts"), breaks, first, heads, is_strict=True)
    from_us = _after(from_us, breaks, known, changes, is_strict=True)
    return Streams(
        snapshots.with_columns(known_ts=_times(first)),
        deltas.with_columns(known_ts=_times(known)),
        gaps.with_columns(said_ts="from_ts", from_ts=_times(from_us)),
        delta_from,
        delta_end,
    )


def _keys(*frames: tuple[pl.DataFrame, str]) -> list[I64]:
    """Return, for each frame, numbers that sort as (ticker, session, sid, number) of its rows do."""
    runs = [_runs(rows) for rows, _ in frames]
    streams = pl.concat([each.select(_STREAM) for each in runs]).unique()
    streams = streams.sort(_STREAM, nulls_last=False).with_row_index("stream")
    keys = []
    for (rows, number), heads in zip(frames, runs, strict=True):
        known = heads.join(streams, on=_STREAM, how="left", nulls_equal=True, maintain_order="left")
        lengths = np.diff(heads["place"].to_numpy(), append=rows.height)
        numbers = rows[number].fill_null(-1).to_numpy() + 1
        assert not len(numbers) or 0 <= numbers.min() <= numbers.max() < 1 << _SEQ_BITS
        keys.append((np.repeat(known["stream"].cast(pl.Int64).to_numpy(), lengths) << _SEQ_BITS) + numbers)
    return keys


def _runs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return stream and `place` of the first row of every run of rows of one stream."""
    is_new = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in _STREAM)
    numbered = rows.lazy().select(*_STREAM, place=pl.int_range(pl.len()))
    return numbered.filter(is_new | (pl.col("place") == 0)).collect()


def _after(at_us: I64, keys: I64, known_us: I64, others: I64, *, is_strict: bool = False) -> I64:
    """Return times no earlier than those of the last of the other rows before them in their stream.

    Both are sorted; a row of the same number comes before, unless that is strict.
    """
    before = np.searchsorted(others, keys, side="left" if is_strict else "right")
    is_ours = before > np.searchsorted(others, _stream(keys) << _SEQ_BITS)
    at_us[is_ours] = np.maximum(at_us[is_ours], known_us[before[is_ours] - 1])
    return at_us


def _highest(at_us: I64, keys: I64) -> I64:
    """Turn times into their running maximum along each stream, in place."""
    stops = np.flatnonzero(np.diff(_stream(keys))) + 1
    for first, end in zip((0, *stops), (*stops, len(at_us)), strict=True):
        np.maximum.accumulate(at_us[first:end], out=at_us[first:end])
    return at_us


def _stream(keys: I64) -> I64:
    return keys >> _SEQ_BITS


def _us(rows: pl.DataFrame, column: str) -> I64:
    """Return a column of times, to be written to."""
    return rows[column].dt.epoch("us").to_numpy(writable=True)


def _times(at_us: I64) -> pl.Series:
    return pl.Series(at_us).cast(_TIME)
