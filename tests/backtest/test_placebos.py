"""The same orders later and in other markets: an edge is gone there, and what is left is what they pay."""

from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.results import SCHEMAS
from tests.backtest.test_policies import FIXED
from tests.backtest.worlds import MemoryLake, a_lake, a_plan, a_quote, at, settled

SUMMARY: Final = list(SCHEMAS["summary"])
OWN: Final = ["kind", "number", "spread_micros", "beyond_micros", "per_contract_micros", "n_no_middle"]
NEVER_WANTED: Final = bt.buy_yes(1).when(condition=False)
GIVEN: Final[dict[str, Any]] = {"fills": "touch", "latency": "1s"}

N_STEPS: Final = 6
STEP_S: Final = 150  # between two steps of a price
SIGNS: Final = list(product((-1, 1), repeat=N_STEPS))


def a_fair_lake() -> MemoryLake:
    """64 markets, one for each way to go up or down six times by 8 cents from .50; each pays its last price.

    Over all of them what comes next is as often up as down: a martingale, exactly. The spread is 2 cents.
    """
    markets, quotes = [], []
    for number, signs in enumerate(SIGNS):
        ticker, path = f"M{number:02}", [5_000 + 800 * sum(signs[:step]) for step in range(N_STEPS + 1)]
        markets.append(settled(ticker, pays_cc=path[-1]))
        quotes += [a_quote(STEP_S * step, cc - 100, cc + 100, ticker=ticker) for step, cc in enumerate(path)]
    return a_lake(markets=markets, quotes=quotes)


FAIR: Final = a_fair_lake()


def where_up(number: int, step: int, until: int) -> bt.Intent:
    """Want 10 of the side that gains between two steps: YES where they add up to nothing."""
    return bt.buy_yes(10) if sum(SIGNS[number][step:until]) >= 0 else bt.buy_no(10)


def fair_placebos(*rows: tuple[float, str, pl.Expr]) -> bt.Placebo:
    """Return placebos of a plan for the fair lake, which lists all of its markets."""
    idle = [(0.0, f"M{number:02}", NEVER_WANTED) for number in range(len(SIGNS))]
    return bt.placebo(a_plan(*rows, *idle).collect(), FAIR, **GIVEN)


def beyond(found: bt.Placebo, kind: str) -> pl.Series:
    """Return what the runs of a kind came to without spread and fees, every one checked."""
    rows = found.runs.filter(kind=kind)
    paid = rows["spread_micros"] + rows["fees_micros"]
    assert (rows["pnl_micros"] + paid).equals(rows["beyond_micros"])
    return rows["beyond_micros"]


def is_nothing(values: pl.Series) -> bool:
    """Tell whether the mean of 20 runs is within four of its standard errors of 0."""
    assert len(values) == 20
    told = values.to_numpy()
    return bool(abs(told.mean()) <= 4 * told.std(ddof=1) / 20**0.5)


def test_who_knows_the_outcome_earns_in_time_and_later_and_nothing_in_other_markets() -> None:
    """Bought in second 1 around .50: six steps end 15/8 steps of 8 cents from there on average, 15 cents.

    Times 10 contracts in 64 markets, that is $96. A cent of spread is $6.40.
    """
    found = fair_placebos(*((1, f"M{number:02}", where_up(number, 0, N_STEPS)) for number in range(64)))
    assert found.runs.filter(pl.col("kind") != "later")["spread_micros"].to_list() == [6_400_000] * 21
    assert beyond(found, "as planned").to_list() == [96_000_000]
    assert beyond(found, "later").min() > 20_000_000  # type: ignore[operator]  # there are 20
    assert is_nothing(beyond(found, "other markets"))
    assert repr(found).splitlines()[-1].startswith("It earns by what it knows")
    assert (
        "Both in all and per contract, the plan earned more than 20 of them." in repr(found).splitlines()[2]
    )


def test_who_knows_the_next_step_earns_in_time_alone() -> None:
    """10 s before step 3 and out 10 s after it: 8 cents x 10 x 64 = $51.20, and two half-spreads, $12.80."""
    rows = []
    for number in range(64):
        rows.append((2 * STEP_S + 140.0, f"M{number:02}", where_up(number, 2, 3)))
        rows.append((3 * STEP_S + 10.0, f"M{number:02}", bt.close()))
    found = fair_placebos(*rows)
    assert beyond(found, "as planned").to_list() == [51_200_000]
    assert found.runs["spread_micros"][0] == 12_800_000
    assert is_nothing(beyond(found, "later"))
    assert is_nothing(beyond(found, "other markets"))
    assert repr(found).splitlines()[-1].startswith("It earns by what it knows")


