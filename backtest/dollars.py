"""Frames in the units that people read: dollars and contracts."""

from typing import Final, TypeVar

import polars as pl

from backtest.errors import PlanError
from exchange.units import CONTRACT_CENTI, DOLLAR_CC, MICROS_PER_DOLLAR

Rows = TypeVar("Rows", pl.DataFrame, pl.LazyFrame)

UNITS: Final = {"micros": MICROS_PER_DOLLAR, "cc": DOLLAR_CC, "centi": CONTRACT_CENTI}
_WORDS: Final = {"count": "contracts"}
_BARE: Final = {"micros": "dollars", "cc": "dollars", "centi": "contracts"}  # columns called as a unit alone


def in_dollars(rows: Rows) -> Rows:
    """Return a frame with amounts and prices in dollars and sizes in contracts, to look at and to plot.

    Columns lose the suffix that named their unit: `pnl_micros` becomes `pnl`, `price_cc` `price` and
    `filled_centi` `filled`; `count_centi` becomes `contracts`, and `micros` alone `dollars`. They are
    Float64, and so no longer exact: compare and sum the whole numbers.

    Args:
        rows: of a run, such as `run.summary`, or of the lake, such as `lake.trades()`; other columns stay.

    Raises:
        PlanError: no frame, or a column would get the name of another one.
    """
    if not isinstance(rows, pl.DataFrame | pl.LazyFrame):
        raise PlanError(f"in_dollars takes a polars frame such as run.summary, not {type(rows).__name__}")
    names = rows.collect_schema().names()
    shown = {name: _shown(name) for name in names}
    for name, plain in shown.items():
        others = [other for other, its in shown.items() if its == plain and other != name]
        if others:
            raise PlanError(f"{name} and {others[0]} would both be called {plain}: rename one before")
    units = {name: UNITS[name.rpartition("_")[2]] for name, plain in shown.items() if plain != name}
    return rows.select(
        (pl.col(name) / units[name] if name in units else pl.col(name)).alias(plain)
        for name, plain in shown.items()
    )


def _shown(name: str) -> str:
    plain, _, unit = name.rpartition("_")
    if unit not in UNITS:
        return name
    return _WORDS.get(plain, plain) if plain else _BARE[unit]
