"""Baskets: rows of a plan that only make sense together, and what became of each.

    plan.select("ticker", "known_ts", "intent", "basket")    # rows of one known_ts and basket are legs

Each leg is an order like any other: it has its own latency and fills, or not, on its own. A set is one
contract of every leg, so legs are sized in contracts, all alike; what a leg got beyond the leg that got least
is stranded. Legs are sent together, or one by one: then each is sent at the instant the one before arrived,
for as many contracts as that one got. What that is must be known then, so only the last leg may wait.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import DOLLAR_CC, I64, Records
from backtest.results import SCHEMAS
from exchange.units import format_ts

if TYPE_CHECKING:
    from backtest.tape import Tape

TOGETHER, ONE_BY_ONE = "together", "one by one"
LEGS: Final = {
    TOGETHER: "legs of a basket are sent together, and each fills or not on its own",
    ONE_BY_ONE: "legs of a basket are sent one by one, in the plan's order: each at the instant the one "
    "before arrived, for as many contracts as that one got",
}
_KEY: Final = ("known_ts", "basket")
# What makes rows no basket, of the columns that `with_legs` counts.
_FAULTS: Final = (
    (
        pl.col("n_legs") == 1,
        "it has one leg: legs share known_ts and basket; leave basket null for an order alone",
    ),
    (pl.col("has_other"), "a leg buys or sells: keep close and cancel out of baskets"),
    (
        pl.col("n_markets") < pl.col("n_legs"),
        "two of its legs are in one market, where they are one position",
    ),
    (pl.col("n_counts") > 1, "its legs want different counts: a set is one contract of each leg"),
)
_WAITS: Final = (
    pl.col("has_waiting"),
    "a leg waits, and the next cannot know for how much: only the last of legs sent one by one may",
)


def basket_column(dtype: pl.DataType) -> pl.Expr:
    """Return a plan's column `basket` as text.

    Raises:
        PlanError: it holds neither text nor whole numbers.
    """
    if not (dtype.is_integer() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
        raise PlanError(f"basket is {dtype}: name baskets with text or whole numbers, null for none")
    return pl.col("basket").cast(pl.String)


def read_legs(legs: str, *, has_baskets: bool) -> str | None:
    """Return how legs are sent, None where there are none.

    Raises:
        PlanError: no such way, or one that only baskets have.
    """
    if legs not in tuple(LEGS):
        raise PlanError(f"legs={legs!r} is unknown: use {' or '.join(map(repr, LEGS))}")
    if legs != TOGETHER and not has_baskets:
        raise PlanError(f"legs={legs!r} is for baskets: give the plan a column basket")
    return legs if has_baskets else None


def with_legs(intents: pl.DataFrame, *, one_by_one: bool) -> pl.DataFrame:
    """Add `leg`, the number of each row within its basket in the order given; null outside of baskets.

    Raises:
        PlanError: a basket of one leg, with a market twice, with unequal counts, or with a leg that
            neither buys nor sells.
    """
    is_leg = pl.col("basket").is_not_null()
    wanted = (
        intents.lazy()
        .filter(is_leg)
        .group_by(_KEY, maintain_order=True)
        .agg(
            n_legs=pl.len(),
            n_markets=pl.col("ticker").n_unique(),
            n_counts=pl.col("count_centi").n_unique(),
            has_waiting=(pl.col("tif") == "gtc").head(pl.len() - 1).any(),
            has_other=pl.col("action").is_in(["close", "cancel"]).any(),
        )
    )
    for is_so, said in (*_FAULTS, _WAITS) if one_by_one else _FAULTS:
        found = wanted.filter(is_so).head(1).collect()
        if found.height:
            known_ts, basket = found.select(_KEY).row(0)
            raise PlanError(f"basket {basket!r} at {format_ts(known_ts)}: {said}")
    return intents.with_columns(leg=pl.when(is_leg).then(pl.int_range(pl.len()).over(_KEY)))


def sent_in_turn(intents: pl.DataFrame, latency_us: I64) -> I64:
    """Return how long after its decision each order arrives, if legs are sent as the ones before arrive.

    `intents` has known_ts, basket and leg; `latency_us`: how long each is under way.
    """
    in_turn = pl.col("us").cum_sum().over(_KEY, order_by="leg")
    under_way = pl.when(pl.col("basket").is_not_null()).then(in_turn).otherwise("us")
    return intents.with_columns(us=latency_us).select(under_way).to_series().to_numpy()


def legs_before(arriving: pl.DataFrame) -> pl.Series:
    """Return for each row 1 + the row of the leg before it, 0 without one; rows are orders as they arrive."""
    before = pl.col("row").shift(1).over(_KEY, order_by="leg")
    after = pl.when(pl.col("basket").is_not_null()).then(before).fill_null(0)
    return arriving.with_row_index("row", offset=1).select(after=after.cast(pl.Int64)).to_series()


def baskets(ordered: pl.DataFrame, filled: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """Return one row per basket, as `SCHEMAS` says, in the order of their first legs.

    Args:
        ordered: order_id, decision_ts, basket, ticker, way (+1 more YES, -1 less), wanted_centi.
        filled: order_id, fill_ts, yes_price_cc, count_centi, fee_micros.
        ends: ticker, and what one contract came to: more_cc (YES), less_cc (NO); see `contract_ends`.
    """
    key = ("decision_ts", "basket")
    is_more = pl.col("way") > 0
    price = pl.when(is_more).then("yes_price_cc").otherwise(DOLLAR_CC - pl.col("yes_price_cc"))
    bought = (
        filled.join(ordered.select("order_id", "way"), on="order_id", how="left")
        .group_by("order_id")
        .agg(
            got=pl.col("count_centi").sum(),
            cost=(price * pl.col("count_centi") + pl.col("fee_micros")).sum(),
            first_fill_ts=pl.col("fill_ts").min(),
            last_fill_ts=pl.col("fill_ts").max(),
        )
    )
    got, cost, complete = pl.col("got"), pl.col("cost"), pl.col("complete")
    # cost x complete / got, rounded down, without the product that int64 may not hold.
    share = pl.when(got > 0).then(cost // got * complete + cost % got * complete // got).otherwise(0)
    legs = (
        ordered.filter(pl.col("basket").is_not_null())
        .select("order_id", *key, "ticker", "way", "wanted_centi")  # parameters may be called as anything
        .join(bought, on="order_id", how="left", maintain_order="left")
        .join(ends, on="ticker", how="left", maintain_order="left")
        .with_columns(pl.col("got", "cost").fill_null(0))
        .with_columns(
            complete=got.min().over(key), pays=pl.when(is_more).then("more_cc").otherwise("less_cc")
        )
        .with_columns(paid_for=share)
        .with_columns(pl.col("pays").fill_null(0).cast(pl.Int64), left_over=got - complete)
    )
    stranded_cost = cost - pl.col("paid_for")
    return legs.group_by(key, maintain_order=True).agg(
        n_legs=pl.len().cast(pl.Int64),
        wanted_centi=pl.col("wanted_centi").max(),
        complete_centi=complete.first(),
        stranded_centi=pl.col("left_over").sum(),
        n_stranded=(pl.col("left_over") > 0).sum().cast(pl.Int64),
        complete_cost_micros=pl.col("paid_for").sum(),
        stranded_cost_micros=stranded_cost.sum(),
        complete_pnl_micros=(pl.col("pays") * complete - pl.col("paid_for")).sum(),
        stranded_pnl_micros=(pl.col("pays") * pl.col("left_over") - stranded_cost).sum(),
        first_fill_ts=pl.col("first_fill_ts").min(),
        last_fill_ts=pl.col("last_fill_ts").max(),
    )


def contract_ends(settled: Records, tape: "Tape", tickers: pl.Series) -> pl.DataFrame:
    """Return what one contract of each market came to: its payout, else the last known bid of its side."""
    last, has_rows = tape.offsets[1:] - 1, np.diff(tape.offsets) > 0
    bid, ask = np.zeros(len(last), np.int64), np.full(len(last), DOLLAR_CC, np.int64)
    bid[has_rows] = tape.tops["bid_cc"][last[has_rows]]
    ask[has_rows] = tape.tops["ask_cc"][last[has_rows]]
    bid[settled["market"]] = ask[settled["market"]] = settled["value_cc"]
    return pl.DataFrame({"ticker": tickers, "more_cc": bid, "less_cc": DOLLAR_CC - ask})


def no_baskets() -> pl.DataFrame:
    """Return the frame of a plan without baskets."""
    return pl.DataFrame(schema=SCHEMAS["baskets"])