def test_who_knows_nothing_pays_spread_and_fees_everywhere() -> None:
    """The favourite after three steps: exactly a martingale, so exactly nothing but what it pays."""
    bought = [(3 * STEP_S + 1.0, f"M{number:02}", where_up(number, 0, 3)) for number in range(64)]
    found = fair_placebos(*bought)
    assert beyond(found, "as planned").to_list() == [0]
    assert is_nothing(beyond(found, "later"))
    assert is_nothing(beyond(found, "other markets"))
    assert repr(found).splitlines()[-1] == "The plan earns nothing that a signal could have earned."


def test_a_favourite_bought_before_it_was_one_would_earn() -> None:
    """Why placebos never come earlier: the side tells how the price got there, 12 cents x 640 = $76.80.

    E|S3| = 1.5 steps. Bought at the start for .51, that is $76.80 less a cent of spread and the fees.
    """
    bought = [(1.0, f"M{number:02}", where_up(number, 0, 3)) for number in range(64)]
    run = bt.run(a_plan(*bought), FAIR, **GIVEN)
    assert run.summary.select(pl.col("pnl_micros") + pl.col("fees_micros")).item() == 76_800_000 - 6_400_000


def test_luck_is_told_from_a_signal() -> None:
    """YES of one market that ends two steps up: so do, or better, 22 of the other 63."""
    number = SIGNS.index((1, -1, 1, -1, 1, 1))
    found = fair_placebos((1, f"M{number:02}", bt.buy_yes(10)))
    assert beyond(found, "as planned").to_list() == [1_600_000]
    assert (
        repr(found).splitlines()[-1]
        == "It may be luck: of orders that know nothing, too many come to as much, in all or per contract."
    )


def among_smaller(*, shown_centi: int, n_bare: int = 0) -> bt.Placebo:
    """Buy 10 YES of A at .50, where as many are; elsewhere `shown_centi`. A and 20 of 40 others pay.

    Nobody asks in `n_bare` of the others. Fees are $0.0175 a contract.
    """
    names = [f"B{number:02}" for number in range(40)]
    markets = [settled("A", pays_cc=10_000)]
    markets += [settled(name, pays_cc=10_000 * (place % 2)) for place, name in enumerate(names)]
    quotes = [a_quote(0, 4_800, 5_000, sizes=(1_000, 1_000))]
    quotes += [
        a_quote(0, 4_800, 5_000 if place >= n_bare else None, ticker=name, sizes=(1_000, shown_centi))
        for place, name in enumerate(names)
    ]
    idle = [(0.0, name, NEVER_WANTED) for name in names]
    return bt.placebo(
        a_plan((1, "A", bt.buy_yes(10)), *idle), a_lake(markets=markets, quotes=quotes), **GIVEN
    )


def test_a_larger_stake_is_no_signal() -> None:
    """10 contracts win .4825 each, $4.82; 5 elsewhere win as much each or lose .5175: $2.41 or -$2.59."""
    found = among_smaller(shown_centi=500)
    assert found.runs.row(0, named=True)["per_contract_micros"] == 482_500
    others = found.runs.filter(kind="other markets")
    assert set(others["per_contract_micros"]) == {482_500, -517_500}
    assert others["pnl_micros"].max() == 2_412_500
    n_behind = others.filter(pl.col("per_contract_micros") < 0).height
    assert n_behind in range(5, 16)
    *_, compared, verdict = repr(found).splitlines()
    assert compared.endswith(f"Both in all and per contract, the plan earned more than {n_behind} of them.")
    assert verdict.startswith("It may be luck")


def test_of_placebos_that_hardly_fill_nothing_follows() -> None:
    """2.49 contracts are less than a quarter of 10, and 2.52 are more."""
    assert repr(among_smaller(shown_centi=249)).splitlines()[-1] == (
        "Nothing follows: in other markets its orders fill 2.49 contracts on average, and the plan 10; it "
        "takes a quarter. Limits may be out of reach there."
    )
    assert repr(among_smaller(shown_centi=252)).splitlines()[-1].startswith("It may be luck")


