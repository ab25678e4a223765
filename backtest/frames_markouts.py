"""The frame of markouts: what each fill paid to the spread, and where the middle went afterwards."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from backtest.columns import HOME, finished, numbers, of_fills
from backtest.kernels.arrays import DOLLAR_CC, I64
from backtest.results import HORIZONS_S, Frames
from backtest.tape import rows_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.outcomes import Outcome
    from backtest.replay import Stage

_KEPT = ("fill_id", *HOME, "fill_ts", "action", "side", "role", "count_centi", "price_cc")


def markouts(done: "Sequence[Outcome]", stage: "Stage", frames: Frames) -> pl.DataFrame:
    """Return one row per fill, in prices of its side; null where the book was unknown or one-sided."""
    fills, market = frames["fills"], of_fills(done, "market")
    at_us = fills["fill_ts"].dt.epoch("us").to_numpy()
    middle = {after: _middle(stage, market, at_us + after * 1_000_000) for after in (0, *HORIZONS_S)}
    is_no, way = pl.col("side") == "no", pl.when(pl.col("action") == "buy").then(1).otherwise(-1)
    own = {
        after: pl.when(is_no).then(DOLLAR_CC - pl.Series(each)).otherwise(pl.Series(each)).fill_nan(None)
        for after, each in middle.items()
    }
    shown = fills.select(
        *_KEPT,
        row=pl.Series(numbers([len(each.fills) for each in done])),
        mid_cc=own[0],
        spread_cc=way * (pl.col("price_cc") - own[0]),
        **{f"after_{after}s_cc": way * (own[after] - own[0]) for after in HORIZONS_S},
    )
    return finished(shown, "markouts", done)


def _middle(stage: "Stage", market: I64, at_us: I64) -> npt.NDArray[np.float64]:
    """Return the middle of YES in each market after everything up to a time; NaN where there is none."""
    tape, row = stage.tape, rows_at(stage.tape, market, at_us)
    top = tape.tops[row]
    bid, ask = top["bid_cc"].astype(np.float64), top["ask_cc"].astype(np.float64)
    is_known = (row >= 0) & (top["is_live"] == 1) & (at_us - top["ts_us"] <= tape.holds_us)
    is_known &= (bid > 0) & (ask < DOLLAR_CC) & (at_us < stage.rules.column("close_us")[market])
    # Of a market that is still open somebody must have seen more than that: a row, or the market itself.
    seen_us = np.maximum(
        stage.rules.column("seen_us")[market], tape.tops["ts_us"][tape.offsets[market + 1] - 1]
    )
    is_known &= at_us <= seen_us
    return np.where(is_known, (bid + ask) / 2, np.nan)
