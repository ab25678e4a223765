"""What a live trader could know of a market at some past moment.

A state that was observed by then is what it was, until we saw another: a result paid before we looked again
does not reach back, for we did not know it. A market that we first saw later, but that existed already, is
assumed to have had the terms it had when we saw it; what could have been different then is masked, each
column until the condition named below. Both the DuckDB macro and the polars reader are made from this table.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import polars as pl

from warehouse.tables import MARKETS

OBSERVED: Final = "observed"
ASSUMED: Final = "assumed"

# Masked column -> the condition under which a later sighting tells the truth about then.
MASKS: Final[dict[str, str]] = {
    "updated_ts": "updated",
    "yes_sub_title": "opened",
    "no_sub_title": "opened",
    "floor_strike": "opened",
    "cap_strike": "opened",
    "close_ts": "closed",
    "expected_expiration_ts": "settled",
    "latest_expiration_ts": "settled",
    "status": "settled",
    "result": "settled",
    "settlement_value_cc": "settled",
    "settlement_ts": "settled",
    "expiration_value": "settled",
    "last_price_cc": "settled",
    "volume_centi": "settled",
    "open_interest_centi": "settled",
}

# `ts` is the moment asked about. A close that cannot come early is known from the listing on.
SQL_CONDITIONS: Final[dict[str, str]] = {
    "updated": "updated_ts <= ts",
    "opened": "open_ts <= ts",
    "closed": "(close_ts <= ts or can_close_early is false)",
    "settled": "settlement_ts <= ts",
}


def markets_asof(states: pl.LazyFrame, at_ts: datetime) -> pl.LazyFrame:
    """Return one row per market that existed at `at_ts`, as it could be known then, sorted by ticker.

    `states` is the markets table. The extra column `basis` says observed or assumed.
    """
    observed = (
        states.sort("ticker", "observed_ts")
        .filter(pl.col("observed_ts") <= at_ts)
        .group_by("ticker", maintain_order=True)
        .last()
    )
    bases = {OBSERVED: observed, ASSUMED: unseen_markets(states, at_ts)}
    told = [rows.select(*MARKETS.columns, basis=pl.lit(basis)) for basis, rows in bases.items()]
    return pl.concat(told).sort("ticker")


def unseen_markets(states: pl.LazyFrame, at_ts: datetime, *, trusted: Collection[str] = ()) -> pl.LazyFrame:
    """Return the markets that existed at `at_ts` and that we first saw later, as first seen, and masked.

    Of the masked columns the `trusted` ones stay.
    """
    truths = _conditions(at_ts)
    masks = {column: condition for column, condition in MASKS.items() if column not in trusted}
    return (
        first_seen(states)
        .filter(pl.col("observed_ts") > at_ts, pl.min_horizontal("created_ts", "open_ts") <= at_ts)
        .with_columns(
            pl.when(truths[condition]).then(column).alias(column) for column, condition in masks.items()
        )
    )


def first_seen(states: pl.LazyFrame) -> pl.LazyFrame:
    """Return the first observed state of every ticker, sorted by ticker."""
    return states.sort("ticker", "observed_ts").group_by("ticker", maintain_order=True).first()


def _conditions(at_ts: datetime) -> dict[str, pl.Expr]:
    return {
        "updated": pl.col("updated_ts") <= at_ts,
        "opened": pl.col("open_ts") <= at_ts,
        "closed": (pl.col("close_ts") <= at_ts) | ~pl.col("can_close_early"),
        "settled": pl.col("settlement_ts") <= at_ts,
    }
