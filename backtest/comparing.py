"""Why two results differ, or a result from what an account really did: an exact sum of causes.

    print(bt.compare(run, slower))                     # both from bt.run, or folders of results
    print(bt.compare(run, fills="my_fills.csv"))       # what was tested, and what happened

The difference in P&L is the sum of what its causes come to, contract by contract, without a rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.by_setting import refuse_taken
from backtest.comparing_account import LEFT_OUT, beside_account
from backtest.comparing_contracts import CAUSES, ONLY_OTHER, ONLY_RUN, Ledger, met, pnl
from backtest.comparing_manifests import MANIFEST, differing
from backtest.comparing_sides import ROW, chosen, ledger_of, opened, orders_in_common, rows_of
from backtest.comparing_words import in_words
from backtest.errors import PlanError, kind_of
from backtest.results import Run
from warehouse.asking import Moment, bounds

if TYPE_CHECKING:
    from warehouse import Lake

_HOME: Final = ("ticker", "event_ticker", "series_ticker")
_SIDE: Final = ("fill_id", "ts", "price_cc", "fee_micros", "worth_cc")
_CONTRACTS: Final = (
    *(*_HOME, "outcome", "count_centi"),
    *(f"{side}_{name}" for side in ("run", "other") for name in _SIDE),
    *("later_s", *CAUSES.values()),
)
_SUMMARY: Final = (
    *("run_pnl_micros", "other_pnl_micros", "difference_micros", *CAUSES.values()),
    *("matched_centi", "only_run_centi", "only_other_centi", "later_s"),
)
_ORDERS: Final = dict.fromkeys(("row", "n_run_orders", "n_other_orders", "n_same_orders"), pl.Int64())
_OWN: Final = (*_SUMMARY, *_ORDERS, *_CONTRACTS, "cause", "micros")


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """What `bt.compare` found; printed, it says the most important of it.

    Frames have the parameter columns first, where both sides have the same rows of parameters. What a column
    or a row says in dollars is what the other has more than the run; "run" is the one given first.

    summary: run_pnl_micros, other_pnl_micros, difference_micros, and by_price_micros, by_fee_micros,
        by_payout_micros, by_only_run_micros, by_only_other_micros, which add up to it; matched_centi,
        only_run_centi, only_other_centi; later_s, by how many seconds the other had its matched contracts
        later, on average (null without any); n_run_orders, n_other_orders, n_same_orders (null beside an
        account). One line per parameter row.
    causes: ticker, event_ticker, series_ticker, cause (price, fee, payout, only in run, only in other),
        micros, count_centi: the contracts that differ. By parameters, the largest amounts first.
    contracts: ticker, event_ticker, series_ticker, outcome (acquired: yes or no), count_centi; for run and
        other fill_id, ts, price_cc and worth_cc (of the outcome), fee_micros, null where it has no such
        contract; later_s; and the by_… columns. Of an account, other_fill_id is where the fill stands:
        file:line. By parameters, ticker, outcome and place.
    manifest: name, run, other: what differs, as JSON; null where one of them does not say.
    left_out: who (run or account), reason, n_markets, n_fills, count_centi: of what an account is not
        compared with; empty between two runs.
    other: "other", or "account".
    """

    param_names: tuple[str, ...]
    summary: pl.DataFrame
    causes: pl.DataFrame
    contracts: pl.DataFrame
    manifest: pl.DataFrame
    left_out: pl.DataFrame
    other: str

    @property
    def is_equal(self) -> bool:
        """Whether every contract has its like, to the micro-dollar; times and manifests may differ."""
        return self.causes.is_empty()

    def __repr__(self) -> str:
        """Say by how much they differ, for which causes and where most; then what else is different."""
        return in_words(self)


def compare(
    run: Run | str | Path,
    other: Run | str | Path | None = None,
    *,
    fills: str | Path | Iterable[str | Path] | None = None,
    lake: "Lake | None" = None,
    start: Moment | None = None,
    end: Moment | None = None,
    params: Mapping[str, Any] | None = None,
) -> Comparison:
    """Say why another result, or an account's own, differs from a run, to the micro-dollar.

    Contracts meet one by one: of each market and outcome acquired (selling YES acquires NO), the first that
    one side got meets the first of the other, and so on, however both were filled in parts. Fills of one
    instant stand cheapest first. Each contract brings what its outcome came to (its payout, or the mark of
    what is still held), less its price and its fee. So the P&L of the other less that of the run is, exactly,

        price          what matched contracts cost less
        fee            what was charged less for them
        payout         what they came to more, where a market paid or is marked otherwise
        only in run    less all that contracts brought which only the run has
        only in other  and all that those brought which only the other has

    Swap both, and every amount changes its sign. A market in which a side has nothing left, and which did not
    pay there, counts for it as for the other.

    An account's fills count where the run has the market and data of that time, and a run's fills in markets
    that were open at some moment between the account's first and last fill (or `start` and `end`); `left_out`
    says what does not. The account's contracts came to the run's payout or, of what is still held, to the
    last bid that the run knows of the side that the account holds; where the run holds and was paid nothing,
    to what `lake` says was paid; where nobody knows, the market is left out. At equal prices, the cause "fee"
    is what the fee model got wrong.

    Args:
        run: of `bt.run`, or a folder that `Run.save` or `tapehouse backtest run` wrote.
        other: the same.
        fills: instead of `other`, files of your own fills: CSV exports or pages of GET /portfolio/fills.
        lake: with fills, where payouts are that the run has no use for.
        start: with fills, those from then on, of both sides.
        end: with fills, those before.
        params: which parameter row, where there are several: values, or their text. Without it both sides
            have one row, or the same ones.

    Raises:
        PlanError: no other, or no way to tell which rows are meant, or nothing to compare.
        BadInput: a folder or a file cannot be read, or a result does not add up.
    """
    if (other is None) == (fills is None):
        raise PlanError(
            "compare a result with another one (OTHER), or with own fills (--fills, fills=): one of them"
        )
    if fills is None and (lake, start, end) != (None, None, None):
        raise PlanError("lake, start and end are for comparing with own fills (--fills, fills=)")
    if not isinstance(params, Mapping | None):
        raise PlanError(f"params is {kind_of(params)}: give {{name: value}}")
    sides = [opened(run)] if other is None else [opened(run), opened(other)]
    rows = chosen(sides, params or {})
    ledgers, left_out = [ledger_of(*each) for each in zip(sides, rows, strict=True)], LEFT_OUT.to_frame()
    manifest, orders = MANIFEST.to_frame(), pl.DataFrame(schema=_ORDERS)
    given = rows[0].drop(ROW)
    refuse_taken(given.columns, _OWN, "comparisons")
    if fills is not None:
        one, two, left_out = beside_account(sides[0], ledgers[0], fills, lake, bounds(start, end))
    else:
        one, two = ledgers
        manifest = differing(sides[0], sides[1], rows)
        wanted = (rows_of(side.orders, its) for side, its in zip(sides, rows, strict=True))
        orders = rows[0].select(row=ROW).join(orders_in_common(*wanted), on="row", how="left").fill_null(0)
        if rows[0].to_dicts() != rows[1].to_dicts():  # one row on each side, of other parameters
            given = given.select()
    contracts = met(one, two).join(_homes(sides), on="ticker", how="left")
    contracts = contracts.with_columns(
        later_s=(pl.col("other_ts") - pl.col("run_ts")).dt.total_microseconds() / 1_000_000
    )
    summary = _summary(rows[0], one, two, contracts).join(orders, on="row", how="left")
    shown = {
        "summary": summary.sort("row"),
        "causes": _causes(contracts),
        "contracts": contracts.select("row", *_CONTRACTS),
    }
    return Comparison(
        param_names=tuple(given.columns),
        **{name: _with_params(frame, given) for name, frame in shown.items()},
        manifest=manifest,
        left_out=left_out,
        other="other" if fills is None else "account",
    )


def _homes(sides: Sequence[Run]) -> pl.DataFrame:
    told = [frame.select(_HOME) for side in sides for frame in (side.fills, side.coverage)]
    return pl.concat(told).unique("ticker", keep="first", maintain_order=True)


def _summary(rows: pl.DataFrame, run: Ledger, other: Ledger, contracts: pl.DataFrame) -> pl.DataFrame:
    """Return one line per row: both results, their difference, its causes, and how many contracts met."""
    count, is_met = pl.col("count_centi"), pl.col("later_s").is_not_null()
    sums = contracts.group_by("row").agg(
        *(pl.col(name).sum() for name in CAUSES.values()),
        matched_centi=count.filter(is_met).sum(),
        only_run_centi=count.filter(pl.col("other_ts").is_null()).sum(),
        only_other_centi=count.filter(pl.col("run_ts").is_null()).sum(),
        later_s=(pl.col("later_s") * count).sum() / count.filter(is_met).sum(),
    )
    line = rows.select(row=ROW).join(sums, on="row", how="left")
    for name, ledger in (("run", run), ("other", other)):
        line = line.join(pnl(ledger).rename({"pnl_micros": f"{name}_pnl_micros"}), on="row", how="left")
    line = line.with_columns(pl.exclude("later_s").fill_null(0), pl.col("later_s").fill_nan(None))
    line = line.with_columns(difference_micros=pl.col("other_pnl_micros") - pl.col("run_pnl_micros"))
    assert (line["difference_micros"] == line.select(pl.sum_horizontal(*CAUSES.values())).to_series()).all()
    return line.select("row", *_SUMMARY)


def _causes(contracts: pl.DataFrame) -> pl.DataFrame:
    """Return what each cause comes to in each market, and of how many contracts."""
    is_of = {name: pl.col(column) != 0 for name, column in CAUSES.items()}
    is_of |= {ONLY_RUN: pl.col("other_ts").is_null(), ONLY_OTHER: pl.col("run_ts").is_null()}
    found = [
        contracts.filter(is_it)
        .group_by("row", *_HOME)
        .agg(micros=pl.col(CAUSES[name]).sum(), count_centi=pl.col("count_centi").sum())
        .with_columns(cause=pl.lit(name))
        for name, is_it in is_of.items()
    ]
    by_size = pl.col("micros").abs()
    rows = pl.concat(found).sort("row", by_size, "ticker", "cause", descending=[False, True, False, False])
    return rows.select("row", *_HOME, "cause", "micros", "count_centi")


def _with_params(frame: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    if not given.columns:
        return frame.drop("row")
    return pl.concat([given[frame["row"].to_list()], frame.drop("row")], how="horizontal")
