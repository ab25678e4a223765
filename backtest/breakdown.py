"""What each market, event or series came to: where a result came from, as `bt.profits` tells it."""

from typing import Final

import polars as pl

from backtest.errors import PlanError
from backtest.metrics import came_to, ledger
from backtest.results import Run
from backtest.saved import run_of

_HOME: Final = ("ticker", "event_ticker", "series_ticker")
_KEYS: Final = {"market": _HOME, "event": _HOME[1:], "series": _HOME[2:]}
_ROW: Final = "#"  # no parameter is called so


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
        PlanError: no run, another `by`, or a parameter that is called as one of the columns.
    """
    run = run_of(run)
    if by not in _KEYS:
        raise PlanError(f"by={by!r}: use {', '.join(map(repr, _KEYS))}")
    counted = {"n_events": pl.col("event_ticker").n_unique(), "n_markets": pl.col("ticker").n_unique()}
    sums = {name: each.cast(pl.Int64) for name, each in counted.items()} | came_to()
    if taken := sorted(set(sums) & set(run.param_names)):
        raise PlanError(
            f"a parameter cannot be called {', '.join(taken)}: profits have a column of that name"
        )
    names, params = run.param_names, {name: pl.col(name) for name in run.param_names}
    moved = pl.concat(
        [
            ledger(run.fills, "cash_micros", "fee_micros", **params),
            ledger(run.settlements, "payout_micros", **params),
            ledger(run.positions, "marked_micros", **params),
        ]
    )
    rows = run.summary.select(*names, pl.int_range(pl.len()).alias(_ROW))
    told = moved.join(rows, on=names, nulls_equal=True) if names else moved.join(rows, how="cross")
    return told.group_by(_ROW, *names, *_KEYS[by]).agg(**sums).sort(_ROW, *_KEYS[by]).drop(_ROW)
