"""`book_latency(series)`: lags, offsets and delays worked out by hand."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.catalogs import Row, asked, lake_of, opened
from tests.warehouse.rows import a_delta, a_market, at
from warehouse import Lake


def changes(minute: int, *lags_ms: float, session: str = "s1", first_seq: int = 1) -> list[Row]:
    """Return changes that were received in a minute, one each 100 ms, and had happened so long before."""
    rows = []
    for n, lag_ms in enumerate(lags_ms):
        received_ts = at(60 * minute + n / 10)
        event_ts = received_ts - timedelta(milliseconds=lag_ms)
        rows.append(
            a_delta(
                first_seq + n, session=session, received_ts=received_ts, event_ts=event_ts, ticker="KXA-1"
            )
        )
    return rows


def told(lake: Lake) -> list[Row]:
    with opened(lake) as connection:
        return asked(connection, "from book_latency('KX')")


def test_lags_are_told_as_they_are_and_delays_over_the_least_of_their_minute(tmp_path: Path) -> None:
    """20 changes, 10 a minute: 100, 101, … 109 ms late, then 40 ms early to 50 ms late, by tens.

    The least lags are 100 and -40 ms. Of the lags in order (-40 … 50, 100 … 109), the tenth is 50. Delays are
    0 … 9 and 0, 10, … 90: the tenth is 8, the eighteenth 70, the twentieth 90. Two minutes tell no drift.
    """
    lake = lake_of(
        tmp_path,
        markets=[a_market()],
        book_deltas=[
            *changes(0, *range(100, 110)),
            *changes(2, *range(-40, 60, 10), first_seq=11),
        ],
    )
    (row,) = told(lake)
    assert (row["from_ts"], row["until_ts"], row["n_changes"]) == (at(0), at(180), 20)
    names = ("least_ms", "median_ms", "p99_ms", "most_ms")
    assert [row[name] for name in names] == [-40, 50, 109, 109]
    delays = ("delay_median_ms", "delay_p90_ms", "delay_p99_ms")
    assert [row[name] for name in delays] == [8, 70, 90]
    assert (row["offset_ms"], row["drift_ppm"]) == (-40, None)


def test_a_clock_that_runs_fast_drifts(tmp_path: Path) -> None:
    """A millisecond more each minute for 40 minutes: 1 of 60,000, or 16.667 ppm; 19.5 ms at half time."""
    rows = [changes(n, *[n] * 10, first_seq=10 * n + 1) for n in range(40)]
    lake = lake_of(tmp_path, markets=[a_market()], book_deltas=[row for each in rows for row in each])
    (row,) = told(lake)
    assert row["drift_ppm"] == pytest.approx(16.667, abs=0.001)
    assert row["offset_ms"] in (19, 20)
    assert row["delay_p99_ms"] == 0


def test_minutes_of_few_changes_tell_no_offset_and_one_time_tells_no_lag(tmp_path: Path) -> None:
    """A lag of part of a millisecond is rounded down, also below 0."""
    lake = lake_of(
        tmp_path,
        markets=[a_market(), a_market("KXZ-1", series_ticker="KXZ")],
        book_deltas=[
            *changes(0, -0.5, 0.5, session="few"),
            *changes(0, *[0] * 12, session="one"),
            *(row | {"ticker": "KXZ-1"} for row in changes(0, *[7] * 12, session="other")),
        ],
    )
    (row,) = told(lake)
    assert (row["session"], row["least_ms"], row["most_ms"], row["offset_ms"]) == ("few", -1, 0, None)
