"""A run's frames by parameter row, numbered while columns are joined: any name is free for parameters."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from backtest.errors import PlanError
from backtest.results import Run

SETTING: Final = "(setting)"  # no name that a parameter can have


def settings_of(run: Run) -> pl.DataFrame:
    """Return the parameter rows of a run, numbered by a column that no parameter can be called like."""
    return run.summary.with_row_index(SETTING).select(SETTING, *run.param_names)


def numbered(rows: pl.DataFrame, settings: pl.DataFrame) -> pl.DataFrame:
    """Return rows of a run's frame with the number of their parameter row in place of the parameters."""
    names = settings.columns[1:]
    if not names:
        return rows.with_columns(pl.lit(0, dtype=pl.UInt32).alias(SETTING))
    return rows.join(settings, on=names, nulls_equal=True, maintain_order="left").drop(names)


def with_settings(rows: pl.DataFrame, numbers: pl.Series, settings: pl.DataFrame) -> pl.DataFrame:
    """Return rows after the parameters of the settings that `numbers` names."""
    return pl.concat([settings.drop(SETTING).select(pl.all().gather(numbers)), rows], how="horizontal")


def refuse_taken(names: Iterable[str], columns: Iterable[str], told: str) -> None:
    """Refuse parameters that are called like a column of what is `told`, such as "profits".

    Raises:
        PlanError: one is.
    """
    if taken := sorted(set(names).intersection(columns)):
        raise PlanError(f"a parameter cannot be called {', '.join(taken)}: {told} have a column of that name")
