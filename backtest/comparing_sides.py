"""The sides of a comparison: which parameter rows meet, and what a run did in them as a ledger."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from backtest.comparing_contracts import FILLS, WORTHS, Ledger, pnl
from backtest.errors import PlanError
from backtest.parameters import as_whole
from backtest.results import Run, as_text
from backtest.saved import MANIFEST, run_of
from exchange.errors import BadInput
from exchange.units import DOLLAR_CC, format_micros

_ROWS_TOLD: Final = 8  # by a message
ROW: Final = "#row"  # no parameter is called so
_ORDER: Final = ("ticker", "decision_ts", "action", "side", "count_centi", "limit_cc", "tif", "ttl_us")


def opened(side: Run | str | Path) -> Run:
    """Return a run, read from its folder if it is one.

    Raises:
        PlanError: it is neither.
        BadInput: there is no result; of a file, the message says how own fills are compared.
    """
    if not isinstance(side, str | Path):
        return run_of(side)
    if Path(side).is_file() and Path(side).name != MANIFEST:
        raise BadInput(
            f"{side} is a file, and a result of a backtest is a folder; your own fills are compared with one "
            f"as --fills {side} (fills={str(side)!r})"
        )
    return Run.load(side)


def chosen(sides: Sequence[Run], params: Mapping[str, Any]) -> list[pl.DataFrame]:
    """Return for each side the parameters of the rows that meet, one below the other, and their ROW.

    Raises:
        PlanError: a row that no side has, or several that differ.
    """
    if unknown := [name for name in params if all(name not in side.param_names for side in sides)]:
        has = ", ".join(dict.fromkeys(name for side in sides for name in side.param_names)) or "none"
        raise PlanError(f"params: no parameter is called {', '.join(unknown)}; the results have {has}")
    found = [_matching(side, params) for side in sides]
    if any(len(each) != 1 for each in found):
        values = [list(each.values()) for each in found]
        if len(sides) == 1 or sorted(map(_key, values[0])) != sorted(map(_key, values[1])):
            counts = " and ".join(str(len(each)) for each in found)
            such_as = _setting(next(iter(found[0].values())))
            raise PlanError(f"{counts} parameter rows: choose one with params= (--param), such as {such_as}")
        at = {_key(row): number for number, row in found[1].items()}
        found[1] = {at[_key(row)]: row for row in found[0].values()}
    return [
        side.summary[list(each)].select(*side.param_names, pl.int_range(pl.len()).alias(ROW))
        for side, each in zip(sides, found, strict=True)
    ]


def _key(row: Mapping[str, Any]) -> str:
    """Return what equal settings share, in whatever order the names were given; 1 and 1.0 are equal."""
    return repr(sorted((name, as_whole(value)) for name, value in row.items()))


def _setting(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={as_text(value)}" for name, value in row.items())


def _matching(side: Run, params: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the parameter rows of these values, by their place in the summary."""
    rows = [{name: row[name] for name in side.param_names} for row in side.summary.iter_rows(named=True)]
    asked = {name: value for name, value in params.items() if name in side.param_names}
    found = {
        number: row
        for number, row in enumerate(rows)
        if all(value == row[name] or as_text(value) == as_text(row[name]) for name, value in asked.items())
    }
    if not found:
        known = dict.fromkeys(_setting({name: row[name] for name in asked}) for row in rows)
        few = "; ".join([*known][:_ROWS_TOLD]) + (" and others" if len(known) > _ROWS_TOLD else "")
        raise PlanError(f"no parameter row has {_setting(asked)}; there are {few}")
    return found


def rows_of(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return those of a run's frame that are of the chosen rows, with column `row` for the parameters."""
    names = [name for name in rows.columns if name != ROW]
    if not names:
        return frame.with_columns(row=pl.lit(0, pl.Int64))
    told = frame.join(rows, on=names, how="inner", nulls_equal=True, maintain_order="left")
    return told.drop(names).rename({ROW: "row"})


def ledger_of(run: Run, rows: pl.DataFrame) -> Ledger:
    """Return what a run acquired in the chosen rows and what it came to.

    Raises:
        BadInput: that is not the P&L of its summary.
    """
    is_yes = (pl.col("action") == "buy") == (pl.col("side") == "yes")
    price = pl.col("yes_price_cc")
    fills = rows_of(run.fills, rows).with_columns(
        outcome=pl.when(is_yes).then(pl.lit("yes")).otherwise(pl.lit("no")),
        ts="fill_ts",
        price_cc=pl.when(is_yes).then(price).otherwise(DOLLAR_CC - price),
    )
    paid = rows_of(run.settlements, rows).group_by("row", "ticker", maintain_order=True)
    is_of_yes = pl.col("position_centi") > 0
    marked = rows_of(run.positions, rows).with_columns(
        yes_worth_cc=pl.when(is_of_yes).then("mark_cc").otherwise("other_mark_cc"),
        no_worth_cc=pl.when(is_of_yes).then("other_mark_cc").otherwise("mark_cc"),
    )
    value = pl.col("value_cc").last()  # of several, the last corrects those before
    last = paid.agg(yes_worth_cc=value, no_worth_cc=DOLLAR_CC - value)
    ledger = Ledger(
        fills.select(*(pl.col(name).cast(kind) for name, kind in FILLS.items()), "fill_id"),
        pl.concat([each.select(list(WORTHS)).cast(WORTHS) for each in (last, marked)]),
    )
    _check(rows_of(run.summary, rows), ledger)
    return ledger


def _check(summary: pl.DataFrame, ledger: Ledger) -> None:
    told = summary.select("row", told_micros="pnl_micros").join(pnl(ledger), on="row", how="left")
    wrong = told.filter(pl.col("told_micros") != pl.col("pnl_micros").fill_null(0))
    for _, told_micros, pnl_micros in wrong.iter_rows():
        raise BadInput(
            f"fills, settlements and positions come to ${format_micros(pnl_micros or 0)}, but the summary "
            f"says ${format_micros(told_micros)}: run the backtest again"
        )


def orders_in_common(run: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return row, n_run_orders, n_other_orders and n_same_orders: decided alike; cancels do not count."""
    both = pl.concat(
        each.filter(pl.col("action") != "cancel").select("row", *_ORDER, is_run=pl.lit(number == 0))
        for number, each in enumerate((run, other))
    )
    n_run, n_other = pl.col("is_run").sum().cast(pl.Int64), (~pl.col("is_run")).sum().cast(pl.Int64)
    alike = both.group_by("row", *_ORDER).agg(n_run=n_run, n_other=n_other)
    return alike.group_by("row").agg(
        n_run_orders=pl.col("n_run").sum(),
        n_other_orders=pl.col("n_other").sum(),
        n_same_orders=pl.min_horizontal("n_run", "n_other").sum(),
    )
