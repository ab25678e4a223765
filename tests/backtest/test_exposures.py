"""What an event could still have lost or won at its deepest moment, against all of its outcomes."""

from collections.abc import Sequence
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.exposures import span
from tests.backtest.worlds import a_lake, a_market, a_quote, a_series, at, replayed, settled

POSITIONS = st.lists(st.integers(-500, 500), max_size=4)


@given(POSITIONS, st.booleans(), st.sampled_from([0, 3_300, 10_000, 15_000]))
def test_the_span_is_the_least_and_the_most_of_all_outcomes(
    positions: list[int],
    is_exclusive: bool,  # noqa: FBT001 -- drawn
    settled_cc: int,
) -> None:
    """Trap 37: every market at $0 or $1; of an exclusive event one at what is left of $1, or none."""
    n = len(positions)
    values: list[tuple[int, ...]] = list(product([0, 10_000], repeat=n))
    if is_exclusive:
        left = max(0, 10_000 - settled_cc)
        values = [tuple(left * (i == winner) for i in range(n)) for winner in range(-1, n)]
    else:
        settled_cc = 0
    paid = [
        sum(p * v if p > 0 else -p * (10_000 - v) for p, v in zip(positions, each, strict=True))
        for each in values
    ]
    assert span(positions, is_exclusive, settled_cc) == (min(paid), max(paid))


def run_of(orders: Sequence[tuple[float, str, Any]], *, exclusive: bool, **pays: int) -> bt.Run:
    """Trade two markets of an event without fees, NO at .60 and .70, YES at .41 and .31."""
    asks = {"A": 6_000, "B": 7_000}
    markets = [
        settled(ticker, pays_cc=pays[ticker], event_ticker="E")
        if ticker in pays
        else a_market(ticker, event_ticker="E")
        for ticker in asks
    ]
    quotes = [a_quote(0, 10_000 - ask, 10_100 - ask, ticker=ticker) for ticker, ask in asks.items()]
    event = {"ticker": "E", "observed_ts": at(-1), "series_ticker": "KXTEST", "mutually_exclusive": exclusive}
    lake = a_lake(markets=markets, quotes=quotes, events=[event], series=[a_series(ppm=0)])
    return replayed(lake, *orders)


BOTH_NO = [(1, "A", bt.buy_no(10)), (2, "B", bt.buy_no(10))]


@pytest.mark.parametrize(
    ("exclusive", "deepest", "amounts"),
    [
        (False, 3, (13_000_000, -13_000_000, 7_000_000)),
        (True, 2, (6_000_000, -6_000_000, 4_000_000)),
    ],
)
def test_two_no_of_an_exclusive_event_risk_less_than_one(
    *, exclusive: bool, deepest: int, amounts: tuple[int, ...]
) -> None:
    """10 NO at .60 risk 6; with 10 at .70 in the other, 13 may be lost, or 3 where one of them must pay."""
    run = run_of(BOTH_NO, exclusive=exclusive)
    assert run.exposures.select("deepest_ts", "cost_micros", "worst_micros", "best_micros").rows() == [
        (at(deepest), *amounts)
    ]
    assert run.exposures.select("event_ticker", "series_ticker", "is_exclusive", "n_markets").rows() == [
        ("E", "KXTEST", exclusive, 2)
    ]


def test_a_basket_that_fills_within_an_instant_was_never_half_filled() -> None:
    """10 NO at .60 and 10 at .70 at once, of which one must pay: 3 at most are lost, 6 or 7 never were.

    Both YES in its place lose 4.10 + 3.10, and a purchase that is sold at once the 10 cents between.
    """

    def deepest(*orders: tuple[str, Any]) -> tuple[Any, ...]:
        run = run_of([(1, ticker, order) for ticker, order in orders], exclusive=True)
        return run.exposures.select("deepest_ts", "cost_micros", "worst_micros", "best_micros").row(0)

    no, yes = [(each, bt.buy_no(10)) for each in "AB"], [(each, bt.buy_yes(10)) for each in "AB"]
    assert deepest(*no) == (at(2), 13_000_000, -3_000_000, 7_000_000)
    assert deepest(*yes) == (at(2), 7_200_000, -7_200_000, 2_800_000)
    assert deepest(("A", bt.buy_yes(10)), ("A", bt.close())) == (at(2), 100_000, -100_000, -100_000)


