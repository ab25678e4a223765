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

from backtest.by_setting import SETTING, numbered, refuse_taken, settings_of, with_settings
from backtest.errors import PlanError
from backtest.kernels.arrays import I64, NEVER
from backtest.latency import as_us
from backtest.results import TIME, Run
from backtest.saved import run_of
from exchange.units import format_ts, from_us

_DAY_US: Final = 86_400_000_000
FOLD_COLUMNS: Final = (
    *("from_ts", "until_ts", "n_events_before", "before_micros", "n_events", "fees_micros", "net_micros"),
    *("median_micros", "best_micros"),
)


def walk_forward(run: Run, *, every: str | timedelta = "7d") -> pl.DataFrame:
    """Choose a setting anew every so often, by what had been over before, and add up what came of it.

    An event belongs to the fold in which its first order filled, and counts there with all that it came to,
    marked at the bid where it is still open at the end of the data. Choices hear of it once it is over, that
    is when its last position was closed or paid; of a correction, once that moved money.

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
        PlanError: no run, there is one setting only, `every` is no whole number of days or so long that no
            choice is made while it still matters, or a parameter is called as one of the columns.
    """
    run, every_us = run_of(run), as_us("every", every)
    if every_us < _DAY_US or every_us % _DAY_US:
        raise PlanError(f"every={every!r}: choose once in a whole number of days, such as '7d'")
    if run.summary.height < 2:  # noqa: PLR2004 -- there is nothing to choose among
        raise PlanError("this run has one setting: walk_forward chooses among those of a sweep")
    refuse_taken(run.param_names, FOLD_COLUMNS, "folds")
    walked = folded(run, every_us)
    if walked.is_empty():
        _refuse_too_long(run, every)
    return walked


def folded(run: Run, every_us: int) -> pl.DataFrame:
    """Return what `walk_forward` does; without a row where there is no choice, for whatever reason."""
    settings = settings_of(run)
    events = _events(run, settings)
    starts = _starts(events, every_us)
    told = _folds(events, starts, settings.height)
    start_us = pl.Series("from_ts", starts, pl.Int64)
    times = pl.DataFrame([start_us.cast(TIME), (start_us + every_us).alias("until_ts").cast(TIME)])
    sums = pl.DataFrame({name: told[name] for name in FOLD_COLUMNS[2:]})
    return pl.concat([times, with_settings(sums, pl.Series(told["chosen"]), settings)], how="horizontal")


def _refuse_too_long(run: Run, every: object) -> None:
    """Refuse a length of time where a shorter one would have brought a choice."""
    events = _events(run, settings_of(run))
    if _starts(events, _DAY_US):
        over, began = (
            format_ts(from_us(int(us)))
            for us in events.select(pl.col("over_us").min(), pl.col("began_us").max()).row(0)
        )
        raise PlanError(
            f"every={every!r} is too long: the first event was over at {over}, the last began at {began}, "
            "and no choice lies in between; take a shorter every"
        )


def _starts(events: pl.DataFrame, every_us: int) -> range:
    """Return when choices are made: from the first event that is over to the last that began."""
    began_us, over_us = (events[name].to_numpy() for name in ("began_us", "over_us"))
    if over_us.min(initial=NEVER) == NEVER:
        return range(0, 0, every_us)
    first_us = int(began_us.min()) // _DAY_US * _DAY_US
    first_choice = (int(over_us.min()) - first_us) // every_us + 1
    return range(first_us + first_choice * every_us, int(began_us.max()) + 1, every_us)


def _folds(events: pl.DataFrame, starts: range, n_settings: int) -> dict[str, I64]:
    """Return `FOLD_COLUMNS` from n_events_before on, and the number of the setting that was chosen."""
    setting, net, is_event = (events[name].to_numpy() for name in (SETTING, "net", "is_event"))
    began, over = (
        (events[name].to_numpy() - starts.start) // starts.step for name in ("began_us", "over_us")
    )

    def summed(fold: I64, values: I64) -> I64:
        sums = np.zeros((len(starts), n_settings), np.int64)
        is_in = (fold >= 0) & (fold < len(starts))
        np.add.at(sums, (fold[is_in], setting[is_in]), values[is_in])
        return sums

    told = np.maximum(over + 1, 0)  # the first choice that knows of it
    before = summed(told, net).cumsum(axis=0)
    chosen, nets = before.argmax(axis=1), summed(began, net)

    def of_chosen(sums: I64) -> I64:
        return np.take_along_axis(sums, chosen[:, np.newaxis], axis=1)[:, 0]

    return {
        "chosen": chosen,
        "n_events_before": of_chosen(summed(told, is_event).cumsum(axis=0)),
        "before_micros": of_chosen(before),
        "n_events": of_chosen(summed(began, is_event)),
        "fees_micros": of_chosen(summed(began, events["fees"].to_numpy())),
        "net_micros": of_chosen(nets),
        "median_micros": np.sort(nets, axis=1)[:, (n_settings - 1) // 2],
        "best_micros": nets.max(axis=1),
    }


def _events(run: Run, settings: pl.DataFrame) -> pl.DataFrame:
    """Return the setting's number, event_ticker, began_us, over_us (NEVER: not yet), net, fees and is_event.

    Corrections have rows of their own, with is_event = 0.
    """
    fills, paid, held = (numbered(each, settings) for each in (run.fills, run.settlements, run.positions))
    market, event = [SETTING, "event_ticker", "ticker"], [SETTING, "event_ticker"]
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
        is_event=1,
    )
    moved = paid.filter(~is_first).select(*event, moved_us=_us("settled_ts"), net="payout_micros")
    corrections = moved.join(events.drop("net", "fees", "is_event"), on=event).select(
        *event,
        "began_us",
        pl.max_horizontal("over_us", "moved_us").alias("over_us"),
        "net",
        fees=0,
        is_event=0,
    )
    return pl.concat([events, corrections], how="vertical_relaxed")


def _us(name: str) -> pl.Expr:
    return pl.col(name).to_physical()
