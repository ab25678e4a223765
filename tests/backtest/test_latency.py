"""Latencies that were measured: drawn with a seed, the same for an order wherever it stands."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.errors import PlanError
from backtest.latency import Latency
from tests.backtest.worlds import a_lake, a_market, a_plan, a_quote, at, replayed

MEASURED = [timedelta(milliseconds=ms) for ms in (80, 120, 900)]


def intents(*rows: tuple[float, str]) -> pl.DataFrame:
    return pl.DataFrame({"known_ts": [at(each) for each, _ in rows], "ticker": [each for _, each in rows]})


def test_one_length_is_everybodys() -> None:
    assert Latency((250_000,)).of(intents((1, "A"), (2, "B"))).tolist() == [250_000, 250_000]


def test_what_is_drawn_was_measured_and_every_length_is_as_likely() -> None:
    """3,000 orders, 1,000 of each length expected; six standard deviations are 155."""
    drawn = bt.sample_latency(MEASURED, seed=1).of(intents(*((n / 10, "A") for n in range(3_000))))
    counts = [int((drawn == ms * 1_000).sum()) for ms in (80, 120, 900)]
    assert sum(counts) == 3_000
    assert all(845 < each < 1_155 for each in counts)


@given(st.integers(0, 2**63), st.lists(st.tuples(st.integers(0, 99), st.sampled_from("ABC")), min_size=1))
def test_an_order_draws_the_same_whatever_else_is_sent(seed: int, rows: list[tuple[int, str]]) -> None:
    """But its own place among the orders of its market and instant counts: two of one row are two draws."""
    latency = bt.sample_latency(MEASURED, seed=seed)
    whole = latency.of(intents(*rows)).tolist()
    firsts = list(dict.fromkeys(rows))
    assert latency.of(intents(*firsts)).tolist() == [whole[rows.index(each)] for each in firsts]


def test_another_seed_draws_another_way() -> None:
    rows = intents(*((n, "A") for n in range(100)))
    one, other = (bt.sample_latency(MEASURED, seed=seed).of(rows).tolist() for seed in (1, 2))
    assert one != other


def test_orders_overtake_each_other_when_their_latencies_do() -> None:
    """Sent at 1.0 and 1.1 s with 0.9 or 0.08 s to go: whoever arrives first takes the one contract."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000, sizes=(100, 100))])
    orders = [(1 + n / 10, "A", bt.buy_yes(1)) for n in range(12)]
    run = replayed(lake, *orders, latency=bt.sample_latency(MEASURED, seed=3))
    arrivals = run.orders["arrival_ts"].to_list()
    assert arrivals == sorted(arrivals)
    assert run.orders["decision_ts"].to_list() != sorted(run.orders["decision_ts"].to_list())
    assert run.orders["filled_centi"].to_list() == [100, *[0] * 11]
    assert run.manifest["config"]["latency_us"]["n"] == 3
    assert any("80 to 900 ms" in each for each in run.assumptions)


def test_an_order_has_the_same_latency_under_every_parameter() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    plan = a_plan(*((float(n), "A", bt.buy_yes(1).when(bt.param("least") <= n)) for n in range(1, 9)))
    latency = bt.sample_latency(MEASURED, seed=5)
    run = bt.run(plan, lake, fills="touch", latency=latency, params={"least": [1, 4]})
    arrivals = run.orders.select("least", "decision_ts", "arrival_ts")
    all_of_them, some = (arrivals.filter(pl.col("least") == each).drop("least") for each in (1.0, 4.0))
    assert some.rows() == [row for row in all_of_them.rows() if row[0] >= at(4)]


@pytest.mark.parametrize(
    ("measured", "told"),
    [([], "no measured"), ([timedelta(0)], "nothing arrives before"), ([3], "write a length of time")],
)
def test_what_was_not_measured_is_refused(measured: list[timedelta], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        bt.sample_latency(measured)