def test_placebos_that_fill_nothing_are_neither_behind_nor_ahead() -> None:
    found = among_smaller(shown_centi=1_000, n_bare=20)
    others = found.runs.filter(kind="other markets")
    n_filled = others.filter(pl.col("filled_centi") > 0).height
    assert others.filter(filled_centi=0)["per_contract_micros"].to_list() == [None] * (20 - n_filled)
    assert n_filled in range(5, 16)
    *_, compared, verdict = repr(found).splitlines()
    assert compared.endswith(f" of the {n_filled} that filled anything.")
    assert (
        verdict == f"Nothing follows of {n_filled} runs in other markets that filled anything: it takes 19."
    )


def the_null(seed: int, n_planned: int, n_moved: int) -> bt.Placebo:
    """A plan that knows nothing, 5 contracts in each of so many markets, and 20 placebos in so many.

    In each market a contract wins or loses .50 by the toss of a coin.
    """
    rng = np.random.default_rng(seed)
    n_markets = [n_planned, *[n_moved] * 20]
    won = np.array([5 * 500_000 * rng.choice([-1, 1], n).sum() for n in n_markets])
    filled = 500 * np.array(n_markets)
    runs = pl.DataFrame({"kind": ["as planned", *["other markets"] * 20], "pnl_micros": won})
    columns = {
        "beyond_micros": won,
        "filled_centi": filled,
        "per_contract_micros": won * 100 // filled,
        "n_no_middle": 0,
    }
    return bt.Placebo({}, runs.with_columns(**{name: pl.lit(each) for name, each in columns.items()}), 0)


@pytest.mark.parametrize(
    ("n_planned", "n_moved", "misleads"), [(58, 32, "pnl_micros"), (32, 58, "per_contract_micros")]
)
def test_who_knows_nothing_is_said_to_know_something_once_in_twenty_times(
    n_planned: int, n_moved: int, misleads: str
) -> None:
    """Of 21 that are alike one is ahead; a larger stake is more often in all, a smaller one per contract."""
    nulls = [the_null(seed, n_planned, n_moved) for seed in range(400)]
    n_praised = sum(repr(each).splitlines()[-1].startswith("It earns by what it knows") for each in nulls)
    assert n_praised <= 400 / 21
    told = [each.runs[misleads].to_list() for each in nulls]
    assert sum(planned > max(others) for planned, *others in told) > 1.5 * 400 / 21


def six_that_pay(**more: Any) -> MemoryLake:  # noqa: ANN401 -- tables
    """Six events that all pay YES, while .55 is asked to the end."""
    names = "ABCDEF"
    markets = [settled(name, pays_cc=10_000) for name in names]
    return a_lake(markets=markets, quotes=[a_quote(0, 4_500, 5_500, ticker=name) for name in names], **more)


def test_placebos_that_earn_beyond_what_they_pay_are_no_praise() -> None:
    """Everybody earns .45 a contract here, and the middle moves by .50."""
    plan = a_plan(*((100 + place, name, bt.buy_yes(1)) for place, name in enumerate("ABCDEF")))
    found = bt.placebo(plan, six_that_pay(), **GIVEN)
    assert beyond(found, "other markets").to_list() == [3_000_000] * 20
    assert repr(found).splitlines()[-1].startswith("Distrust the run: orders that know nothing earn")


def drawn_us(number: int, room_s: int, seed: int = 0) -> int:
    """Return how much later placebo `number` comes where there is one event, as the docstring says."""
    return int(np.random.default_rng((seed, number - 1)).integers(1, room_s * 1_000_000))


