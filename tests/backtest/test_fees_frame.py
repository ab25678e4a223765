"""What was charged at which rate: rows that add up to the run's fees."""

from typing import Any

import pytest

import backtest as bt
from backtest.results import Run
from tests.backtest.test_fee_table import a_change
from tests.backtest.worlds import a_lake, a_market, a_plan, a_quote, a_series, at, replayed

QUOTES = [a_quote(0, 4_900, 5_000), a_quote(50, 4_000, 4_100)]
TELLING = ("role", "fee_rate", "n_fills", "count_centi", "model_micros", "fee_micros")


def told(run: Run) -> list[tuple[Any, ...]]:
    return run.fees.select(TELLING).rows()


def test_takers_and_makers_have_rates_of_their_own() -> None:
    """10 taken at .50: 0.07 x 0.25 x 10; 10 that waited at .45 until the ask came to .41, at a quarter."""
    lake = a_lake(
        markets=[a_market()], quotes=QUOTES, series=[a_series(fee_type="quadratic_with_maker_fees")]
    )
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (2, "A", bt.buy_yes(10, limit=4_500, tif="gtc")))
    maker = 0.0175 * 0.45 * 0.55 * 10 * 1e6
    assert told(run) == [
        ("maker", 0.0175, 1, 1_000, pytest.approx(maker), 43_400),
        ("taker", 0.07, 1, 1_000, pytest.approx(175_000), 175_000),
    ]
    assert run.fees.select("first_ts", "last_ts").rows() == [(at(50), at(50)), (at(2), at(2))]


def test_what_was_rounded_up_is_the_difference() -> None:
    """.37 of a contract at $0.001: the formula gives $0.0000259, and a whole $0.0004 has to leave: 30."""
    lake = a_lake(markets=[a_market(price_level_structure="deci_cent")], quotes=[a_quote(0, None, 10)])
    run = replayed(lake, (1, "A", bt.buy_yes(0.37, limit=10)))
    assert told(run) == [("taker", 0.07, 1, 37, pytest.approx(0.07 * 0.001 * 0.999 * 0.37 * 1e6), 30)]


def test_a_rate_that_changes_has_a_row_for_each() -> None:
    """Half of the rate from 10 s on, nothing from 20 s on; and nothing during a market's waiver."""
    orders = [(second, "A", bt.buy_yes(10)) for second in (1, 12, 25)]
    changes = [a_change(10, 500_000), a_change(20, 0)]
    lake = a_lake(markets=[a_market()], quotes=QUOTES, fee_changes=changes)
    assert [(rate, fee) for _, rate, _, _, _, fee in told(replayed(lake, *orders))] == [
        (0.0, 0),
        (0.035, 87_500),
        (0.07, 175_000),
    ]
    waived = a_lake(markets=[a_market(fee_waiver_expiration_ts=at(10))], quotes=QUOTES)
    assert [(rate, fee) for _, rate, _, _, _, fee in told(replayed(waived, *orders))] == [
        (0.0, 0),
        (0.07, 350_000),
    ]


def test_they_add_up_to_the_fees_of_every_parameter_row() -> None:
    plan = a_plan(*((n, "A", bt.buy_yes(bt.param("size"))) for n in range(1, 6)))
    lake = a_lake(markets=[a_market()], quotes=QUOTES)
    run = bt.run(plan, lake, fills="touch", params={"size": [1, 2.5, 0]})
    for row in run.summary.iter_rows(named=True):
        of_row = run.fees.filter(run.fees["size"] == row["size"])
        assert (of_row["fee_micros"].sum(), of_row["n_fills"].sum()) == (row["fees_micros"], row["n_fills"])
    assert run.fees["size"].to_list() == [1.0, 2.5]
