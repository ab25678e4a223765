"""A run of the engine taken apart, so that its kernels can be timed without reading and writing frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

import backtest as bt
from backtest.engine import LakeReader
from backtest.kernels.arrays import FILLED, I64, Records, World
from backtest.plan import orders, wanted
from backtest.replay import Stage, mark_grid, new_world, played, prepare
from backtest.rooms import Room
from backtest.settings import read_settings
from warehouse.tables import Table

LATENCY: Final = timedelta(milliseconds=250)
CASH_MICROS: Final = 10**15


@dataclass(frozen=True, slots=True)
class Scene:
    """A stage and the orders of one plan on it."""

    stage: Stage
    orders: Records
    grid_us: I64

    def world(self) -> World:
        """Return a fresh world: a kernel changes it."""
        placed = self.orders.copy()
        tape, desk = self.stage.tape, self.stage.venue
        return new_world(tape, desk, placed, self.grid_us, Room(), cash_micros=CASH_MICROS)


def scene(lake: LakeReader, plan: pl.LazyFrame, tickers: set[str], *, fills: str) -> Scene:
    """Read what a run of `plan` needs; more cash than can be spent, no caps, midnights unmarked."""
    taken = next(scenes(lake, plan, [{}], tickers, fills=fills))
    return Scene(taken.stage, taken.orders, taken.grid_us[:0])


def scenes(
    lake: LakeReader,
    plan: pl.LazyFrame,
    rows: Iterable[dict[str, Any]],
    tickers: set[str],
    *,
    fills: str,
    latency: timedelta = LATENCY,
) -> Iterator[Scene]:
    """Yield the same for each row of parameters, on a stage that is read once, with equity as in a run."""
    settings = read_settings(
        fills=fills,
        queue="pessimistic",
        latency=latency,
        feed="0ms",
        cash=CASH_MICROS // 1_000_000,
        per_event=None,
        per_series=None,
        netting=False,
        maintenance=False,  # polars alone, with which kernels are compared, knows none
        extra_ticks=0,
        slippage=None,
        refill="never",
        payout_delay="1h",
        fees=bt.assume_fees("quadratic"),
        legs=None,
    )
    stage = prepare(lake, settings, tickers)
    for row in rows:
        placed = orders(wanted(plan, row, settings.latency), stage.rules, Room())
        live = placed[placed["reason"] == FILLED]
        yield Scene(stage, placed, mark_grid(stage, live["market"], live["arrival_us"]))


def run(world: World) -> tuple[Records, Records]:
    """Let the clock run; return fills, without the unused rest of their array, and the purse."""
    fills, _ = played(world, Room())
    return fills[: int(world.purse["n_fills"][0])], world.purse


@dataclass(frozen=True, slots=True)
class Unsized:
    """A lake whose quotes do not say how much is on display, so that orders are filled whole."""

    lake: LakeReader

    def pinned(self) -> "Unsized":
        """Return itself: nothing is being written."""
        return self

    def versions(self) -> Mapping[str, int]:
        """Return the versions of the lake behind."""
        return self.lake.versions()

    @property
    def uri(self) -> str:
        """Return where the lake behind lies."""
        return self.lake.uri

    def scan(self, table: Table, *, dates: tuple[date | None, date | None] = (None, None)) -> pl.LazyFrame:
        """Read a table of the lake behind."""
        return self.lake.scan(table, dates=dates)

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        """Read quotes without their sizes."""
        return self.lake.tops(tickers).with_columns(
            pl.lit(None, pl.Int64).alias(f"{side}_size_centi") for side in ("bid", "ask")
        )
