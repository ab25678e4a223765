"""What markets, events and series came to, by hand, and that it is the whole result."""

from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.a_run import a_run
from tests.backtest.worlds import (
    SERIES,
    a_lake,
    a_market,
    a_quote,
    a_series,
    assert_conserved,
    replayed,
    settled,
)

LAKE = a_lake(
    markets=[
        settled("A", pays_cc=10_000, event_ticker="E"),
        a_market("B", event_ticker="E"),
        a_market("C", event_ticker="F"),
    ],
    quotes=[
        *(a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "ABC"),
        a_quote(5, 5_900, 6_000, ticker="B"),
    ],
    series=[a_series(ppm=0)],
)
PLAN = [(1, each, bt.buy_yes(bt.param("n"))) for each in "ABC"] + [(6, "B", bt.close())]


def test_markets_events_and_series_say_where_a_result_came_from() -> None:
    """Of 2 bought at .50 each: A pays $2, B is sold at .59 and nothing is left of it, C is marked at .49."""
    run = replayed(LAKE, *PLAN, params={"n": [2]})
    columns = ("ticker", "n_fills", "stake_micros", "gross_micros", "net_micros", "is_open")
    assert bt.profits(run, by="market").select(columns).rows() == [
        ("A", 1, 1_000_000, 1_000_000, 1_000_000, False),
        ("B", 2, 1_000_000, 180_000, 180_000, False),
        ("C", 1, 1_000_000, -20_000, -20_000, True),
    ]
    assert bt.profits(run).drop("series_ticker", "fees_micros", "net_micros").rows() == [
        (2.0, "E", 1, 2, 3, 2_000_000, 1_180_000, False),
        (2.0, "F", 1, 1, 1, 1_000_000, -20_000, True),
    ]
    assert bt.profits(run, by="series").select("n_events", "n_markets", "net_micros").rows() == [
        (2, 3, 1_160_000)
    ]


@pytest.mark.parametrize("by", ["market", "event", "series"])
def test_each_setting_sums_to_its_profit(by: str) -> None:
    """In the order of the settings, fees included; one without fills has no row."""
    run = replayed(LAKE, *PLAN, params={"n": [3, 0, 1]})
    assert_conserved(run)
    told = bt.profits(run, by=by)
    sums = told.group_by("n", maintain_order=True).agg(pl.col("net_micros").sum())
    traded = run.summary.filter(pl.col("n_fills") > 0).select("n", net_micros="pnl_micros")
    assert sums.equals(traded)
    assert traded["n"].to_list() == [3, 1]
    charged = a_run(20, {"edge": [1.0, 2.0]})
    fees = bt.profits(charged, by=by).group_by("edge", maintain_order=True).agg(pl.col("fees_micros").sum())
    assert fees.equals(charged.summary.select("edge", "fees_micros"))


def test_a_run_without_fills_has_no_rows() -> None:
    run = replayed(LAKE, (1, "A", bt.buy_yes(1, limit=100)))
    assert bt.profits(run).is_empty()
    assert bt.profits(run, by="market").columns[:3] == ["ticker", "event_ticker", "series_ticker"]


def test_a_parameter_cannot_be_called_as_what_is_told() -> None:
    """Any other name will do, that of a column within included."""
    assert set(bt.profits(a_run(2, {"is_fill": [1.0, 2.0]}))["is_fill"]) == {1.0, 2.0}
    with pytest.raises(PlanError, match="a parameter cannot be called net_micros: profits have a column"):
        bt.profits(a_run(2, {"net_micros": [1.0, 2.0]}))


@pytest.mark.parametrize("by", ["ticker", "", None])
def test_another_grouping_is_refused(by: Any) -> None:  # noqa: ANN401 -- what a user may write
    with pytest.raises(PlanError, match=r"by=.*: use 'market', 'event', 'series'"):
        bt.profits(a_run(2), by=by)


def test_an_event_is_one_row_even_if_one_of_its_markets_lacks_a_series() -> None:
    """Two imported states of an event without a row of its own: one tells the series, one does not."""
    lake = a_lake(
        markets=[
            settled("A", pays_cc=10_000, event_ticker="E"),
            settled("B", pays_cc=0, event_ticker="E", series_ticker=None),
        ],
        quotes=[a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "AB"],
        series=[a_series(ppm=0)],
    )
    run = replayed(lake, *((1, each, bt.buy_yes(1)) for each in "AB"), fees=bt.assume_fees("quadratic", 0))
    told = ("series_ticker", "n_markets", "net_micros")
    assert bt.profits(run).select("event_ticker", *told).rows() == [("E", SERIES, 2, 0)]
    assert bt.profits(run, by="series").select(told).rows() == [(SERIES, 2, 0)]
    assert bt.profits(run, by="market")["series_ticker"].to_list() == [SERIES, SERIES]
