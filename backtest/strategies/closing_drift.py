"""Ride the favourite through the last hours before the listed close: slow convergence as a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest.strategies import ends
from backtest.strategies.looking import looked_at, newest
from exchange.units import DOLLAR_CC

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {
    "enter_minutes": 180,
    "exit_minutes": 15,
    "beyond": 0.60,
    "below": 0.90,
    "count": 10,
    "fade": 0,
}
ASSUMPTIONS: Final = (ends.ASSUMPTION,)
_US_PER_MINUTE: Final = 60_000_000


def plan(
    lake: Lake,
    *,
    series: str | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.LazyFrame:
    """Buy the favourite three hours before the listed close, and sell it a quarter of an hour before.

    In the first quote with `enter_minutes` or less to go, the side whose ask lies from `beyond` up to `below`
    is bought at that ask; the position is closed at the first quote with `exit_minutes` or less to go, and
    left to settlement where none comes. With `fade` 1 the other side is bought instead.

    Hypothesis: as the end comes near, what is likely becomes certain, but those who hold the favourite sell
    early to free their cash, so its price lags and drifts up by more than two spreads and two fees.

    Falsified by: a mean net P&L per event whose interval lies at or below zero; or a `fade` that loses no
    more than this does: then both pay for spread and fees, and there is no drift.

    Returns:
        ticker, known_ts, intent: a row without an intent for each market that was looked at, then one for
        each quote with `enter_minutes` or less to go.
    """
    quotes = newest(lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end))
    left_us = (pl.col("end_ts") - pl.col("known_ts")).dt.total_microseconds()
    signals = (
        ends.with_ends(quotes, lake)
        .select("ticker", "known_ts", "bid_cc", "ask_cc", left_us=left_us)
        .collect()
    )
    enter_us, exit_us = (bt.param(f"{each}_minutes") * _US_PER_MINUTE for each in ("enter", "exit"))
    is_leaving = pl.col("left_us") <= exit_us
    no_ask_cc = DOLLAR_CC - pl.col("bid_cc")
    is_no = _is_favourite(no_ask_cc) != (bt.param("fade") > 0)
    wanted = (
        bt.where(signals.filter(pl.col("left_us") > 0), pl.col("left_us") <= enter_us)
        .with_columns(
            is_first=_first(~is_leaving),
            is_last=_first(is_leaving),
            is_wanted=_is_favourite(pl.col("ask_cc")) | _is_favourite(no_ask_cc),
            is_no=is_no,
        )
        .with_columns(is_entry=pl.col("is_first") & pl.col("is_wanted").fill_null(value=False))
        .with_columns(was_entered=pl.col("is_entry").cum_max().over("ticker"))
        .select(
            "ticker",
            "known_ts",
            intent=pl.coalesce(
                bt.close().when(pl.col("is_last") & pl.col("was_entered")),
                bt.buy_no(bt.param("count"), limit=no_ask_cc).when(pl.col("is_entry") & pl.col("is_no")),
                bt.buy_yes(bt.param("count"), limit=pl.col("ask_cc")).when(
                    pl.col("is_entry") & ~pl.col("is_no")
                ),
            ),
        )
    )
    return pl.concat([looked_at(signals), wanted], how="diagonal")


def _is_favourite(ask_cc: pl.Expr) -> pl.Expr:
    return (ask_cc >= bt.param("beyond") * DOLLAR_CC) & (ask_cc <= bt.param("below") * DOLLAR_CC)


def _first(is_so: pl.Expr) -> pl.Expr:
    return is_so & (is_so.cast(pl.Int64).cum_sum().over("ticker") == 1)
