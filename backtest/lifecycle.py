"""What befell each market and when: payouts and their corrections, pauses, price grids by date.

Read from every state of the lake's `markets` that was observed, not from the last one alone. What happened
between two observations is taken to have happened at the later one; the run says how often that was needed.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from backtest.kernels.arrays import NEVER
from exchange.fees import COMBO_PREFIX
from exchange.ticks import STRUCTURES, PriceRange
from exchange.units import DOLLAR_CC, to_us

Grid = tuple[PriceRange, ...] | None

ALWAYS: Final = -(2**63)
_PAUSED, _TRADING = "inactive", "active"
_DECIDED: Final = ("determined", "amended", "finalized")
_UNDECIDED: Final = "disputed"
_OVER: Final = ("closed", _UNDECIDED, *_DECIDED)  # past the close
_BY_RESULT: Final = pl.col("result").replace_strict(
    {"yes": DOLLAR_CC, "no": 0}, default=None, return_dtype=pl.Int32
)
_VALUE: Final = pl.coalesce("settlement_value_cc", _BY_RESULT)
# A source may write 0 for "not decided yet": a value counts only beside a result or a final status.
_IS_FINAL: Final = (
    _BY_RESULT.is_not_null() | pl.col("status").is_in(_DECIDED) | (pl.col("result") == "scalar")
) & pl.col("status").ne_missing(_UNDECIDED)
# The exchange pauses on Thursdays from 03:00 to 05:00 in New York; waiting orders stay.
# Source: page maintenance_and_pauses, 2026-04-30. Of the 42,389 trades of recorded macro markets from 2022 to
# 2025, one lies inside.
_HALT_ZONE: Final = ZoneInfo("America/New_York")
_HALT_WEEKDAY, _HALT_FROM_HOUR, _HALT_UNTIL_HOUR = 3, 3, 5
# All combos got the finer grid on one day; those that we first saw later traded on tenths of a cent before.
# Source: changelog of 2026-09-03 (KALSHI.md §7 and §18).
_COMBO_GRID: Final = "center_deci_edge_centi_cent"
_COMBO_GRID_US: Final = to_us(datetime(2026, 9, 3, tzinfo=UTC))
_COMBO_GRID_BEFORE: Final = STRUCTURES["deci_cent"]


def payouts(states: pl.DataFrame, payout_delay: timedelta) -> pl.DataFrame:
    """Return every movement of money that the results on record make: at most one row per change of value.

    A market pays what its last decided state says. If an earlier state had been paid already at another
    value, that money moved too, and the difference moves when the correction is paid. A dispute that is not
    resolved undoes nothing that was paid, and pays nothing that was not.

    Args:
        states: rows of the lake's `markets`, sorted by ticker and observed_ts.
        payout_delay: from the close, or from the first sighting of a market as over if that came before it,
            to the payout where no time is on record. A decision that replaces an unpaid one waits that long
            from its first sighting, for an amendment restarts the timer.

    Returns:
        ticker, settle_us, value_cc, is_assumed_time, decided_us (first sighting of the value; NEVER if it was
        seen only after the payout), number (0, then 1 and up for corrections); by ticker and number.
    """
    seen, close = pl.col("observed_ts").dt.epoch("us"), pl.col("close_ts").dt.epoch("us")
    ended = states.select("ticker").join(ends(states), on="ticker", how="left", maintain_order="left")
    is_decided = _VALUE.is_not_null() & _IS_FINAL
    is_last = pl.int_range(pl.len()).over("ticker") == pl.len().over("ticker") - 1
    told = states.select(
        "ticker",
        value_cc=_VALUE.cast(pl.Int64),
        is_decided=is_decided.fill_null(value=False),
        seen_us=seen,
        paid_us=pl.col("settlement_ts").dt.epoch("us"),
        close_us=pl.when(close.is_not_null()).then(pl.min_horizontal(close, ended["ended_us"])),
    ).with_columns(
        ends_decided=(is_last & pl.col("is_decided")).any().over("ticker"),
        # The last time that it was seen after the close and was not decided, or is not any more.
        open_us=pl.when(~pl.col("is_decided") & (pl.col("seen_us") >= pl.col("close_us")))
        .then("seen_us")
        .cum_max()
        .forward_fill()
        .over("ticker"),
    )
    runs = (
        told.filter("is_decided")
        .with_columns(run=pl.col("value_cc").rle_id().over("ticker"))
        .group_by("ticker", "run", maintain_order=True)
        .agg(
            pl.first("value_cc", "seen_us"),
            pl.last("close_us", "ends_decided", "open_us"),
            last_us=pl.last("seen_us"),
            paid_us=pl.col("paid_us").drop_nulls().last(),
        )
        .with_columns(
            open_us=pl.max_horizontal("open_us", pl.col("last_us").shift(1).over("ticker")),
            is_final=pl.col("run") == pl.col("run").max().over("ticker"),
        )
        .filter(pl.col("paid_us").is_not_null() | (pl.col("is_final") & pl.col("ends_decided")))
    )
    return _timed(runs, payout_delay // timedelta(microseconds=1))


def _timed(runs: pl.DataFrame, delay_us: int) -> pl.DataFrame:
    """Say when each value was paid: on record, or assumed; never before the one it replaces."""
    paid, before = pl.col("paid_us"), pl.col("paid_us").shift(1).over("ticker")
    settle = (
        pl.when(paid.is_null())
        .then(pl.max_horizontal("close_us", "open_us") + delay_us)
        .when(before.is_null() | (paid > before))
        .then(paid)
        .otherwise(pl.max_horizontal("seen_us", before))
    )
    timed = runs.with_columns(settle_us=settle.cum_max().over("ticker")).drop_nulls("settle_us")
    return timed.select(
        "ticker",
        "settle_us",
        "value_cc",
        is_assumed_time=paid.ne_missing(pl.col("settle_us")),
        decided_us=pl.when(pl.col("seen_us") <= pl.col("settle_us")).then("seen_us").otherwise(NEVER),
        number=pl.int_range(pl.len()).over("ticker"),
    )


def unpaid(states: pl.DataFrame, paid: pl.DataFrame) -> tuple[int, int]:
    """Count the decided markets that never pay: those without any time, and those without a value.

    Args:
        states: rows of the lake's `markets`, sorted by ticker and observed_ts.
        paid: what `payouts` made of them.
    """
    last = states.unique("ticker", keep="last").filter(_IS_FINAL).join(paid, on="ticker", how="anti")
    n_valueless = int(last.select(_VALUE.is_null().sum()).item())
    return last.height - n_valueless, n_valueless


def pauses(states: pl.DataFrame) -> pl.DataFrame:
    """Return when each market was paused: from the first sighting of it to that of trading, or of its end.

    Trading that resumes has cancelled what waited. Source: page market_lifecycle, 2026-06-01. A market that
    was seen closed, or decided, and then trading again was paused in between, from the close that it had
    announced on.

    Args:
        states: rows of the lake's `markets`, sorted by ticker and observed_ts.

    Returns:
        ticker, from_us, until_us (NEVER where nothing else was seen), is_cancelling; by ticker and from_us.
    """
    is_announced = (
        pl.col("is_reopened")
        & (pl.col("over_us") == pl.col("from_us"))
        & pl.col("traded_us").is_not_null()
        & pl.col("close_us").is_not_null()
    )
    announced_us = pl.min_horizontal("from_us", pl.max_horizontal("close_us", "traded_us"))
    until_us = pl.when("is_reopened").then("until_us").otherwise(pl.coalesce("over_us", NEVER))
    return (
        _stops(states)
        .select(
            "ticker",
            from_us=pl.when(is_announced).then(announced_us).otherwise("from_us"),
            until_us=until_us,
            is_cancelling="is_reopened",
        )
        .filter(pl.col("from_us") < pl.col("until_us"))
    )


def ends(states: pl.DataFrame) -> pl.DataFrame:
    """Return when markets were first seen closed, or further than that, and not trading again after it.

    Args:
        states: rows of the lake's `markets`, sorted by ticker and observed_ts.

    Returns:
        ticker, ended_us; one row for each market that was seen so.
    """
    is_end = ~pl.col("is_reopened") & pl.col("over_us").is_not_null()
    return _stops(states).filter(is_end).select("ticker", ended_us="over_us")


def _stops(states: pl.DataFrame) -> pl.DataFrame:
    """Return the stretches of sightings in which a market did not trade.

    Columns: ticker, from_us and until_us (sightings: the first, and that of trading again; NEVER without
    one), is_reopened, over_us (the first that was no mere pause; null without one), traded_us (first sighting
    of the trading before; null without one), close_us (that the first sighting told).
    """
    status, seen_us = pl.col("status"), pl.col("observed_ts").dt.epoch("us")
    stretches = (
        states.select("ticker", "status", seen_us=seen_us, close_us=pl.col("close_ts").dt.epoch("us"))
        .filter(status.is_in([_TRADING, _PAUSED, *_OVER]))
        .with_columns(is_stopped=status != _TRADING, over_us=pl.when(status.is_in(_OVER)).then("seen_us"))
        .with_columns(stretch=pl.col("is_stopped").rle_id().over("ticker"))
        .group_by("ticker", "stretch", maintain_order=True)
        .agg(
            pl.first("is_stopped", "close_us"),
            from_us=pl.col("seen_us").first(),
            over_us=pl.col("over_us").min(),
        )
    )
    return stretches.with_columns(
        until_us=pl.col("from_us").shift(-1).over("ticker").fill_null(NEVER),
        traded_us=pl.col("from_us").shift(1).over("ticker"),
        is_reopened=pl.col("from_us").shift(-1).over("ticker").is_not_null(),
    ).filter("is_stopped")


def halts(first_us: int, last_us: int) -> list[tuple[int, int]]:
    """Return the exchange's weekly pauses that touch [first_us, last_us]: from_us, until_us (excluded)."""
    found = []
    day = datetime.fromtimestamp(first_us // 1_000_000, _HALT_ZONE).date()
    day -= timedelta(days=(day.weekday() - _HALT_WEEKDAY) % 7)
    while (halt := _halt(day))[0] <= last_us:
        if halt[1] > first_us:
            found.append(halt)
        day += timedelta(days=7)
    return found


def _halt(day: date) -> tuple[int, int]:
    begin, end = (
        to_us(datetime(day.year, day.month, day.day, hour, tzinfo=_HALT_ZONE))
        for hour in (_HALT_FROM_HOUR, _HALT_UNTIL_HOUR)
    )
    return begin, end


def grids(states: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Grid, ...]]:
    """Return from when on which price grid held, and the grids; None is one that nobody recorded.

    The first one is taken to have held from the beginning. States that do not tell the grid are passed over.

    Args:
        states: rows of the lake's `markets`, sorted by ticker and observed_ts.

    Returns:
        ticker, from_us (ALWAYS for the first), grid (its number); by ticker and from_us.
    """
    kinds = states.select("price_ranges", "price_level_structure").unique(maintain_order=True)
    known: list[Grid] = []
    numbers = []
    for ranges, label in kinds.iter_rows():
        grid = tuple(PriceRange(**each) for each in ranges or ()) or STRUCTURES.get(label or "")
        if grid not in known:
            known.append(grid)
        numbers.append(known.index(grid))
    lacking = known.index(None) if None in known else -1
    told = (
        states.join(
            kinds.with_columns(grid=pl.Series(numbers, dtype=pl.Int64)),
            on=kinds.columns,
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
        .select("ticker", "grid", "price_level_structure", from_us=pl.col("observed_ts").dt.epoch("us"))
        .filter((pl.col("grid") != lacking) | (pl.col("grid") == lacking).all().over("ticker"))
    )
    is_first = pl.int_range(pl.len()).over("ticker") == 0
    is_change = is_first | (pl.col("grid") != pl.col("grid").shift(1).over("ticker"))
    told = told.with_columns(is_first=is_first).filter(is_change)
    return _with_older_combos(told, known)


def _with_older_combos(told: pl.DataFrame, known: list[Grid]) -> tuple[pl.DataFrame, tuple[Grid, ...]]:
    is_late = (
        pl.col("is_first")
        & (pl.col("price_level_structure") == _COMBO_GRID)
        & (pl.col("from_us") >= _COMBO_GRID_US)
        & pl.col("ticker").str.starts_with(COMBO_PREFIX)
    ).fill_null(value=False)
    late = told.filter(is_late)
    from_us = pl.when(is_late).then(_COMBO_GRID_US).when("is_first").then(ALWAYS).otherwise("from_us")
    rows = told.select("ticker", from_us=from_us, grid="grid")
    if not late.is_empty():
        if _COMBO_GRID_BEFORE not in known:
            known.append(_COMBO_GRID_BEFORE)
        before = late.select("ticker", from_us=ALWAYS, grid=known.index(_COMBO_GRID_BEFORE))
        rows = pl.concat([rows, before.cast(rows.schema)]).sort("ticker", "from_us")
    return rows, tuple(known)
