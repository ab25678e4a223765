"""The part of the report on what each event could still have come to when the worst of it was deepest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backtest.report_numbers import MINUS, dollars, number
from backtest.report_page import Markup, figures, section, table, titled

if TYPE_CHECKING:
    from backtest.report_detail import Detail

_EVENTS_MAX: Final = 12
_TITLES: Final = {
    "event_ticker": "Event",
    "deepest_ts": "Deepest at (UTC)",
    "n_markets": "Markets",
    "cost_micros": "Spent by then",
    "worst_micros": "Worst P&L",
    "best_micros": "Best P&L",
}
_SIGNED: Final = frozenset({"worst_micros", "best_micros"})


def exposures(detail: Detail) -> Markup:
    """Show the events that could have lost most, of one parameter row; nothing where nothing was traded."""
    rows = detail.exposures.sort("worst_micros", "event_ticker")
    if rows.is_empty():
        return Markup("")
    deepest = rows.row(0, named=True)
    worst = dollars(deepest["worst_micros"], is_signed=True)
    n_sure = rows.filter(rows["worst_micros"] >= 0).height
    return section(
        "Worst cases",
        figures(
            [
                ("Deepest", worst, deepest["event_ticker"], "loss" if worst[0] == MINUS else ""),
                ("Could not lose", number(n_sure), f"of {rows.height:,} events, at any time", ""),
            ]
        ),
        titled("By event", table(rows.head(_EVENTS_MAX), _TITLES, signed=_SIGNED)),
        lead="What could still have come of each event when the worst was deepest; not what did come of it.",
    )
