"""What each market, event or series came to: where a result came from.

bt.profits(run).sort("net_micros")            # events, the worst first
bt.profits(run, by="market").filter("is_open")
"""

from typing import Final

import polars as pl

from backtest.errors import PlanError
from backtest.results import Run
from backtest.saved import run_of

_HOME: Final = ("ticker", "event_ticker", "series_ticker")
_KEYS: Final = {"market": _HOME, "event": _HOME[1:], "series": _HOME[2:]}
_MONEY: Final = ("stake_micros", "fees_micros", "gross_micros")
_COUNTED: Final = ("n_events", "n_markets", "n_fills")


def profits(run: Run, *, by: str = "event") -> pl.DataFrame:
    """Return what every market, event or series that was traded came to; each setting sums to its P&L.

    Closed, paid or still held: all that moved money counts, and what is held at the end at its last mark.

    Args:
        run: what happened.
        by: "market", "event" or "series".

    Returns:
        The parameters; ticker (of markets), event_ticker (but of series), series_ticker; n_events, n_markets,
        n_fills; stake_micros (cash that left to buy), fees_micros, gross_micros, net_micros (gross less
        fees); is_open (something is held at the end). By parameters, as the summary has them, then by name.

    Raises:
        PlanError: no run, or another `by`.
    """
    run = run_of(run)
    if by not in _KEYS:
        raise PlanError(f"by={by!r}: use {', '.join(map(repr, _KEYS))}")
    order = run.summary.select(
        *run.param_names, pl.int_range(pl.len()).alias("#")
    )  # no parameter is called so
    cash, zero = pl.col("cash_micros"), pl.lit(0, pl.Int64)
    moved = pl.concat(
        [
            _moved(run, "fills", cash, -cash.clip(upper_bound=0), pl.col("fee_micros"), n_fills=1),
            _moved(run, "settlements", pl.col("payout_micros"), zero, zero),
            _moved(run, "positions", pl.col("marked_micros"), zero, zero, is_open=True),
        ]
    )
    told = (
        moved.join(order, on=run.param_names, nulls_equal=True)
        if run.param_names
        else moved.join(order, how="cross")
    )
    keys = _KEYS[by]
    return (
        told.group_by("#", *run.param_names, *keys)
        .agg(
            n_events=pl.col("event_ticker").n_unique().cast(pl.Int64),
            n_markets=pl.col("ticker").n_unique().cast(pl.Int64),
            n_fills=pl.col("n_fills").sum(),
            **{name: pl.col(name).sum() for name in _MONEY},
            is_open=pl.col("is_open").any(),
        )
        .sort("#", *keys)
        .select(
            *(*run.param_names, *keys, *_COUNTED, *_MONEY),
            net_micros=pl.col("gross_micros") - pl.col("fees_micros"),
            is_open="is_open",
        )
    )


def _moved(
    run: Run,
    name: str,
    gross: pl.Expr,
    stake: pl.Expr,
    fees: pl.Expr,
    *,
    n_fills: int = 0,
    is_open: bool = False,
) -> pl.DataFrame:
    """Return the rows of a frame that move money, or say what is held, in one shape."""
    return run.frames[name].select(
        *run.param_names,
        *_HOME,
        n_fills=pl.lit(n_fills, pl.Int64),
        stake_micros=stake,
        fees_micros=fees,
        gross_micros=gross,
        is_open=pl.lit(is_open),
    )
