"""The part of the report on a sweep as it would have been lived: chosen anew by what was over each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from backtest.report_numbers import dollars
from backtest.report_page import Markup, table, titled
from backtest.walking import FOLD_COLUMNS, folded

if TYPE_CHECKING:
    import polars as pl

    from backtest.results import Run

FOLDS: Final = 10  # that the time of a run is divided into, if it has as many days
_SIGNED: Final = frozenset({"net_micros", "median_micros", "best_micros"})
_DAY_US: Final = 86_400_000_000


def walked(run: Run, names: tuple[str, ...]) -> Markup:
    """Show what choosing as it went would have come to; nothing where there was no second choice."""
    folds = lived(run)
    if folds is None:
        return Markup("")
    titles = {
        "from_ts": "From (UTC)",
        **{name: name for name in names},
        "n_events_before": "Events before",
        "n_events": "Events",
        "net_micros": "Net",
        "median_micros": "Median",
        "best_micros": "Best",
    }
    shown = table(folds, titles, signed=_SIGNED, rows_max=2 * FOLDS, plain_names=names)
    return titled("Chosen as it went", shown, note=came(folds))


def lived(run: Run) -> pl.DataFrame | None:
    """Return the folds of `walk_forward`, a tenth of the run's time each, in whole days.

    None where there was no second choice, or a parameter is called as one of their columns.
    """
    if not set(FOLD_COLUMNS).isdisjoint(run.param_names):
        return None
    at_us = run.fills["fill_ts"].to_physical().to_numpy()
    days = max(1, int(np.ptp(at_us)) // _DAY_US // FOLDS) if len(at_us) else 1
    folds = folded(run, days * _DAY_US)
    return folds if folds.height > 1 else None  # one choice says nothing of choosing


def came(folds: pl.DataFrame) -> str:
    """Say what choosing as it went came to."""
    net, median, best = (int(folds[name].sum()) for name in ("net_micros", "median_micros", "best_micros"))
    days = (folds["until_ts"][0] - folds["from_ts"][0]).days
    often = "Every day" if days == 1 else f"Every {days:,} days"
    return (
        f"{often} the setting is taken that had earned most on the events that were over by then; what began "
        f"until the next choice is what it earned: {dollars(net, is_signed=True)} in all. In the same times "
        f"the medians of all settings earned {dollars(median, is_signed=True)}, and the best, which nobody "
        f"could know, {dollars(best, is_signed=True)}."
    )
