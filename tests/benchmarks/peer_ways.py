"""The job of tests/benchmarks/peer_job.py from Parquet, twice: as a plan of ours, and in polars alone."""

from datetime import timedelta
from typing import Final

import polars as pl

import backtest as bt
from backtest.results import Run
from exchange.units import CONTRACT_CENTI
from tests.benchmarks.made_up import SERIES
from tests.benchmarks.peer_job import CASH, COUNTS, DIPS
from tests.benchmarks.peer_tape import CENT_CC, FILLS, PROFITS, Outcome, with_dips
from warehouse import Lake
from warehouse.tables import MARKETS, QUOTES

PARAMS: Final = pl.DataFrame(
    {"min_dip": DIPS, "contracts": COUNTS}, schema={"min_dip": pl.Int16, "contracts": pl.Int64}
)
FILLS_AT: Final = "mid"
LATENCY: Final = timedelta(microseconds=1)
_CENT_MICROS: Final = 10_000
_DECADES_US: Final = 2**52  # after 1970: more than the times of any tape, times 2,000 less than 2^63
_IS_LOW: Final = pl.col("dip") > 0
_SIZE: Final = pl.col("dip").abs()


def ours(lake: Lake, params: pl.DataFrame = PARAMS) -> Run:
    """Collect the signals once and run the plan on them, with everything on that a run has."""
    return bt.run(plan(signals(lake)), lake, fills=FILLS_AT, latency=LATENCY, cash=CASH, params=params)


def signals(lake: Lake) -> pl.DataFrame:
    """Return ticker, known_ts and dip of every quote; plans compare categories in less time than text."""
    quotes = lake.quotes(series=SERIES).select("ticker", "known_ts", "bid_cc", "ask_cc")
    ticker = pl.col("ticker").cast(pl.Categorical)
    return with_dips(quotes).select(ticker, "known_ts", "dip", size=_SIZE).collect(engine="in-memory")


def plan(found: pl.DataFrame) -> pl.LazyFrame:
    """Return the plan: buy at the first low after a high, close at the first high after a low."""
    far = bt.where(found, pl.col("size") >= bt.param("min_dip", pl.Int16))
    intent = pl.coalesce(bt.buy_yes(bt.param("contracts")).when(_IS_LOW), bt.close())
    return _turns(far).select("ticker", "known_ts", intent=intent)


def _turns(far: pl.LazyFrame) -> pl.LazyFrame:
    """Keep lows that follow no low, and highs that follow a low: what a position of one size does."""
    is_same_market = pl.col("ticker") == pl.col("ticker").shift(1)
    was_low = pl.when(is_same_market).then(_IS_LOW.shift(1)).fill_null(value=False)
    return far.filter(was_low != _IS_LOW)


def outcome_of_ours(run: Run) -> Outcome:
    """Return a run's fills and profits in cents."""
    numbers = run.summary.select(PARAMS.columns).with_row_index("combination")
    fills = run.fills.join(numbers, on=PARAMS.columns).select(
        "combination",
        "ticker",
        at_us=pl.col("decision_ts").dt.epoch("us"),
        side=pl.when(pl.col("action") == "buy").then(1).otherwise(-1),
        cents=_whole("yes_price_cc", CENT_CC),
        count=_whole("count_centi", CONTRACT_CENTI),
        fee_cents=_whole("fee_micros", _CENT_MICROS),
    )
    assert run.summary["n_open"].sum() == 0
    profits = run.settlements.join(numbers, on=PARAMS.columns)
    return Outcome(
        fills, profits.select("combination", "ticker", profit_cents=_whole("pnl_micros", _CENT_MICROS))
    )


def _whole(name: str, unit: int) -> pl.Expr:
    """Return a column in a larger unit; what does not divide becomes a number that nothing is equal to."""
    return pl.when(pl.col(name) % unit == 0).then(pl.col(name) // unit).otherwise(None)


def polars_alone(lake: Lake, params: pl.DataFrame = PARAMS) -> Outcome:
    """Do the job with polars and nothing else: no purse, no orders, no equity, no log of what was refused.

    An enumeration of markets, market and time as one number to sort by, small integers, one `collect_all`,
    the engine in memory, and looking only at what the threshold before has left are each quicker than
    without, measured.
    """
    settled_cents = pl.col("settlement_value_cc") // CENT_CC
    settled = lake.scan(MARKETS).select("ticker", settled_cents=settled_cents).sort("ticker").collect()
    ticker = pl.col("ticker").cast(pl.Enum(settled["ticker"]))
    quotes = lake.scan(QUOTES).select(ticker, "event_ts", "bid_cc", "ask_cc")
    at_us, market = pl.col("event_ts").dt.epoch("us"), pl.col("ticker").to_physical().cast(pl.Int64)
    dips = with_dips(quotes.sort(market * _DECADES_US + at_us))
    found = dips.select("ticker", "dip", "cents", at_us=at_us, size=_SIZE).collect(engine="in-memory")
    settled = settled.with_columns(ticker)
    asked = []
    for number, dip, count in params.sort("min_dip").with_row_index().iter_rows():
        found = found.filter(pl.col("size") >= dip)
        asked.append(_filled(found, number, count))
    fills = pl.concat(pl.collect_all(asked, engine="in-memory"))
    cost = pl.col("side") * pl.col("cents") * pl.col("count") + pl.col("fee_cents")
    profits = (
        fills.group_by("combination", "ticker")
        .agg(cost=cost.sum(), held=(pl.col("side") * pl.col("count")).sum())
        .join(settled, on="ticker")
        .with_columns(profit_cents=pl.col("held") * pl.col("settled_cents") - pl.col("cost"))
    )
    text = pl.col("ticker").cast(pl.String)
    return Outcome(fills.select(FILLS).with_columns(text), profits.select(PROFITS).with_columns(text))


def _filled(far: pl.DataFrame, number: int, count: int) -> pl.LazyFrame:
    cents = pl.col("cents").cast(pl.Int64)
    units = 7 * count * cents * (100 - cents)
    return _turns(far.lazy()).select(
        "ticker",
        "at_us",
        combination=pl.lit(number),
        side=pl.when(_IS_LOW).then(1).otherwise(-1),
        cents=cents,
        count=pl.lit(count),
        fee_cents=-(-units // 10_000),
    )
