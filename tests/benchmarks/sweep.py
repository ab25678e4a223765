"""A hundred parameters over the made-up tape, from Parquet to the summary, whole and stage by stage.

Signals are collected once. The plan drops rows by its parameter with `bt.where`, which looks at those that
the value before has left, or with `filter`, or wants nothing in them (`when`); a plan that is lazy down to
the files is read anew for every parameter row. Frames other than the summary are made when they are asked
for, and timed apart. Stages are timed one after the other, in CPU time; a run does them at the same time as
far as it can. The largest is the tape: quotes are decoded once to be put in their places, after their tickers
alone, to count those of each market; so they never lie in memory as a frame. What came of it is digested for
the manifest.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import backtest as bt
from backtest.results import Run
from tests.benchmarks import made_up
from tests.benchmarks.figures import Figure, Timed, timed
from tests.benchmarks.hundred_million_places import peak_mb
from tests.benchmarks.sweep_stages import stages
from tests.benchmarks.tape_lake import N_TRADES, tape_lake
from warehouse import Lake

N_PARAMS: Final = 100
EDGES: Final = [round(float(each), 4) for each in np.linspace(0.02, 0.06, N_PARAMS)]
WINDOW: Final = 20
Signals = pl.DataFrame | pl.LazyFrame
Plan = Callable[[Signals], pl.LazyFrame]


def figures(work: Path) -> Iterator[Figure]:
    """Yield the parts of a sweep and the whole; money is conserved in every row, to the micro-dollar."""
    lake = tape_lake(work)
    on = f"{N_TRADES / 1e6:.0f} M made-up trades, as many quotes, {made_up.N_MARKETS:,} markets"
    yield from _peak(work, on)
    _run(lake, _signals(lake).head(10_000), EDGES[:1])  # numba compiles
    signals = timed(lambda: _signals(lake))
    yield from _both("signals, from Parquet", signals, f"{on}: mean of {WINDOW} middles")
    one = timed(lambda: _run(lake, signals.result, EDGES[:1]))
    yield from _both("run, 1 parameter", one, f"{on}, touch fills")
    swept = timed(lambda: _run(lake, signals.result, EDGES).summary)
    n_orders = swept.result["n_orders"].sum()
    on_all = f"{on}, touch fills, {n_orders:,} orders in all"
    yield from _both(f"run, {N_PARAMS} parameters", swept, on_all)
    whole_s = signals.wall_s + swept.wall_s
    yield Figure(what="Parquet to summary", value=whole_s, unit="s", work=on_all, at_most=0.5)
    rate = N_TRADES * N_PARAMS / whole_s / 1e6
    yield Figure(what="the same as a rate", value=rate, unit="M quote-parameters/s", work=on_all)
    for name, plan in (("filter", _filter), ("when", _when)):
        otherwise = timed(partial(_run, lake, signals.result, EDGES, plan=plan))
        assert otherwise.result.summary.equals(swept.result)
        yield from _both(f"run, {N_PARAMS} parameters, with `{name}`", otherwise, on_all)
    frames = timed(lambda: dict(otherwise.result.frames))
    yield from _both("its other frames", frames, on_all)
    _assert_conserved(otherwise.result)
    assert swept.result.head(1).equals(one.result.summary)
    lazy = timed(lambda: _run(lake, _lazy_signals(lake), EDGES[:2]))
    assert lazy.result.summary.equals(swept.result.head(2))
    yield from _both("run, 2 parameters, lazy down to the files", lazy, f"{on}, touch fills")
    yield from stages(lake, _where(signals.result), {"min_edge": EDGES}, signals.result["edge"], on)


def _both(what: str, took: Timed[Any], work: str) -> Iterator[Figure]:
    yield Figure(what=what, value=took.wall_s, unit="s", work=work)
    yield Figure(what="... CPU", value=took.cpu_s, unit="s", work=work)


def _peak(work: Path, on: str) -> Iterator[Figure]:
    """Run signals and sweep in a process of its own, and say how much memory they took at most."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        signals_mb, all_mb = pool.submit(_memory_mb, work).result()
    on_all = f"{on}, {N_PARAMS} parameters"
    yield Figure(what="peak memory above imports", value=all_mb, unit="MB", work=on_all, at_most=300)
    yield Figure(what="... when the signals were there", value=signals_mb, unit="MB", work="polars alone")


def _memory_mb(work: Path) -> tuple[float, float]:
    """Return the peak once signals are collected, and that of all, in MB above imports."""
    lake = tape_lake(work)
    _run(lake, _signals(lake, made_up.tickers()[-1:]), EDGES[:1])  # all imports, and numba's cache
    before_mb = peak_mb()
    signals = _signals(lake)
    signals_mb = peak_mb() - before_mb
    _run(lake, signals, EDGES).summary  # noqa: B018 -- made when asked for
    return signals_mb, peak_mb() - before_mb


def _lazy_signals(lake: Lake, tickers: list[str] | None = None) -> pl.LazyFrame:
    """Return how far the ask lies below the average middle, in dollars."""
    middle = (pl.col("bid_cc") + pl.col("ask_cc")) / 2
    edge = (middle.rolling_mean(WINDOW).over("ticker") - pl.col("ask_cc")) / 10_000
    quotes = lake.quotes(series=made_up.SERIES, ticker=tickers)
    return quotes.select("ticker", "known_ts", "ask_cc", edge=edge)


def _signals(lake: Lake, tickers: list[str] | None = None) -> pl.DataFrame:
    return _lazy_signals(lake, tickers).collect(engine="in-memory")


_IS_WANTED: Final = pl.col("edge") > bt.param("min_edge")
_INTENT: Final = bt.buy_yes(10, limit=pl.col("ask_cc"))


def _where(signals: Signals) -> pl.LazyFrame:
    return bt.where(signals, _IS_WANTED).select("ticker", "known_ts", intent=_INTENT)


def _filter(signals: Signals) -> pl.LazyFrame:
    return signals.lazy().filter(_IS_WANTED).select("ticker", "known_ts", intent=_INTENT)


def _when(signals: Signals) -> pl.LazyFrame:
    return signals.lazy().select("ticker", "known_ts", intent=_INTENT.when(_IS_WANTED))


def _run(lake: Lake, signals: Signals, edges: list[float], *, plan: Plan = _where) -> Run:
    return bt.run(plan(signals), lake, fills="touch", cash=50_000, per_event=50, params={"min_edge": edges})


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
