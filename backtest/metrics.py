"""What a run's frames say: frames in, plain dicts and frames out.

Every function takes frames of ONE parameter row (see `row_of`) and mutates nothing. Money stays integer
micros; shares, rates and intervals are floats and never turn back into money.

Averages are taken over events, not over fills or markets: twenty strikes of one event settle together.
Intervals draw whole days: what moves one event can move all of its day, as the weather does two cities,
bitcoin its quarters of an hour, and one number every ladder that asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.intervals import mean_by_day
from backtest.results import HORIZONS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

MICROS_PER_DOLLAR: Final = 1_000_000
MICROS_PER_CC: Final = 100
US_PER_DAY: Final = 86_400_000_000
_AMOUNTS: Final = ("cash_micros", "fee_micros", "payout_micros", "marked_micros")


def row_of(frame: pl.DataFrame, params: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of `frame` that belong to one parameter row, in the frame's order."""
    known = {name: value for name, value in params.items() if name in frame.columns}
    if not known:
        return frame
    return frame.filter(pl.all_horizontal(pl.col(name).eq_missing(value) for name, value in known.items()))


def profit(fills: pl.DataFrame, settlements: pl.DataFrame, positions: pl.DataFrame) -> dict[str, int]:
    """Return gross, fees and net of everything bought, sold, settled and still held.

    gross = cash of the fills + payouts + open positions at their mark; net = gross - fees.
    """
    fees = _sum(fills, "fee_micros")
    payouts = _sum(settlements, "payout_micros")
    marks = _sum(positions, "marked_micros")
    gross = _sum(fills, "cash_micros") + payouts + marks
    return {
        "gross_micros": gross,
        "fees_micros": fees,
        "net_micros": gross - fees,
        "payout_micros": payouts,
        "open_marked_micros": marks,
    }


