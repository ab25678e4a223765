"""A comparison in words: by how much, for which causes, where most, and what else is different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.comparing_contracts import CAUSES
from backtest.report_numbers import (
    MINUS,
    NONE,
    contracts,
    decimals_for,
    dollars,
    length,
    number,
    plain,
    several,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.comparing import Comparison

LINES_MAX: Final = 12
WORST_MAX: Final = 3
VALUE_MAX: Final = 24  # characters of a value; digests are longer, and only that they differ says something


def in_words(found: Comparison) -> str:
    """Return the whole of it: a sentence for each parameter row, then what holds for all of them."""
    lines = [_sentence(found, row) for row in found.summary.head(LINES_MAX).iter_rows(named=True)]
    if found.summary.height > LINES_MAX:
        lines.append(f"… and {found.summary.height - LINES_MAX:,} more rows of parameters, in summary.")
    return "\n".join([*lines, *_worst(found), *notes(found)])


def notes(found: Comparison) -> list[str]:
    """Say what is different besides money: orders, manifests, and what was left out."""
    said = []
    if found.other == "other":
        said.append(_orders(found.summary))
        said.append(_manifest(found.manifest))
    for who, reason, n_markets, n_fills, count_centi in found.left_out.iter_rows():
        fills, markets = several(n_fills, "fill"), several(n_markets, "market")
        said.append(f"Left out of the {who}: {fills} of {contracts(count_centi)} in {markets}: {reason}.")
    return said


def varied(found: Comparison) -> list[str]:
    """Return the parameters that have more than one value."""
    return [name for name in found.param_names if found.summary[name].n_unique() > 1]


def amounts(micros: Sequence[int]) -> list[str]:
    """Print amounts with a sign: all to the micro-dollar if one has such, else as `decimals_for` says.

    That is rounded to the cent where none is below ten cents.
    """
    is_finest = any(each % 100 for each in micros)
    decimals = 6 if is_finest else decimals_for(micros)
    return [dollars(each, decimals=decimals, is_signed=True) for each in micros]


def later(seconds: float | None) -> str:
    """Print by how much later the other was: +4.75 s is "+4 s 750 ms"."""
    if seconds is None:
        return NONE
    sign = "+" if seconds > 0 else MINUS if seconds < 0 else ""
    return f"{sign}{length(round(seconds * 1_000_000))}"


def _sentence(found: Comparison, row: dict[str, Any]) -> str:
    setting = ", ".join(f"{name}={plain(row[name])}" for name in varied(found))
    about = f"{setting}: " if setting else ""
    causes = {name: row[column] for name, column in CAUSES.items() if row[column]}
    ranked = sorted(causes, key=lambda name: -abs(causes[name]))
    total = (row["run_pnl_micros"], row["other_pnl_micros"], row["difference_micros"])
    was, came, difference, *printed = amounts([*total, *(causes[name] for name in ranked)])
    of_one = [row[name] for name in ("only_run_centi", "only_other_centi")]
    matched = f"{contracts(row['matched_centi'])} matched"
    if row["later_s"]:
        matched += f", on average {later(row['later_s'])} in the {found.other}"
    if found.is_equal:
        return f"{about}The same P&L, {came}; contracts: {matched}."
    told = (f"{_cause(found, name)} {each}" for name, each in zip(ranked, printed, strict=True))
    why = ", ".join(told) or "nothing on balance"
    only = f"{contracts(of_one[0])} only in the run, {contracts(of_one[1])} only in the {found.other}"
    return (
        f"{about}P&L {difference}: {came} in the {found.other}, {was} in the run. Why: {why}. "
        f"Contracts: {matched}; {only}."
    )


def _cause(found: Comparison, name: str) -> str:
    return name.replace("other", found.other)


def _worst(found: Comparison) -> list[str]:
    if found.causes["ticker"].n_unique() < 2:  # noqa: PLR2004 -- of one market all was said
        return [f"All of it in {ticker}." for ticker in found.causes["ticker"].unique()]
    worst = found.causes.sort(pl.col("micros").abs(), descending=True, maintain_order=True).head(WORST_MAX)
    rows = list(worst.iter_rows(named=True))
    told = zip(rows, amounts([row["micros"] for row in rows]), strict=True)
    most = "; ".join(f"{row['ticker']} {_cause(found, row['cause'])} {each}" for row, each in told)
    return [f"Most: {most}."]


def _orders(summary: pl.DataFrame) -> str:
    n_run, n_other, n_same = (
        int(summary[name].fill_null(0).sum()) for name in ("n_run_orders", "n_other_orders", "n_same_orders")
    )
    if n_run == n_other == n_same:
        return f"Orders: {number(n_run)}, the same on both sides."
    only = f"another {number(n_run - n_same)} only in the run, {number(n_other - n_same)} only in the other"
    return f"Orders: {number(n_same)} the same; {only}."


def _manifest(manifest: pl.DataFrame) -> str:
    if manifest.is_empty():
        return "The manifests are the same."
    told = [_fact(*row) for row in manifest.head(LINES_MAX).iter_rows()]
    if manifest.height > LINES_MAX:
        told.append(f"and {manifest.height - LINES_MAX} more")
    return f"The manifests differ in {', '.join(told)}."


def _fact(name: str, run: str | None, other: str | None) -> str:
    if any(each is not None and len(each) > VALUE_MAX for each in (run, other)):
        return name
    return f"{name} ({run or 'none'}, then {other or 'none'})"
