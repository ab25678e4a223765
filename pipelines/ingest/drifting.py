"""Novelties that a client met, kept where analysts and operators see them: the table `drift`."""

import polars as pl

from pipelines.client.drift import Drift
from warehouse.lake import Lake
from warehouse.tables import DRIFT


def keep_drift(lake: Lake, drift: Drift) -> int:
    """Add what a run met to the lake, and return how many novelties that were.

    Call it once a run, at its end: counts of one run do not grow afterwards.
    """
    sightings = drift.report()
    if not sightings:
        return 0
    rows = pl.DataFrame(
        [
            {
                "kind": each.kind,
                "place": each.where,
                "word": each.word,
                "example": each.example,
                "first_seen_ts": each.first_seen_ts,
                "n_seen": each.n_seen,
            }
            for each in sightings
        ],
        schema=DRIFT.polars_schema,
    )
    lake.commit(DRIFT, rows, location="drift")
    return len(sightings)
