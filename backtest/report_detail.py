"""One parameter row of a run with all that the report says about it, and which rows deserve a closer look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backtest.metrics import (
    against_the_middle,
    by_event,
    by_series,
    drawdown,
    evidence,
    exposure,
    fill_rate,
    interval_by_day,
    profit,
    row_of,
    settled_cash,
)
from backtest.report_numbers import plain

if TYPE_CHECKING:
    import polars as pl

    from backtest.results import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """The frames of one parameter row and their metrics; `label` says why it is shown, "" if it is alone."""

    label: str
    params: dict[str, Any]
    cash_start_micros: int
    orders: pl.DataFrame
    fills: pl.DataFrame
    fees: pl.DataFrame
    against_the_middle: pl.DataFrame
    equity: pl.DataFrame
    settlements: pl.DataFrame
    positions: pl.DataFrame
    baskets: pl.DataFrame
    exposures: pl.DataFrame
    attrition: dict[str, int]
    events: pl.DataFrame
    series: pl.DataFrame
    evidence: pl.DataFrame
    profit: dict[str, int]
    drawdown: dict[str, Any]
    settled_drawdown: dict[str, Any]
    exposure: dict[str, Any]
    fill_rate: dict[str, Any]
    interval: dict[str, Any]

    @property
    def key(self) -> str:
        """Name the row inside element ids."""
        return (self.label.split(" ")[0] or "run").lower()

    @property
    def setting(self) -> str:
        """Print the parameters, as in "min_edge = 0.02, minutes = 5"."""
        return ", ".join(f"{name} = {plain(value)}" for name, value in self.params.items())


def swept(run: Run) -> tuple[str, ...]:
    """Return the names of the parameters that take more than one value."""
    return tuple(name for name in run.param_names if run.summary[name].n_unique() > 1)


def ranked(run: Run) -> pl.DataFrame:
    """Return the summary from the worst to the best P&L; equal ones keep their order."""
    return run.summary.sort("pnl_micros", maintain_order=True)


def median_word(n: int) -> str:
    """Return what that setting is called: of an even number it is the lower one of the two in the middle."""
    return "median" if n % 2 else "lower median"


def median_index(n: int) -> int:
    """Return where the median lies among `n` ranked rows: the worse of the two middle ones."""
    return (n - 1) // 2


def details(run: Run) -> list[Detail]:
    """Return the only row, or the best and the median row of a sweep."""
    rows = ranked(run)
    n = rows.height
    if n == 1:
        return [detail_of(run, rows.row(0, named=True), "")]
    best, median = rows.row(n - 1, named=True), rows.row(median_index(n), named=True)
    return [
        detail_of(run, median, f"Median of {n} settings"),
        detail_of(run, best, f"Best of {n} settings", n_tried=n),
    ]


def detail_of(run: Run, summary_row: dict[str, Any], label: str, *, n_tried: int = 1) -> Detail:
    """Return one parameter row of the run, the best of `n_tried`, cut out of every frame and measured."""
    params = {name: summary_row[name] for name in run.param_names}
    orders, fills, equity, settlements, positions = (
        row_of(frame, params) for frame in (run.orders, run.fills, run.equity, run.settlements, run.positions)
    )
    events = by_event(fills, settlements, positions)
    earned = profit(fills, settlements, positions)
    return Detail(
        label=label,
        params=params,
        cash_start_micros=summary_row["cash_start_micros"],
        orders=orders,
        fills=fills,
        fees=row_of(run.fees, params),
        against_the_middle=against_the_middle(row_of(run.markouts, params)),
        equity=equity,
        settlements=settlements,
        positions=positions,
        baskets=row_of(run.baskets, params),
        exposures=row_of(run.exposures, params),
        attrition=_counts(row_of(run.attrition, params)),
        events=events,
        series=by_series(events),
        evidence=evidence(fills),
        profit=earned,
        drawdown=drawdown(equity),
        settled_drawdown=drawdown(
            settled_cash(settlements, summary_row["cash_start_micros"]), "settled_micros"
        ),
        exposure=exposure(summary_row, earned["net_micros"]),
        fill_rate=fill_rate(orders),
        interval=interval_by_day(events, n_tried=n_tried),
    )


def _counts(attrition: pl.DataFrame) -> dict[str, int]:
    if attrition.is_empty():
        return {}
    return {name: n for name, n in attrition.row(0, named=True).items() if name.startswith("n_")}
