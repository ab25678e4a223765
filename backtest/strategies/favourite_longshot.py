"""Buy near-certain outcomes shortly before the close: the favourite-longshot bias as a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest.strategies import ends
from exchange.units import DOLLAR_CC

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {"beyond": 0.90, "horizon_minutes": 60, "count": 10}
ASSUMPTIONS: Final = (ends.ASSUMPTION,)


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
        ends.with_ends(quotes, lake)
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
