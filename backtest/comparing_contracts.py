"""Two ledgers of fills met contract by contract, and what each stretch of contracts brought more or less."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from backtest.results import TIME
from exchange.units import DOLLAR_CC

ONLY_RUN: Final = "only in run"
ONLY_OTHER: Final = "only in other"
# Each cause with its column of CONTRACTS. All of them are what the other side has more for it.
CAUSES: Final = {
    "price": "by_price_micros",
    "fee": "by_fee_micros",
    "payout": "by_payout_micros",
    ONLY_RUN: "by_only_run_micros",
    ONLY_OTHER: "by_only_other_micros",
}
SIDES: Final = ("run", "other")
FILLS: Final = pl.Schema(
    {
        "row": pl.Int64(),  # of parameters
        "ticker": pl.String(),
        "outcome": pl.String(),  # acquired: yes | no
        "ts": TIME,
        "price_cc": pl.Int64(),  # of that outcome
        "count_centi": pl.Int64(),
        "fee_micros": pl.Int64(),
    }
)
# What a YES comes to while one is held, and a NO: what they pay, or the bid of each.
WORTHS: Final = pl.Schema(
    {"row": pl.Int64(), "ticker": pl.String(), "yes_worth_cc": pl.Int64(), "no_worth_cc": pl.Int64()}
)
_KEYS: Final = ("row", "ticker", "outcome")
_MARKET: Final = ("row", "ticker")
_TOLD: Final = ("fill_id", "ts", "price_cc", "fee_micros")
_NO_WORTH_CC: Final = DOLLAR_CC // 2  # where only pairs of YES and NO are left, which are worth a dollar


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one side did: `fills` (FILLS and a fill_id), and what markets came to in `worths` (WORTHS).

    A market without a worth is one in which nothing is left: what was acquired of YES was of NO, too.
    """

    fills: pl.DataFrame
    worths: pl.DataFrame


def pnl(ledger: Ledger) -> pl.DataFrame:
    """Return row and pnl_micros: what the contracts are worth, less price and fee."""
    worth = pl.col("worth_cc").fill_null(_NO_WORTH_CC)
    gain = pl.col("count_centi") * (_of_outcome(worth) - pl.col("price_cc")) - pl.col("fee_micros")
    valued = ledger.fills.join(_of_a_yes(ledger), on=_MARKET, how="left")
    return valued.group_by("row").agg(pnl_micros=gain.sum())


def _of_a_yes(ledger: Ledger) -> pl.DataFrame:
    """Return row, ticker and worth_cc: what a YES came to for what is left, a NO being worth $1 less.

    That is the bid of YES where YES is left, and $1 less the bid of NO where NO is. Of a market with nothing
    left there is one only if it paid.
    """
    held = ledger.fills.group_by(_MARKET).agg(position_centi=position_centi())
    yes_cc, other_cc, left = (
        pl.col("yes_worth_cc"),
        DOLLAR_CC - pl.col("no_worth_cc"),
        pl.col("position_centi"),
    )
    worth = pl.when(left > 0).then(yes_cc).when((left < 0) | (yes_cc == other_cc)).then(other_cc)
    valued = ledger.worths.join(held, on=_MARKET, how="left")
    return valued.select(*_MARKET, worth_cc=worth).drop_nulls("worth_cc")


def position_centi() -> pl.Expr:
    """Sum fills to what is left of them: above 0 of YES, below 0 of NO."""
    return pl.when(pl.col("outcome") == "yes").then("count_centi").otherwise(-pl.col("count_centi")).sum()