def beside_a_member(*states: dict[str, Any], exclusive: bool = True) -> tuple[Any, ...]:
    """Buy 10 NO of A at .90 at 201 s, beside C of the same event, of which nothing is traded."""
    quotes = [a_quote(0, 1_000, 1_100), a_quote(0, 9_000, 9_100, ticker="C")]
    event = {"ticker": "E", "observed_ts": at(-1), "series_ticker": "KXTEST", "mutually_exclusive": exclusive}
    paid = [
        settled("C", **{"pays_cc": 10_000, "event_ticker": "E", "close_ts": at(90), **each})
        for each in states
    ]
    lake = a_lake(
        markets=[a_market("A", event_ticker="E"), *paid],
        quotes=quotes,
        events=[event],
        series=[a_series(ppm=0)],
    )
    run = replayed(lake, (200, "A", bt.buy_no(10)), (1, "C", bt.buy_yes(1, limit=100)))
    assert run.fills.height == 1
    return run.exposures.select("n_markets", "deepest_ts", "worst_micros", "best_micros").row(0)


def test_a_member_that_paid_counts_though_it_was_never_traded() -> None:
    """C has paid YES at 100 s: NO of A cannot lose. Paid at 300 s, or of any other event, $9 may be lost."""
    before, after = {"settlement_ts": at(100)}, {"settlement_ts": at(300)}
    assert beside_a_member(before) == (1, at(201), 1_000_000, 1_000_000)
    assert beside_a_member(after) == (1, at(201), -9_000_000, 1_000_000)
    assert beside_a_member(before, exclusive=False) == (1, at(201), -9_000_000, 1_000_000)


def test_a_member_that_paid_a_part_leaves_the_rest() -> None:
    """C has paid .33: A may pay .67 at most, and NO of it .33 at least, which cost .90."""
    assert beside_a_member({"pays_cc": 3_300, "settlement_ts": at(100)})[2:] == (-5_700_000, 1_000_000)


def test_a_payout_that_is_corrected_brings_back_what_can_be_lost() -> None:
    """C had paid YES at 100 s, and NO from 400 s on: from then on the $9 are at risk."""
    states = ({"settlement_ts": at(100)}, {"pays_cc": 0, "settlement_ts": at(400), "observed_ts": at(6_000)})
    assert beside_a_member(*states) == (1, at(400), -9_000_000, 1_000_000)


def test_what_was_sold_again_is_no_longer_at_risk() -> None:
    """10 YES at .41, sold at .40: 4.10 were at risk, and then 10 cents are lost for certain."""
    run = run_of([(1, "A", bt.buy_yes(10)), (5, "A", bt.close())], exclusive=False)
    row = run.exposures.row(0, named=True)
    assert (row["deepest_ts"], row["worst_micros"], row["best_micros"]) == (at(2), -4_100_000, 5_900_000)


def test_a_run_without_fills_has_no_exposures() -> None:
    assert run_of([(1, "A", bt.buy_yes(10, limit=100))], exclusive=True).exposures.is_empty()


@pytest.mark.parametrize("seed", range(6))
def test_no_result_of_an_event_is_below_its_worst(seed: int) -> None:
    """Trap 37: whatever the markets pay, it is no less than the worst, which does not depend on it."""
    rng = Random(seed)
    exclusive = rng.random() < 0.5
    order = [bt.buy_no, bt.buy_yes, bt.sell_yes]
    orders = [(second, rng.choice("AB"), rng.choice(order)(rng.choice([1, 4, 10]))) for second in range(1, 7)]
    worst = set()
    for a, b in [(0, 0), (10_000, 0), (0, 10_000)] + ([] if exclusive else [(10_000, 10_000)]):
        run = run_of(orders, exclusive=exclusive, A=a, B=b)
        row = run.exposures.row(0, named=True)
        assert row["worst_micros"] <= run.summary["pnl_micros"].item()
        worst.add(row["worst_micros"])
    assert len(worst) == 1
