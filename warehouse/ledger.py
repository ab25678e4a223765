"""The coverage ledger: which windows of time were asked for, and which of them are still missing.

It is the only progress there is: that some rows exist says nothing about the others.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from exchange.fees import is_combo
from warehouse.intervals import Interval, uncovered
from warehouse.storage import collected
from warehouse.tables import WINDOWS

if TYPE_CHECKING:
    from warehouse.lake import Lake

COMPLETE: Final = "complete"
FAILED: Final = "failed"


class Window(NamedTuple):
    """What is asked for: a resource, a scope, and `[start_ts, end_ts)`.

    `scope` is all (the exchange without combos), all+combos, series:X, event:X or ticker:X; `resource` is
    series, events, markets, trades, fees or candles_<seconds>.
    """

    resource: str
    scope: str
    start_ts: datetime
    end_ts: datetime


def covering(scope: str) -> list[str]:
    """Return the scopes whose windows cover a scope: itself, and the whole exchange.

    "all" is the exchange without combos, so only "all+combos" covers a scope of combos.
    """
    of_combos = scope == "all+combos" or is_combo(scope.partition(":")[2])
    return list(dict.fromkeys([scope, "all+combos"] if of_combos else [scope, "all", "all+combos"]))


def entry(
    window: Window, asked_ts: datetime, *, n_rows: int, digest: str, status: str, reason: str | None
) -> pl.DataFrame:
    """Return the ledger's row of a window that was asked for."""
    told = {"asked_ts": asked_ts, "n_rows": n_rows, "digest": digest, "status": status, "reason": reason}
    return pl.DataFrame([window._asdict() | told], schema=WINDOWS.polars_schema)


def missing(lake: "Lake", window: Window) -> list[Interval]:
    """Return the parts of a window that no complete ones cover, ascending."""
    complete = lake.scan(WINDOWS).filter(
        pl.col("resource") == window.resource,
        pl.col("scope").is_in(covering(window.scope)),
        pl.col("status") == COMPLETE,
    )
    covered = collected(complete.select("start_ts", "end_ts"), lake.uri)
    spans = ((start_ts.astimezone(UTC), end_ts.astimezone(UTC)) for start_ts, end_ts in covered.iter_rows())
    return uncovered(window.start_ts, window.end_ts, spans)
