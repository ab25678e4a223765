"""The tape where only trades were recorded: a touch made of the last trades, without sizes.

Who acquired YES paid the ask, who acquired NO hit the bid: after a trade at `p` the touch on its side is `p`,
and the other side is a whole spread away. Trades of one instant are one event: the ask is no better than the
most a buyer of YES paid in it, the bid no better than the least a seller got.
"""

import numpy as np
import polars as pl

from backtest.kernels.arrays import CHANGE, NEVER, SIZE, TOP
from backtest.slippage import FLIPS_MIN, Slippage
from backtest.slippages import Slippages
from backtest.tape import FROM_TRADES, Tape
from exchange.units import DOLLAR_CC


def trades_tape(trades: pl.DataFrame, markets: pl.DataFrame, slippages: Slippages) -> Tape:
    """Return the touch after each instant with trades, blocks left out.

    What an order of ours took at the ask stays taken until somebody buys YES at another price; the bid alike.

    Args:
        trades: rows of the lake's table.
        markets: ticker, series_ticker and close_us, one row per market; its order is the tape's.
        slippages: half of the spread, and for how long a trade counts; where that is not known no touch is.
    """
    instants, model = _instants(trades, markets), slippages.model_of(markets["series_ticker"])
    parts = [
        _touches(instants.filter(pl.lit(pl.Series(model == number)).gather(pl.col("market"))), slippage)
        for number, slippage in enumerate(slippages.ordered())
    ]
    shown = pl.concat(parts).sort("market", "ts_us")
    bid, ask = shown["bid_cc"].to_numpy(), shown["ask_cc"].to_numpy()
    tops, sizes, n = np.zeros(shown.height, TOP), np.zeros(shown.height, SIZE), markets.height
    tops["ts_us"], tops["bid_cc"], tops["ask_cc"] = shown["ts_us"].to_numpy(), bid, ask
    tops["is_live"] = shown["is_live"].to_numpy()
    sizes["bid_size"], sizes["ask_size"] = np.where(bid > 0, -1, 0), np.where(ask < DOLLAR_CC, -1, 0)
    sizes["bid_run"], sizes["ask_run"] = shown["bid_run"].to_numpy(), shown["ask_run"].to_numpy()
    bounds = np.searchsorted(shown["market"].to_numpy(), np.arange(n + 1)).astype(np.int64)
    return Tape(
        evidence=FROM_TRADES,
        offsets=bounds,
        tops=tops,
        sizes=sizes,
        changes=np.zeros(0, CHANGE),
        level_offsets=2 * np.arange(n + 1, dtype=np.int64),
        level_split=2 * np.arange(n, dtype=np.int64) + 1,
        level_cc=np.zeros(2 * n, np.int64),
    )


def touches(trades: pl.DataFrame, slippage: Slippage) -> pl.DataFrame:
    """Return ticker, event_ts, bid_cc and ask_cc after each instant with trades at which both are known."""
    markets = trades.select(pl.col("ticker").unique(maintain_order=True), close_us=pl.lit(NEVER))
    shown = _touches(_instants(trades, markets), slippage)
    is_open = (pl.col("bid_cc") > 0) & (pl.col("ask_cc") < DOLLAR_CC)
    return shown.filter(is_open).select(
        markets["ticker"].gather(shown.filter(is_open)["market"]),
        "bid_cc",
        "ask_cc",
        event_ts=pl.col("ts_us").cast(pl.Datetime("us", "UTC")),
    )


def half_spreads_so_far(bought: pl.Expr, sold: pl.Expr) -> pl.Expr:
    """Return, at each instant of a market, half of the mean spread that its takers have shown so far.

    They show one whenever a purchase follows a sale or the other way round, and within an instant that has
    both. Rounded up, at least 1; null before `FLIPS_MIN` of them. Of a market with a trend the mean is right,
    for what rises between the two adds to half of them and takes from the others.

    Args:
        bought: the most that a buyer of YES paid at each instant, null where nobody bought.
        sold: the least that a seller of YES got.
    """
    spread = pl.coalesce(bought - sold, bought - sold.shift(), bought.shift() - sold)
    n, total = spread.is_not_null().cum_sum(), spread.fill_null(0).cum_sum()
    half = (total + 2 * n - 1) // (2 * n)
    return pl.when(n >= FLIPS_MIN).then(half.clip(lower_bound=1))


def _instants(trades: pl.DataFrame, markets: pl.DataFrame) -> pl.DataFrame:
    """Return market, ts_us, and the worst prices that takers got on either side, by market and time."""
    numbers = markets.select("ticker", "close_us").with_row_index("market")
    price, is_buyer = pl.col("yes_price_cc").cast(pl.Int64), pl.col("taker_side") == "yes"
    return (
        trades.filter(pl.col("is_block_trade").fill_null(value=False).not_())
        .filter(pl.col("yes_price_cc").is_between(0, DOLLAR_CC, closed="none"))
        .join(numbers, on="ticker")
        .with_columns(ts_us=pl.col("event_ts").dt.epoch("us"))
        .filter(pl.col("ts_us") < pl.col("close_us"))
        .group_by("market", "ts_us", "close_us")
        .agg(bought=price.filter(is_buyer).max(), sold=price.filter(is_buyer.not_()).min())
        .sort("market", "ts_us")
    )


def _touches(instants: pl.DataFrame, slippage: Slippage) -> pl.DataFrame:
    bought, sold, table = pl.col("bought"), pl.col("sold"), slippage.half_spreads()
    if table is None:
        estimated = half_spreads_so_far(bought, sold).over("market", order_by="ts_us")
        halves = {"half_bought": estimated, "half_sold": estimated}
    else:
        steps = pl.Series(table)
        halves = {f"half_{each}": pl.lit(steps).gather(pl.col(each)) for each in ("bought", "sold")}
    below, above = bought - 2 * pl.col("half_bought"), sold + 2 * pl.col("half_sold")
    is_live = pl.coalesce("half_bought", "half_sold").is_not_null()
    shown = instants.with_columns(**halves).select(
        "market",
        "ts_us",
        "close_us",
        is_live=is_live.cast(pl.Int8),
        bid_cc=pl.when(is_live).then(pl.min_horizontal(sold, below).clip(lower_bound=0)).fill_null(0),
        ask_cc=pl.when(is_live)
        .then(pl.max_horizontal(bought, above).clip(upper_bound=DOLLAR_CC))
        .fill_null(DOLLAR_CC),
        bid_run=_run(sold),
        ask_run=_run(bought),
    )
    age_us = slippage.max_age_us
    return shown if age_us is None else pl.concat([shown, _ends(shown, age_us)]).sort("market", "ts_us")


def _ends(shown: pl.DataFrame, age_us: int) -> pl.DataFrame:
    """Return the moments from which on a touch is too old; its prices stay, to mark what is held."""
    end, after = pl.col("ts_us") + age_us, pl.col("ts_us").shift(-1).over("market", order_by="ts_us")
    is_end = (pl.col("is_live") == 1) & (end < pl.min_horizontal("close_us", after))
    return shown.filter(is_end).with_columns(ts_us=end, is_live=pl.lit(0, pl.Int8))


def _run(price: pl.Expr) -> pl.Expr:
    """Number the stretches in which nobody traded on a side at another price."""
    before = price.forward_fill().shift().over("market", order_by="ts_us")
    return (price.is_not_null() & price.ne_missing(before)).cum_sum().cast(pl.Int32) + 1
