"""What the commands print on a terminal: tables with aligned numbers, plain when piped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backtest.auditing import NOTHING
from backtest.comparing_contracts import CAUSES
from backtest.comparing_words import amounts, later, notes, varied
from backtest.metrics import MICROS_PER_CC, row_of
from backtest.report_detail import details, median_index, ranked, swept
from backtest.report_numbers import MINUS, NONE, contracts, dollars, number, plain, several, share, when
from backtest.report_walk import came, lived
from backtest.report_words import DAYS_FEW, of_the_best, verdict
from backtest.slippage import by_contracts
from exchange.units import format_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.account_fees import FeeAudit
    from backtest.auditing import Audit
    from backtest.comparing import Comparison
    from backtest.placebos import Placebo
    from backtest.report_detail import Detail
    from backtest.results import Run
    from backtest.running import Finished
    from backtest.scores import ForecastScores
    from backtest.slippage import Slippage
    from backtest.strategies.registry import Strategy

ROWS_MAX: Final = 20
LINES_MAX: Final = 120
WIDTH_PIPED: Final = 160
ORDER_MAX: Final = 24


def print_run(finished: Finished) -> None:
    """Print the assumptions, one line per setting (best first), the verdict and where the report lies."""
    run, console = finished.run, _console()
    console.print("Assumptions", style="bold")
    for sentence in run.assumptions:
        console.print(f"  - {escape(sentence)}", highlight=False)
    names, rows = swept(run), ranked(run).reverse().with_row_index("#rank", offset=1)
    ranks = ("Rank",) if rows.height > 1 else ()
    table = _table(
        *(*ranks, *names, "Net P&L", "Fees", "Filled", "Orders", "Fills", "Markets", "Open"),
        n_text=len(ranks),
    )
    marks = {1: "1 best", (median := rows.height - median_index(rows.height)): f"{median} median"}
    for row in rows.filter((pl.col("#rank") <= ROWS_MAX) | (pl.col("#rank") == median)).iter_rows(named=True):
        asked = int(
            row_of(run.orders, {name: row[name] for name in run.param_names})["count_centi"].sum() or 0
        )
        table.add_row(
            *(marks.get(row["#rank"], str(row["#rank"])) for _ in ranks),
            *(plain(row[name]) for name in names),
            dollars(row["pnl_micros"], is_signed=True),
            dollars(row["fees_micros"]),
            share(row["filled_centi"] / asked if asked else None),
            *(number(row[name]) for name in ("n_orders", "n_fills", "n_markets", "n_open")),
        )
    console.print(table)
    if rows.height > ROWS_MAX:
        said = f"The best {ROWS_MAX} of {rows.height:,} settings and the median; the report has all of them."
        console.print(said, highlight=False)
    shown = details(run)
    for said in (verdict(shown, rows.height)[0], *_of_choosing(finished.run, shown)):
        console.print(said, highlight=False)
    console.print(f"Report: {escape(str(finished.out / 'report.html'))}", highlight=False, soft_wrap=True)


def _of_choosing(run: Run, shown: list[Detail]) -> list[str]:
    """Say of a sweep what its best setting is worth to who has to choose beforehand."""
    if len(shown) == 1:
        return []
    folds = lived(run)
    said = (of_the_best(shown[-1]), "" if folds is None else came(folds))
    return [each for each in said if each]


def print_ladder(rows: pl.DataFrame) -> None:
    """Print one line per setting and rung."""
    given = rows.columns[: rows.columns.index("rung")]
    names = [name for name in given if rows[name].n_unique() > 1]
    table = _table("Rung", *names, "Known", "Net P&L", "Fees", "Orders", "Fills", "Contracts", n_text=1)
    for row in rows.head(LINES_MAX).iter_rows(named=True):
        table.add_row(
            row["rung"],
            *(plain(row[name]) for name in names),
            share(row["known_share"]),
            dollars(row["pnl_micros"], is_signed=True),
            dollars(row["fees_micros"]),
            *(number(row[name]) for name in ("n_orders", "n_fills")),
            contracts(row["filled_centi"]),
        )
    _print_lines(table, rows.height)


def print_sensitivity(rows: pl.DataFrame) -> None:
    """Print one line per setting, assumption and value."""
    given = rows.columns[: rows.columns.index("assumption")]
    names = [name for name in given if rows[name].n_unique() > 1]
    table = _table(
        "Assumption", "Value", *names, "Net P&L", "Change", "Fees", "Orders", "Fills", "Contracts", n_text=1
    )
    for row in rows.head(LINES_MAX).iter_rows(named=True):
        table.add_row(
            row["assumption"],
            escape(row["value"]),
            *(plain(row[name]) for name in names),
            dollars(row["pnl_micros"], is_signed=True),
            "base" if row["is_base"] else dollars(row["change_micros"], is_signed=True),
            dollars(row["fees_micros"]),
            *(number(row[name]) for name in ("n_orders", "n_fills")),
            contracts(row["filled_centi"]),
        )
    _print_lines(table, rows.height)


def _print_lines(table: Table, n_rows: int) -> None:
    console = _console()
    console.print(table)
    if n_rows > LINES_MAX:
        console.print(f"{LINES_MAX} of {n_rows:,} lines; --json has all of them.")


def print_audit(found: Audit, *, is_swept: bool) -> None:
    """Print what was found and the first differences, each once; of a sweep, which setting was looked at."""
    console = _console()
    if is_swept:
        setting = ", ".join(f"{name} = {plain(value)}" for name, value in found.params.items())
        console.print(f"Of the sweep, its first setting: {escape(setting)}.", highlight=False, soft_wrap=True)
    console.print(escape(repr(found)), highlight=False, soft_wrap=True)
    if found.is_clean:
        return
    table = _table("Decided (UTC)", "Market", "Wanted", "Without the future", n_text=4)
    what = [name for name in found.differences.columns if name != "cut_ts"]
    rows = found.differences.unique(what, keep="first", maintain_order=True)
    for row in rows.head(ROWS_MAX).iter_rows(named=True):
        wanted = (row["wanted"] or NOTHING, row["wanted_then"] or NOTHING)
        table.add_row(when(row["known_ts"]), escape(row["ticker"]), *(escape(each) for each in wanted))
    console.print()
    console.print(table)
    if rows.height > ROWS_MAX:
        console.print(f"{ROWS_MAX} of {rows.height:,} differences; --json has all of them.")


def print_placebo(found: Placebo) -> None:
    """Print what a plan's orders came to where they know nothing, below its audit."""
    console = _console()
    console.print()
    console.print(escape(repr(found)), highlight=False, soft_wrap=True)


