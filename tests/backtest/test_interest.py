"""Interest: what the exchange pays on an account's worth, beside the result (trap 28)."""

from datetime import date
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.worlds import a_lake, a_market, a_quote, a_series, at, replayed, settled

DAY = 86_400
FIRST = date(2026, 9, 1)


def two_days(**arguments: Any) -> bt.Run:  # noqa: ANN401 -- of bt.run
    """Buy 100 YES at .50 at noon of 1 September; worth .60 at midnight, .40 the next; paid on the 3rd."""
    end = at(2 * DAY)
    quotes = [a_quote(0, 4_900, 5_000), a_quote(0.4 * DAY, 6_000, 6_100), a_quote(DAY, 4_000, 4_100)]
    lake = a_lake(
        markets=[settled(pays_cc=10_000, close_ts=end, settlement_ts=end)],
        quotes=quotes,
        series=[a_series(ppm=0)],
    )
    return replayed(lake, (1, "A", bt.buy_yes(100)), **arguments)


def test_interest_is_paid_on_cash_and_on_positions_at_the_end_of_the_day() -> None:
    """950 + 60 and 950 + 40 dollars at 3.65 % are .101 and .099 a day."""
    found = bt.interest(two_days(), 0.0365)
    assert found.rows() == [(FIRST, 1_010_000_000, 101_000), (date(2026, 9, 2), 990_000_000, 99_000)]


def test_interest_is_no_part_of_the_result() -> None:
    """Trap 28: profit and cash are what they were; no other frame knows of it."""
    run = two_days()
    before = {name: frame.clone() for name, frame in run.frames.items()}
    bt.interest(run, 0.04)
    assert all(frame.equals(before[name]) for name, frame in run.frames.items())
    assert run.summary["pnl_micros"].to_list() == [50_000_000]
    assert not any("interest" in column for frame in run.frames.values() for column in frame.columns)


def test_rates_hold_from_their_day_on_and_none_before_the_first() -> None:
    found = bt.interest(two_days(), {date(2026, 9, 2): "0.0730"})
    assert found["interest_micros"].to_list() == [0, 198_000]


def test_an_account_below_the_minimum_earns_nothing() -> None:
    """The day that ends with $990 is below $1,000."""
    found = bt.interest(two_days(), 0.0365, minimum=1_000)
    assert found["interest_micros"].to_list() == [101_000, 0]


def test_a_run_within_one_day_earns_nothing() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    assert bt.interest(replayed(lake, (1, "A", bt.buy_yes(1))), 0.04).is_empty()


@pytest.mark.parametrize("params", [None, {"least": [0, 1]}])
def test_a_run_without_orders_earns_nothing(params: dict[str, list[int]] | None) -> None:
    """No row wants anything, alone and in a sweep: no day, in the same columns as ever."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    edge = pl.lit(value=False) if params is None else bt.param("least") > 1
    run = replayed(lake, (1, "A", bt.buy_yes(1).when(edge)), params=params)
    found = bt.interest(run, 0.04)
    assert found.is_empty()
    assert found.columns == [*(params or {}), "day", "worth_micros", "interest_micros"]
    assert found.schema["day"] == pl.Date


def test_a_parameter_cannot_be_called_as_what_is_told() -> None:
    """Any other name will do: each setting has its days."""
    lake = a_lake(
        markets=[a_market(close_ts=at(2 * DAY))],
        quotes=[a_quote(each * DAY, 4_900, 5_000) for each in (0, 1)],
    )
    for name in ("rate", "ends"):
        run = replayed(lake, (1, "A", bt.buy_yes(bt.param(name))), params={name: [1, 2]})
        assert bt.interest(run, 0.04).select(name, "day").rows() == [(1.0, FIRST), (2.0, FIRST)]
    run = replayed(lake, (1, "A", bt.buy_yes(bt.param("day"))), params={"day": [1, 2]})
    with pytest.raises(PlanError, match="cannot be called day: days of interest have a column of that name"):
        bt.interest(run, 0.04)


@pytest.mark.parametrize("day", ["2026-01-01", at(0)])
def test_rates_begin_on_a_date(day: Any) -> None:  # noqa: ANN401 -- what a user may write
    with pytest.raises(PlanError, match=r"interest from .*: give the first day .* date\(2026, 1, 1\)"):
        bt.interest(two_days(), {day: 0.03})


@pytest.mark.parametrize("rate", [-0.01, 3.25, "much"])
def test_what_is_no_rate_is_refused(rate: float | str) -> None:
    with pytest.raises(PlanError, match=r"0\.0325 is 3\.25 %"):
        bt.interest(two_days(), rate)
