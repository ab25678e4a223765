"""What a contract is worth more than it costs, as expressions: for signals, before any order is sent.

plan = told.select("ticker", "known_ts",
intent=bt.buy_no(10, limit=10_000 - pl.col("bid_cc")).when(bt.net_edge_cc("prob", "no") > 200))
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

import polars as pl

from backtest.errors import PlanError, kind_of
from backtest.fees import assume_fees
from exchange.fees import TAKER_RATE_PPM
from exchange.units import DOLLAR_CC

ASSUMPTION: Final = (
    "the strategy expects the standard taker fee, 7 % of p x (1 - p), whatever the market's own fee is; "
    "what fills are charged is the engine's, by date"
)
_MILLION: Final = 10**6


def net_edge_cc(prob: str | pl.Expr, side: str = "yes", *, multiplier: float | Decimal | str = 1) -> pl.Expr:
    """Return what buying a contract at the best quote earns on average, taker fee paid, in centicents.

    Reads `bid_cc` and `ask_cc` as the lake has them; null where that side or `prob` is, and where `prob` is
    no probability (NaN, percent). It is a guess for signals: the engine fills and charges by what stands
    there when the order arrives.

    Args:
        prob: the probability of YES, from 0 to 1, a column or an expression.
        side: "yes" costs the ask, "no" costs $1 less the bid.
        multiplier: of the fee, as on record for the series (0.5 for half of the standard fee).

    Raises:
        PlanError: no column or expression, another side, or a multiplier that is none.
    """
    if side not in ("yes", "no"):
        raise PlanError(f"side={side!r}: use 'yes' or 'no'")
    if not isinstance(prob, str | pl.Expr):
        raise PlanError(f"prob is {kind_of(prob)}: give the name of a column, or an expression")
    worth = pl.col(prob) if isinstance(prob, str) else prob
    price_cc = pl.col("ask_cc") if side == "yes" else DOLLAR_CC - pl.col("bid_cc")
    worth = pl.when(worth.is_between(0, 1)).then(worth)  # NaN is above every number to polars
    won = worth if side == "yes" else 1 - worth
    return won * DOLLAR_CC - price_cc - taker_fee_cc(price_cc, multiplier=multiplier)


def taker_fee_cc(price_cc: pl.Expr, *, multiplier: float | Decimal | str = 1) -> pl.Expr:
    """Return the standard taker fee of one contract at a price, in centicents, rounded up.

    Source: the fee schedule of 2026-07-07, 0.07 x contracts x p x (1 - p); see exchange.fees.

    Raises:
        PlanError: a multiplier that is none.
    """
    times_ppm = assume_fees("quadratic", multiplier).multiplier_ppm
    rate = Fraction(TAKER_RATE_PPM * (times_ppm or 0), _MILLION * _MILLION)
    price_cc = price_cc.cast(pl.Int64)
    return -(-rate.numerator * price_cc * (DOLLAR_CC - price_cc) // (rate.denominator * DOLLAR_CC))