def print_slippage(measured: Slippage) -> None:
    """Print what was measured in words, then what each size paid beside what the model says."""
    console = _console()
    for sentence in measured.sentences(has_spread=False):
        console.print(f"{sentence[0].upper()}{sentence[1:]}.", highlight=False)
    if measured.explained_share is not None:
        explained = share(measured.explained_share, 0)
        console.print(f"The impact explains {explained} of the variance of measured costs.", highlight=False)
    assert measured.fit is not None
    table = _table("Contracts", "Measured", "Deep enough", "Cost", "Model", n_text=0)
    for row in by_contracts(measured.fit).iter_rows(named=True):
        costs = (row[name] for name in ("cost_cc", "model_cc"))
        table.add_row(
            plain(row["contracts"]),
            number(row["n"]),
            share(row["deep_share"]),
            *(dollars(each and each * MICROS_PER_CC, decimals=4) for each in costs),
        )
    console.print()
    console.print(table)
    console.print("Cost: what a contract paid beyond the touch, on average, where depth was enough.")


def print_fee_audit(audit: FeeAudit) -> None:
    """Print what the comparison assumed, what it found, and the orders that differ."""
    console = _console()
    console.print("Assumptions", style="bold")
    for sentence in audit.assumptions:
        console.print(f"  - {escape(sentence)}", highlight=False)
    table = _table("Orders", "Number", "Exact", n_text=1)
    table.add_row("filled at once", number(audit.n_single), number(audit.n_single_exact))
    table.add_row("filled in parts", number(audit.n_multi), number(audit.n_multi_exact))
    console.print(table)
    console.print(
        f"{several(audit.n_fills, 'fill')}: charged ${format_micros(audit.charged_micros)}, "
        f"the model says ${format_micros(audit.model_micros)}.",
        highlight=False,
    )
    if not audit.differing:
        console.print("Every order was charged what the model says.")
        return
    differing = _table("Order", "Market", "Fills", "Multiplier", "Model", "Charged", "Difference", n_text=2)
    for each in audit.differing[:ROWS_MAX]:
        differing.add_row(
            escape(each.order if len(each.order) <= ORDER_MAX else f"…{each.order[-ORDER_MAX:]}"),
            escape(each.ticker),
            number(each.n_fills),
            f"{each.multiplier_ppm / 1_000_000:g}",
            format_micros(each.model_micros),
            format_micros(each.charged_micros),
            format_micros(each.model_micros - each.charged_micros),
        )
    console.print(differing)
    if len(audit.differing) > ROWS_MAX:
        console.print(f"{ROWS_MAX} of {len(audit.differing):,} that differ; --json lists all of them.")


