"""The part of the report on baskets: how many became sets, and what the stranded legs came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from backtest.report_numbers import contracts, dollars, several, share
from backtest.report_page import Markup, bars, figures, section, table, titled

if TYPE_CHECKING:
    from backtest.report_detail import Detail

_OUTCOMES: Final = (
    "whole",
    "smaller, nothing stranded",
    "sets and stranded legs",
    "stranded legs alone",
    "nothing",
)
_TITLES: Final = {
    "outcome": "What became of it",
    "n_baskets": "Baskets",
    "complete_centi": "Sets",
    "stranded_centi": "Contracts stranded",
    "complete_pnl_micros": "P&L of sets",
    "stranded_pnl_micros": "P&L of stranded",
}
_SIGNED: Final = frozenset({"complete_pnl_micros", "stranded_pnl_micros"})


def baskets(detail: Detail) -> Markup:
    """Show the baskets of one parameter row by what became of them; nothing where there are none."""
    rows = detail.baskets
    if rows.is_empty():
        return Markup("")
    total = rows.select(pl.col(pl.Int64).sum()).row(0, named=True)
    bought = f"of {contracts(total['wanted_centi'])} wanted, {several(rows.height, 'basket')}"
    cells = [
        ("Complete sets", contracts(total["complete_centi"]), bought, ""),
        _money("P&L of sets", total["complete_pnl_micros"], total["complete_cost_micros"]),
        ("Contracts stranded", contracts(total["stranded_centi"]), _stranded(rows), ""),
        _money("P&L of stranded", total["stranded_pnl_micros"], total["stranded_cost_micros"]),
    ]
    return section(
        "Baskets",
        figures(cells),
        titled("By what became of them", table(by_outcome(rows), _TITLES, signed=_SIGNED)),
        titled("Stranded legs of a basket", bars(_distribution(rows))),
        lead="Legs fill on their own. What a leg got beyond the least of its basket is a bet nobody meant to "
        "make. All is taken as held to the end.",
    )


def by_outcome(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `Run.baskets` of one parameter row summed by what became of them, best first."""
    has_sets, has_stranded = pl.col("complete_centi") > 0, pl.col("stranded_centi") > 0
    place = (
        pl.when(has_sets & has_stranded)
        .then(2)
        .when(has_sets)
        .then(pl.when(pl.col("complete_centi") == pl.col("wanted_centi")).then(0).otherwise(1))
        .otherwise(pl.when(has_stranded).then(3).otherwise(4))
    )
    amounts = ("complete_centi", "stranded_centi", "complete_pnl_micros", "stranded_pnl_micros")
    return (
        rows.group_by(place=place)
        .agg(pl.len().cast(pl.Int64).alias("n_baskets"), *(pl.col(name).sum() for name in amounts))
        .sort("place")
        .with_columns(
            outcome=pl.col("place").replace_strict(dict(enumerate(_OUTCOMES)), return_dtype=pl.String)
        )
        .select(list(_TITLES))
    )


def _distribution(rows: pl.DataFrame) -> dict[str, int]:
    counts = rows.group_by("n_stranded").len().sort("n_stranded").iter_rows()
    return {several(n, "leg"): n_baskets for n, n_baskets in counts}


def _stranded(rows: pl.DataFrame) -> str:
    n = rows.filter(pl.col("n_stranded") > 0).height
    return f"in {share(n / rows.height)} of the baskets"


def _money(label: str, pnl_micros: int, cost_micros: int) -> tuple[str, str, str, str]:
    tone = "loss" if pnl_micros < 0 else "gain" if pnl_micros > 0 else ""
    return (
        label,
        dollars(pnl_micros, is_signed=True),
        f"they cost {dollars(cost_micros)}, fees included",
        tone,
    )
