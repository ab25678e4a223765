"""When a market ends, as it was known at the time: what was on record by then, not what came true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.asof import first_seen
from warehouse.tables import MARKETS

if TYPE_CHECKING:
    from warehouse import Lake

ASSUMPTION: Final = (
    "the end of a market is its close time as recorded by then; before the first record, the "
    "close of a market that cannot close early, else its expected expiration, taken not to have moved"
)


def with_ends(quotes: pl.LazyFrame, lake: Lake) -> pl.LazyFrame:
    """Add `end_ts` to rows of ticker and known_ts: when the market would end, as known then; null if unknown.

    `quotes` is sorted by (ticker, known_ts).
    """
    return (
        quotes.join_asof(
            _recorded_ends(lake),
            left_on="known_ts",
            right_on="observed_ts",
            by="ticker",
            strategy="backward",
            check_sortedness=False,
        )
        .join(_listed_ends(lake), on="ticker", how="left", maintain_order="left")
        .with_columns(end_ts=pl.coalesce("recorded_end_ts", "listed_end_ts"))
    )


def _recorded_ends(lake: Lake) -> pl.LazyFrame:
    """Every close time with the moment from which it was on record."""
    return (
        lake.scan(MARKETS)
        .select("ticker", "observed_ts", recorded_end_ts="close_ts")
        .drop_nulls("recorded_end_ts")
        .sort("ticker", "observed_ts")
    )


def _listed_ends(lake: Lake) -> pl.LazyFrame:
    """One assumed end per market for the time before its first record.

    The close time of a market that may close early is left out: after such a close it IS the outcome's time.
    """
    fixed = pl.when(~pl.col("can_close_early")).then(pl.col("close_ts"))
    return first_seen(lake.scan(MARKETS)).select(
        "ticker", listed_end_ts=pl.coalesce(fixed, "expected_expiration_ts")
    )
