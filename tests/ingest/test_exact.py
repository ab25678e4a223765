"""Text into integers and times, whole columns at a time: exact, or null."""

from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import UnitError
from exchange.units import parse_cc, parse_centi, parse_ts
from pipelines.ingest import exact

DIGITS = st.text("0123456789", min_size=1, max_size=6)
NUMBERS = st.builds(
    lambda sign, whole, point, fraction: f"{sign}{whole}{point}{fraction}",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.sampled_from([".", ""]),
    st.text("0123456789", max_size=6),
)


def read(text: str | None, expression: pl.Expr) -> object:
    return pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(expression).item()


@given(NUMBERS | st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), max_size=8))
def test_a_column_of_prices_reads_like_parse_cc(text: str) -> None:
    """Vectorised or one by one: the same integer, or no integer (wider than 32 bits is no price either)."""
    try:
        expected: int | None = parse_cc(text)
    except UnitError:
        expected = None
    if expected is not None and not -(2**31) <= expected < 2**31:
        expected = None
    assert read(text, exact.cc("text")) == expected


@given(NUMBERS)
def test_a_column_of_counts_reads_like_parse_centi(text: str) -> None:
    """Vectorised or one by one: the same integer, or no integer."""
    try:
        expected: int | None = parse_centi(text)
    except UnitError:
        expected = None
    assert read(text, exact.centi("text")) == expected


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), st.integers(0, 6))  # noqa: DTZ001 -- made aware below
def test_a_column_of_times_reads_any_number_of_decimals(at: datetime, n_decimals: int) -> None:
    """Kalshi trims trailing zeros: 0 to 6 decimals all mean the same moment."""
    fraction = f"{at.microsecond:06d}"[:n_decimals]
    text = f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"
    assert read(text, exact.moment("text")) == parse_ts(text)


TEXTS = st.sampled_from(
    ["0.5600", "12.50", "-3.00", "-.5", ".5", "5.", "+5", "1e3", "1.2.3", "-", "", " 7", "0.56789",
     "214748.3648", "12345678901234", "2026-02-28T23:59:59.5Z", "2026-02-28T23:59:59Z",
     "2026-02-29T00:00:00Z", "2026-02-28 23:59:59.123456Z", "2026-02-28T23:59:59.Z", "2026-02-28T23:59Z",
     "2026-02-28T23Z", "20260228T235959Z", "2026-02-28T24:00:00Z", "2026-02-28T23:59:60Z",
     "2026-02-28T23:59:59.1234567Z", "2026-02-28T23:59:59+00:00"]
) | st.none()  # fmt: skip


@given(st.lists(TEXTS, max_size=5))
def test_a_text_is_read_alike_in_whatever_company(texts: list[str | None]) -> None:
    """Arrow reads columns of usual text, patterns read all others: row by row the answer is the same."""
    column = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    for expression in (exact.cc("text"), exact.centi("text"), exact.moment("text")):
        # A text that neither reads keeps its neighbour from being read by Arrow.
        by_pattern = [
            pl.DataFrame({"text": [each, "no such thing"]}).select(expression).item(0, 0) for each in texts
        ]
        assert column.select(expression).to_series().to_list() == by_pattern
    assert column.slice(1).select(exact.cc("text")).equals(column.select(exact.cc("text")).slice(1))


def test_what_is_no_exact_text_becomes_null_and_never_a_guess() -> None:
    """Finer than the unit, an exponent, a naive time, a day that does not exist, nothing at all."""
    for text in ("0.56789", "1e-3", "", "nan", "0,56", None):
        assert read(text, exact.cc("text")) is None
    for text in ("2025-07-19T14:22:42", "2025-02-30T00:00:00Z", "2025-07-19T14:22:42.1234567Z", "soon", None):
        assert read(text, exact.moment("text")) is None


def test_whole_cents_are_a_hundred_centicents_each() -> None:
    """14 cents are 1400; 14.0 too; 14.5 cents are no whole cents, and 0.14 are dollars."""
    assert read("14", exact.cents_cc("text")) == 1_400
    assert read("14.0", exact.cents_cc("text")) == 1_400
    assert read("14.5", exact.cents_cc("text")) is None
    assert read("0.14", exact.cents_cc("text")) is None


def test_an_offset_is_turned_into_utc() -> None:
    """14:00 at -05:00 is 19:00 in UTC."""
    assert read("2025-07-19T14:00:00-05:00", exact.moment("text")) == datetime(2025, 7, 19, 19, tzinfo=UTC)
