"""Buy near-certain outcomes shortly before the close: the favourite-longshot bias as a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from exchange.units import DOLLAR_CC
from warehouse.tables import MARKETS

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {"beyond": 0.90, "horizon_minutes": 60, "count": 10}
_ENDS: Final = (
    "the end of a market is its close time as recorded by then; before the first record, the "
    "close of a market that cannot close early, else its expected expiration, taken not to have moved"
)
ASSUMPTIONS: Final = (_ENDS,)


def plan(
    lake: Lake,
    *,
    series: str | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.LazyFrame:
    """Buy 10 contracts, once per market, of the side that costs 90 cents or more in the last hour.

    A YES ask at or above `beyond` is a favourite and is bought; a YES bid at or below 1 - `beyond` is a
    longshot, and its NO is bought. The order takes the quote it saw, at that price or better, and holds to
    settlement.

    Hypothesis: people overpay for longshots, so favourites bought at the ask within `horizon_minutes` of the
    end pay more often than their price says, by more than the spread and the fee.

    Falsified by: a mean net P&L per event whose interval lies at or below zero; or a profit that vanishes
    when `beyond` or `horizon_minutes` moves a little, or when latency grows to a second.

    Returns:
        ticker, known_ts, intent; sorted by (ticker, known_ts), one row per quote.
    """
    quotes = lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end)
    threshold_cc = bt.param("beyond") * DOLLAR_CC
    left = (pl.col("end_ts") - pl.col("known_ts")).dt.total_microseconds()
    is_near = (left > 0) & (left <= bt.param("horizon_minutes") * 60_000_000)
    is_favourite = is_near & (pl.col("ask_cc") >= threshold_cc)
    is_longshot = is_near & (pl.col("bid_cc") <= DOLLAR_CC - threshold_cc)
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
        .with_columns(
            is_favourite=is_favourite.fill_null(value=False), is_longshot=is_longshot.fill_null(value=False)
        )
        .with_columns(is_first=_first_per_market(pl.col("is_favourite") | pl.col("is_longshot")))
        .select(
            "ticker",
            "known_ts",
            intent=pl.coalesce(
                bt.buy_yes(bt.param("count"), limit=pl.col("ask_cc")).when(
                    pl.col("is_first") & pl.col("is_favourite")
                ),
                bt.buy_no(bt.param("count"), limit=DOLLAR_CC - pl.col("bid_cc")).when(
                    pl.col("is_first") & pl.col("is_longshot")
                ),
            ),
        )
    )


def _first_per_market(is_wanted: pl.Expr) -> pl.Expr:
    return is_wanted & (is_wanted.cast(pl.Int64).cum_sum().over("ticker") == 1)


def _recorded_ends(lake: Lake) -> pl.LazyFrame:
    """Every close time with the moment from which it was on record: what was known, not what came true."""
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
    return (
        lake.scan(MARKETS)
        .sort("ticker", "observed_ts")
        .group_by("ticker", maintain_order=True)
        .first()
        .select("ticker", listed_end_ts=pl.coalesce(fixed, "expected_expiration_ts"))
    )
