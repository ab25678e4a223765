"""The stages of a sweep, one after the other, and what the machine could do at best."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from backtest.engine import LakeReader
from backtest.frames import frames_of
from backtest.kernels.arrays import FILLED, Records, World
from backtest.outcomes import KEPT_OF_ORDERS, columns_of, outcome_of
from backtest.plan import Params, Wanted, orders, parameter_rows, read_plan, universe, wanted
from backtest.replay import Stage, mark_grid, new_world, played, prepare
from backtest.rooms import Room
from backtest.settings import Settings, read_settings
from backtest.tape import QUOTE_COLUMNS
from tests.benchmarks.figures import Figure, timed
from warehouse.tables import QUOTES

READ: Final = ("ticker", "event_ts", "received_ts", "bid_cc", "ask_cc")  # what signals need of quotes


def stages(
    lake: LakeReader, given: pl.LazyFrame, params: Params, signal: pl.Series, on: str
) -> Iterator[Figure]:
    """Yield the CPU time of each stage of a run with touch fills, largest cash and caps as in the sweep."""
    settings, plan = _settings(), read_plan(given)
    rows = parameter_rows(params, plan)
    markets = timed(lambda: universe(plan, rows[0]))
    yield _stage("which markets", markets.cpu_s, on)
    ready = timed(lambda: prepare(lake, settings, markets.result))
    stage = ready.result
    yield _stage("tape, rules and fees", ready.cpu_s, on)
    asked = timed(lambda: [wanted(plan, row, settings.latency) for row in rows])
    on = f"{on}, {len(rows)} parameters"
    yield _stage("plan, filtered and sorted", asked.cpu_s, on)
    placed = timed(lambda: [orders(each, stage.rules, Room()) for each in asked.result])
    yield _stage("orders", placed.cpu_s, on)
    worlds = timed(lambda: [_world(stage, settings, each) for each in placed.result])
    yield _stage("worlds", worlds.cpu_s, on)
    filled = timed(lambda: [played(each, Room()) for each in worlds.result])
    yield _stage("clock", filled.cpu_s, on)
    done = zip(asked.result, worlds.result, filled.result, strict=True)
    summed = timed(lambda: _summary(stage, settings, list(done), len(markets.result)))
    yield _stage("summary", summed.cpu_s, f"{on}, {summed.result['n_fills'].sum():,} fills")
    yield from _limits(lake, signal, len(rows))


def _limits(lake: LakeReader, signal: pl.Series, n_rows: int) -> Iterator[Figure]:
    """Yield what cannot be left out: columns decoded twice, one of them compared for every parameter."""
    quotes = lake.scan(QUOTES)
    decoded = timed(lambda: [quotes.select(each).collect().height for each in (READ, QUOTE_COLUMNS)])
    yield Figure(
        what="at least: columns decoded, CPU",
        value=decoded.cpu_s,
        unit="s",
        work="for signals and for the tape",
    )
    values = signal.to_numpy()
    compared = timed(lambda: [int((values > number).sum()) for number in range(n_rows)])
    megabytes = values.nbytes * n_rows / 1e6
    work = f"numpy, {megabytes / 1_000:.0f} GB from memory at {megabytes / 1_000 / compared.cpu_s:.1f} GB/s"
    yield Figure(what="at least: one column compared, CPU", value=compared.cpu_s, unit="s", work=work)


def _stage(what: str, cpu_s: float, work: str) -> Figure:
    return Figure(what=f"stage: {what}, CPU", value=cpu_s, unit="s", work=work)


def _settings() -> Settings:
    return read_settings(
        fills="touch",
        queue="pessimistic",
        latency="250ms",
        feed="0ms",
        cash=50_000,
        per_event=50,
        per_series=None,
        netting=False,
        maintenance=True,
        extra_ticks=0,
        slippage=None,
        refill="never",
        payout_delay="1h",
        fees=None,
        legs=None,
    )


def _world(stage: Stage, settings: Settings, placed: Records) -> World:
    is_live = placed["reason"] == FILLED
    grid_us = mark_grid(stage, placed["market"][is_live], placed["arrival_us"][is_live])
    cash, cap = settings.cash_micros, settings.per_event_micros
    return new_world(stage.tape, stage.venue, placed, grid_us, Room(), cash_micros=cash, cap_micros=cap)


def _summary(
    stage: Stage, settings: Settings, done: list[tuple[Wanted, World, tuple[Records, Records]]], n: int
) -> pl.DataFrame:
    outcomes = [
        outcome_of(
            asked,
            world,
            columns_of(world.orders, KEPT_OF_ORDERS),
            fills,
            equity,
            stage.tape,
            cash_micros=settings.cash_micros,
        )
        for asked, world, (fills, equity) in done
    ]
    return frames_of(outcomes, stage, n)["summary"]
