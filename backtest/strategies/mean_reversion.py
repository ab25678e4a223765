"""Fade a sudden move of the middle and leave after a while: overreaction as a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest.strategies.looking import newest
from exchange.units import DOLLAR_CC

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {"jump": 0.05, "minutes": 5, "hold_minutes": 10, "count": 10}
ASSUMPTIONS: Final = (
    "the middle of the quotes is only a signal; orders take the other side's quote or better",
)
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
    """Buy against a jump of 5 cents within 5 minutes, and close 10 minutes later.

    The move is the middle now minus the middle `minutes` ago; without a quote between `minutes` and twice as
    long ago there is no signal. After a signal the market rests for `hold_minutes`, then the position is
    closed at the bid of the first quote that follows; at the end of the data it is left to settlement.

    Hypothesis: quick moves of the middle overshoot, because one order ran through thin depth and not because
    of news, so the middle comes back by more than two spreads and two fees.

    Falsified by: a mean net P&L per event whose interval lies at or below zero; or gross P&L (before fees)
    that is no better for large jumps than for small ones: then moves were news, and the fade pays for them.

    Returns:
        ticker, known_ts, intent; sorted by (ticker, known_ts), one row per two-sided quote.
    """
    quotes = (
        newest(lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end))
        .drop_nulls(["bid_cc", "ask_cc"])
        .select("ticker", "known_ts", "bid_cc", "ask_cc", mid_cc=(pl.col("bid_cc") + pl.col("ask_cc")) / 2)
        .collect()  # once: all that follows depends on parameters
        .lazy()
    )
    is_up, is_down = _signals(pl.col("mid_cc") - pl.col("mid_then_cc"))
    entry_ts = pl.when(pl.col("is_entry")).then("known_ts").forward_fill().over("ticker")
    held_us = (pl.col("known_ts") - pl.col("entry_ts")).dt.total_microseconds()
    is_over = held_us >= bt.param("hold_minutes") * _US_PER_MINUTE
    is_leaving = is_over & ~is_over.shift(1).over("ticker").fill_null(value=False)
    return (
        _with_earlier(quotes)
        .with_columns(is_up=is_up.fill_null(value=False), is_down=is_down.fill_null(value=False))
        .with_columns(is_entry=_is_entry(pl.col("is_up") | pl.col("is_down")))
        .with_columns(entry_ts=entry_ts)
        .with_columns(is_leaving=is_leaving.fill_null(value=False))
        .select(
            "ticker",
            "known_ts",
            intent=pl.coalesce(
                bt.close().when(pl.col("is_leaving")),
                bt.buy_yes(bt.param("count"), limit=pl.col("ask_cc")).when(
                    pl.col("is_entry") & pl.col("is_down")
                ),
                bt.buy_no(bt.param("count"), limit=DOLLAR_CC - pl.col("bid_cc")).when(
                    pl.col("is_entry") & pl.col("is_up")
                ),
            ),
        )
    )


def _signals(move_cc: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    jump_cc = bt.param("jump") * DOLLAR_CC
    return move_cc >= jump_cc, move_cc <= -jump_cc


def _with_earlier(quotes: pl.LazyFrame) -> pl.LazyFrame:
    """Add `mid_then_cc`: the middle `minutes` before each quote, null when that quote was stale itself."""
    lookback_us = (bt.param("minutes") * _US_PER_MINUTE).cast(pl.Int64)
    earlier = quotes.select("ticker", then_ts="known_ts", mid_then_cc="mid_cc")
    is_fresh = (pl.col("asked_ts") - pl.col("then_ts")).dt.total_microseconds() <= lookback_us
    return (
        quotes.with_columns(asked_ts=pl.col("known_ts") - pl.duration(microseconds=lookback_us))
        .join_asof(
            earlier,
            left_on="asked_ts",
            right_on="then_ts",
            by="ticker",
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(mid_then_cc=pl.when(is_fresh).then("mid_then_cc"))
    )


def _is_entry(is_signal: pl.Expr) -> pl.Expr:
    """A signal is acted on when the market showed none for `hold_minutes`: one trade per disturbance."""
    signal_ts = pl.when(is_signal).then("known_ts").shift(1).forward_fill().over("ticker")
    quiet_us = (pl.col("known_ts") - signal_ts).dt.total_microseconds()
    return is_signal & (quiet_us > bt.param("hold_minutes") * _US_PER_MINUTE).fill_null(value=True)
