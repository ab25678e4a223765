"""A lake with five million made-up trades and as many quotes, made once and shared by the benchmarks."""

from pathlib import Path
from typing import Final

import polars as pl

from tests.benchmarks import made_up
from tests.benchmarks.figures import Timed, timed
from warehouse.lake import Lake
from warehouse.tables import FEE_CHANGES, MARKETS, QUOTES, TRADES, Table

N_TRADES: Final = 5_000_000
_DONE: Final = "made-up-is-complete"


def tape_lake(work: Path) -> Lake:
    """Return the lake under `work`, making it if nobody has yet."""
    if not (work / _DONE).exists():
        build(work)
    return Lake(work / "tape")


def build(work: Path) -> dict[str, Timed[int]]:
    """Commit the tape day by day, as syncs do; return rows and time by table."""
    lake, tape = Lake(work / "tape"), made_up.trades(N_TRADES)
    lake.commit(MARKETS, made_up.markets())
    lake.commit(FEE_CHANGES, made_up.fee_changes())
    trades = timed(lambda: _commit_days(lake, TRADES, tape))
    quotes = timed(lambda: _commit_days(lake, QUOTES, made_up.quotes(tape)))
    (work / _DONE).touch()
    return {TRADES.name: trades, QUOTES.name: quotes}


def _commit_days(lake: Lake, table: Table, rows: pl.DataFrame) -> int:
    days = rows.group_by(pl.col("event_ts").dt.date(), maintain_order=True)
    return sum(lake.commit(table, day).n_new for _, day in days)
