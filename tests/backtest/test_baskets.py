"""Baskets: legs of one decision, filled one by one, and what was complete or stranded in the end."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.results import SCHEMAS, Run
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_plan, a_quote, at, settled

Leg = tuple[float, str, pl.Expr]


def a_pair(
    *later: dict[str, Any], more: int = 10_000, less: int = 10_000, sizes: tuple[int, int] = (1_000, 300)
) -> MemoryLake:
    """A and B of one event: YES of A at 30 cents, NO of B at 60; A pays `more`, B pays `less` per YES."""
    return a_lake(
        markets=[
            settled("A", pays_cc=more, event_ticker="E"),
            settled("B", pays_cc=less, event_ticker="E"),
        ],
        quotes=[
            a_quote(0, 2_900, 3_000, sizes=(1_000, sizes[0])),
            a_quote(0, 4_000, 4_100, ticker="B", sizes=(sizes[1], 1_000)),
            *later,
        ],
    )


def held(lake: MemoryLake, *legs: Leg, baskets: list[Any], **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    """Run legs with their baskets on quotes, one second of latency."""
    plan = a_plan(*legs).with_columns(basket=pl.Series(baskets))
    return bt.run(plan, lake, fills="touch", **({"latency": "1s"} | arguments))


PAIR = ((1, "A", bt.buy_yes(10)), (1, "B", bt.buy_no(10)))


def test_a_basket_is_as_many_sets_as_its_least_leg_and_the_rest_is_stranded() -> None:
    """Traps 27, 38: legs are sized in contracts; 10 of A filled but 3 of B: 3 sets, 7 contracts stranded.

    A: 10 x $0.30 + fee 0.07 x 10 x .3 x .7 = 0.147 -> $3.147; 3/10 of it $0.9441, the rest $2.2029.
    B: 3 x $0.60 + fee 0.07 x 3 x .6 x .4 = 0.0504 -> $1.8504. Both YES pay: a set pays $1, stranded A $7.
    """
    run = held(a_pair(), *PAIR, baskets=["p", "p"])
    (row,) = run.baskets.to_dicts()
    assert row == {
        "decision_ts": at(1),
        "basket": "p",
        "n_legs": 2,
        "wanted_centi": 1_000,
        "complete_centi": 300,
        "stranded_centi": 700,
        "n_stranded": 1,
        "complete_cost_micros": 944_100 + 1_850_400,
        "stranded_cost_micros": 2_202_900,
        "complete_pnl_micros": 3_000_000 - 944_100 - 1_850_400,
        "stranded_pnl_micros": 7_000_000 - 2_202_900,
        "first_fill_ts": at(2),
        "last_fill_ts": at(2),
    }


def test_baskets_add_up_to_the_run() -> None:
    """Where nothing else was traded, complete and stranded P&L are all the P&L there is."""
    run = held(a_pair(more=0, less=3_300), *PAIR, baskets=["p", "p"])
    parts = run.baskets.select("complete_pnl_micros", "stranded_pnl_micros").sum_horizontal()
    assert parts.to_list() == run.summary["pnl_micros"].to_list()
    spent = run.baskets.select("complete_cost_micros", "stranded_cost_micros").sum_horizontal()
    assert spent[0] == run.settlements["cost_micros"].sum()


def test_a_leg_that_got_nothing_leaves_no_set() -> None:
    """B shows nothing: A's ten contracts are stranded whole, and no cost belongs to a set."""
    run = held(a_pair(sizes=(1_000, 0)), *PAIR, baskets=["p", "p"])
    told = run.baskets.select("complete_centi", "stranded_centi", "n_stranded", "complete_cost_micros")
    assert told.row(0) == (0, 1_000, 1, 0)


def test_a_basket_without_a_fill_is_a_row_of_nothing() -> None:
    run = held(a_pair(), (1, "A", bt.buy_yes(1, 100)), (1, "B", bt.buy_no(1, 100)), baskets=["p", "p"])
    (row,) = run.baskets.drop("decision_ts", "basket", "n_legs", "wanted_centi").rows()
    assert row == (0, 0, 0, 0, 0, 0, 0, None, None)


def test_what_nothing_paid_is_marked_at_the_bid_of_its_side() -> None:
    """Open at the end: YES of A is worth its bid of 29 cents, NO of B 1 - 41 = 59."""
    lake = a_lake(
        markets=[a_market("A"), a_market("B")],
        quotes=[a_quote(0, 2_900, 3_000), a_quote(0, 4_000, 4_100, ticker="B")],
    )
    run = held(lake, *PAIR, baskets=[7, 7])
    fees, paid = 147_000 + 168_000, 3_000_000 + 6_000_000
    assert run.baskets["complete_pnl_micros"].to_list() == [2_900_000 + 5_900_000 - paid - fees]
    assert run.baskets["basket"].to_list() == ["7"]


def test_the_same_name_later_is_another_basket_and_null_is_none() -> None:
    legs = (*PAIR, (1, "A", bt.buy_yes(1)), (5, "A", bt.buy_yes(1)), (5, "B", bt.buy_no(1)))
    run = held(a_pair(), *legs, baskets=["p", "p", None, "p", "p"])
    assert run.baskets["decision_ts"].to_list() == [at(1), at(5)]
    assert run.orders["basket"].to_list() == ["p", None, "p", "p", "p"]


def test_every_parameter_row_has_its_baskets() -> None:
    many = bt.param("n")
    legs = ((1, "A", bt.buy_yes(many)), (1, "B", bt.buy_no(many)))
    run = held(a_pair(), *legs, baskets=["p", "p"], params={"n": [1, 2]})
    assert run.baskets.select("n", "complete_centi").rows() == [(1, 100), (2, 200)]
    assert any("legs of a basket" in each for each in run.assumptions)