def test_later_is_a_length_of_time_that_is_drawn_for_each_event() -> None:
    """Of 1,000 seconds 100 have gone: up to 900 later. What comes 600 later or more sells after the close."""
    lake = a_lake(
        markets=[settled(pays_cc=10_000)],
        quotes=[a_quote(0, 4_500, 5_500), a_quote(500, 4_700, 5_300), a_quote(700, 4_800, 5_600)],
    )
    wanted = (100, "A", bt.buy_yes(3, limit=5_500, ttl="20s")), (400, "A", bt.close())
    found = bt.placebo(a_plan(*wanted), lake, n=6, **GIVEN)
    lines = [bt.run(a_plan(*wanted), lake, **GIVEN).summary]
    lengths_us = [drawn_us(number, 900) for number in range(1, 7)]
    for length_us in lengths_us:
        later = pl.duration(microseconds=length_us)
        plan = a_plan(*wanted).with_columns(pl.col("known_ts") + later)
        lines.append(bt.run(plan, lake, **GIVEN).summary)
    assert found.runs.select(SUMMARY).equals(pl.concat(lines))
    assert found.runs.columns == [*OWN, *SUMMARY]
    assert found.runs["kind"].to_list() == ["as planned", *["later"] * 6]
    assert found.runs["number"].to_list() == [0, 1, 2, 3, 4, 5, 6]
    assert found.runs["n_rejected"].to_list() == [0, *(int(each >= 599_000_000) for each in lengths_us)]
    assert 0 < found.runs["n_rejected"].sum() < 6
    assert found.n_left_out == 2
    *_, left_out, verdict = repr(found).splitlines()
    assert left_out == (
        "Left out of other markets: 2 decisions; the plan lists no other event of the series that can take "
        "them. Let it list several, such as the whole series instead of one event."
    )
    assert verdict == "Nothing follows: only other markets show what orders earn that know nothing."


def test_two_events_are_swapped_once_each_as_long_before_its_own_close() -> None:
    """B closes 200 seconds after A: 100 becomes 300, and 400 becomes 200; n is 20, and there is one way."""
    markets = [settled("A", pays_cc=10_000), settled("B", pays_cc=0, close_ts=at(1_200))]
    quotes = [a_quote(0, 4_500, 5_500), a_quote(0, 3_000, 3_300, ticker="B")]
    lake = a_lake(markets=markets, quotes=[*quotes, a_quote(250, 2_000, 2_100, ticker="B")])
    plan = a_plan((100, "A", bt.buy_yes(3)), (400, "B", bt.buy_no(2)))
    found = bt.placebo(plan, lake, **GIVEN)
    others = found.runs.filter(kind="other markets")
    swapped = a_plan((300, "B", bt.buy_yes(3)), (200, "A", bt.buy_no(2)))
    assert others.select(SUMMARY).equals(bt.run(swapped, lake, **GIVEN).summary)
    # 5 cents beyond .50 for 3 NO are not there: .5 cents beyond .205 for 3 YES, 5 beyond .50 for 2 NO.
    assert others.select("number", "spread_micros", "n_no_middle").rows() == [(1, 3 * 5_000 + 2 * 50_000, 0)]
    assert found.n_left_out == 0
    assert repr(found).splitlines()[-1] == "Nothing follows of 1 run in other markets: it takes 19."


def test_legs_of_a_basket_go_to_one_event_together() -> None:
    """Two legs at one instant in E, two in F: swapped they are baskets still, though all are called p."""
    pays = {"A": 10_000, "B": 0, "C": 10_000, "D": 0}
    event = {"A": "E", "B": "E", "C": "F", "D": "F"}
    markets = [settled(name, pays_cc=each, event_ticker=event[name]) for name, each in pays.items()]
    lake = a_lake(markets=markets, quotes=[a_quote(0, 4_500, 5_500, ticker=name) for name in pays])

    def plan(first: str, second: str) -> pl.DataFrame:
        legs = ((9, each, bt.buy_yes(2)) for each in first), ((9, each, bt.buy_yes(3)) for each in second)
        return a_plan(*legs[0], *legs[1]).with_columns(basket=pl.Series([*"pp", *"qq"])).collect()

    arguments = {**GIVEN, "legs": "one by one"}
    found = bt.placebo(plan("AB", "CD"), lake, **arguments)
    others = found.runs.filter(kind="other markets")
    expected = {
        bt.run(plan(f, s), lake, **arguments).summary.row(0) for f in ("CD", "DC") for s in ("AB", "BA")
    }
    assert set(others.select(SUMMARY).rows()) == expected
    assert others.height == 4

    torn = plan("AC", "BD")
    with pytest.raises(
        PlanError, match="basket 'p' at 2026-09-01T12:00:09Z: its legs are not all in one event"
    ):
        bt.placebo(torn, lake, **arguments)


def test_the_plan_itself_and_every_placebo_are_the_same_for_a_seed() -> None:
    names = "ABCDEF"
    plan = a_plan(*((50 * place, name, bt.buy_yes(3)) for place, name in enumerate(names)))
    found = bt.placebo(plan, six_that_pay(), seed=7, **GIVEN)
    assert found.runs.select(SUMMARY).head(1).equals(bt.run(plan, six_that_pay(), **GIVEN).summary)
    categories = plan.collect().with_columns(pl.col("ticker").cast(pl.Categorical))
    again = bt.placebo(categories, six_that_pay(), seed=7, n=3, **GIVEN)
    assert found.runs.filter(pl.col("number") <= 3).equals(again.runs)


