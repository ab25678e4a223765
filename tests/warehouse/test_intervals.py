"""Half-open intervals against a naive oracle that counts single ticks; and the ledger made from them."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import UnitError
from tests.warehouse.rows import NOON, at
from warehouse import Lake
from warehouse.errors import NaiveTime, ReversedInterval
from warehouse.intervals import Interval, uncovered, union
from warehouse.tables import WINDOWS

TICKS = 24
ticks = st.integers(0, TICKS)
intervals = st.lists(st.tuples(ticks, ticks).filter(lambda pair: pair[0] < pair[1]), max_size=8)


def tick(number: int) -> datetime:
    """Return the moment of a tick."""
    return NOON + timedelta(seconds=number)


def moments(pairs: list[tuple[int, int]]) -> list[Interval]:
    """Turn ticks into intervals of time."""
    return [(tick(a), tick(b)) for a, b in pairs]


def covered(spans: list[Interval]) -> set[int]:
    """Count ticks one by one: the slow, obvious way."""
    return {number for number in range(TICKS) if any(a <= tick(number) < b for a, b in spans)}


@given(intervals)
def test_union_covers_the_same_ticks_and_is_disjoint(pairs: list[tuple[int, int]]) -> None:
    """No tick is won or lost, and neighbours that touch are one."""
    merged = union(moments(pairs))
    assert covered(merged) == covered(moments(pairs))
    assert all(left[1] < right[0] for left, right in pairwise(merged))


@given(intervals, st.tuples(ticks, ticks).filter(lambda pair: pair[0] < pair[1]))
def test_uncovered_is_what_the_oracle_says(pairs: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    """A tick is missing when it was asked for and no interval has it."""
    holes = uncovered(tick(asked[0]), tick(asked[1]), moments(pairs))
    assert covered(holes) == set(range(*asked)) - covered(moments(pairs))
    assert all(left[1] < right[0] for left, right in pairwise(holes))


def test_windows_join_to_cover_an_interval(tmp_path: Path) -> None:
    """[0, 10) and [10, 20) together are [0, 20); [20, 25) is not there yet."""
    lake = Lake(tmp_path)
    for start, end in ((0, 10), (10, 20)):
        lake.record_window("trades", "series:KX", at(start), at(end), n_rows=1, digest=str(start))
    assert lake.is_complete("trades", "series:KX", at(5), at(20))
    assert lake.missing("trades", "series:KX", at(5), at(25)) == [(at(20), at(25))]
    assert not lake.is_complete("trades", "series:OTHER", at(5), at(20))
    assert not lake.is_complete("candles", "series:KX", at(5), at(20))


def test_a_window_over_everything_covers_every_scope(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.record_window("trades", "all", at(0), at(10), n_rows=1, digest="d")
    assert lake.is_complete("trades", "ticker:KXA-1", at(0), at(10))


def test_a_failed_window_covers_nothing(tmp_path: Path) -> None:
    """It is written down with its reason, and missing all the same."""
    lake = Lake(tmp_path)
    lake.record_window("trades", "all", at(0), at(9), n_rows=0, digest="", status="failed", reason="HTTP 500")
    assert lake.missing("trades", "all", at(0), at(9)) == [(at(0), at(9))]
    assert lake.scan(WINDOWS).collect()["reason"].to_list() == ["HTTP 500"]


def test_the_same_answer_to_the_same_window_makes_no_new_version(tmp_path: Path) -> None:
    """Pulled again later with the same digest: nothing. With another digest: one more row."""
    clock = iter([at(1), at(2), at(3)])
    lake = Lake(tmp_path, now=lambda: next(clock))
    said = [
        lake.record_window("trades", "all", at(0), at(9), n_rows=3, digest=digest).version
        for digest in ("aa", "aa", "bb")
    ]
    assert said[0] == said[1]
    assert said[2] != said[1]
    assert lake.scan(WINDOWS).sort("asked_ts").collect()["asked_ts"].to_list() == [at(1), at(3)]


def test_windows_that_are_none_are_refused(tmp_path: Path) -> None:
    """Reversed, empty, naive and unreadable times, each with its own error."""
    lake = Lake(tmp_path)
    with pytest.raises(ReversedInterval, match="the end must come after the start"):
        lake.record_window("trades", "all", at(5), at(5), n_rows=0, digest="")
    with pytest.raises(NaiveTime, match="has no time zone"):
        lake.missing("trades", "all", datetime(2026, 5, 13), at(5))  # noqa: DTZ001 - on purpose
    with pytest.raises(UnitError, match="no time zone"):
        lake.missing("trades", "all", "2026-05-13T00:00:00", at(5))
    assert lake.missing("trades", "all", "2026-05-13", "2026-05-14T00:00:00Z") != []
