"""Text becomes an exact integer or an error, and comes back as the same text."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import UnitError
from exchange.units import (
    format_cc,
    format_centi,
    format_micros,
    format_ts,
    from_us,
    moment_of,
    parse_cc,
    parse_centi,
    parse_duration,
    parse_micros,
    parse_ts,
    parse_when,
    to_us,
)


@pytest.mark.parametrize(
    ("text", "price_cc"),
    [("0.5600", 5_600), ("0.29", 2_900), ("0.005", 50), ("1", 10_000), ("0.960", 9_600), ("0.0001", 1)],
)
def test_a_price_is_read_exactly(text: str, price_cc: int) -> None:
    """Reading it through a float gives 28: the mistake that this reading cannot make."""
    assert parse_cc(text) == price_cc


@pytest.mark.parametrize("text", ["", "0.00001", "0,56", "abc", "1e-2", "0.5.6", "nan", "\uff15", "+1", ".5"])
def test_what_is_not_an_exact_price_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnitError, match="not a price in dollars"):
        parse_cc(text)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_every_printed_number_reads_back(value: int) -> None:
    assert parse_cc(format_cc(value)) == value
    assert parse_centi(format_centi(value)) == value
    assert parse_micros(format_micros(value)) == value


def test_prices_counts_and_amounts_print_as_kalshi_prints_them() -> None:
    assert format_cc(5_600) == "0.5600"
    assert format_centi(1_050) == "10.50"
    assert format_micros(-15_930) == "-0.015930"


def test_price_times_count_is_the_cost_in_millionths_of_a_dollar() -> None:
    """227.27 contracts at $0.001 cost $0.22727."""
    assert parse_cc("0.001") * parse_centi("227.27") == parse_micros("0.227270")


def test_a_time_without_its_trailing_zeros_is_the_same_time() -> None:
    """Kalshi trims the zeros of the fraction: .96221Z is 962,210 microseconds."""
    assert parse_ts("2026-05-13T17:22:17.96221Z") == datetime(2026, 5, 13, 17, 22, 17, 962_210, tzinfo=UTC)
    assert parse_ts("2026-05-13T17:22:17Z").microsecond == 0


def test_an_offset_is_honoured() -> None:
    assert parse_ts("2026-05-13T12:00:00-05:00") == datetime(2026, 5, 13, 17, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused_with_the_way_out() -> None:
    with pytest.raises(UnitError, match=r"no time zone: write 2026-05-13T12:00:00Z"):
        parse_ts("2026-05-13T12:00:00")


@pytest.mark.parametrize(
    "text", ["2026-13-01T00:00:00Z", "yesterday", "2026-05-13", "2026-05-13T12:00:00.0000001Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_ts(text)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_every_printed_time_reads_back(at_ts: datetime) -> None:
    assert parse_ts(format_ts(at_ts)) == at_ts
    assert from_us(to_us(at_ts)) == at_ts


def test_a_date_means_its_utc_midnight() -> None:
    assert parse_when("2026-05-13") == datetime(2026, 5, 13, tzinfo=UTC)
    assert parse_when("2026-05-13T01:00:00+01:00") == datetime(2026, 5, 13, tzinfo=UTC)
    for said in ("2026-05-13", date(2026, 5, 13), datetime(2026, 5, 13, tzinfo=UTC)):
        assert moment_of(said) == datetime(2026, 5, 13, tzinfo=UTC)


def test_a_naive_datetime_never_becomes_a_number() -> None:
    with pytest.raises(UnitError, match="no time zone"):
        to_us(datetime(2026, 5, 13))  # noqa: DTZ001 - naive on purpose


def test_microseconds_do_not_depend_on_the_zone_they_are_written_in() -> None:
    local = datetime(2026, 5, 13, 12, tzinfo=timezone(timedelta(hours=-5)))
    assert to_us(local) == to_us(datetime(2026, 5, 13, 17, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "length"),
    [("250ms", timedelta(milliseconds=250)), ("30s", timedelta(seconds=30)), ("1d", timedelta(days=1))],
)
def test_durations_are_whole_numbers_with_a_unit(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["250", "1.5s", "-3s", "5 minutes", "99999999999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_duration(text)
