"""Buy near-certain outcomes shortly before the close: the favourite-longshot bias as a plan."""

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

PARAMS: Final[dict[str, float]] = {"beyond": 0.90, "horizon_minutes": 60, "count": 10}
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
    """Buy 10 contracts, once per market, of the side that costs 90 cents or more in the last hour.

    A YES ask at or above `beyond` is a favourite and is bought; a YES bid at or below 1 - `beyond` is a
    longshot, and its NO is bought. The order takes the quote it saw, at that price or better, and holds to
    settlement.

    Hypothesis: people overpay for longshots, so favourites bought at the ask within `horizon_minutes` of the
    end pay more often than their price says, by more than the spread and the fee.

    Falsified by: a mean net P&L per event whose interval lies at or below zero; or a profit that vanishes
    when `beyond` or `horizon_minutes` moves a little, or when latency grows to a second.

    Returns:
        ticker, known_ts, intent: a row without an intent for each market that was looked at, then the orders.
    """
    quotes = newest(lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end))
    left_us = (pl.col("end_ts") - pl.col("known_ts")).dt.total_microseconds()
    signals = (
        ends.with_ends(quotes, lake)
        .select("ticker", "known_ts", "bid_cc", "ask_cc", left_us=left_us)
        .collect()
    )
    horizon_us, threshold_cc = bt.param("horizon_minutes") * _US_PER_MINUTE, bt.param("beyond") * DOLLAR_CC
    bid_cc, ask_cc = pl.col("bid_cc"), pl.col("ask_cc")
    is_favourite, is_longshot = ask_cc >= threshold_cc, bid_cc <= DOLLAR_CC - threshold_cc
    wanted = (
        bt.where(signals.filter(pl.col("left_us") > 0), pl.col("left_us") <= horizon_us)
        .filter(is_favourite | is_longshot)
        .unique("ticker", keep="first", maintain_order=True)
    )
    intent = pl.coalesce(
        bt.buy_yes(bt.param("count"), limit=ask_cc).when(is_favourite),
        bt.buy_no(bt.param("count"), limit=DOLLAR_CC - bid_cc),
    )
    return pl.concat([looked_at(signals), wanted.select("ticker", "known_ts", intent=intent)], how="diagonal")