def print_comparison(found: Comparison) -> None:
    """Print one line for each parameter row, the causes by market, and what else is different."""
    names, other = varied(found), found.other.capitalize()
    columns = ("run_pnl_micros", "other_pnl_micros", "difference_micros", *CAUSES.values())
    titles = (
        "Run",
        other,
        "Difference",
        *(name.replace("other", found.other).capitalize() for name in CAUSES),
    )
    table = _table(*names, *titles, "Matched", "Later", n_text=0)
    for row in found.summary.head(LINES_MAX).iter_rows(named=True):
        table.add_row(
            *(plain(row[name]) for name in names),
            *amounts([row[name] for name in columns]),
            contracts(row["matched_centi"]),
            later(row["later_s"]),
        )
    _print_lines(table, found.summary.height)
    if not found.is_equal:
        _print_causes(found)
    console = _console()
    for said in notes(found):
        console.print(escape(said), highlight=False, soft_wrap=True)
    if found.is_equal:
        console.print("Every contract has its like, to the micro-dollar.")


def _print_causes(found: Comparison) -> None:
    names, console = varied(found), _console()
    table = _table(*("Market", "Cause"), *names, "Difference", "Contracts", n_text=2)
    worst = found.causes.sort(pl.col("micros").abs(), descending=True, maintain_order=True).head(ROWS_MAX)
    for row, amount in zip(worst.iter_rows(named=True), amounts(worst["micros"].to_list()), strict=True):
        table.add_row(
            escape(row["ticker"]),
            row["cause"].replace("other", found.other),
            *(plain(row[name]) for name in names),
            amount,
            contracts(row["count_centi"]),
        )
    console.print()
    console.print(table)
    if found.causes.height > ROWS_MAX:
        console.print(f"{ROWS_MAX} of {found.causes.height:,} differences; --json has all of them.")
    console.print()


def print_scores(scores: ForecastScores) -> None:
    """Print the scores of a forecast and its market, the reliability of both, and what was left out."""
    console = _console()
    summary = _table(
        *("Score", "Forecast", "Market", "Skill", "95 % interval", "Events", "Days", "Markets", "Rows"),
        n_text=1,
    )
    for row in scores.summary.iter_rows(named=True):
        summary.add_row(
            row["score"].replace("_", " "),
            *(_score(row[name]) for name in ("forecast", "market")),
            _score(row["skill"], is_signed=True),
            _between(row, is_signed=True),
            *(number(row[f"n_{name}"]) for name in ("events", "days", "markets", "forecasts")),
        )
    console.print(summary)
    reliability = _table(
        *("Who", "Said", "Mean", "Came", "95 % interval", "Events", "Days", "Markets", "Rows"), n_text=2
    )
    for row in scores.reliability.iter_rows(named=True):
        reliability.add_row(
            row["who"],
            f"{row['from_prob']:.1f} to {row['to_prob']:.1f}",
            *(_score(row[name]) for name in ("mean_prob", "share_yes")),
            _between(row),
            *(number(row[f"n_{name}"]) for name in ("events", "days", "markets", "forecasts")),
        )
    console.print()
    console.print(reliability)
    for reason, n_forecasts, n_markets in scores.left_out.iter_rows():
        n_rows, of = several(n_forecasts, "row"), several(n_markets, "market")
        console.print(f"Left out: {n_rows} of {of}: {reason}.", highlight=False)
    if n_scalar := scores.summary["n_scalar"][0]:
        console.print(
            f"{several(n_scalar, 'market')} paid neither $0 nor $1, and count as that.", highlight=False
        )
    if scores.summary["n_days"][0] < DAYS_FEW:
        console.print(f"Of fewer than {DAYS_FEW} days, intervals are too narrow.")


def _score(value: float, *, is_signed: bool = False) -> str:
    return f"{value:{'+' if is_signed else ''}.4f}".replace("-", MINUS)


def _between(row: dict[str, Any], *, is_signed: bool = False) -> str:
    if row["low"] is None:
        return NONE
    return " to ".join(_score(row[side], is_signed=is_signed) for side in ("low", "high"))


def print_strategies(strategies: Sequence[Strategy]) -> None:
    """Print each strategy with its bet, what would show it wrong, and its parameters."""
    console = _console()
    for index, each in enumerate(strategies):
        if index:
            console.print()
        console.print(each.name, style="bold", highlight=False)
        defaults = ", ".join(f"{name} = {plain(value)}" for name, value in (each.params or {}).items())
        for title, words in (
            ("", each.summary),
            ("Hypothesis: ", each.hypothesis),
            ("Falsified by: ", each.falsified_by),
            ("Parameters: ", defaults),
        ):
            console.print(f"  {title}{escape(words)}", highlight=False)


def _console() -> Console:
    """Write to a pipe as wide as tables need, to a terminal as wide as it is."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_PIPED)


def _table(*titles: str, n_text: int) -> Table:
    """A table whose first `n_text` columns are text and whose others are numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        table.add_column(title, justify="left" if index < n_text else "right", no_wrap=True)
    return table
