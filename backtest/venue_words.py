"""What of the markets' histories and kinds had to be assumed, in sentences."""

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from backtest.lifecycle import ALWAYS
from backtest.report_numbers import several
from exchange.fees import COMBO_PREFIX

if TYPE_CHECKING:
    from backtest.venue import Rules


def of_histories(
    known: "Rules", payout_delay: timedelta, n_timeless: int, n_valueless: int, *, n_early: int
) -> tuple[str, ...]:
    """Say what of the markets' histories had to be assumed."""
    first = known.payouts.filter(pl.col("number") == 0)
    lacking = [i for i, grid in enumerate(known.grids) if grid is None]
    assumed = int(first["is_assumed_time"].sum())
    corrected = known.payouts.height - first.height
    paused = known.pauses.height
    unknown = known.grid_times.filter(pl.col("grid").is_in(lacking)).height
    changed = known.grid_times.filter(pl.col("from_us") > ALWAYS)["market"].n_unique()
    has, are = ("market has", "markets have"), ("market is", "markets are")
    after = f"{_length(payout_delay)} after the close, or after it was last seen undecided"
    counted = {
        f"{several(assumed, *has)} a result but no settlement time: paid {after}": assumed,
        f"{several(n_timeless, *are)} never paid: there is a result, but no recorded close or payout time": (
            n_timeless
        ),
        f"{several(n_valueless, *are)} never paid: decided, but at what value is not on record": n_valueless,
        f"{several(corrected, 'payout was', 'payouts were')} corrected: the difference moved when that was "
        "paid, or else first seen": corrected,
        f"{several(n_early, 'market was', 'markets were')} seen closed before the close on record: trading "
        "ended at that sighting": n_early,
        f"{several(paused, 'pause of a market is', 'pauses of markets are')} on record: nothing fills from "
        "the first sighting to that of the end, and orders that wait are cancelled at the end": paused,
        f"{several(unknown, *has)} no recorded price grid: limits accepted at any $0.0001, ticks are cents": (
            unknown
        ),
        f"{several(changed, 'market changed its', 'markets changed their')} price grid: each grid holds from "
        "its first sighting": changed,
    }
    return tuple(sentence for sentence, n in counted.items() if n)


def _length(delay: timedelta) -> str:
    seconds = delay.total_seconds()
    for unit, name in ((3_600, "h"), (60, "min")):
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:g} s"


def of_kinds(last: pl.DataFrame) -> list[str]:
    """Name the kinds of markets that whole tapes leave out, and a plan that names them takes in (trap 15)."""
    n_combos = int(last["ticker"].str.starts_with(COMBO_PREFIX).sum())
    n_provisional = int(last["is_provisional"].sum())
    combos = f"{several(n_combos, 'market is a combo', 'markets are combos')}: each pays by several others"
    gone = "the exchange deletes those that nobody trades, so that such markets are all that were traded"
    provisional = f"{several(n_provisional, 'market is', 'markets are')} provisional: {gone}"
    return [said for n, said in ((n_combos, combos), (n_provisional, provisional)) if n]


def of_netting(known: "Rules", *, netting: bool) -> tuple[str, ...]:
    """Say on how many events collateral returns."""
    if not netting:
        return ()
    n_all = known.markets["event_ticker"].n_unique()
    n = known.markets.filter("is_netted")["event_ticker"].n_unique()
    said = (
        f"collateral returns on {n} of {n_all} events, those on record as mutually exclusive: what NO in "
        "several of their markets pays at least is at our disposal at once"
    )
    return (said,)