@pytest.mark.parametrize("name", ["cost", "got", "more_cc", "less_cc", "pays", "paid_for", "left_over"])
def test_parameters_may_be_called_as_anything(name: str) -> None:
    """3 sets of the pair above with 10 of A, whatever the parameter is called that says 10."""
    legs = ((1, "A", bt.buy_yes(bt.param(name))), (1, "B", bt.buy_no(bt.param(name))))
    run = held(a_pair(), *legs, baskets=["p", "p"], params={name: [10]})
    (row,) = run.baskets.select(name, "complete_centi", "complete_cost_micros", "stranded_pnl_micros").rows()
    assert row == (10.0, 300, 944_100 + 1_850_400, 7_000_000 - 2_202_900)


def test_a_plan_without_baskets_has_the_empty_frame() -> None:
    run = bt.run(a_plan(PAIR[0]), a_pair(), fills="touch")
    assert run.baskets.schema == SCHEMAS["baskets"]
    assert run.baskets.is_empty()
    assert not any("basket" in each for each in run.assumptions)


def test_legs_one_by_one_want_no_more_than_the_legs_before_got() -> None:
    """Trap 38: NO of B first: 3 of 10 fill, so 3 of A are sent one second later, and nothing is stranded."""
    run = held(a_pair(), *reversed(PAIR), baskets=["p", "p"], legs="one by one")
    told = run.orders.select("ticker", "arrival_ts", "count_centi", "filled_centi", "status").rows()
    assert told == [("B", at(2), 1_000, 300, "partial"), ("A", at(3), 300, 300, "filled")]
    told = run.baskets.select("wanted_centi", "complete_centi", "stranded_centi", "last_fill_ts").rows()
    assert told == [(1_000, 300, 0, at(3))]
    assert any("for as many contracts as that one got" in each for each in run.assumptions)
    assert run.manifest["config"]["legs"] == "one by one"


def test_after_a_leg_that_got_nothing_no_leg_is_sent() -> None:
    """B shows nothing, so A is not sent: it asked the exchange for nothing, and C after it neither."""
    lake = a_pair(sizes=(1_000, 0))
    legs = (*reversed(PAIR), (1, "C", bt.buy_yes(10)))
    run = held(lake, *legs, baskets=["p"] * 3, legs="one by one")
    told = run.orders.filter(pl.col("ticker") == "A").select("arrival_ts", "count_centi", "status", "reason")
    assert told.rows() == [(None, 0, "unfilled", "leg before unfilled")]
    assert run.baskets.select("wanted_centi", "complete_centi", "stranded_centi").rows() == [(1_000, 0, 0)]


def test_a_leg_sent_later_meets_the_market_of_later() -> None:
    """Between the legs A's ask goes from 30 to 35 cents: the second leg pays 35, or nothing at its limit."""
    lake = a_pair(a_quote(2.5, 3_400, 3_500))
    for limit, price in ((3_500, 3_500), (3_000, None)):
        legs = ((1, "B", bt.buy_no(3)), (1, "A", bt.buy_yes(3, limit)))
        run = held(lake, *legs, baskets=["p", "p"], legs="one by one")
        paid = run.fills.filter(pl.col("ticker") == "A")["price_cc"].to_list()
        assert paid == ([] if price is None else [price])


def test_only_the_last_of_legs_sent_one_by_one_may_wait() -> None:
    waiting, taking = bt.buy_yes(1, 2_900, "5s"), bt.buy_no(1)
    held(a_pair(), (1, "B", taking), (1, "A", waiting), baskets=["p", "p"], legs="one by one")
    with pytest.raises(PlanError, match="only the last of legs sent one by one may"):
        held(a_pair(), (1, "A", waiting), (1, "B", taking), baskets=["p", "p"], legs="one by one")


def test_other_ways_to_send_legs_are_refused() -> None:
    with pytest.raises(PlanError, match="legs='at once' is unknown: use 'together' or 'one by one'"):
        held(a_pair(), *PAIR, baskets=["p", "p"], legs="at once")
    with pytest.raises(PlanError, match="give the plan a column basket"):
        bt.run(a_plan(*PAIR), a_pair(), fills="touch", legs="one by one")


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        (
            ((1, "A", bt.buy_yes(1)), (2, "B", bt.buy_no(1))),
            "'p' at 2026-09-01T12:00:01Z: it has one leg",
        ),
        (((1, "A", bt.buy_yes(1)), (1, "B", bt.close())), "a leg buys or sells"),
        (((1, "A", bt.buy_yes(1)), (1, "B", bt.cancel())), "a leg buys or sells"),
        (((1, "A", bt.buy_yes(1)), (1, "A", bt.buy_no(1))), "two of its legs are in one market"),
        (((1, "A", bt.buy_yes(1)), (1, "B", bt.buy_no(2))), "its legs want different counts"),
    ],
)
def test_what_is_no_basket_is_refused(legs: tuple[Leg, ...], said: str) -> None:
    """Traps 12, 27: YES and NO of one market are no pair, and legs of different counts no set."""
    with pytest.raises(PlanError, match=said):
        held(a_pair(), *legs, baskets=["p", "p"])


def test_baskets_are_named_with_text_or_whole_numbers() -> None:
    moments = pl.Series([datetime(2026, 9, 1), datetime(2026, 9, 1)])  # noqa: DTZ001 -- any other type
    with pytest.raises(PlanError, match="name baskets with text or whole numbers"):
        bt.run(a_plan(*PAIR).with_columns(basket=moments), a_pair(), fills="touch")
