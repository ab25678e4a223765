"""One lake for several runs: the stage that one of them made serves the next that would make the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.kernels.arrays import NEVER
from backtest.latency import Latency

if TYPE_CHECKING:
    from datetime import date

    from backtest.engine import LakeReader
    from backtest.replay import Stage
    from backtest.settings import Settings
    from warehouse.tables import Table

# What a stage does not depend on: everything else counts, also what settings may have one day.
_OF_RUNS: Final[dict[str, Any]] = {
    "latency": Latency((1,)),
    "feed": Latency((0,)),
    "cash_micros": 0,
    "per_event_micros": -1,
    "per_series_micros": -1,
    "queue": "pessimistic",
    "refill_us": NEVER,
    "legs": None,
}


@dataclass(slots=True)
class SharedLake:
    """A pinned lake that keeps the last stage that was made of it, and no other."""

    lake: "LakeReader"
    made_for: "tuple[Settings, frozenset[str]] | None" = None
    stage: "Stage | None" = None

    def pinned(self) -> "SharedLake":
        """Return itself: it is pinned."""
        return self

    @property
    def uri(self) -> str:
        """Where it lies."""
        return self.lake.uri

    def scan(
        self, table: "Table", *, dates: "tuple[date | None, date | None]" = (None, None)
    ) -> pl.LazyFrame:
        """Read a table, as the lake does."""
        return self.lake.scan(table, dates=dates)

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        """Read quotes, as the lake does."""
        return self.lake.tops(tickers)

    def versions(self) -> Mapping[str, int]:
        """Return the version of every table that exists."""
        return self.lake.versions()


def stage_for(lake: "LakeReader", settings: "Settings", tickers: set[str]) -> "Stage":
    """Return what `replay.prepare` makes, or made for the run before on a `SharedLake`."""
    from backtest.replay import prepare

    if not isinstance(lake, SharedLake):
        return prepare(lake, settings, tickers)
    wanted = replace(settings, **_OF_RUNS), frozenset(tickers)
    if lake.stage is None or lake.made_for != wanted:
        lake.stage = None  # before the next one is made: two may be too large
        lake.stage, lake.made_for = prepare(lake.lake, settings, tickers), wanted
    return lake.stage
