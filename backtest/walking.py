"""A sweep as somebody would have lived it: each time, the setting that had earned most so far.

    swept = bt.run(plan, lake, fills="book", params={"min_edge": [0.01, 0.02, 0.04]})
    walked = bt.walk_forward(swept, every="7d")
    walked["net_micros"].sum(), walked["median_micros"].sum()

The best of a sweep was chosen on the events that it is praised for. Here a choice sees only events that were
over when it was made, and is judged by those that began afterwards.
"""

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import I64, NEVER
from backtest.latency import as_us
from backtest.results import TIME, Run

_DAY_US: Final = 86_400_000_000
_SETTING: Final = "#"  # no parameter is called so
FOLD_COLUMNS: Final = (
    *("from_ts", "until_ts", "n_events_before", "before_micros", "n_events", "fees_micros", "net_micros"),
    *("median_micros", "best_micros"),
)


def walk_forward(run: Run, *, every: str | timedelta = "7d") -> pl.DataFrame:
    """Choose a setting anew every so often, by what had been over before, and add up what came of it.

    An event belongs to the fold in which its first order filled, and counts there with all that it came to,
    marked at the bid where it is still open at the end of the data. It is chosen by once it is over: when
    its last position was closed or paid; a correction counts from when it moved money. What was open when a
    choice was made is in neither sum.

    Each setting's events are those of its own run, whose purse was at work from the beginning: where cash or
    caps bind, changing over would have done a little better or worse.

    Args:
        run: a sweep: of at least two parameter rows.
        every: whole days between choices, counted from the first fill's UTC midnight; the first choice is
            made when the first event is over.

    Returns:
        One row per fold, in order of time: from_ts, until_ts; the parameters chosen (of several that had
        earned as much, the first); n_events_before, before_micros: what they were chosen by; n_events,
        fees_micros, net_micros: what came of it; median_micros, best_micros: the (lower) median and the
        largest net of all settings in that fold, nobody could know of which.

    Raises:
        PlanError: there is one setting only, `every` is no whole number of days, or a parameter is called
            as one of the columns.
    """
    every_us = as_us("every", every)
    if every_us < _DAY_US or every_us % _DAY_US:
        raise PlanError(f"every={every!r}: choose once in a whole number of days, such as '7d'")
    if run.summary.height < 2:  # noqa: PLR2004 -- there is nothing to choose among
        raise PlanError("this run has one setting: walk_forward chooses among those of a sweep")
    if taken := sorted(set(FOLD_COLUMNS) & set(run.param_names)):
        raise PlanError(f"a parameter cannot be called {', '.join(taken)}: folds have a column of that name")
    settings, events = run.summary.select(run.param_names), _events(run)
    folds = [_fold(events, settings, start, start + every_us) for start in _starts(events, every_us)]
    times, sums = dict.fromkeys(FOLD_COLUMNS[:2], TIME), dict.fromkeys(FOLD_COLUMNS[2:], pl.Int64())
    return pl.DataFrame(folds, schema={**times, **settings.schema, **sums}, orient="row")


def _starts(events: pl.DataFrame, every_us: int) -> range:
    """Return when choices are made: from the first event that is over to the last that began."""
    began_us, over_us = (events[name].to_numpy() for name in ("began_us", "over_us"))
    first_us = int(began_us.min(initial=NEVER)) // _DAY_US * _DAY_US
    waits_us = int(over_us.min(initial=NEVER)) - first_us
    return range(
        first_us + (waits_us // every_us + 1) * every_us, int(began_us.max(initial=-1)) + 1, every_us
    )


def _fold(events: pl.DataFrame, settings: pl.DataFrame, start_us: int, end_us: int) -> tuple[object, ...]:
    over = events.filter(pl.col("over_us") < start_us)
    then = events.filter(pl.col("began_us") >= start_us, pl.col("began_us") < end_us)
    before, net, fees = (
        _sums(*each, settings.height) for each in ((over, "net"), (then, "net"), (then, "fees"))
    )
    chosen = int(np.argmax(before))
    return (
        *pl.Series([start_us, end_us]).cast(TIME),
        *settings.row(chosen),
        _n_events(over, chosen),
        int(before[chosen]),
        _n_events(then, chosen),
        int(fees[chosen]),
        int(net[chosen]),
        int(np.sort(net)[(len(net) - 1) // 2]),
        int(net.max()),
    )


def _n_events(events: pl.DataFrame, setting: int) -> int:
    return events.filter(pl.col(_SETTING) == setting)["event_ticker"].n_unique()


def _sums(events: pl.DataFrame, column: str, n: int) -> I64:
    sums = np.zeros(n, np.int64)
    np.add.at(sums, events[_SETTING].to_numpy(), events[column].to_numpy())
    return sums


def _events(run: Run) -> pl.DataFrame:
    """Return the setting's number, event_ticker, began_us, over_us (NEVER: not yet), net and fees.

    Corrections have rows of their own.
    """
    fills, paid, held = (_numbered(run, name) for name in ("fills", "settlements", "positions"))
    market, event = [_SETTING, "event_ticker", "ticker"], [_SETTING, "event_ticker"]
    is_first, is_paid = pl.col("is_correction").not_(), pl.col("position_centi") != 0
    known = [
        fills.group_by(market).agg(
            began_us=_us("fill_ts").min(),
            last_us=_us("fill_ts").max(),
            net=(pl.col("cash_micros") - pl.col("fee_micros")).sum(),
            fees=pl.col("fee_micros").sum(),
        ),
        paid.filter(is_first, is_paid).select(*market, paid_us=_us("settled_ts"), payout="payout_micros"),
        held.select(*market, never_us=pl.lit(NEVER), marked="marked_micros"),
    ]
    markets = known[0].join(known[1], on=market, how="left").join(known[2], on=market, how="left")
    worth = pl.sum_horizontal("net", "payout", "marked")
    events = markets.group_by(event).agg(
        began_us=pl.col("began_us").min(),
        over_us=pl.coalesce("never_us", "paid_us", "last_us").max(),
        net=worth.sum(),
        fees=pl.col("fees").sum(),
    )
    moved = paid.filter(~is_first).select(*event, moved_us=_us("settled_ts"), net="payout_micros")
    corrections = moved.join(events.drop("net", "fees"), on=event).select(
        *event, "began_us", pl.max_horizontal("over_us", "moved_us").alias("over_us"), "net", fees=0
    )
    return pl.concat([events, corrections], how="vertical_relaxed")


def _numbered(run: Run, name: str) -> pl.DataFrame:
    """Return a frame with the number of its setting instead of the parameters."""
    names = list(run.param_names)
    numbers = run.summary.select(names).with_row_index(_SETTING)
    return run.frames[name].join(numbers, on=names, nulls_equal=True).drop(names)


def _us(name: str) -> pl.Expr:
    return pl.col(name).to_physical()
