"""A hundred parameters over the made-up tape, from Parquet to frames.

Signals are collected once and the plan is lazy over them; a plan that is lazy down to the files is read anew
for every parameter row, and the last row says what that costs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

import backtest as bt
from backtest.results import Run
from tests.benchmarks import made_up
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.tape_lake import N_TRADES, tape_lake
from warehouse import Lake

N_PARAMS: Final = 100
EDGES: Final = [round(float(each), 4) for each in np.linspace(0.02, 0.06, N_PARAMS)]
WINDOW: Final = 20


def figures(work: Path) -> Iterator[Figure]:
    """Yield the parts of a sweep and the whole; money is conserved in every row, to the micro-dollar."""
    lake = tape_lake(work)
    on = f"{N_TRADES / 1e6:.0f} M made-up trades, as many quotes, {made_up.N_MARKETS:,} markets"
    _run(lake, _signals(lake).head(10_000), EDGES[:1])  # numba compiles
    signals = timed(lambda: _signals(lake))
    one = timed(lambda: _run(lake, signals.result, EDGES[:1]))
    all_of_them = timed(lambda: _run(lake, signals.result, EDGES))
    found = all_of_them.result
    _assert_conserved(found)
    assert found.summary.head(1).equals(one.result.summary)
    n_orders = found.summary["n_orders"].sum()
    whole_s = signals.wall_s + all_of_them.wall_s
    yield Figure(
        what="signals, from Parquet", value=signals.wall_s, unit="s", work=f"{on}: mean of {WINDOW} middles"
    )
    yield Figure(what="run, 1 parameter", value=one.wall_s, unit="s", work=f"{on}, touch fills")
    swept = f"{on}, touch fills, {n_orders:,} orders in all"
    yield Figure(what=f"run, {N_PARAMS} parameters", value=all_of_them.wall_s, unit="s", work=swept)
    yield Figure(what="the same, CPU", value=all_of_them.cpu_s, unit="s", work=swept)
    yield Figure(what="Parquet to frames", value=whole_s, unit="s", work=swept, at_most=0.5)
    per_s = N_TRADES * N_PARAMS / whole_s / 1e6
    yield Figure(what="the same as a rate", value=per_s, unit="M quote-parameters/s", work=swept)
    lazy = timed(lambda: _run(lake, _lazy_signals(lake), EDGES[:2]))
    assert lazy.result.summary.equals(found.summary.head(2))
    yield Figure(
        what="run, 2 parameters, lazy down to the files",
        value=lazy.wall_s,
        unit="s",
        work=f"{on}, touch fills",
    )


def _lazy_signals(lake: Lake) -> pl.LazyFrame:
    """Return how far the ask lies below the average middle, in dollars."""
    middle = (pl.col("bid_cc") + pl.col("ask_cc")) / 2
    edge = (middle.rolling_mean(WINDOW).over("ticker") - pl.col("ask_cc")) / 10_000
    return lake.quotes(series=made_up.SERIES).select("ticker", "known_ts", "ask_cc", edge=edge)


def _signals(lake: Lake) -> pl.DataFrame:
    return _lazy_signals(lake).collect()


def _plan(signals: pl.LazyFrame) -> pl.LazyFrame:
    wanted = pl.col("edge") > bt.param("min_edge")
    return signals.select("ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("ask_cc")).when(wanted))


def _run(lake: Lake, signals: pl.DataFrame | pl.LazyFrame, edges: list[float]) -> Run:
    plan = _plan(signals.lazy())
    return bt.run(plan, lake, fills="touch", cash=50_000, per_event=50, params={"min_edge": edges})


def _assert_conserved(run: Run) -> None:
    """Cash at the end is cash at the start, payouts, sales less purchases, less fees, for every parameter."""
    moved = pl.concat(
        [
            run.settlements.select("min_edge", micros="payout_micros"),
            run.fills.select("min_edge", micros=pl.col("cash_micros") - pl.col("fee_micros")),
        ]
    )
    ends = run.summary.join(moved.group_by("min_edge").agg(pl.col("micros").sum()), on="min_edge", how="left")
    change = pl.col("cash_end_micros") - pl.col("cash_start_micros")
    assert ends.filter(change != pl.col("micros").fill_null(0)).is_empty()
