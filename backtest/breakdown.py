"""What each market, event or series came to: where a result came from, as `bt.profits` tells it."""

from typing import Final

import polars as pl

from backtest.by_setting import SETTING, numbered, refuse_taken, settings_of, with_settings
from backtest.errors import PlanError
from backtest.metrics import came_to, ledger
from backtest.results import Run
from backtest.saved import run_of

_HOME: Final = ("ticker", "event_ticker", "series_ticker")
_KEYS: Final = {"market": _HOME, "event": _HOME[1:], "series": _HOME[2:]}


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
    refuse_taken(run.param_names, sums, "profits")
    settings, number = settings_of(run), {SETTING: pl.col(SETTING)}
    fills, paid, held = (numbered(each, settings) for each in (run.fills, run.settlements, run.positions))
    moved = pl.concat(
        [
            ledger(fills, "cash_micros", "fee_micros", **number),
            ledger(paid, "payout_micros", **number),
            ledger(held, "marked_micros", **number),
        ]
    )
    # Markets have the series of their event, whether they or their event are on record with it.
    series = pl.col("series_ticker").drop_nulls().first().over("event_ticker")
    told = (
        moved.with_columns(series_ticker=series)
        .group_by(SETTING, *_KEYS[by])
        .agg(**sums)
        .sort(SETTING, *_KEYS[by])
    )
    return with_settings(told.drop(SETTING), told[SETTING], settings)
