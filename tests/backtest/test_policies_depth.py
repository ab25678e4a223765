"""How many displayed levels a policy sees that asks for them, by hand.

tests/backtest/test_policies_oracle.py has a policy that quotes by them in any world.
"""

from typing import Any

import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.policies import Policy
from backtest.results import Run
from tests.backtest.worlds import MemoryLake, a_delta, a_lake, a_market, a_quote, a_snapshot

BOOK = a_snapshot(0, yes={4_000: 500, 4_500: 300}, no={4_500: 400})  # bids .40 and .45, ask .55


def seen_of(lake: MemoryLake, *, fills: str, depth: int) -> list[list[tuple[int, int]]]:
    """Return what a policy saw at each question: bids and then asks, as (price, contracts)."""
    seen: list[list[tuple[int, int]]] = []

    @bt.policy(every="1s", depth=depth)
    def looking(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- a record
        for side in ("bid", "ask"):
            prices, counts = (getattr(told, f"{side}_{name}") for name in ("prices_cc", "counts_centi"))
            seen.append(list(zip(prices.tolist(), counts.tolist(), strict=True)))
        return bt.Quotes(0, 0, 0, 0)

    ran(looking.in_python(), lake, fills)
    return seen


def ran(policy: Policy, lake: MemoryLake, fills: str) -> Run:
    return bt.run(policy.on(["A"]), lake, fills=fills, latency="1s", feed="0s", cash=1_000)


def test_levels_come_best_first_and_empty_ones_are_left_out() -> None:
    """At 2 the best bid is gone, at 4 two asks of NO bids at .60 and .50 are there: asks at .40 and .50."""
    deltas = [
        a_delta(2, "yes", 4_500, -300, seq=2),
        a_delta(4, "yes", 4_000, -500, seq=3),
        a_delta(4, "yes", 3_000, 50, seq=4),
        a_delta(4, "no", 6_000, 70, seq=5),
        a_delta(4, "no", 5_000, 80, seq=6),
    ]
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK], book_deltas=deltas)
    none, no_ask = (0, 0), (10_000, 0)
    assert seen_of(lake, fills="book", depth=3) == [
        [(4_500, 300), (4_000, 500), none],
        [(5_500, 400), no_ask, no_ask],
        [(4_000, 500), none, none],
        [(5_500, 400), no_ask, no_ask],
        [(3_000, 50), none, none],
        [(4_000, 70), (5_000, 80), (5_500, 400)],
    ]
    assert seen_of(lake, fills="book", depth=1)[-1] == [(4_000, 70)]


def test_quotes_show_one_level_and_may_not_know_its_size() -> None:
    quotes = [a_quote(0, 4_500, 5_500, sizes=(700, None)), a_quote(5, None, 5_600)]
    assert seen_of(a_lake(markets=[a_market()], quotes=quotes), fills="touch", depth=2) == [
        [(4_500, 700), (0, 0)],
        [(5_500, -1), (10_000, 0)],
        [(0, 0), (0, 0)],
        [(5_600, 100_000), (10_000, 0)],
    ]


@bt.policy(every="1s", depth=4)
def _weighing(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    """Bid at the last level that shows anything, for a hundredth of what all of them show."""
    price, count = 0, 0
    for i in range(len(told.bid_prices_cc)):
        price = told.bid_prices_cc[i] if told.bid_counts_centi[i] > 0 else price
        count += told.bid_counts_centi[i]
    return bt.Quotes(price, count // 100 * 100, told.ask_prices_cc.max(), 0)


def test_compiled_policies_loop_over_levels_as_python_does() -> None:
    """The last of .45 and .40, and 8 contracts."""
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK])
    run = ran(_weighing, lake, "book")
    assert run.orders.select("limit_cc", "count_centi").rows() == [(4_000, 800)]
    assert run.orders.equals(ran(_weighing.in_python(), lake, "book").orders)
    assert run.manifest["config"]["policy"]["depth"] == 4


def _second(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_prices_cc[1], 100, 0, 0)


def test_levels_that_a_policy_did_not_ask_for_are_an_error() -> None:
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK])
    asked_for_none = bt.policy(every="1s")(_second)
    with pytest.raises(PlanError, match=r"_second reads 'bid_prices_cc': say how many levels .* depth=5"):
        ran(asked_for_none, lake, "book")
    with pytest.raises(AttributeError, match="bid_prices_cc"):
        ran(asked_for_none.in_python(), lake, "book")
    asked_for_one = bt.policy(every="1s", depth=1)(_second)
    for policy in (asked_for_one, asked_for_one.in_python()):
        with pytest.raises(IndexError, match="out of bounds"):
            ran(policy, lake, "book")


@pytest.mark.parametrize("depth", [-1, 101, 2.0, "5"])
def test_a_depth_that_cannot_be_meant_is_refused(depth: Any) -> None:  # noqa: ANN401 -- what a user may write
    with pytest.raises(PlanError, match=f"depth={depth!r}: how many levels a side it sees, a whole number"):
        bt.policy(every="1s", depth=depth)
