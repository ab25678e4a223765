"""An account's own fills as a ledger beside a run's, of the markets and the time that both cover."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from backtest.account_fills import AccountFill, fill_files, read_fills
from backtest.comparing_contracts import FILLS, WORTHS, Ledger, position_centi
from backtest.engine import opened
from backtest.errors import PlanError
from backtest.lifecycle import payouts
from backtest.report_numbers import several
from backtest.results import Run
from exchange.units import DOLLAR_CC
from warehouse.storage import collected
from warehouse.tables import MARKETS

if TYPE_CHECKING:
    from warehouse import Lake

Between = tuple[datetime | None, datetime | None]

LEFT_OUT: Final = pl.Schema(
    {
        "who": pl.String(),  # run | account
        "reason": pl.String(),
        "n_markets": pl.Int64(),
        "n_fills": pl.Int64(),
        "count_centi": pl.Int64(),
    }
)
NOT_IN_RUN: Final = "market is not in the run"
NOT_RECORDED: Final = "the run has no data of that time"
NOT_OPEN: Final = "market was not open while the account traded"
NO_WORTH: Final = "no payout on record, and no mark of the run"
_KINDS: Final = {**FILLS, "fill_id": pl.String()}


def beside_account(
    run: Run,
    ledger: Ledger,
    files: str | Path | Iterable[str | Path],
    lake: "Lake | None",
    between: Between,
) -> tuple[Ledger, Ledger, pl.DataFrame]:
    """Return the run's ledger and the account's, of what both cover, and LEFT_OUT: what else they did.

    Raises:
        PlanError: nothing is left to compare.
        BadInput: a file cannot be read.
    """
    paths = fill_files(files)
    own = _within(_rows(read_fills(paths)[0]), between)
    if own.is_empty():
        raise PlanError(
            f"{', '.join(map(str, paths))}: no fill, or none between start and end: nothing to compare"
        )
    known = run.coverage.select("ticker", "open_ts", "close_ts", "first_ts")
    tested, own = (
        each.join(known, on="ticker", how="left") for each in (_within(ledger.fills, between), own)
    )
    first_ts, last_ts = between[0] or own["ts"].min(), between[1] or own["ts"].max()
    opened_ts = pl.coalesce("open_ts", "first_ts")
    was_open = (opened_ts <= last_ts) & (pl.col("close_ts").fill_null(last_ts) >= first_ts)
    tested = tested.with_columns(reason=pl.when(~was_open).then(pl.lit(NOT_OPEN)))
    is_known = pl.col("ticker").is_in(run.coverage["ticker"].implode())
    recorded_ts = pl.concat([run.coverage["last_ts"], run.equity["ts"]]).max()
    is_recorded = pl.col("ts").is_between(pl.col("first_ts"), recorded_ts).fill_null(value=False)
    own = own.with_columns(
        reason=pl.when(~is_known).then(pl.lit(NOT_IN_RUN)).when(~is_recorded).then(pl.lit(NOT_RECORDED))
    )
    both = {"run": tested, "account": own}
    traded = pl.concat([each["ticker"] for each in both.values()])
    worths = pl.concat([ledger.worths, _paid(lake, traded, ledger.worths["ticker"])])
    unknown = pl.concat([_unknown(each, worths) for each in both.values()]).implode()
    is_unknown = pl.col("reason").is_null() & pl.col("ticker").is_in(unknown)
    both = {
        who: each.with_columns(reason=pl.when(is_unknown).then(pl.lit(NO_WORTH)).otherwise("reason"))
        for who, each in both.items()
    }
    left_out = pl.concat([_left_out(who, each) for who, each in both.items()])
    tested, own = (each.filter(pl.col("reason").is_null()) for each in both.values())
    if tested.is_empty() and own.is_empty():
        lines = left_out.select("who", "reason", "n_fills").iter_rows()
        why = "; ".join(f"{who}: {reason}: {several(n, 'fill')}" for who, reason, n in lines)
        raise PlanError(f"the run and the account have no market and time in common: {why}")
    return (
        Ledger(tested.select(ledger.fills.columns), worths),
        Ledger(own.select(list(_KINDS)), worths),
        left_out,
    )


def _rows(fills: Sequence[AccountFill]) -> pl.DataFrame:
    columns = ("ticker", "outcome", "created_ts", "price_cc", "count_centi", "fee_micros", "where")
    rows = [(0, *(getattr(each, name) for name in columns)) for each in fills]
    return pl.DataFrame(rows, schema=_KINDS, orient="row")


def _within(fills: pl.DataFrame, between: Between) -> pl.DataFrame:
    start_ts, end_ts = between
    ts = pl.col("ts")
    return fills.filter(
        pl.lit(value=True) if start_ts is None else ts >= start_ts,
        pl.lit(value=True) if end_ts is None else ts < end_ts,
    )


def _paid(lake: "Lake | None", traded: pl.Series, known: pl.Series) -> pl.DataFrame:
    """Return WORTHS of markets of which the run knows none: what the lake says that they paid."""
    names = sorted(set(traded) - set(known))
    if lake is None or not names:
        return WORTHS.to_frame()
    states = cast("Lake", opened(lake)).scan(MARKETS).filter(pl.col("ticker").is_in(names))
    told = collected(states, MARKETS.name).sort("ticker", "observed_ts", maintain_order=True)
    last = payouts(told, timedelta(0)).group_by("ticker").agg(pl.col("value_cc").sort_by("number").last())
    value = pl.col("value_cc")
    worths = last.select("ticker", row=0, yes_worth_cc=value, no_worth_cc=DOLLAR_CC - value)
    return worths.select(list(WORTHS)).cast(WORTHS)


def _unknown(fills: pl.DataFrame, worths: pl.DataFrame) -> pl.Series:
    """Return the markets of which something is left, of the fills that count, and nobody knows its worth."""
    counted = fills.filter(pl.col("reason").is_null()).group_by("ticker").agg(position_centi=position_centi())
    held = counted.filter(pl.col("position_centi") != 0)
    return held.join(worths, on="ticker", how="anti")["ticker"]


def _left_out(who: str, fills: pl.DataFrame) -> pl.DataFrame:
    told = fills.drop_nulls("reason").group_by("reason", maintain_order=True)
    counted = told.agg(
        n_markets=pl.col("ticker").n_unique(), n_fills=pl.len(), count_centi=pl.col("count_centi").sum()
    )
    return counted.sort("reason").with_columns(who=pl.lit(who)).select(list(LEFT_OUT)).cast(LEFT_OUT)
