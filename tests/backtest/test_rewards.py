"""Rewards for volume: beside the result, by share of what everybody traded (trap 28)."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.incentives import PROGRAM
from backtest.results import Run
from tests.backtest.test_engine_queue import a_trade
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_plan, a_quote, at, replayed


def programs(*rows: tuple[str, datetime, datetime, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PROGRAM, orient="row")


def traded(*trades: dict[str, Any]) -> MemoryLake:
    """Return a lake in which .50 is asked until second 50 and .98 from then on."""
    quotes = [a_quote(0, 4_900, 5_000), a_quote(50, 9_700, 9_800)]
    return a_lake(markets=[a_market()], quotes=quotes, trades=trades)


def bought(lake: MemoryLake, *orders: tuple[float, float]) -> Run:
    return replayed(lake, *((second, "A", bt.buy_yes(count)) for second, count in orders))


def told(run: Run, lake: MemoryLake, *rows: tuple[str, datetime, datetime, int]) -> list[tuple[Any, ...]]:
    found = bt.volume_rewards(run, lake, programs(*rows))
    return found.select("ticker", "count_centi", "eligible_centi", "reward_micros").rows()


def test_a_reward_is_shared_by_volume_of_both_sides() -> None:
    """We buy 10, others trade 40 among themselves: 10 of 100 sides. Of $0.30 that is $0.03, below $0.05."""
    lake = traded(a_trade(5, 5_000, 4_000, "yes"))
    run = bought(lake, (1, 10))
    assert told(run, lake, ("A", at(0), at(60), 3_000)) == [("A", 1_000, 10_000, 30_000)]


def test_no_contract_is_rewarded_with_more_than_half_a_cent() -> None:
    """Alone we are half of all sides: of $100 that would be $50 for 10 contracts, which get $0.05."""
    lake = traded()
    assert told(bought(lake, (1, 10)), lake, ("A", at(0), at(60), 1_000_000)) == [("A", 1_000, 2_000, 50_000)]


def test_blocks_extreme_prices_and_other_times_do_not_count() -> None:
    """Ours at .98, and trades at .02, in a block, before, and at the end: none. What counts is 10 and 5."""
    trades = [
        a_trade(5, 5_000, 500, "yes"),
        a_trade(6, 200, 500, "yes"),
        a_trade(7, 5_000, 500, "yes", is_block=True),
        a_trade(0, 5_100, 500, "yes"),
        a_trade(60, 5_000, 500, "yes"),
    ]
    lake = traded(*trades)
    run = bought(lake, (1, 10), (51, 10))
    assert run.fills.height == 2
    assert told(run, lake, ("A", at(1), at(60), 3_000)) == [("A", 1_000, 3_000, 50_000)]
    assert told(run, lake, ("A", at(40), at(60), 3_000), ("B", at(0), at(60), 3_000)) == []


def test_rewards_are_no_part_of_the_result_and_each_program_is_a_row() -> None:
    lake = traded()
    plan = a_plan((1, "A", bt.buy_yes(bt.param("count"))))
    run = bt.run(plan, lake, fills="touch", latency="1s", cash=1_000, params={"count": [1, 2]})
    before = {name: frame.clone() for name, frame in run.frames.items()}
    found = bt.volume_rewards(run, lake, programs(("A", at(0), at(60), 100), ("A", at(0), at(9), 40)))
    assert found.select("count", "end_ts", "reward_micros").rows() == [
        (1.0, at(60), 5_000),  # half of $0.01
        (1.0, at(9), 2_000),
        (2.0, at(60), 5_000),
        (2.0, at(9), 2_000),
    ]
    assert all(frame.equals(before[name]) for name, frame in run.frames.items())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1], "programs are a polars frame, not list"),
        (
            programs().drop("end_ts"),
            "no column end_ts; needed are ticker, start_ts, end_ts",
        ),
        (programs().with_columns(start_ts=pl.lit("x")), "start_ts is String"),
        (programs().with_columns(period_reward_cc=pl.lit(0.5)), "period_reward_cc is Float64"),
        (
            programs(("A", at(1), at(1), 1)),
            "start_ts 2026-09-01 12:00:01.*, and an end after the start",
        ),
        (programs(("A", at(1), at(2), -1)), "period_reward_cc -1: all of"),
    ],
)
def test_programs_that_cannot_be_meant_are_refused(given: Any, said: str) -> None:  # noqa: ANN401 -- what a user may write
    lake = traded()
    with pytest.raises(PlanError, match=said):
        bt.volume_rewards(bought(lake, (1, 1)), lake, given)


ANSWERED: Final = {
    "id": "p",
    "market_ticker": "A",
    "incentive_type": "liquidity",
    "start_date": "2026-09-01T12:00:00Z",
    "end_date": "2026-09-01T12:00:09.5Z",
    "period_reward": 200_000,
    "target_size_fp": "1000.50",
    "discount_factor_bps": 5_000,
}


def test_programs_are_read_from_what_the_exchange_answers() -> None:
    """As JSON, or as the client's objects; what volume lacks is null, and each reward takes its own type."""
    volume = SimpleNamespace(**(ANSWERED | {"incentive_type": "volume", "target_size_fp": None}))
    found = bt.reward_programs([ANSWERED, volume])
    assert found.rows() == [
        ("liquidity", "A", at(0), at(9.5), 200_000, 100_050, 5_000, None),
        ("volume", "A", at(0), at(9.5), 200_000, None, 5_000, None),
    ]
    lake = traded()
    run = bought(lake, (1, 10))
    assert bt.volume_rewards(run, lake, found).height == 1
    assert bt.liquidity_rewards(run, lake, found).height == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start_date": "soon"}, "no incentive program: .*soon"),
        ({"end_date": None}, "is no incentive program: it lacks end_date"),
        ({"target_size_fp": "many"}, "no incentive program: .*many"),
        ({"period_reward": 1.5}, "no incentive program: 1.5 is no whole number"),
    ],
)
def test_what_is_no_program_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        bt.reward_programs([ANSWERED | change])
    with pytest.raises(PlanError, match="5 is no incentive program: it lacks incentive_type"):
        bt.reward_programs([5])
    for page in ({"incentive_programs": [ANSWERED]}, None):
        with pytest.raises(PlanError, match=r"give page\['incentive_programs'\]"):
            bt.reward_programs(page)  # type: ignore[arg-type]  # what a user may write
