"""Streams in order: one key for (ticker, session, sid, seq), and the time at which each row was known."""

from typing import Final

import numpy as np
import polars as pl

from warehouse.rebuilding.ops import I64

_STREAM: Final = ["ticker", "session", "sid"]
_SEQ_BITS: Final = 40
_TIME: Final = pl.Datetime("us", "UTC")


def in_order(snapshots: pl.DataFrame, deltas: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, I64, I64]:
    """Sort both by stream and number, let nothing be known before what came before it, and say what follows.

    Returns:
        Snapshots and deltas with new `known_ts`; for each snapshot the first delta after it in its stream,
        and where that stream's deltas end.
    """
    streams = _streams(snapshots, deltas)
    heads, changes = _keys(snapshots, streams, "seq"), _keys(deltas, streams, "seq")
    order = np.lexsort((_us(snapshots, "captured_ts"), heads))
    snapshots, heads = snapshots[order], heads[order]
    if (np.diff(changes) < 0).any():
        order = np.argsort(changes, kind="stable")
        deltas, changes = deltas[order], changes[order]
    delta_from = np.searchsorted(changes, heads, side="right")
    delta_end = np.searchsorted(changes, ((heads >> _SEQ_BITS) + 1) << _SEQ_BITS)
    known, told = _highest(_us(deltas, "known_ts"), changes), _us(snapshots, "captured_ts")
    before = np.searchsorted(changes, heads >> _SEQ_BITS << _SEQ_BITS)
    follows, has_deltas = delta_from > before, delta_from < delta_end
    told[follows] = np.maximum(told[follows], known[delta_from[follows] - 1])
    first = _highest(told, heads)
    np.maximum.at(known, delta_from[has_deltas], first[has_deltas])
    return (
        _known_at(snapshots, first),
        _known_at(deltas, _highest(known, changes)),
        delta_from.astype(np.int64),
        delta_end.astype(np.int64),
    )


def moved(gaps: pl.DataFrame, snapshots: pl.DataFrame, deltas: pl.DataFrame) -> pl.DataFrame:
    """Let gaps begin no earlier than the last row before them was known; sorted by stream and from_seq.

    `said_ts` is what from_ts was.
    """
    streams = _streams(gaps, snapshots, deltas)
    keys = _keys(gaps, streams, "from_seq")
    from_us = _us(gaps, "from_ts")
    for rows in (snapshots, deltas):
        if not rows.is_empty():
            held = _keys(rows, streams, "seq")
            before = np.searchsorted(held, keys) - 1
            is_ours = (before >= 0) & (held[before] >> _SEQ_BITS == keys >> _SEQ_BITS)
            from_us = np.where(is_ours, np.maximum(from_us, _us(rows, "known_ts")[before]), from_us)
    told = gaps.with_columns(said_ts="from_ts", from_ts=pl.Series(from_us).cast(_TIME))
    return told[np.argsort(keys, kind="stable")]


def _streams(*frames: pl.DataFrame) -> pl.DataFrame:
    """Number the streams of the frames in their order."""
    rows = pl.concat([_runs(each).select(_STREAM) for each in frames])
    return rows.unique().sort(_STREAM, nulls_last=False).with_row_index("stream")


def _runs(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the first row of every run of rows of one stream, and its place as `place`."""
    is_new = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in _STREAM)
    is_first = pl.int_range(pl.len()) == 0
    return rows.lazy().select(*_STREAM, place=pl.int_range(pl.len())).filter(is_first | is_new).collect()


def _keys(rows: pl.DataFrame, streams: pl.DataFrame, seq: str) -> I64:
    """Return one number for each row that sorts as (ticker, session, sid, seq) does."""
    runs = _runs(rows).join(streams, on=_STREAM, how="left", nulls_equal=True, maintain_order="left")
    lengths = np.diff(np.append(runs["place"].to_numpy(), rows.height))
    numbers = rows[seq].fill_null(-1).to_numpy() + 1
    assert not len(numbers) or 0 <= numbers.min() <= numbers.max() < 1 << _SEQ_BITS
    stream = runs["stream"].cast(pl.Int64).to_numpy()
    keys: I64 = (np.repeat(stream, lengths) << _SEQ_BITS) + numbers
    return keys


def _highest(at_us: I64, keys: I64) -> I64:
    """Turn times into their running maximum along each stream, in place."""
    found = at_us
    stops = np.flatnonzero(np.diff(keys >> _SEQ_BITS)) + 1
    for first, end in zip((0, *stops), (*stops, len(found)), strict=True):
        np.maximum.accumulate(found[first:end], out=found[first:end])
    return found


def _us(rows: pl.DataFrame, column: str) -> I64:
    """Return a column of times, to be written to."""
    return rows[column].dt.epoch("us").to_numpy(writable=True)


def _known_at(rows: pl.DataFrame, known_us: I64) -> pl.DataFrame:
    return rows.with_columns(known_ts=pl.Series(known_us).cast(_TIME))
