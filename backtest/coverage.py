"""How much of each market's life there was anything to fill against."""

import numpy as np
import polars as pl

from backtest.kernels.arrays import I64, NEVER, Flags
from backtest.results import SCHEMAS, TIME
from backtest.tape import Tape, known_us
from backtest.venue import Rules
from warehouse.rebuilding.ops import UNKNOWN


def coverage(tape: Tape, known: Rules) -> pl.DataFrame:
    """Return one row per market of the rules, as `SCHEMAS` says."""
    close_us, open_us = known.column("close_us"), known.column("open_us")
    first, last = tape.offsets[:-1], tape.offsets[1:] - 1
    has_rows = np.diff(tape.offsets) > 0
    start, end = np.zeros(len(has_rows), np.int64), np.zeros(len(has_rows), np.int64)
    start[has_rows] = tape.tops["ts_us"][first[has_rows]]
    end[has_rows] = tape.tops["ts_us"][last[has_rows]]
    close = np.where(close_us < NEVER, close_us, end)
    length = close - np.where(open_us > 0, open_us, start)
    # Of a market that is still open nobody knows more than was seen: of it, or in it.
    until_us = np.minimum(close, np.maximum(known.column("seen_us"), end))
    share = known_us(tape, open_us, until_us) / np.maximum(length, 1)
    unknown = tape.changes["op"] == UNKNOWN if len(tape.changes) else tape.tops["is_unknown"]
    blind = np.searchsorted(tape.offsets, np.flatnonzero(unknown), side="right") - 1
    return (
        known.markets.select("ticker", "event_ticker", "series_ticker", "traded_centi")
        .with_columns(
            open_ts=_moments(open_us, open_us > 0),
            close_ts=_moments(close_us, close_us < NEVER),
            first_ts=_moments(start, has_rows),
            last_ts=_moments(end, has_rows),
            n_events=pl.Series(np.diff(tape.offsets)),
            n_gaps=pl.Series(np.bincount(blind, minlength=len(has_rows)).astype(np.int64)),
            known_share=pl.Series(share),
        )
        .select(list(SCHEMAS["coverage"]))
    )


def _moments(at_us: I64, is_known: Flags) -> pl.Series:
    values = pl.Series(at_us)
    return pl.select(pl.when(pl.Series(is_known)).then(values).cast(TIME)).to_series()
