"""Interest on an account's worth: a line of its own beside a run, never part of its result."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

import polars as pl

from backtest.by_setting import SETTING, numbered, refuse_taken, settings_of, with_settings
from backtest.errors import PlanError
from backtest.results import Run
from backtest.saved import run_of
from exchange.units import MICROS_PER_DOLLAR

DAYS_A_YEAR: Final = 365
Rate = float | Decimal | str


def interest(run: Run, annual: Rate | Mapping[date, Rate], *, minimum: float = 250) -> pl.DataFrame:
    """Return what an account would have been paid in interest, day by day, for each parameter row of a run.

    The exchange pays a variable rate on cash and on open positions at their value at the end of the day, for
    accounts of $250 and more; it is not compounded here, for it is paid out a month later.
    Source: help.kalshi.com, APY on Kalshi (read 2026-11-26; 3.25 %); 4.00 % in August 2025.

    Args:
        run: what happened; its frames stay as they are.
        annual: rate a year, as 0.0325; or rates by the first day on which each held, none before the first.
        minimum: dollars of worth below which a day earns nothing.

    Returns:
        The parameters, then day (UTC), worth_micros at its end and interest_micros, rounded down; a row for
        each day that ended within the run.

    Raises:
        PlanError: no run, a rate that is no number from 0 to 1, or a parameter that is called as one of the
            columns.
    """
    refuse_taken(run_of(run).param_names, ("day", "worth_micros", "interest_micros"), "days of interest")
    dated = annual if isinstance(annual, Mapping) else {date.min: annual}
    if wrong := [day for day in dated if isinstance(day, datetime) or not isinstance(day, date)]:
        raise PlanError(
            f"interest from {wrong[0]!r} on: give the first day of a rate as a date, date(2026, 1, 1)"
        )
    rates = {day: _rate(rate) for day, rate in sorted(dated.items())}
    if run.equity.is_empty():  # no order in any parameter row, and no moment at which one could be paid
        no_day = pl.col("ts").dt.date().alias("day")
        return run.equity.select(
            *run.param_names, no_day, worth_micros="marked_micros", interest_micros="marked_micros"
        )
    settings = settings_of(run)
    parts = numbered(run.equity, settings).partition_by(SETTING, maintain_order=True)
    days = pl.concat([_of_one(part, rates, round(minimum * MICROS_PER_DOLLAR)) for part in parts])
    return with_settings(days.drop(SETTING), days[SETTING], settings)


def _rate(rate: Rate) -> Fraction:
    try:
        value = Fraction(Decimal(str(rate)))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise PlanError(f"interest of {rate!r} a year is no rate: 0.0325 is 3.25 %") from error
    if not 0 <= value <= 1:
        raise PlanError(f"interest of {rate!r} a year: give a share from 0 to 1, 0.0325 is 3.25 %")
    return value


def _of_one(equity: pl.DataFrame, rates: dict[date, Fraction], minimum_micros: int) -> pl.DataFrame:
    curve = equity.select(SETTING, "ts", worth_micros="marked_micros")
    ends = curve.select(
        ts=pl.datetime_range(
            pl.col("ts").min().dt.truncate("1d") + timedelta(days=1), pl.col("ts").max(), "1d"
        )
    )
    days = ends.join_asof(curve, on="ts").with_columns(day=pl.col("ts").dt.date() - timedelta(days=1))
    paid = []
    for day, worth_micros in days.select("day", "worth_micros").iter_rows():
        rate = next((rates[begin] for begin in reversed(rates) if begin <= day), Fraction(0))
        is_paid = worth_micros >= minimum_micros
        paid.append(worth_micros * rate // DAYS_A_YEAR if is_paid else 0)
    return days.select(SETTING, "day", "worth_micros", interest_micros=pl.Series(paid, dtype=pl.Int64))
