"""What the user's own orders paid more than the touch before them, from an account's fills."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from backtest.account_fills import AccountFill, read_fills
from backtest.kernels.arrays import NEVER
from backtest.slippage import Slippage
from backtest.slippage_fit import SEEN
from backtest.slippages import Slippages
from backtest.trades_tape import TRADE_COLUMNS, trades_tape
from exchange.units import CONTRACT_CENTI, DOLLAR_CC
from warehouse.tables import TRADES

if TYPE_CHECKING:
    from warehouse import Lake

OLDEST: Final = timedelta(hours=1)  # a touch that is older than that says nothing of an order
_ORDER: Final = pl.Schema(
    {
        "order": pl.String(),
        "ticker": pl.String(),
        "outcome": pl.String(),
        "at_ts": pl.Datetime("us", "UTC"),
        "paid_cc": pl.Float64(),  # of the outcome acquired, on average
        "contracts": pl.Float64(),
    }
)


def seen_in_fills(
    lake: "Lake",
    files: Sequence[Path],
    tickers: Sequence[str] | None,
    between: tuple[datetime | None, datetime | None],
) -> pl.DataFrame:
    """Return, per SEEN, the taker's orders with a touch at most `OLDEST` before their first fill.

    The touch is that of quotes or candles; where there is none, of the trades. Those of the order's own
    instant do not count: they may be the order's.
    """
    fills, _ = read_fills(files)
    orders = _orders([fill for fill in fills if fill.is_taker])
    start_ts, end_ts = between
    at = pl.col("at_ts")
    orders = orders.filter(
        pl.lit(value=True) if tickers is None else pl.col("ticker").is_in(list(tickers)),
        pl.lit(value=True) if start_ts is None else at >= start_ts,
        pl.lit(value=True) if end_ts is None else at < end_ts,
    )
    names = orders["ticker"].unique().to_list()
    columns = ("ticker", "event_ts", "bid_cc", "ask_cc")
    quotes = lake.tops(names).select(columns).collect()
    by_quotes = _beside(orders, quotes)
    others = orders.join(by_quotes, on="order", how="anti")
    traded = lake.scan(TRADES).filter(pl.col("ticker").is_in(names)).select(TRADE_COLUMNS).collect()
    by_trades = _beside(others, _touches(traded))
    return pl.concat([by_quotes, by_trades]).with_row_index("sample").select(list(SEEN)).cast(SEEN)


def _orders(fills: Sequence[AccountFill]) -> pl.DataFrame:
    rows = pl.DataFrame(
        [
            (fill.order, fill.ticker, fill.outcome, fill.created_ts, fill.price_cc, fill.count_centi)
            for fill in fills
        ],
        schema=["order", "ticker", "outcome", "at_ts", "price_cc", "count_centi"],
        orient="row",
    )
    if rows.is_empty():
        return _ORDER.to_frame()
    count = pl.col("count_centi")
    return (
        rows.group_by("order", "ticker", "outcome", maintain_order=True)
        .agg(
            pl.col("at_ts").min(),
            paid_cc=(pl.col("price_cc") * count).sum() / count.sum(),
            contracts=count.sum() / CONTRACT_CENTI,
        )
        .cast(_ORDER)
    )


def _touches(trades: pl.DataFrame) -> pl.DataFrame:
    """Return ticker, event_ts, bid_cc and ask_cc after each instant with trades at which both are known."""
    markets = trades.select(pl.col("ticker").unique(maintain_order=True)).with_columns(
        series_ticker=pl.lit(None, pl.String), close_us=pl.lit(NEVER)
    )
    tape = trades_tape(trades.lazy(), markets, Slippages({"": Slippage()}))
    tops = tape.tops
    rows = pl.DataFrame(
        {
            "ticker": markets["ticker"].gather(np.repeat(np.arange(markets.height), np.diff(tape.offsets))),
            "event_ts": pl.Series(tops["ts_us"]).cast(pl.Datetime("us", "UTC")),
            "bid_cc": tops["bid_cc"],
            "ask_cc": tops["ask_cc"],
        }
    )
    return rows.filter((pl.col("bid_cc") > 0) & (pl.col("ask_cc") < DOLLAR_CC))


def _beside(orders: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Return the orders with the two-sided touch before them, and what they paid more than it."""
    both = shown.filter(pl.col("bid_cc") < pl.col("ask_cc")).sort("event_ts")
    met = orders.sort("at_ts").join_asof(
        both,
        left_on="at_ts",
        right_on="event_ts",
        by="ticker",
        tolerance=OLDEST,
        allow_exact_matches=False,
        check_sortedness=False,
    )
    ask = pl.when(pl.col("outcome") == "yes").then(pl.col("ask_cc")).otherwise(DOLLAR_CC - pl.col("bid_cc"))
    return met.drop_nulls("ask_cc").select(
        "order",
        "contracts",
        depth="contracts",
        price_cc=(pl.col("bid_cc").cast(pl.Int64) + pl.col("ask_cc")) // 2,
        half_spread_cc=(pl.col("ask_cc") - pl.col("bid_cc")) / 2,
        cost_cc=pl.col("paid_cc") - ask,
    )
