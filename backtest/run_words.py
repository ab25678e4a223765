"""A run in words: what it came to, why orders got less than they asked for, and what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.metrics import shortfalls
from backtest.report_detail import details, median_index, median_word, ranked, swept
from backtest.report_numbers import dollars, number, plain, several
from backtest.report_words import verdict
from backtest.results import SCHEMAS
from exchange.units import CONTRACT_CENTI

if TYPE_CHECKING:
    from backtest.results import Run

REASONS_MAX: Final = 6
_OFTEN: Final = 10  # orders of which one met this: then it is told what may be the matter
_HINTS: Final = {
    "off-grid limit": "limits are whole centicents, 5600 for $0.56, on the grid of their market",
    "book unknown": "nothing is on record then to fill against; coverage says where, bt.ladder what is",
}
_UNITS: Final = (
    "No quote of a whole contract was sent: a policy's prices are in centicents, 4500 for $0.45, and its "
    "sizes in hundredths, 100 for one contract."
)


def in_words(run: Run) -> str:
    """Return a few lines; those of a sweep rest on its summary, so that no other frame is made for them."""
    n = run.summary.height
    lines = [_of_a_sweep(run)] if n > 1 else _of_one(run) if n else []
    assumed = ["Assumed:", *(f"- {each}" for each in run.assumptions)] if run.assumptions else []
    return "\n".join([*lines, *assumed, f'Frames: {", ".join(SCHEMAS)}; the page: report("report.html").'])


def _of_a_sweep(run: Run) -> str:
    rows, names = ranked(run), swept(run)
    median, best = rows.row(median_index(rows.height), named=True), rows.row(-1, named=True)
    told = (
        f"{rows.height:,} settings of {', '.join(names)}: the {median_word(rows.height)} {_came_to(median)}"
    )
    if best["pnl_micros"] == median["pnl_micros"]:
        return f"{told}, and none did better."
    setting = ", ".join(f"{name} = {plain(best[name])}" for name in names)
    if best["n_orders"] == 0:
        return f"{told}; the best, {setting}, placed no order: all that the others did was lose."
    return (
        f"{told}; the best, {setting}, {_came_to(best)}, but picking the best of {rows.height:,} flatters it."
    )


def _came_to(row: dict[str, Any]) -> str:
    pnl = row["pnl_micros"]
    did = f"made {dollars(pnl)}" if pnl > 0 else f"lost {dollars(-pnl)}" if pnl < 0 else "came to nothing"
    return (
        f"{did} after {dollars(row['fees_micros'])} of fees ({several(row['n_orders'], 'order')}, "
        f"{number(row['n_rejected'])} rejected; {several(row['n_fills'], 'fill')})"
    )


def _of_one(run: Run) -> list[str]:
    n_open = run.summary["n_open"].item()
    held = [f"{several(n_open, 'position')} stayed open: marked at the last known bid."] if n_open else []
    return [verdict(details(run), 1)[0], *held, *_missed(run), *_in_other_units(run)]


def _in_other_units(run: Run) -> list[str]:
    """Say in which units policies quote, where nothing could stand, or never a whole contract."""
    if "policy" not in run.manifest.get("config", {}):
        return []
    return [] if (run.orders["count_centi"] >= CONTRACT_CENTI).any() else [_UNITS]


def _missed(run: Run) -> list[str]:
    short = shortfalls(run.orders).sort("n_orders", descending=True, maintain_order=True)
    if short.is_empty():
        return []
    told = [
        f"{number(row['n_orders'])} {row['status']}, {row['reason']}"
        for row in short.head(REASONS_MAX).iter_rows(named=True)
    ]
    more = f"; {several(short.height - REASONS_MAX, 'other kind')}" if short.height > REASONS_MAX else ""
    n_orders = run.summary["n_orders"].item()
    often = short.filter(pl.col("n_orders") * _OFTEN >= n_orders)["reason"]
    hints = [f"{reason}: {hint}." for reason, hint in _HINTS.items() if reason in often]
    return [
        f"Of {several(n_orders, 'order')} these got less than they asked for: {'; '.join(told)}{more}.",
        *hints,
    ]
