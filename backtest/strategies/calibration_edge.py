"""Buy where the user's own forecast and the market disagree by more than it costs to say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest import edges
from backtest.strategies.looking import looked_at, newest
from exchange.units import DOLLAR_CC

if TYPE_CHECKING:
    from datetime import datetime

    from warehouse import Lake

PARAMS: Final[dict[str, float]] = {"margin": 0.02, "kelly": 0, "bankroll": 1_000, "count": 10}
ASSUMPTIONS: Final = (
    "each probability of the forecast was known at its known_ts, and counts until the market's next one",
    edges.ASSUMPTION,
)
_PRICE_CC: Final = pl.col("price_cc")


def plan(
    lake: Lake,
    *,
    forecast: pl.LazyFrame,
    series: str | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.LazyFrame:
    """Buy, once per market, the side that a forecast values at 2 cents more than ask and fee.

    Whenever a quote or a probability becomes known, the last quote meets the last probability.
    With `kelly` 0 the order is for `count` contracts; else for that share of the Kelly stake on `bankroll`
    dollars, in whole contracts. It takes the quote it saw, at that price or better, and holds to settlement.

    Hypothesis: the forecast knows something that the price does not: what it calls underpriced by more than
    `margin` beyond spread and fee pays more often than its price says.

    Falsified by: a mean net P&L per event whose interval lies at or below zero; or a P&L that does not grow
    with `margin`: then the forecast is wrong where it disagrees most.

    Args:
        lake: where quotes are.
        forecast: ticker, known_ts (UTC) and prob, the probability of YES; see `backtest.forecasts`.
        series: which markets to look at, as event and ticker; all that have quotes and a forecast by default.
        event: the event of the markets.
        ticker: the only market.
        start: from when on anything counts.
        end: until when, excluded.

    Returns:
        ticker, known_ts, intent: a row without an intent for each market that was looked at, then the orders.
    """
    quotes = newest(lake.quotes(series=series, event=event, ticker=ticker, start=start, end=end))
    told = forecast.select("ticker", "known_ts", "prob")
    if start is not None:
        told = told.filter(pl.col("known_ts") >= start)
    if end is not None:
        told = told.filter(pl.col("known_ts") < end)
    met = _meetings(quotes.select("ticker", "known_ts", "bid_cc", "ask_cc"), told)
    edges_cc = {"yes_edge_cc": bt.net_edge_cc("prob"), "no_edge_cc": bt.net_edge_cc("prob", "no")}
    signals = met.with_columns(**edges_cc).with_columns(edge_cc=pl.max_horizontal(list(edges_cc))).collect()
    margin_cc = bt.param("margin") * DOLLAR_CC
    is_yes = (pl.col("yes_edge_cc") > margin_cc).fill_null(value=False)
    wanted = (
        bt.where(signals, pl.col("edge_cc") > margin_cc)
        .with_columns(
            is_yes=is_yes,
            price_cc=pl.when(is_yes).then("ask_cc").otherwise(DOLLAR_CC - pl.col("bid_cc")),
            worth=pl.when(is_yes).then("prob").otherwise(1 - pl.col("prob")),
        )
        .with_columns(count=_count())
        .filter(pl.col("count") > 0)
        .unique("ticker", keep="first", maintain_order=True)
        .select(
            "ticker",
            "known_ts",
            intent=pl.coalesce(
                bt.buy_yes(pl.col("count"), limit=_PRICE_CC).when(pl.col("is_yes")),
                bt.buy_no(pl.col("count"), limit=_PRICE_CC),
            ),
        )
    )
    return pl.concat([looked_at(signals), wanted], how="diagonal")


def _meetings(quotes: pl.LazyFrame, told: pl.LazyFrame) -> pl.LazyFrame:
    """Every quote with the last probability known by then, and every probability with the last quote."""
    quotes, told = quotes.sort("ticker", "known_ts"), told.sort("ticker", "known_ts")
    known = told.join(quotes.select("ticker").unique(), on="ticker", how="semi")
    met = {"on": "known_ts", "by": "ticker", "strategy": "backward", "check_sortedness": False}
    rows = [quotes.join_asof(told, **met), known.join_asof(quotes, **met)]  # type: ignore[arg-type]  # of join_asof
    return pl.concat([each.select("ticker", "known_ts", "bid_cc", "ask_cc", "prob") for each in rows]).sort(
        "ticker", "known_ts", maintain_order=True
    )


def _count() -> pl.Expr:
    """Contracts: fixed, or the Kelly stake (worth - cost) / (1 - cost) of the bankroll over the cost."""
    cost = (_PRICE_CC + edges.taker_fee_cc(_PRICE_CC)) / DOLLAR_CC
    stake = bt.param("kelly") * bt.param("bankroll") * (pl.col("worth") - cost) / (1 - cost)
    return pl.when(bt.param("kelly") > 0).then((stake / cost).floor()).otherwise(bt.param("count"))