def by_event(fills: pl.DataFrame, settlements: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """Return one row per event that was traded, sorted by event_ticker.

    Returns:
        event_ticker, series_ticker, day (UTC, of its last fill or payout; corrections, which come after all
        is decided, and payouts of what was closed do not count), n_markets, n_fills, stake_micros (cash that
        left to buy), fees_micros, gross_micros, net_micros, is_open (something is held at the end of the
        data).
    """
    tells_nothing = pl.col("is_correction") | (pl.col("position_centi") == 0)
    paid_ts = pl.when(tells_nothing).then(None).otherwise("settled_ts")
    rows = pl.concat(
        [
            ledger(fills, "cash_micros", "fee_micros", moved_ts=pl.col("fill_ts")),
            ledger(settlements, "payout_micros", moved_ts=paid_ts),
            ledger(positions, "marked_micros", moved_ts=pl.lit(None, fills.schema["fill_ts"])),
        ]
    )
    return (
        rows.group_by("event_ticker")
        .agg(
            series_ticker=pl.col("series_ticker").drop_nulls().first(),
            day=pl.col("moved_ts").max().dt.date(),
            n_markets=pl.col("ticker").n_unique(),
            **came_to(),
        )
        .sort("event_ticker")
    )


def came_to() -> dict[str, pl.Expr]:
    """Return what rows of ledgers come to, by name: n_fills, stake, fees, gross and net, and is_open."""
    gross = pl.col("cash_micros").sum() + pl.col("payout_micros").sum() + pl.col("marked_micros").sum()
    return {
        "n_fills": pl.col("is_fill").sum().cast(pl.Int64),
        "stake_micros": -pl.col("cash_micros").filter(pl.col("cash_micros") < 0).sum(),
        "fees_micros": pl.col("fee_micros").sum(),
        "gross_micros": gross,
        "net_micros": gross - pl.col("fee_micros").sum(),
        "is_open": pl.col("is_open").any(),
    }


def by_series(events: pl.DataFrame) -> pl.DataFrame:
    """Return `by_event` per series: series_ticker, n_events, n_days, n_fills, stake, fees, gross, net."""
    money = ("n_fills", "stake_micros", "fees_micros", "gross_micros", "net_micros")
    return (
        events.group_by("series_ticker")
        .agg(
            n_events=pl.len().cast(pl.Int64),
            n_days=pl.col("day").n_unique().cast(pl.Int64),
            **{name: pl.col(name).sum() for name in money},
        )
        .sort("series_ticker")
    )


def settled_cash(settlements: pl.DataFrame, cash_start_micros: int) -> pl.DataFrame:
    """Return the cash at the start and what settled markets have brought since then, fees included.

    Returns:
        ts, settled_micros; one row for the start, at the time of the first settlement, then one for each
        instant at which something settled or was corrected, in order. What is held moves nothing here.
    """
    moved = settlements.group_by(ts="settled_ts").agg(pl.col("pnl_micros").sum()).sort("ts")
    since = pl.lit(cash_start_micros, pl.Int64) + pl.col("pnl_micros").cum_sum()
    start = moved.head(1).select("ts", settled_micros=pl.lit(cash_start_micros, pl.Int64))
    return pl.concat([start, moved.select("ts", settled_micros=since)])


def drawdown(curve: pl.DataFrame, of: str = "marked_micros") -> dict[str, Any]:
    """Return the deepest fall of a column from an earlier peak: of marked equity, or of settled cash.

    Returns:
        max_drawdown_micros (>= 0), max_drawdown_share (of the peak; 0.0 when there is none), peak_ts and
        trough_ts (None when it never fell).
    """
    flat = {"max_drawdown_micros": 0, "max_drawdown_share": 0.0, "peak_ts": None, "trough_ts": None}
    curve = curve.sort("ts", maintain_order=True).drop_nulls(of)
    if curve.is_empty():
        return flat
    curve = curve.with_columns(peak_micros=pl.col(of).cum_max()).with_columns(
        fall_micros=pl.col("peak_micros") - pl.col(of)
    )
    at = curve["fall_micros"].arg_max()
    fall, peak = curve["fall_micros"][at or 0], curve["peak_micros"][at or 0]
    if not fall:
        return flat
    reached = curve.filter(pl.col(of) == peak, pl.int_range(pl.len()) <= at)
    return {
        "max_drawdown_micros": fall,
        "max_drawdown_share": fall / peak if peak > 0 else 0.0,
        "peak_ts": reached["ts"][-1],
        "trough_ts": curve["ts"][at or 0],
    }


def exposure(summary_row: Mapping[str, Any], net_micros: int) -> dict[str, Any]:
    """Return how much money was tied up, for how long, and what it earned.

    A capital-day is one dollar locked for one day, reserved by waiting orders or paid for what is held; the
    clock of the run sums it at every change.

    Returns:
        max_locked_micros, capital_days (float), return_per_capital_day (float, None when nothing was locked).
    """
    days = summary_row["locked_dollar_days"]
    return {
        "max_locked_micros": summary_row["locked_max_micros"],
        "capital_days": days,
        "return_per_capital_day": net_micros / MICROS_PER_DOLLAR / days if days > 0 else None,
    }


def fill_rate(orders: pl.DataFrame) -> dict[str, Any]:
    """Return how much of what was asked for was filled: orders by status, contracts, and the share."""
    asked, filled = _sum(orders, "count_centi"), _sum(orders, "filled_centi")
    counts = {
        f"n_{status}": _count(orders, status) for status in ("filled", "partial", "unfilled", "rejected")
    }
    return {
        "n_orders": orders.height - _count(orders, "done"),
        **counts,
        "asked_centi": asked,
        "filled_centi": filled,
        "filled_share": filled / asked if asked else None,
    }


def shortfalls(orders: pl.DataFrame) -> pl.DataFrame:
    """Return why orders got less than they asked for, most contracts first.

    Returns:
        status, reason, n_orders, missing_centi (asked for and not filled), missing_share (of all asked for).
    """
    total = _sum(orders, "count_centi")
    return (
        orders.filter(~pl.col("status").is_in(["filled", "done"]))
        .group_by("status", "reason")
        .agg(
            n_orders=pl.len().cast(pl.Int64),
            missing_centi=(pl.col("count_centi").fill_null(0) - pl.col("filled_centi")).sum().cast(pl.Int64),
        )
        .with_columns(missing_share=pl.col("missing_centi") / max(total, 1))
        .sort("missing_centi", "status", "reason", descending=[True, False, False])
    )


def against_the_middle(markouts: pl.DataFrame) -> pl.DataFrame:
    """Return by role what a contract paid to the spread and where the middle went afterwards, on average.

    In micro-dollars a contract, each over the contracts for which it is known (null: for less than half of
    them); `known_share` is of the contracts whose middle was known at the fill.
    """
    weight = pl.col("count_centi")
    means = {
        name.replace("_cc", "_micros"): pl.when(2 * _known(name) >= weight.sum()).then(
            (pl.col(name) * weight).sum() * MICROS_PER_CC / _known(name)
        )
        for name in ("spread_cc", *(f"after_{after}s_cc" for after in HORIZONS_S))
    }
    known = _known("mid_cc") / weight.sum()
    return (
        markouts.group_by("role")
        .agg(n_fills=pl.len().cast(pl.Int64), known_share=known, **means)
        .sort("role")
    )


def _known(name: str) -> pl.Expr:
    return pl.col("count_centi").filter(pl.col(name).is_not_null()).sum()


def evidence(fills: pl.DataFrame) -> pl.DataFrame:
    """Return what the fills rested on: evidence, n_fills, count_centi, count_share; most contracts first."""
    total = _sum(fills, "count_centi")
    return (
        fills.group_by("evidence")
        .agg(n_fills=pl.len().cast(pl.Int64), count_centi=pl.col("count_centi").sum().cast(pl.Int64))
        .with_columns(count_share=pl.col("count_centi") / max(total, 1))
        .sort("count_centi", "evidence", descending=[True, False])
    )


def interval_by_day(
    events: pl.DataFrame,
    *,
    seed: int = 20_260_101,
    n_draws: int = 2_000,
    level: float = 0.95,
    n_tried: int = 1,
) -> dict[str, Any]:
    """Return the mean net P&L per event and its interval; see `intervals.mean_by_day`, also for arguments.

    Returns:
        n_events, n_days, level, n_tried, mean_micros (a float, None without events), low_micros, high_micros
        (floats, None with fewer than two days).
    """
    told = mean_by_day(events, "net_micros", seed=seed, n_draws=n_draws, level=level, n_tried=n_tried)
    return {f"{name}_micros" if name in ("mean", "low", "high") else name: it for name, it in told.items()}


def known_time(coverage: pl.DataFrame) -> dict[str, Any]:
    """Return how much of the markets' time was known, all markets together.

    Returns:
        n_markets, n_with_gaps, n_gaps, n_events, known_share (weighted by each market's time from open, or
        first event, to close, or last event; None when there is no such time).
    """
    start, end = pl.coalesce("open_ts", "first_ts"), pl.coalesce("close_ts", "last_ts")
    spans = coverage.select("known_share", span_us=(end - start).dt.total_microseconds().clip(0)).drop_nulls()
    total = int(spans["span_us"].sum())
    known = float((spans["known_share"] * spans["span_us"]).sum())
    return {
        "n_markets": coverage.height,
        "n_with_gaps": int((coverage["n_gaps"] > 0).sum() or 0),
        "n_gaps": _sum(coverage, "n_gaps"),
        "n_events": _sum(coverage, "n_events"),
        "known_share": known / total if total else None,
    }


def ledger(frame: pl.DataFrame, *amounts: str, **more: pl.Expr) -> pl.DataFrame:
    """Return the rows of any money frame in one shape, with `more`; amounts that it lacks are 0."""
    zero = pl.lit(0, pl.Int64)
    return frame.select(
        "ticker",
        "event_ticker",
        "series_ticker",
        is_fill=pl.lit("cash_micros" in amounts),
        is_open=pl.lit("marked_micros" in amounts),
        **{name: pl.col(name) if name in amounts else zero for name in _AMOUNTS},
        **more,
    )


def _sum(frame: pl.DataFrame, column: str) -> int:
    return int(frame[column].sum() or 0)


def _count(orders: pl.DataFrame, status: str) -> int:
    return int((orders["status"] == status).sum() or 0)
