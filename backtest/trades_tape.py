"""The tape where only trades were recorded: a touch made of the last trades, without sizes.

Who acquired YES paid the ask, who acquired NO hit the bid: after a trade at `p` the touch on its side is `p`,
and the other side is a whole spread away. Trades of one instant are one event: the ask is no better than the
most a buyer of YES paid in it, the bid no better than the least a seller got.

Where half the spread is estimated, it is half of the mean of what takers showed so far: a spread whenever a
purchase follows a sale or the other way round, and within an instant that has both. Of a market with a trend
that is right too, for what rises between the two adds to half of them and takes from the others.
"""

from typing import Final

import numpy as np
import polars as pl

from backtest.kernels.arrays import DEAL, NEVER
from backtest.slippages import Slippages
from backtest.tape import FROM_TRADES, Tape, closed_up, fixed, places_in, shelved, times_us, touch_alone
from exchange.units import DOLLAR_CC
from warehouse.storage import batches

# What a tape of trades reads of them.
TRADE_COLUMNS: Final = ("ticker", "event_ts", "yes_price_cc", "taker_side", "is_block_trade")


def trades_tape(trades: pl.LazyFrame, markets: pl.DataFrame, slippages: Slippages) -> Tape:
    """Return the touch after each instant with trades, blocks left out; read as quotes are, piece by piece.

    What an order of ours took at the ask stays taken until somebody buys YES at another price; the bid alike.
    A touch that is too old is unknown, and keeps its prices, to mark what is held.

    Args:
        trades: `TRADE_COLUMNS`.
        markets: ticker, series_ticker and close_us, one row per market; its order is the tape's.
        slippages: half of the spread, and for how long a trade counts; where that is not known no touch is.

    Raises:
        CorruptFile: a file cannot be read.
    """
    from backtest.kernels.tops import last_tops, put_trades

    price, close_us = pl.col("yes_price_cc"), fixed(markets["close_us"])
    shown = trades.filter(
        pl.col("is_block_trade").fill_null(value=False).not_(), price.is_between(0, DOLLAR_CC, closed="none")
    ).select(
        "ticker", "event_ts", price.cast(pl.Int32), is_bought=(pl.col("taker_side") == "yes").cast(pl.Int8)
    )
    offsets, shelves = shelved(shown, markets, "trades")
    deals = np.zeros(offsets[-1], DEAL)
    for rows in batches(shown, "trades"):
        market, ts_us = places_in(markets["ticker"], rows["ticker"]), times_us(rows["event_ts"], NEVER)
        put_trades(
            deals, shelves, offsets, close_us, market, ts_us, *map(fixed, rows["yes_price_cc", "is_bought"])
        )
    offsets, (deals,) = closed_up(offsets, shelves, deals)
    for m in np.flatnonzero(shelves["is_mixed_up"]):
        some = deals[offsets[m] : offsets[m + 1]]
        some[:] = some[np.argsort(some["ts_us"], kind="stable")]
    tops, sizes, bounds = last_tops(
        offsets,
        deals,
        close_us,
        slippages.model_of(markets["series_ticker"]),
        np.stack([each.half_spreads() for each in slippages.ordered()]),
        np.array([each.max_age_us or NEVER for each in slippages.ordered()]),
    )
    return touch_alone(FROM_TRADES, bounds, tops, sizes)
