"""The frame of fees: what was charged at which rate, and what the formula gives before any rounding."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.columns import finished, frame, home, numbers, of_fills
from backtest.kernels.arrays import DOLLAR_CC, I64
from backtest.results import TIME, Frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.fees import FeeTable
    from backtest.outcomes import Outcome
    from backtest.replay import Stage


def fees(done: "Sequence[Outcome]", stage: "Stage", _: Frames) -> pl.DataFrame:
    """Return one row for each rate that fills of a series were charged at, as taker or as maker."""
    rows, market = frame(*(each.fills for each in done)), of_fills(done, "market")
    at_us, is_taker = rows["fill_us"].to_numpy(), rows["is_taker"].to_numpy() == 1
    law, table = _row_at(stage.fees, market, at_us), stage.fees
    num = np.where(is_taker, table.num[law], table.maker_num[law])
    den = np.where(is_taker, table.den[law], table.maker_den[law])
    num = np.where(at_us < stage.rules.column("waiver_us")[market], 0, num)
    units = pl.col("yes_price_cc") * (DOLLAR_CC - pl.col("yes_price_cc")) * pl.col("count_centi")
    shown = (
        rows.with_columns(
            *home(stage, market, "series_ticker"),
            row=pl.Series(numbers([len(each.fills) for each in done])),
            role=pl.when(pl.Series(is_taker)).then(pl.lit("taker")).otherwise(pl.lit("maker")),
            fee_rate=pl.Series(num * DOLLAR_CC / den),
            fill_ts=pl.col("fill_us").cast(TIME),
            model_micros=units * pl.Series(num / den),
        )
        .group_by("row", "series_ticker", "role", "fee_rate", maintain_order=True)
        .agg(
            pl.col("count_centi", "model_micros", "fee_micros").sum(),
            n_fills=pl.len(),
            first_ts=pl.col("fill_ts").min(),
            last_ts=pl.col("fill_ts").max(),
        )
        .sort("row", "series_ticker", "role", "fee_rate")
    )
    return finished(shown, "fees", done)


def _row_at(table: "FeeTable", market: I64, at_us: I64) -> I64:
    """Return which row of the table holds for each market at each time: the last that had begun."""
    row, first = table.offsets[market + 1] - 1, table.offsets[market]
    while (is_later := (row > first) & (table.from_us[row] > at_us)).any():
        row = row - is_later
    return row
