"""Buy claims of one event that cannot all fail, where together they cost less than they must pay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest import edges
from backtest.strategies.looking import looked_at, newest
from exchange.units import DOLLAR_CC
from warehouse.asof import first_seen
from warehouse.tables import EVENTS, MARKETS

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {"margin": 0.01, "count": 10}
ASSUMPTIONS: Final = (
    (
        "strikes, their wording and whether an event's markets exclude each other are as first recorded, "
        "taken to have held since the listing"
    ),
    edges.ASSUMPTION,
)
_RISING: Final = ("greater", "greater_or_equal")  # the lower the strike, the more it contains
_FALLING: Final = ("less", "less_or_equal")
_MISSING: Final = -1  # a side without a price, which must replace the last one and not let it live on


def plan(
    lake: Lake,
    *,
    series: str | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.LazyFrame:
    """Buy, once per pair, two claims that pay a dollar or more and cost a cent less, fees included.

    Of thresholds on one quantity, YES of what contains the other and NO of the other: who scores over 20
    scores over 10, so P(> 10) >= P(> 20). Thresholds are on one quantity if their event, kind and wording but
    for the numbers are the same. Of an event whose markets exclude each other, NO of two members: at most one
    of the two fails. The orders are legs of a basket; each takes the quote it saw, at that price or better.

    Hypothesis: strikes are quoted one by one, and a quote that lags its neighbours stays long enough to buy
    both legs before it is corrected, for more than `margin` beyond both fees.

    Falsified by: stranded legs that cost more than complete sets earn; or a P&L that vanishes when latency
    grows to a second: then the quotes were seen, but not to be had.

    Returns:
        ticker, known_ts, intent, basket: a row without an intent for each market that was looked at, then the
        first legs, then the second ones. It takes time and memory for the quotes of every pair.
    """
    asked = newest(lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end))
    quotes = asked.select("ticker", "known_ts", "bid_cc", "ask_cc").collect()
    signals = _signals(quotes, pairs(lake, quotes.lazy().select("ticker").unique()).collect())
    count, first_cc, second_cc = bt.param("count"), pl.col("first_cc"), pl.col("second_cc")
    first = pl.coalesce(
        bt.buy_yes(count, limit=first_cc).when(pl.col("is_yes")),
        bt.buy_no(count, limit=first_cc).when(~pl.col("is_yes")),
    )
    second = bt.buy_no(count, limit=second_cc)
    legs = [
        signals.select("known_ts", ticker="first", intent=first, basket="pair"),
        signals.select("known_ts", ticker="second", intent=second, basket="pair"),
    ]
    return pl.concat([looked_at(quotes), *legs], how="diagonal")


def pairs(lake: Lake, tickers: pl.LazyFrame) -> pl.LazyFrame:
    """Return pairs of these tickers that pay a dollar or more, NO of `second` and a side of `first`.

    Returns:
        pair (a name), first, second, is_yes (the side of first is YES, else it is NO).
    """
    kinds = pl.col("strike_type")
    strike = (
        pl.when(kinds.is_in(_RISING))
        .then("floor_strike")
        .when(kinds.is_in(_FALLING))
        .then(-pl.col("cap_strike"))
    )
    members = (
        first_seen(lake.scan(MARKETS).join(tickers, on="ticker", how="semi"))
        .select(
            "ticker",
            "event_ticker",
            "strike_type",
            strike=strike,
            wording=pl.col("yes_sub_title").str.replace_all(r"-?\d[\d.,]*", "#"),
        )
        .sort("ticker")
    )
    one_quantity = ["event_ticker", "strike_type", "wording"]
    thresholds = members.drop_nulls("strike")
    nested = thresholds.join(thresholds, on=one_quantity, suffix="_in").filter(
        pl.col("strike") < pl.col("strike_in")
    )
    exclusive = first_seen(lake.scan(EVENTS)).filter("mutually_exclusive").select(event_ticker="ticker")
    rivals = members.join(exclusive, on="event_ticker", how="semi")
    apart = rivals.join(rivals, on="event_ticker", suffix="_in").filter(
        pl.col("ticker") < pl.col("ticker_in")
    )
    both = [nested.with_columns(is_yes=pl.lit(value=True)), apart.with_columns(is_yes=pl.lit(value=False))]
    named = pl.concat([each.select("is_yes", first="ticker", second="ticker_in") for each in both])
    return named.with_columns(
        pair=pl.format(
            "{} {} + no {}", pl.when("is_yes").then(pl.lit("yes")).otherwise(pl.lit("no")), "first", "second"
        )
    )


def _signals(quotes: pl.DataFrame, known: pl.DataFrame) -> pl.LazyFrame:
    """Return the first moment of each pair at which it is worth buying, with the prices of its legs."""
    saved_cc = bt.where(_savings(quotes, known), pl.col("saved_cc") > bt.param("margin") * DOLLAR_CC)
    first = saved_cc.group_by("pair", maintain_order=True).first()
    return first.join(known.lazy(), on="pair", how="left", maintain_order="left")


def _savings(quotes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return each moment of each pair with the prices of its legs and what a dollar costs less, fees paid."""
    first_cc = pl.when("is_yes").then("ask_cc").otherwise(DOLLAR_CC - pl.col("bid_cc"))
    told = [
        quotes.join(known, left_on="ticker", right_on="first").select(
            "pair", "known_ts", first_cc=first_cc.fill_null(_MISSING)
        ),
        quotes.join(known, left_on="ticker", right_on="second").select(
            "pair", "known_ts", second_cc=(DOLLAR_CC - pl.col("bid_cc")).fill_null(_MISSING)
        ),
    ]
    prices = ("first_cc", "second_cc")
    spent_cc = sum((pl.col(name) + edges.taker_fee_cc(pl.col(name)) for name in prices), pl.lit(0))
    is_quoted = pl.all_horizontal(pl.col(prices) > 0)
    is_whole = pl.col("known_ts").ne_missing(pl.col("known_ts").shift(-1).over("pair"))  # both legs told
    return (
        pl.concat(told, how="diagonal")
        .sort("pair", "known_ts", maintain_order=True)
        .with_columns(pl.col(prices).forward_fill().over("pair"))
        .filter(is_whole & is_quoted)
        .with_columns(saved_cc=DOLLAR_CC - spent_cc)
    )
