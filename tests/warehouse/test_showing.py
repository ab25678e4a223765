"""How values look in the cells of an answer."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from warehouse.showing import cell, plain

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("text", "text"),
        (True, "true"),
        (Decimal("0.5600"), "0.5600"),
        (NOON, "2026-03-01T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-03-01T12:00:00Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (timedelta(), "00:00:00"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "1d 02:03:04.5"),
        (-timedelta(hours=25), "-1d 01:00:00"),
        ([], "[]"),
        ([1, None, "a"], "[1, null, a]"),
        ([{"start_ts": NOON, "end_ts": None}], "[{start_ts: 2026-03-01T12:00:00Z, end_ts: null}]"),
    ],
)
def test_a_cell_reads_as_sql_would_write_it(value: object, text: str) -> None:
    """Times in UTC, lengths with one sign, lists and structs without words of Python."""
    assert cell(value) == text
    if value is not None:
        assert plain(value) == text
