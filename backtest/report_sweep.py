"""The part of the report on a sweep: every setting that was tried, not only the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.charts import profit_bars
from backtest.report_detail import median_index, ranked, swept
from backtest.report_numbers import dollars, plain, several
from backtest.report_page import Markup, paragraph, section, table, text, titled
from backtest.report_walk import walked

if TYPE_CHECKING:
    from backtest.results import Run

ROWS_MAX: Final = 1_000  # rows of the table; more are thinned by rank and the page says so
_GRID_MAX: Final = 16  # values of a parameter that a grid shows side by side
_SIGNED: Final = frozenset({"pnl_micros"})


def sweep(run: Run) -> Markup:
    """Show every setting; nothing for a single one."""
    rows = ranked(run)
    n, names = rows.height, swept(run)
    if n == 1:
        return Markup("")
    return section(
        "All settings",
        paragraph(
            f"{n:,} settings were tried on the same data. The best of them is the luckiest as well as the "
            "fittest: expect less of it on new data, and look at the median and at its neighbours.",
            "warning",
        ),
        titled("Net P&L", _drawn(rows, names)),
        _grid(rows, names),
        walked(run, names),
        titled(
            "The whole surface",
            _surface(rows, names),
            note=f"Best first; the best and the median row are marked.{_thinned_note(n)}",
        ),
        lead=f"{several(n, 'combination')} of {', '.join(names)}.{_fixed_note(rows, run.param_names)}",
        anchor="sweep",
    )


def setting(row: dict[str, Any], names: tuple[str, ...]) -> str:
    """Print the parameters of a summary row, as in "min_edge = 0.02, minutes = 5"."""
    return ", ".join(f"{name} = {plain(row[name])}" for name in names)


def _drawn(rows: pl.DataFrame, names: tuple[str, ...]) -> Markup:
    """One parameter is drawn along its values, several by rank."""
    shown = rows.with_row_index("#rank")
    caption = f"{rows.height:,} settings, from the worst to the best"
    if len(names) == 1:
        shown = shown.sort(names[0], maintain_order=True)
        caption = f"{names[0]}, from {plain(shown[names[0]][0])} to {plain(shown[names[0]][-1])}"
    at = shown["#rank"].to_list().index(median_index(rows.height))
    labels = [setting(row, names) for row in shown.iter_rows(named=True)]
    return Markup(profit_bars(labels, shown["pnl_micros"].to_list(), caption=caption, marked=at))


def _surface(rows: pl.DataFrame, names: tuple[str, ...]) -> Markup:
    titles = {name: name for name in names} | {
        "pnl_micros": "Net P&L",
        "fees_micros": "Fees",
        "n_orders": "Orders",
        "n_fills": "Fills",
        "n_markets": "Markets",
    }
    n = rows.height
    best, median = n - 1, median_index(n)
    shown = rows.with_row_index("#rank").reverse()
    if n > ROWS_MAX:
        keep = {i * n // ROWS_MAX for i in range(ROWS_MAX)} | {median, best}
        shown = shown.filter(pl.col("#rank").is_in(sorted(keep)))
    marks = {best: "best", median: "median"}
    strong = {at: marks[rank] for at, rank in enumerate(shown["#rank"]) if rank in marks}
    return table(shown, titles, signed=_SIGNED, strong_row=strong, rows_max=ROWS_MAX + 2, plain_names=names)


def _grid(rows: pl.DataFrame, names: tuple[str, ...]) -> Markup:
    """Two parameters side by side, tinted, so that a lone peak is told from a plateau."""
    if len(names) != 2:  # noqa: PLR2004 - a page has two dimensions
        return Markup("")
    down, across = (rows[name].unique().sort().to_list() for name in names)
    if not (1 < len(down) <= ROWS_MAX and 1 < len(across) <= _GRID_MAX):
        return Markup("")
    nets = {(row[names[0]], row[names[1]]): row["pnl_micros"] for row in rows.iter_rows(named=True)}
    largest = max(abs(net) for net in nets.values()) or 1
    head = "".join(f'<th scope="col" class="n">{text(plain(value))}</th>' for value in across)
    body = "".join(
        f'<tr><th scope="row">{text(plain(value))}</th>'
        + "".join(_tinted(nets.get((value, other)), largest) for other in across)
        + "</tr>"
        for value in down
    )
    corner = f"{text(names[0])} ↓ &nbsp; {text(names[1])} →"
    return titled(
        f"{names[0]} against {names[1]}",
        Markup(
            f'<div class="scroll"><table class="grid-table"><thead><tr><th>{corner}</th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        ),
        note="Net P&L. A plateau is worth more than a peak.",
    )


def _tinted(net: int | None, largest: int) -> str:
    if net is None:
        return "<td></td>"
    kind = "loss" if net < 0 else "gain"
    heat = f"--heat:{abs(net) * 60 // largest}%"
    return f'<td class="n heat-{kind}" style="{heat}">{text(dollars(net, is_signed=True))}</td>'


def _fixed_note(rows: pl.DataFrame, names: tuple[str, ...]) -> str:
    fixed = [f"{name} = {plain(rows[name][0])}" for name in names if rows[name].n_unique() == 1]
    return f" In all of them {', '.join(fixed)}." if fixed else ""


def _thinned_note(n: int) -> str:
    if n <= ROWS_MAX:
        return ""
    return f" {ROWS_MAX:,} of {n:,} rows, evenly by rank; all of them are in summary.parquet."
