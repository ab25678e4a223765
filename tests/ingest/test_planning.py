"""Which windows a sync of a tape asks for, and which of the covered ones once more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.planning import (
    NEWEST,
    TRAILING,
    Planned,
    last_asked_ts,
    plan_tape,
    still_missing,
)
from warehouse import Lake
from warehouse.ledger import Window

DAY_TS = datetime(2026, 5, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: float) -> datetime:
    return DAY_TS + hour * HOUR


def covered(
    lake: Lake, start: float, end: float, *, asked: float, digest: str = "", scope: str = "all"
) -> None:
    """Enter `[start, end)`, in hours of the day, as asked for completely."""
    lake.record_window(
        "trades", scope, at(start), at(end), n_rows=1, digest=digest or f"{start}", asked_ts=at(asked)
    )


def hours(planned: list[Planned], *, is_again: bool) -> list[tuple[float, float]]:
    return [
        ((each.window.start_ts - DAY_TS) / HOUR, (each.window.end_ts - DAY_TS) / HOUR)
        for each in planned
        if each.is_again == is_again
    ]


def plan(lake: Lake, start: float, end: float, **asked: object) -> list[Planned]:
    given = {"trailing": 2 * HOUR} | asked
    return plan_tape(lake, "trades", "all", at(start), at(end), **given)  # type: ignore[arg-type]


def test_the_covered_hours_before_a_hole_are_read_again_first(tmp_path: Path) -> None:
    """At 05:00 the hours until 04:00 are covered, each asked as it ended: 02-03 and 03-04, then the hole."""
    lake = Lake(tmp_path / "lake")
    for hour in range(4):
        covered(lake, hour, hour + 1, asked=hour + 1)
    planned = plan(lake, 0, 5)
    assert hours(planned, is_again=True) == [(2, 3), (3, 4)]
    assert hours(planned, is_again=False) == [(4, 5)]
    assert [each.is_again for each in planned] == [True, True, False]


def test_a_long_absence_does_not_cost_the_hours_before_it(tmp_path: Path) -> None:
    """Nothing ran from 04:00 to 20:00: what was read too soon at 04:00 is still read again."""
    lake = Lake(tmp_path / "lake")
    for hour in range(4):
        covered(lake, hour, hour + 1, asked=hour + 1)
    assert hours(plan(lake, 0, 20), is_again=True) == [(2, 3), (3, 4)]


def test_what_was_asked_long_after_its_end_is_not_read_again(tmp_path: Path) -> None:
    """A backfill asked for 00-04 at 06:00, two hours after its end; for 05-06 a minute before that."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 0, 4, asked=6)
    covered(lake, 5, 6, asked=7.9)
    assert hours(plan(lake, 0, 9), is_again=True) == [(5, 6)]
    assert hours(plan(lake, 0, 9), is_again=False) == [(4, 5), (6, 9)]


def test_the_newest_entry_of_a_window_says_when_it_was_read(tmp_path: Path) -> None:
    """03-04 was asked at 04:00, and again at 06:00 with one trade more."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 3, 4, asked=4)
    covered(lake, 3, 4, asked=6, digest="one more")
    assert hours(plan(lake, 3, 7), is_again=True) == []


def test_the_shortest_windows_that_cover_the_time_are_read_again(tmp_path: Path) -> None:
    """A day and its last hours are covered; the two hours suffice."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 0, 24, asked=24, digest="day")
    covered(lake, 22, 23, asked=24)
    covered(lake, 23, 24, asked=24)
    assert hours(plan(lake, 0, 25), is_again=True) == [(22, 23), (23, 24)]


