"""Edges as expressions: what a contract is worth, less its price and its fee."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.edges import taker_fee_cc
from backtest.errors import PlanError
from exchange.fees import model_micros

QUOTES = pl.DataFrame(
    {"bid_cc": [4_000, None, 9_800], "ask_cc": [5_000, 5_000, None], "prob": [0.56, 0.4, 0.97]},
    schema={"bid_cc": pl.Int32, "ask_cc": pl.Int32, "prob": pl.Float64},
)


def test_yes_costs_the_ask_and_no_a_dollar_less_the_bid_and_both_the_fee() -> None:
    """At .50 the fee is .0175, at .60 .0168, at .02 .001372: 14 cc, rounded up.

    .56 - .50 - .0175 = .0425; .40 - .50 - .0175 = -.1175. NO: .44 - .60 - .0168 = -.1768;
    .03 - .02 - .0014 = .0086.
    """
    edges = QUOTES.select(yes=bt.net_edge_cc("prob"), no=bt.net_edge_cc(pl.col("prob"), "no"))
    assert edges["yes"].round(6).to_list() == [425, -1_175, None]
    assert edges["no"].round(6).to_list() == [-1_768, None, 86]


@pytest.mark.parametrize("prob", [float("nan"), 45.0, -0.1, 1.01, None])
def test_what_is_no_probability_has_no_edge(prob: float | None) -> None:
    """NaN is above every number to polars, and 45 % would be worth $45: both would buy everything."""
    quotes = QUOTES.head(1).with_columns(prob=pl.lit(prob, pl.Float64))
    edges = quotes.select(yes=bt.net_edge_cc("prob"), no=bt.net_edge_cc("prob", "no"))
    assert edges.row(0) == (None, None)
    assert quotes.filter(bt.net_edge_cc("prob") > 0).is_empty()


def test_the_multiplier_of_a_series_scales_the_fee() -> None:
    """Half of .0175 is .00875: 88 cc; none of it leaves .06."""
    edges = QUOTES.head(1).select(
        half=bt.net_edge_cc("prob", multiplier="0.5"), free=bt.net_edge_cc("prob", multiplier=0)
    )
    assert edges.row(0) == pytest.approx((600 - 88, 600))


@given(st.integers(1, 9_999), st.sampled_from([0, 0.5, 1, "1.000001", 3, 7.5]))
def test_the_fee_is_that_of_one_contract_rounded_up_to_the_centicent(
    price_cc: int, multiplier: float | str
) -> None:
    fee_cc = pl.select(taker_fee_cc(pl.lit(price_cc, pl.Int32), multiplier=multiplier)).item()
    terms = bt.assume_fees("quadratic", multiplier)
    exact = model_micros(terms=terms, price_cc=price_cc, count_centi=100, is_taker=True, quantum_micros=100)
    assert fee_cc == exact // 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"side": "YES"}, "side='YES': use 'yes' or 'no'"), ({"multiplier": -1}, "must be between 0 and")],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        bt.net_edge_cc("prob", **arguments)