def test_of_several_settings_the_first_is_looked_at() -> None:
    plan = a_plan((1, "A", bt.buy_yes(bt.param("count"))), (1, "B", bt.buy_yes(bt.param("count"))))
    found = bt.placebo(plan, six_that_pay(), n=2, params={"count": [4, 9]}, **GIVEN)
    assert found.params == {"count": 4.0}
    assert found.runs["filled_centi"].to_list() == [800] * 4


def test_what_is_held_out_is_neither_moved_nor_a_place_to_move_to(tmp_path: Path) -> None:
    """C is paid a day after the others: A and B can only be swapped, and C takes nothing."""
    late = {"settlement_ts": at(90_000)}
    markets = [settled("A", pays_cc=0), settled("B", pays_cc=0), settled("C", pays_cc=10_000, **late)]
    lake = a_lake(markets=markets, quotes=[a_quote(0, 4_500, 5_500, ticker=name) for name in "ABC"])
    plan = a_plan((1, "A", bt.buy_yes(1)), (2, "B", bt.buy_yes(1)), (3, "C", bt.buy_yes(1)))
    held = bt.holdout(at(80_000), log=tmp_path / "log.jsonl")
    found = bt.placebo(plan, lake, n=5, holdout=held, **GIVEN)
    assert found.runs.filter(kind="other markets").height == 1
    assert found.runs["n_orders"].to_list() == [2] * 7
    assert found.runs["payouts_micros"].to_list() == [0] * 7
    assert found.n_left_out == 0
    with pytest.raises(PlanError, match="look at placebos of the rest, without open"):
        bt.placebo(plan, lake, holdout=held.open("all"), **GIVEN)


def test_a_fill_without_a_middle_is_counted_and_pays_no_spread() -> None:
    """Nobody bids for A: 2 YES at .05 have no middle."""
    lake = a_lake(markets=[settled(pays_cc=0)], quotes=[a_quote(0, None, 500)])
    found = bt.placebo(a_plan((1, "A", bt.buy_yes(2))), lake, n=1, **GIVEN)
    assert found.runs.select("spread_micros", "n_no_middle").rows() == [(0, 1)] * 2
    assert beyond(found, "as planned").to_list() == [-100_000]
    assert "Nobody knows the spread of 2 fills in all these runs: it counts as none." in repr(found)


def test_what_came_too_late_to_come_later_is_no_placebo() -> None:
    """A closes at 1,000 seconds."""
    found = bt.placebo(a_plan((1_100, "A", bt.buy_yes(1))), six_that_pay(), n=2, **GIVEN)
    assert found.runs["kind"].to_list() == ["as planned"]
    assert repr(found).splitlines()[1] == "No order could come later while its event was on the tape."
    assert repr(found).count("\n") == 3


@pytest.mark.parametrize(
    ("plan", "arguments", "said"),
    [
        (FIXED.on(["A"]), {}, "a policy decides inside the clock, so it has no decisions to move"),
        (a_plan((1, "A", NEVER_WANTED)), {}, r"the plan wants nothing \(no parameters\)"),
        (a_plan((1, "A", bt.buy_yes(1))), {"n": 0}, "n=0 must be a whole number from 1 up"),
        (a_plan((1, "A", bt.buy_yes(1))), {"n": True}, "n=True must be a whole number from 1 up"),
        (a_plan((1, "A", bt.buy_yes(1))), {"seed": -1}, "seed=-1 must be a whole number from 0 up"),
        (a_plan((1, "A", bt.buy_yes(1))), {"feed": "1s"}, "feed= is for policies"),
    ],
)
def test_what_has_no_placebos_is_refused(plan: Any, arguments: dict[str, Any], said: str) -> None:  # noqa: ANN401 -- plans and none
    with pytest.raises(PlanError, match=said):
        bt.placebo(plan, six_that_pay(), **GIVEN, **arguments)


def test_paths_are_refused() -> None:
    with pytest.raises(PlanError, match=r"give it Lake\('lake'\)"):
        bt.placebo(a_plan((1, "A", bt.buy_yes(1))), "lake", **GIVEN)  # type: ignore[arg-type]  # the mistake
