"""The part of the report on a sweep as it would have been lived: chosen anew by what was over each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from backtest.report_numbers import dollars
from backtest.report_page import Markup, table, titled
from backtest.walking import FOLD_COLUMNS, walk_forward

if TYPE_CHECKING:
    from backtest.results import Run

FOLDS: Final = 10  # that the time of a run is divided into, if it has as many days
_SIGNED: Final = frozenset({"net_micros", "median_micros", "best_micros"})
_DAY_US: Final = 86_400_000_000


def walked(run: Run, names: tuple[str, ...]) -> Markup:
    """Show what choosing as it went would have come to; nothing where there was no second choice.

    Nor where a parameter is called as a column of `walk_forward`.
    """
    if not set(FOLD_COLUMNS).isdisjoint(run.param_names):
        return Markup("")
    at_us = run.fills["fill_ts"].to_physical().to_numpy()
    days = max(1, int(np.ptp(at_us)) // _DAY_US // FOLDS) if len(at_us) else 1
    folds = walk_forward(run, every=f"{days}d")
    if folds.height < 2:  # noqa: PLR2004 -- one choice says nothing of choosing
        return Markup("")
    net, median, best = (int(folds[name].sum()) for name in ("net_micros", "median_micros", "best_micros"))
    often = "Every day" if days == 1 else f"Every {days:,} days"
    came = (
        f"{often} the setting is taken that had earned most on the events that were over by then; what began "
        f"until the next choice is what it earned: {dollars(net, is_signed=True)} in all. In the same times "
        f"the medians of all settings earned {dollars(median, is_signed=True)}, and the best, which nobody "
        f"could know, {dollars(best, is_signed=True)}."
    )
    titles = {
        "from_ts": "From (UTC)",
        **{name: name for name in names},
        "n_events_before": "Events before",
        "n_events": "Events",
        "net_micros": "Net",
        "median_micros": "Median",
        "best_micros": "Best",
    }
    shown = table(folds, titles, signed=_SIGNED, rows_max=2 * FOLDS)
    return titled("Chosen as it went", shown, note=came)
