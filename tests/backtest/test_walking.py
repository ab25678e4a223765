"""Trap 46: a setting chosen on what was over, judged by what began afterwards."""

from collections import defaultdict
from datetime import datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.errors import PlanError
from backtest.report_walk import lived
from backtest.results import Run
from tests.backtest.a_run import a_run
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_plan, a_quote, at, settled

DAY = 86_400
MIDNIGHT = at(-DAY / 2)  # of the day on which T0 is noon


def a_day(ticker: str, day: int, *, pays_cc: int | None, after: float = 2_000, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    """Return a market that trades from noon of a day on and is paid some seconds later, if at all."""
    times = {"open_ts": at(day * DAY), "close_ts": at(day * DAY + 1_000)}
    if pays_cc is None:
        return a_market(ticker, **times, **more)
    paid_s = day * DAY + after
    return settled(
        ticker, pays_cc=pays_cc, settlement_ts=at(paid_s), observed_ts=at(paid_s + 1), **times, **more
    )


def swept(markets: list[dict[str, Any]], ways: list[int] | None = None) -> Run:
    """Buy a contract of YES (way 1) or NO (0), or nothing (2), at 50 on the day of each market; no fees."""
    opens = {each["ticker"]: (each["open_ts"] - at(0)).total_seconds() for each in markets}
    quotes = [a_quote(t, 5_000, 5_000 + 100, ticker=name) for name, t in opens.items()]
    yes, no = bt.param("way") == 1, bt.param("way") == 0
    intent = pl.coalesce(bt.buy_yes(1).when(yes), bt.buy_no(1).when(no))
    lake = MemoryLake({**a_lake(markets=markets, quotes=quotes).rows, "series": [FREE]})
    plan = a_plan(*((t + 1, name, intent) for name, t in opens.items()))
    return bt.run(plan, lake, fills="touch", latency="1s", cash=1_000, params={"way": ways or [0, 1]})


FREE = {"ticker": "KXTEST", "observed_ts": at(-1e6), "fee_type": "quadratic", "fee_multiplier_ppm": 0}


def test_each_choice_is_made_by_what_was_over_and_judged_by_what_began_then() -> None:
    """YES at .51 and NO at .50 of a market a day, paid the same day: yes, no, no, no, yes.

    After the first, YES leads by .49 to -.50 and loses .51 on the second. After that NO leads, earns .50
    twice and loses .50. The two settings earn -.51 and .50 on a no, .49 and -.50 on a yes.
    """
    pays = [10_000, 0, 0, 0, 10_000]
    run = swept([a_day(f"M{day}", day, pays_cc=each) for day, each in enumerate(pays)])
    walked = bt.walk_forward(run, every="1d")
    assert walked.drop("until_ts", "fees_micros").rows() == [
        (MIDNIGHT + timedelta(days=1), 1, 1, 490_000, 1, -510_000, -510_000, 500_000),
        (MIDNIGHT + timedelta(days=2), 0, 2, 0, 1, 500_000, -510_000, 500_000),
        (MIDNIGHT + timedelta(days=3), 0, 3, 500_000, 1, 500_000, -510_000, 500_000),
        (MIDNIGHT + timedelta(days=4), 0, 4, 1_000_000, 1, -500_000, -500_000, 490_000),
    ]
    assert (walked["until_ts"] - walked["from_ts"]).unique().to_list() == [timedelta(days=1)]


def test_what_is_not_over_is_no_reason_to_choose() -> None:
    """Paid three days later, the first market counts from day 4 on; nothing was over before, so no fold."""
    markets = [a_day("M0", 0, pays_cc=10_000, after=3 * DAY)]
    markets += [a_day(f"M{day}", day, pays_cc=None) for day in range(1, 6)]
    walked = bt.walk_forward(swept(markets), every="1d")
    assert walked["from_ts"].to_list() == [MIDNIGHT + timedelta(days=day) for day in (4, 5)]
    assert walked.select("way", "n_events_before", "before_micros").rows() == [(1, 1, 490_000)] * 2


def test_an_event_counts_whole_where_it_began() -> None:
    """Strikes of days 0 and 2 are one event, which is over on day 2 and belongs to no fold after day 0."""
    markets = [a_day(f"M{day}", day, pays_cc=10_000, event_ticker="E") for day in (0, 2)]
    markets += [a_day(f"N{day}", day, pays_cc=0) for day in (1, 2, 3)]
    walked = bt.walk_forward(swept(markets), every="1d")
    assert walked.select("n_events_before", "before_micros", "n_events").rows() == [
        (1, 500_000, 1),  # on day 2 NO has N1; of E one strike is open
        (3, 0, 1),  # on day 3 it has N1 and N2, and both strikes of E, which lost; YES has lost .04
    ]


def test_a_setting_that_trades_nothing_may_be_the_best() -> None:
    run = swept([a_day(f"M{day}", day, pays_cc=0) for day in range(3)], ways=[1, 2])
    walked = bt.walk_forward(run, every="1d")
    assert walked.select("way", "n_events_before", "n_events", "net_micros").rows() == [(2, 0, 0, 0)] * 2


def test_without_a_choice_there_are_no_folds() -> None:
    empty = bt.walk_forward(swept([a_day("M0", 0, pays_cc=None)]))
    assert (empty.height, empty.columns[:3]) == (0, ["from_ts", "until_ts", "way"])
    assert bt.walk_forward(swept([a_day("M0", 0, pays_cc=0)], ways=[2, 3])).is_empty()


def test_a_time_between_choices_beyond_the_last_event_is_refused() -> None:
    """A market a day from day 0 to 4. Every four days there is a choice, at the midnight before the last."""
    run = swept([a_day(f"M{day}", day, pays_cc=0) for day in range(5)])
    assert bt.walk_forward(run, every="4d")["from_ts"].to_list() == [MIDNIGHT + timedelta(days=4)]
    with pytest.raises(PlanError) as refused:
        bt.walk_forward(run, every="5d")
    assert str(refused.value) == (
        "every='5d' is too long: the first event was over at 2026-09-01T12:33:20Z, the last began at "
        "2026-09-05T12:00:02Z, and no choice lies in between; take a shorter every"
    )


def test_the_report_of_a_sweep_does_without_choices_that_come_too_late() -> None:
    """Tenths of 20 days are two days; what began on day 0 is over on day 20, the last begins on day 21.

    Choices fall on even midnights, so only a daily one would know of it.
    """
    markets = [a_day("M0", 0, pays_cc=0, after=20 * DAY)] + [
        a_day(f"M{day}", day, pays_cc=None) for day in (1, 21)
    ]
    run = swept(markets)
    with pytest.raises(PlanError, match="take a shorter every"):
        bt.walk_forward(run, every="2d")
    assert lived(run) is None


@pytest.mark.parametrize("every", ["12h", "36h", "0d"])
def test_choices_are_whole_days_apart(every: str) -> None:
    with pytest.raises(PlanError, match=f"every='{every}': choose once in a whole number of days"):
        bt.walk_forward(swept([a_day("M0", 0, pays_cc=0)]), every=every)


def test_a_parameter_is_not_called_as_a_column_of_the_folds() -> None:
    with pytest.raises(PlanError, match="a parameter cannot be called until_ts"):
        bt.walk_forward(a_run(3, {"until_ts": [1.0, 2.0]}))


def test_one_setting_is_no_choice() -> None:
    with pytest.raises(PlanError, match="this run has one setting"):
        bt.walk_forward(swept([a_day("M0", 0, pays_cc=0)], ways=[1]))


def slow_walk(run: Run, days: int) -> list[tuple[Any, ...]]:
    """Walk once more, one event and one setting after the other."""
    ways = run.summary["way"].to_list()
    began: dict[tuple[int, str], datetime] = {}
    over: dict[tuple[int, str], list[datetime | None]] = defaultdict(list)
    money: dict[tuple[int, str], list[tuple[datetime | None, int]]] = defaultdict(list)
    fees: dict[tuple[int, str], int] = defaultdict(int)
    for fill in run.fills.sort("fill_ts").rows(named=True):
        key = fill["way"], fill["event_ticker"]
        began.setdefault(key, fill["fill_ts"])
        money[key].append((None, fill["cash_micros"] - fill["fee_micros"]))
        fees[key] += fill["fee_micros"]
    for paid in run.settlements.rows(named=True):
        key = paid["way"], paid["event_ticker"]
        money[key].append((paid["settled_ts"] if paid["is_correction"] else None, paid["payout_micros"]))
        over[key] += [] if paid["is_correction"] else [paid["settled_ts"]]
    for held in run.positions.rows(named=True):
        key = held["way"], held["event_ticker"]
        money[key].append((None, held["marked_micros"]))
        over[key].append(None)
    start, rows = min(began.values(), default=MIDNIGHT).replace(hour=0, minute=0, second=0), []
    while began and start <= max(began.values()):
        done = {key for key, times in over.items() if all(each and each < start for each in times)}
        if done:
            before = [
                sum(m for key in done if key[0] == way for t, m in money[key] if t is None or t < start)
                for way in ways
            ]
            chosen = ways[before.index(max(before))]
            then = {key for key, t in began.items() if start <= t < start + timedelta(days=days)}
            nets = [sum(m for key in then if key[0] == way for _, m in money[key]) for way in ways]
            rows.append(
                (
                    start,
                    start + timedelta(days=days),
                    chosen,
                    sum(key[0] == chosen for key in done),
                    max(before),
                    sum(key[0] == chosen for key in then),
                    sum(fees[key] for key in then if key[0] == chosen),
                    nets[ways.index(chosen)],
                    sorted(nets)[(len(nets) - 1) // 2],
                    max(nets),
                )
            )
        start += timedelta(days=days)
    return rows


def a_history(rng: Random) -> list[dict[str, Any]]:
    """Return markets of a fortnight, some of one event, some open, some corrected after days."""
    markets = []
    for i in range(rng.randrange(2, 12)):
        day, event = rng.randrange(14), rng.choice([f"E{i}", "E-SHARED"])
        pays_cc = rng.choice([0, 10_000, 3_000, None])
        one = a_day(
            f"M{i}", day, pays_cc=pays_cc, after=rng.choice([2_000, DAY, 4 * DAY]), event_ticker=event
        )
        markets.append(one)
        if pays_cc is not None and rng.random() < 0.3:
            seen, paid = at((day + 6) * DAY), at((day + 5) * DAY)
            value_cc = 10_000 - pays_cc
            markets.append(
                {**one, "settlement_value_cc": value_cc, "settlement_ts": paid, "observed_ts": seen}
            )
            one["observed_ts"] = at((day + 4.5) * DAY)
    return markets


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_walk_equals_one_that_looks_at_one_event_after_the_other(seed: int, days: int) -> None:
    run = swept(a_history(Random(seed)), ways=[0, 1, 2])
    expected = slow_walk(run, days)
    if not expected and slow_walk(run, 1):
        with pytest.raises(PlanError, match="take a shorter every"):
            bt.walk_forward(run, every=f"{days}d")
    else:
        assert bt.walk_forward(run, every=f"{days}d").rows() == expected


def test_the_random_histories_are_corrected_stay_open_and_have_folds() -> None:
    """A comparison proves only what it exercises."""
    runs = [swept(a_history(Random(seed)), ways=[0, 1, 2]) for seed in range(20)]
    assert sum(run.settlements["is_correction"].any() for run in runs) >= 5
    assert sum(run.positions.height > 0 for run in runs) >= 5
    assert sum(bt.walk_forward(run, every="1d").height > 1 for run in runs) >= 10
