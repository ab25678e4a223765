"""Cells in the units of a layout, against decimals."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest import book_cells as cells

FEW = settings(max_examples=60)


def one(text: str | None, read: pl.Expr) -> object:
    """Read one cell."""
    return pl.DataFrame({"cell": [text]}, schema={"cell": pl.String}).select(read).item()


@FEW
@given(st.integers(0, 10_000))
def test_a_price_is_the_same_in_every_unit_and_as_floats_write_it(price_cc: int) -> None:
    """Also as the float that $1 minus the other side's price gives."""
    dollars = Decimal(price_cc).scaleb(-4)
    assert one(str(dollars), cells.price_cc("cell", "dollars")) == price_cc
    assert one(repr(price_cc / 10_000), cells.price_cc("cell", "dollars")) == price_cc or price_cc < 10
    if price_cc >= 10:
        assert one(repr(1 - (10_000 - price_cc) / 10_000), cells.price_cc("cell", "dollars")) == price_cc
    assert one(str(dollars * 100), cells.price_cc("cell", "cents")) == price_cc
    assert one(str(price_cc), cells.price_cc("cell", "centicents")) == price_cc


@FEW
@given(st.integers(0, 2**40))
def test_a_size_is_the_same_in_both_units(count_centi: int) -> None:
    assert one(str(Decimal(count_centi).scaleb(-2)), cells.count_centi("cell", "contracts")) == count_centi
    assert one(str(count_centi), cells.count_centi("cell", "hundredths")) == count_centi


@FEW
@given(st.integers(0, 4_000_000_000_000_000), st.sampled_from([("s", -6), ("ms", -3), ("us", 0), ("ns", 3)]))
def test_a_number_is_a_time_of_its_unit(micros: int, unit: tuple[str, int]) -> None:
    """Seconds may have decimals, the others are whole: cut to what the unit can say."""
    name, shift = unit
    told = Decimal(micros).scaleb(shift)
    text = f"{told:f}" if name == "s" else str(int(told))
    expected = int(Decimal(text).scaleb(-shift))
    assert one(text, cells.epoch("cell", name).to_physical()) == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0.56001", "dollars"),
        ("0.55999999", "dollars"),
        ("5.6e-1", "dollars"),
        ("$0.56", "dollars"),
        ("0,56", "dollars"),
        ("", "dollars"),
        (None, "dollars"),
        ("56.005", "cents"),
        ("5600.5", "centicents"),
    ],
)
def test_what_is_no_price_is_null(text: str | None, unit: str) -> None:
    assert one(text, cells.price_cc("cell", unit)) is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [("-1", "s"), ("1.5", "ms"), ("1767838400.1234567", "s"), ("9" * 20, "us"), ("now", "s"), (None, "ns")],
)
def test_what_is_no_time_is_null(text: str | None, unit: str) -> None:
    assert one(text, cells.epoch("cell", unit)) is None


@pytest.mark.parametrize(
    ("text", "is_blank"), [("", True), (" ", True), ("NaN", True), (None, True), ("0", False)]
)
def test_nothing_is_not_zero(text: str | None, *, is_blank: bool) -> None:
    assert one(text, cells.blank("cell")) is is_blank
