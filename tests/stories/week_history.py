"""Whether the lake's history of markets is true: every state it says it saw, the exchange showed then.

An answer was true when the exchange gave it, a while before our clock stamped it: a state must be that of
some moment within `WHILE` before it was observed. Of a listing that began at A, every market's state as of
the end of the listing must be one that the exchange showed since A: no change may have been missed.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from exchange.units import to_us
from sandbox.bulk_plan import PAUSE_US
from warehouse import Lake
from warehouse.ledger import COMPLETE
from warehouse.tables import MARKETS, WINDOWS

COMBOS: Final = "KXMVE"
STEP: Final = timedelta(seconds=30)  # no state lasts shorter than a minute
WHILE: Final = timedelta(minutes=4)
LISTINGS: Final = 10


def history_differences(lake: Lake, truth: Path) -> list[str]:
    """Return a sentence for each kind of state that was never so, or that was not noticed."""
    lives = pl.read_parquet(truth / "lives.parquet").filter(~pl.col("ticker").str.starts_with(COMBOS))
    states = lake.scan(MARKETS).filter(~pl.col("has_vanished").fill_null(value=False)).collect()
    seen = states.select("ticker", "status", "close_ts", "observed_ts").join(lives, on="ticker")
    at_us = pl.col("observed_ts").dt.timestamp("us")
    found = _untrue(seen, at_us, "states of markets were never so")
    asked = lake.scan(WINDOWS).filter(resource="markets", scope="all", status=COMPLETE).collect()
    began = sorted(each for each in asked["asked_ts"].to_list() if each is not None)
    for began_ts in began[:: max(1, len(began) // LISTINGS)]:
        found += _missed(lake, lives, began_ts)
    shrunk = (
        states.sort("ticker", "observed_ts")
        .filter(pl.col("volume_centi") < pl.col("volume_centi").shift(1).over("ticker"))
        .height
    )
    return [*found, f"{shrunk:,} volumes shrank"] if shrunk else found


def _missed(lake: Lake, lives: pl.DataFrame, began_ts: datetime) -> list[str]:
    """Compare what the lake says of a moment shortly after a listing with what that listing could see."""
    began_us = to_us(began_ts)
    # Neither what came up while it ran, nor what had vanished.
    is_gone = pl.col("vanishes") & (pl.col("settled_us") < began_us + _us(WHILE))
    there = lives.filter(pl.col("created_us") < began_us, ~is_gone)
    asof = lake.markets(asof=began_ts + WHILE).select("ticker", "status", "close_ts").collect()
    both = there.join(asof, on="ticker", how="left")
    return _untrue(
        both, pl.lit(began_us + _us(WHILE)), f"markets are not as the listing of {began_ts} showed"
    )


def _untrue(rows: pl.DataFrame, at_us: pl.Expr, what: str) -> list[str]:
    """Return a sentence if a status or a close is of no moment within `WHILE` before `at_us`."""
    moments = [at_us - _us(STEP) * back for back in range(WHILE // STEP + 1)]
    is_so = pl.any_horizontal(
        (_status(moment) == pl.col("status")) & (_close(moment) == pl.col("close_ts").dt.timestamp("us"))
        for moment in moments
    )
    wrong = rows.filter(~is_so.fill_null(value=False))
    if wrong.is_empty():
        return []
    one = wrong.row(0, named=True)
    return [f"{wrong.height:,} {what}: {one['ticker']} {one['status']}, closing {one['close_ts']}"]


def _status(at_us: pl.Expr) -> pl.Expr:
    """Return the status at an instant, from the lives alone."""
    is_paused = (at_us >= pl.col("pause_us")) & (at_us < pl.col("pause_us") + PAUSE_US)
    return (
        pl.when(at_us < pl.col("open_us"))
        .then(pl.lit("initialized"))
        .when(at_us < pl.col("close_us"))
        .then(pl.when(is_paused).then(pl.lit("inactive")).otherwise(pl.lit("active")))
        .when(at_us < pl.col("determined_us"))
        .then(pl.lit("closed"))
        .when(at_us >= pl.col("settled_us"))
        .then(pl.lit("finalized"))
        .when(at_us < pl.col("disputed_us"))
        .then(pl.lit("determined"))
        .when(at_us < pl.col("amended_us"))
        .then(pl.lit("disputed"))
        .otherwise(pl.lit("amended"))
    )


def _close(at_us: pl.Expr) -> pl.Expr:
    return pl.when(at_us >= pl.col("moved_us")).then(pl.col("close_us")).otherwise(pl.col("first_close_us"))


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
