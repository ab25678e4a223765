"""Nothing is seen before it was known: times finer than a microsecond are rounded up."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.forecasts import read_forecast
from backtest.known import known_ts, known_ts_of_text
from backtest.plan import read_plan
from backtest.signals import read_signals

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
NOON_NS = 1_778_500_800 * 1_000_000_000


def after_noon(us: int) -> datetime:
    """Return the moment so many microseconds after noon."""
    return NOON + timedelta(microseconds=us)


def in_nanoseconds(*after_ns: int, zone: str = "UTC") -> pl.DataFrame:
    """Return a market's rows so many nanoseconds after noon."""
    times = pl.Series([NOON_NS + each for each in after_ns]).cast(pl.Datetime("ns", "UTC"))
    return pl.DataFrame({"ticker": "A", "known_ts": times.dt.convert_time_zone(zone), "prob": 0.5})


ROWS = in_nanoseconds(0, 1, 999, 1_000, 1_001)
KNOWN = [
    after_noon(us) for us in (0, 1, 1, 1, 2)
]  # by hand: the next whole microsecond, if it is none itself


def test_a_plan_in_nanoseconds_decides_no_earlier_than_it_knows() -> None:
    plan = ROWS.select("ticker", "known_ts", intent=bt.buy_yes(1))
    read = read_plan(plan).collect()
    assert read["known_ts"].to_list() == KNOWN
    assert read.schema["known_ts"] == pl.Datetime("us", "UTC")


def test_signals_in_nanoseconds_are_seen_no_earlier_than_they_are_known() -> None:
    assert read_signals(ROWS).rows["known_ts"].to_list() == KNOWN


def test_a_forecast_in_nanoseconds_counts_no_earlier_than_it_is_known() -> None:
    """In New York's time, too; and as text, where only digits beyond the sixth say more than zero."""
    rows = in_nanoseconds(0, 1_001, zone="America/New_York")
    assert read_forecast(rows).collect()["known_ts"].to_list() == [NOON, after_noon(2)]
    said = ["12:00:00Z", "14:00:00.0000011+02:00", "12:00:00.000003000Z", "12:00:00.000003000001Z"]
    texts = pl.DataFrame({"ticker": "A", "known_ts": [f"2026-05-11T{each}" for each in said], "prob": 0.5})
    assert read_forecast(texts).collect()["known_ts"].to_list() == [after_noon(us) for us in (0, 2, 3, 4)]


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_coarser_times_stay_as_they_are(unit: str) -> None:
    plan = pl.DataFrame({"ticker": ["A"], "known_ts": [NOON + timedelta(milliseconds=7)]})
    plan = plan.select("ticker", pl.col("known_ts").cast(pl.Datetime(unit, "UTC")), intent=bt.buy_yes(1))  # type: ignore[arg-type]
    assert read_plan(plan).collect()["known_ts"].to_list() == [NOON + timedelta(milliseconds=7)]


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20))
def test_rounding_is_less_than_a_microsecond_and_never_down(times_ns: list[int]) -> None:
    """Before 1970, too; text says the same."""
    column = pl.Series("t", times_ns).cast(pl.Datetime("ns", "UTC"))
    known = pl.select(known_ts(pl.lit(column), pl.Datetime("ns", "UTC"))).to_series()
    for known_us, at_ns in zip(known.to_physical(), times_ns, strict=True):
        assert 0 <= known_us * 1_000 - at_ns < 1_000
    text = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
    assert pl.select(known_ts_of_text(pl.lit(text))).to_series().to_list() == known.to_list()
