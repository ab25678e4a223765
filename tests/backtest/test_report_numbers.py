"""How numbers and axes are printed."""

from datetime import UTC, datetime, timedelta

import pytest

from backtest.chart_axes import money_label, money_ticks, time_ticks
from backtest.charts import thinned
from backtest.report_numbers import (
    contracts,
    decimals_for,
    dollars,
    length,
    plain,
    price,
    printer,
    several,
    share,
)
from exchange.units import to_us


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (1_234_560_000, "$1,234.56"),
        (5_000, "$0.00"),
        (-5_000, "$0.00"),
        (-15_000, "\N{MINUS SIGN}$0.02"),
        (15_000, "$0.02"),
        (0, "$0.00"),
        (None, "\N{EN DASH}"),
    ],
)
def test_dollars_are_rounded_half_to_even(micros: int | None, text: str) -> None:
    """Exactly, from integers: 0.005 is $0.00 and 0.015 is $0.02; -0.005 prints no minus zero."""
    assert dollars(micros) == text


def test_gains_carry_a_plus_only_when_asked() -> None:
    assert (dollars(1_000_000, is_signed=True), dollars(1_000_000)) == ("+$1.00", "$1.00")
    assert dollars(0, is_signed=True) == "$0.00"


def test_small_amounts_get_four_decimals_together() -> None:
    """A column with a fee of $0.0142 prints four decimals everywhere; zeros and whole cents need none."""
    assert decimals_for([0, None, 40_000, 1_234_567]) == 2
    assert decimals_for([14_200, 1_000_000]) == 4


def test_prices_and_counts_keep_what_they_have() -> None:
    assert (price(5_600), price(55), price(10_000)) == ("$0.56", "$0.0055", "$1.00")
    assert (contracts(1_050), contracts(100_000), contracts(-25)) == ("10.5", "1,000", "\N{MINUS SIGN}0.25")


def test_lengths_name_their_two_largest_units() -> None:
    assert length(timedelta(hours=1, minutes=30, seconds=5)) == "1 h 30 min"
    assert (length(250_000), length(0), length(7)) == ("250 ms", "0", "7 µs")


def test_a_column_is_printed_by_the_unit_its_name_ends_with() -> None:
    assert printer("cash_micros")(1_500_000) == "$1.50"
    assert printer("known_share")(0.5) == "50.0 %"
    assert printer("fee_multiplier_ppm")(500_000) == "0.5"
    assert printer("settled_ts")(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05"
    assert printer("n_fills")(1_234) == "1,234"


def test_plain_values_print_as_people_write_them() -> None:
    assert plain([0.05, 5, True, None]) == "0.05, 5, yes, \N{EN DASH}"
    assert plain([1_788_264_100.0, -1_788_264_250.5]) == "1,788,264,100, \N{MINUS SIGN}1,788,264,250.5"
    assert plain([1 / 3, 0.1 + 0.2, 2e20, 1e-9]) == "0.333333, 0.3, 2e+20, 1e\N{MINUS SIGN}09"
    assert (share(0.125), several(1, "fill"), several(2, "fill")) == ("12.5 %", "1 fill", "2 fills")


def test_money_ticks_are_round_and_span_the_data() -> None:
    """From $940 to $1,085 in steps of $50."""
    ticks = money_ticks(940_000_000, 1_085_000_000)
    assert ticks == [900_000_000, 950_000_000, 1_000_000_000, 1_050_000_000, 1_100_000_000]
    assert money_label(-50_000_000, 50_000_000) == "\N{MINUS SIGN}$50"
    assert money_label(2_500, 500) == "$0.0025"


def test_equal_values_still_have_an_axis() -> None:
    assert len(money_ticks(0, 0)) >= 2


def test_time_ticks_fall_on_the_calendar() -> None:
    """Ten hours get a tick every two hours, and midnight shows the date."""
    start = to_us(datetime(2026, 5, 11, 19, 30, tzinfo=UTC))
    ticks = time_ticks(start, start + 10 * 3_600_000_000)
    assert [label for _, label in ticks] == ["20:00", "22:00", "12 May", "02:00", "04:00"]
    assert time_ticks(start, start) == [(start, "19:30:00")]


def test_thinning_keeps_ends_and_extremes() -> None:
    values = [0] * 10_000
    values[4_321], values[8_765] = 99, -99
    kept = thinned(range(10_000), values)
    assert {0, 4_321, 8_765, 9_999} <= set(kept)
    assert len(kept) <= 900
    assert kept == sorted(kept)