def test_nothing_before_the_start_and_nothing_without_a_hole_is_read_again(tmp_path: Path) -> None:
    """Who asks from 03:00 on gets from 03:00 on; who has all of it asks for nothing."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 0, 3, asked=3)
    assert plan(lake, 0, 3) == []
    assert hours(plan(lake, 3, 4), is_again=True) == []
    assert hours(plan(lake, 0, 4, trailing=timedelta()), is_again=True) == []
    assert TRAILING == 2 * HOUR


def test_the_windows_of_another_scope_are_not_ours_to_read_again(tmp_path: Path) -> None:
    """A series was covered alone; the exchange is asked for from there on and before."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 0, 3, asked=3, scope="series:KXA")
    assert hours(plan(lake, 0, 4), is_again=True) == []
    assert hours(plan(lake, 0, 4), is_again=False) == [(0, 4)]


def test_a_backfill_can_begin_with_the_newest_window(tmp_path: Path) -> None:
    """Cut alike, in the other order."""
    lake = Lake(tmp_path / "lake")
    oldest = hours(plan(lake, 0, 3, every=HOUR), is_again=False)
    assert oldest == [(0, 1), (1, 2), (2, 3)]
    assert hours(plan(lake, 0, 3, every=HOUR, order=NEWEST), is_again=False) == oldest[::-1]


def test_the_whole_exchange_is_cut_by_day_however_long_the_span(tmp_path: Path) -> None:
    """A month of the exchange in one window would be a hundred million trades to hold eight bytes of."""
    lake = Lake(tmp_path / "lake")
    planned = plan(lake, 0, 24 * 60)
    assert {each.window.end_ts - each.window.start_ts for each in planned} == {timedelta(days=1)}
    assert len(planned) == 60


def test_what_another_has_pulled_meanwhile_is_passed_over(tmp_path: Path) -> None:
    """Planned 00-04; then somebody covers 01-02, then all: two pieces are left, then none."""
    lake = Lake(tmp_path / "lake")
    (planned,) = plan(lake, 0, 4)
    assert still_missing(lake, planned) == [planned.window]
    covered(lake, 1, 2, asked=9)
    left = [Window("trades", "all", at(0), at(1)), Window("trades", "all", at(2), at(4))]
    assert still_missing(lake, planned) == left
    covered(lake, 0, 4, asked=9)
    assert still_missing(lake, planned) == []
    assert still_missing(lake, planned._replace(is_again=True)) == [planned.window]


def test_combos_are_covered_only_by_windows_that_had_them(tmp_path: Path) -> None:
    """The exchange without combos covers KXA, not KXMVE; with them it covers both, and itself without."""
    lake = Lake(tmp_path / "lake")
    covered(lake, 0, 1, asked=2)
    span = (at(0), at(1))
    assert lake.missing("trades", "series:KXA", *span) == []
    assert lake.missing("trades", "ticker:KXMVE-1-A", *span) == [span]
    assert lake.missing("trades", "all+combos", *span) == [span]
    covered(lake, 0, 1, asked=2, scope="all+combos")
    for scope in ("all", "all+combos", "series:KXA", "ticker:KXMVE-1-A"):
        assert lake.missing("trades", scope, *span) == []


def test_when_something_was_last_asked_completely(tmp_path: Path) -> None:
    """Failures do not count, other scopes neither."""
    lake = Lake(tmp_path / "lake")
    assert last_asked_ts(lake, "trades", ["all"]) is None
    covered(lake, 0, 1, asked=2)
    covered(lake, 1, 2, asked=3)
    covered(lake, 2, 3, asked=4, scope="series:KXA")
    lake.record_window(
        "trades", "all", at(3), at(4), n_rows=0, digest="", status="failed", reason="HTTP 500", asked_ts=at(5)
    )
    assert last_asked_ts(lake, "trades", ["all"]) == at(3)
    assert last_asked_ts(lake, "trades", ["all", "series:KXA"]) == at(4)


def test_a_plan_that_is_none_is_refused(tmp_path: Path) -> None:
    """An order that is no order, a negative trailing time."""
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match="'sideways' is no order: write oldest or newest"):
        plan(lake, 0, 1, order="sideways")
    with pytest.raises(BadRequest, match="--trailing must not be negative"):
        plan(lake, 0, 1, trailing=-HOUR)
