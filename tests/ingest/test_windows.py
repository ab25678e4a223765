"""How work is cut into windows, and how a scope is written."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.windows import (
    candles_period_s,
    candles_resource,
    has_combos,
    plan_windows,
    scope_of,
    scope_parts,
)
from warehouse import Lake
from warehouse.errors import NaiveTime, ReversedInterval

START = datetime(2026, 2, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def spans(lake: Lake, scope: str, end: datetime, every: timedelta | None = None) -> list[tuple[str, str]]:
    windows = plan_windows(lake, "trades", scope, START, end, every=every)
    return [(f"{window.start_ts:%m-%d %H}", f"{window.end_ts:%m-%d %H}") for window in windows]


def test_a_short_interval_is_cut_at_midnight(tmp_path: Path) -> None:
    """From 06:00 of one day to 18:00 of the next: two windows, cut where every run would cut."""
    lake = Lake(tmp_path / "lake")
    assert spans(lake, "all", START + 1.5 * DAY) == [("02-01 06", "02-02 00"), ("02-02 00", "02-02 18")]


def test_a_long_interval_is_cut_by_thirty_days(tmp_path: Path) -> None:
    """More than 31 days: cut at multiples of 30 days since 1970, such as 2026-02-06 and 2026-03-08."""
    lake = Lake(tmp_path / "lake")
    assert spans(lake, "series:KXA", START + 40 * DAY) == [
        ("02-01 06", "02-06 00"),
        ("02-06 00", "03-08 00"),
        ("03-08 00", "03-13 06"),
    ]


def test_one_market_is_one_window(tmp_path: Path) -> None:
    """A market's tape is short; cutting it would only cost requests."""
    lake = Lake(tmp_path / "lake")
    assert spans(lake, "ticker:KXA-1-Y", START + 40 * DAY) == [("02-01 06", "03-13 06")]


def test_what_the_lake_covers_is_left_out(tmp_path: Path) -> None:
    """The second of three days is complete: the first and the third remain."""
    lake = Lake(tmp_path / "lake")
    midnight = START.replace(hour=0)
    lake.record_window("trades", "all", midnight + DAY, midnight + 2 * DAY, n_rows=1, digest="d")
    assert spans(lake, "all", midnight + 3 * DAY) == [("02-01 06", "02-02 00"), ("02-03 00", "02-04 00")]


def test_an_interval_that_is_none_is_refused(tmp_path: Path) -> None:
    """Reversed, naive, or cut into nothing."""
    lake = Lake(tmp_path / "lake")
    with pytest.raises(ReversedInterval):
        plan_windows(lake, "trades", "all", START, START)
    with pytest.raises(NaiveTime):
        plan_windows(lake, "trades", "all", START.replace(tzinfo=None), START)
    with pytest.raises(BadRequest):
        plan_windows(lake, "trades", "all", START, START + DAY, every=timedelta())


def test_a_scope_is_one_name_or_the_whole_exchange() -> None:
    """Written as kind:name, read back as the two."""
    assert scope_of() == "all"
    assert scope_parts(scope_of(series="KXA")) == ("series", "KXA")
    assert scope_parts("event:KXCITIES-24DEC05(CHI)") == ("event", "KXCITIES-24DEC05(CHI)")
    with pytest.raises(BadRequest, match="--series and --ticker exclude each other"):
        scope_of(series="KXA", ticker="KXA-1-Y")
    with pytest.raises(BadRequest):
        scope_parts("market:KXA-1-Y")


def test_combos_are_meant_where_they_are_asked_for_or_named() -> None:
    """The whole exchange with them is a scope of its own; a series of theirs needs no asking."""
    assert scope_of(combos=True) == "all+combos"
    assert scope_parts("all+combos") == scope_parts("all") == ("all", "")
    assert [has_combos(scope) for scope in ("all+combos", "series:KXMVEA", "ticker:KXMVEA-1-Z")] == [True] * 3
    assert [has_combos(scope) for scope in ("all", "series:KXA", "event:KXA-1")] == [False] * 3


def test_a_candles_resource_names_their_length() -> None:
    """candles_3600 are hours; a word without a number is no resource."""
    assert candles_period_s(candles_resource(3_600)) == 3_600
    with pytest.raises(BadRequest):
        candles_period_s("trades")
