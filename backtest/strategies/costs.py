"""What a fill would cost, as strategies guess it before they send an order."""

from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC

ASSUMPTION: Final = (
    "the strategy expects the standard taker fee, 7 % of p x (1 - p), whatever the market's own fee is; "
    "what fills are charged is the engine's, by date"
)


def taker_fee_cc(price_cc: pl.Expr) -> pl.Expr:
    """Return the standard taker fee of one contract at a price, in centicents, rounded up.

    Source: the fee schedule of 2026-07-07, 0.07 x contracts x p x (1 - p); see exchange.fees.
    """
    return -(-7 * price_cc.cast(pl.Int64) * (DOLLAR_CC - price_cc) // 1_000_000)