def met(run: Ledger, other: Ledger) -> pl.DataFrame:
    """Return stretches of contracts that are one fill on either side, or on one side alone.

    The first contracts of one side's fills of a market and outcome meet the first of the other's, and so on;
    fills of one instant stand cheapest first. A fee is split by contracts, to the micro-dollar.

    Returns:
        row, ticker, outcome, count_centi; for each side fill_id, ts, price_cc, fee_micros and worth_cc (of
        the outcome), null where it has no such contract; and the columns of CAUSES. By row, ticker, outcome
        and place.
    """
    sides = {name: _placed(each.fills) for name, each in zip(SIDES, (run, other), strict=True)}
    cuts = pl.concat([each.select(*_KEYS, "end_centi") for each in sides.values()]).unique()
    stretches = cuts.sort(*_KEYS, "end_centi").with_columns(
        begin_centi=pl.col("end_centi").shift(1, fill_value=0).over(_KEYS)
    )
    for name, fills in sides.items():
        stretches = _beside(stretches, fills, name)
    worths = _of_a_yes(run).join(_of_a_yes(other), on=_MARKET, how="full", coalesce=True, suffix="_of_other")
    one, two = pl.col("worth_cc"), pl.col("worth_cc_of_other")
    both = worths.select(*_MARKET, run_worth_cc=pl.coalesce(one, two), other_worth_cc=pl.coalesce(two, one))
    rows = stretches.join(both, on=_MARKET, how="left").with_columns(
        pl.when(pl.col(f"{name}_price_cc").is_not_null())
        .then(_of_outcome(pl.col(f"{name}_worth_cc").fill_null(_NO_WORTH_CC)))
        .alias(f"{name}_worth_cc")
        for name in SIDES
    )
    told = [f"{name}_{column}" for name in SIDES for column in (*_TOLD, "worth_cc")]
    counted = rows.with_columns(count_centi=pl.col("end_centi") - pl.col("begin_centi"))
    return (
        counted.with_columns(**_effects())
        .sort(*_KEYS, "end_centi")
        .select(*_KEYS, "count_centi", *told, *CAUSES.values())
    )


def _of_outcome(yes_cc: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("outcome") == "yes").then(yes_cc).otherwise(DOLLAR_CC - yes_cc)


def _placed(fills: pl.DataFrame) -> pl.DataFrame:
    """Return fills in turn, with the contracts of their market and outcome up to the end of each."""
    turn = (*_KEYS, "ts", "price_cc", "fee_micros", "count_centi")
    return fills.sort(turn, maintain_order=True).with_columns(
        end_centi=pl.col("count_centi").cum_sum().over(_KEYS)
    )


def _beside(stretches: pl.DataFrame, fills: pl.DataFrame, name: str) -> pl.DataFrame:
    """Add the fill of one side that each stretch is of, and its part of the fee."""
    last = fills.select(*_KEYS, *_TOLD, "end_centi", fill_centi="count_centi", fill_end_centi="end_centi")
    found = stretches.sort("end_centi").join_asof(
        last.sort("end_centi"), on="end_centi", by=list(_KEYS), strategy="forward", check_sortedness=False
    )
    first = pl.col("fill_end_centi") - pl.col("fill_centi")
    fee = _fee_until(pl.col("end_centi") - first) - _fee_until(pl.col("begin_centi") - first)
    return found.with_columns(fee_micros=fee).select(
        *stretches.columns, pl.col(_TOLD).name.prefix(f"{name}_")
    )


def _fee_until(count: pl.Expr) -> pl.Expr:
    """Return the fee of a fill's first contracts; fee * count, which may not fit, is never made."""
    fee, whole = pl.col("fee_micros"), pl.col("fill_centi")
    return fee // whole * count + fee % whole * count // whole


def _effects() -> dict[str, pl.Expr]:
    n = pl.col("count_centi")
    run, other = (
        {column: pl.col(f"{name}_{column}") for column in ("price_cc", "worth_cc", "fee_micros")}
        for name in SIDES
    )
    gain_run, gain_other = (
        n * (each["worth_cc"] - each["price_cc"]) - each["fee_micros"] for each in (run, other)
    )
    effects = {
        "price": n * (run["price_cc"] - other["price_cc"]),
        "fee": run["fee_micros"] - other["fee_micros"],
        "payout": n * (other["worth_cc"] - run["worth_cc"]),
        ONLY_RUN: pl.when(other["price_cc"].is_null()).then(-gain_run),
        ONLY_OTHER: pl.when(run["price_cc"].is_null()).then(gain_other),
    }
    return {CAUSES[cause]: each.fill_null(0).cast(pl.Int64) for cause, each in effects.items()}
