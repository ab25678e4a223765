"""Rewards for liquidity: beside the result, by share of what rests near the reference price (trap 28)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.errors import PlanError
from backtest.kernels.arrays import QUEUES
from backtest.liquidity import LIMIT, PROGRAM, RULES
from backtest.results import Run
from exchange.ticks import STRUCTURES, prices_on
from exchange.units import to_us
from tests.backtest.random_worlds import intent, market_rows, patient, queue_tables
from tests.backtest.test_engine_queue import a_trade
from tests.backtest.worlds import (
    MemoryLake,
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_plan,
    a_series,
    a_snapshot,
    at,
    replayed,
    settled,
)
from tests.oracles.books import Row, speaker, told
from tests.oracles.engine import event_time
from tests.oracles.liquidity import Terms, moment

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
IN_OCTOBER: Final = datetime(2025, 10, 1, tzinfo=UTC)
IN_MARCH: Final = datetime(2026, 3, 1, tzinfo=UTC)
YES: Final = {5_000: 500, 4_900: 4_000, 4_800: 6_000}
NO: Final = {4_500: 20_000}


def a_program(
    start: datetime = at(10),  # noqa: B008 -- a constant
    end: datetime = at(110),  # noqa: B008
    *,
    ticker: str = "A",
    reward_cc: int = 1_900_000,
    target: int = 10_000,
    bps: int = 5_000,
    most_cc: int | None = None,
) -> pl.DataFrame:
    row = (ticker, start, end, reward_cc, target, bps, most_cc)
    return pl.DataFrame([row], schema={**PROGRAM, **LIMIT}, orient="row")


def booked(*, yes: dict[int, int] = YES, no: dict[int, int] = NO, **more: Any) -> MemoryLake:  # noqa: ANN401
    return a_lake(markets=[a_market()], book_snapshots=[a_snapshot(0, yes=yes, no=no)], **more)


def waiting(lake: MemoryLake, *intents: pl.Expr, **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    """Send orders that arrive in the second second and wait until the market closes."""
    return replayed(lake, *((1, "A", each) for each in intents), fills="queue", **arguments)


def rewarded(run: Run, lake: MemoryLake, *programs: pl.DataFrame) -> list[tuple[Any, ...]]:
    found = bt.liquidity_rewards(run, lake, pl.concat(programs))
    return found.select(pl.col("known_us", "counted_us") // 1_000_000, "score", "reward_micros").rows()


BUY: Final = bt.buy_yes(20, limit=4_900, tif="gtc")


def test_what_is_a_fifth_of_the_target_away_from_the_best_price_counts_in_full() -> None:
    """5, 40 + our 20, 60: a fifth of 100 is reached at .49. 20 of 5 + 60 + 30 is 4/19 of one side of two.

    Of $190 that is $20.
    """
    lake = booked()
    assert rewarded(waiting(lake, BUY), lake, a_program()) == [(100, 100, pytest.approx(2 / 19), 20_000_000)]


def test_until_july_the_best_price_was_the_reference() -> None:
    """5 + 60/2 + 60/4 is 50, and 10 of it ours: a fifth of one side of two, for 108 of 110 s with a book."""
    lake = booked()
    ((known_s, _, score, reward),) = rewarded(waiting(lake, BUY), lake, a_program(IN_MARCH))
    assert (known_s, score, reward) == (110, pytest.approx(1 / 10 * 108 / 110), 18_650_000)


def test_levels_below_the_one_that_reaches_the_target_score_nothing() -> None:
    """Ours at .48 is behind 100 at .50 and .49."""
    lake = booked(yes={5_000: 4_000, 4_900: 6_000, 4_800: 1_000})
    run = waiting(lake, bt.buy_yes(20, limit=4_800, tif="gtc"))
    assert rewarded(run, lake, a_program()) == [(100, 100, 0.0, 0)]


def test_a_bid_for_no_is_what_rests_on_the_other_side() -> None:
    """Our 50 at .45 beside 200, and as a sale of YES at .55 the same: a fifth of one side."""
    lake = booked()
    for order in (bt.buy_no(50, limit=4_500, tif="gtc"), bt.sell_yes(50, limit=5_500, tif="gtc")):
        ((_, _, score, reward),) = rewarded(waiting(lake, order), lake, a_program())
        assert (score, reward) == (pytest.approx(1 / 10), 19_000_000)


def test_a_moment_counts_only_if_both_sides_reach_the_target() -> None:
    """NO has 90 until second 60: half of the time counts, and pays half of the reward; not so before July."""
    lake = booked(no={4_500: 9_000}, book_deltas=[a_delta(60, "no", 4_500, 1_000, seq=2)])
    run = waiting(lake, BUY)
    assert rewarded(run, lake, a_program()) == [(100, 50, pytest.approx(2 / 19), 10_000_000)]
    ((_, _, score, reward),) = rewarded(run, lake, a_program(IN_MARCH))
    assert (score, reward) == (pytest.approx(1 / 10), 19_000_000), "shared among what counts"
    # From second 2 on 58 s of one side alone, a fifth of it ours, and 50 of two: 21.6 / 158; before, nothing.
    ((_, counted_s, score, _),) = rewarded(run, lake, a_program(IN_OCTOBER))
    assert (counted_s, score) == (110, pytest.approx((58 + 50) / 5 / (60 + 2 * 50)))


def test_our_own_size_helps_to_reach_the_target() -> None:
    """80 alone are none of 100; with our 20 they are."""
    lake = booked(yes={4_900: 8_000})
    assert rewarded(waiting(lake, BUY), lake, a_program())[0][1:3] == (100, pytest.approx(1 / 10))
    away = waiting(lake, bt.buy_yes(19, limit=4_900, tif="gtc"))
    assert rewarded(away, lake, a_program()) == [(100, 0, 0.0, 0)]


def test_a_side_whose_best_price_is_the_highest_there_is_scores_nothing() -> None:
    lake = booked(yes={9_900: 20_000, 4_900: 20_000}, no={})
    run = waiting(lake, BUY)
    assert rewarded(run, lake, a_program(IN_OCTOBER)) == [(110, 0, 0.0, 0)]


def test_what_is_filled_or_cancelled_rests_no_longer() -> None:
    """20 wait in 80; 10 go at second 35 and the rest is cancelled at 60: shares of a fifth, a ninth, none."""
    lake = booked(
        yes={4_900: 8_000},
        trades=[a_trade(35, 4_900, 1_000, "no")],
        book_deltas=[a_delta(61, "yes", 4_900, 2_000, seq=2)],
    )
    run = replayed(lake, (1, "A", BUY), (59, "A", bt.cancel()), fills="queue", queue="front")
    assert run.orders.select("filled_centi", "status", "ended_ts").rows() == [
        (1_000, "partial", at(60)),
        (0, "done", None),
    ]
    ((_, counted_s, score, _),) = rewarded(run, lake, a_program())
    # 90 of 100 do not count, from second 35 to 61; then everything is others'.
    assert (counted_s, score) == (25 + 49, pytest.approx(25 / 5 / (2 * 74)))


def test_a_book_that_nobody_knows_earns_nothing_and_is_told() -> None:
    """Unknown from second 60 on: half of the time is known, and half of the reward is paid."""
    lake = booked(book_gaps=[a_gap(60, from_seq=2)])
    assert rewarded(waiting(lake, BUY), lake, a_program()) == [(50, 50, pytest.approx(2 / 19), 10_000_000)]


def test_after_the_close_nothing_counts() -> None:
    """The market closes at second 1,000; the program of 200 s ends a hundred later."""
    lake = booked()
    run = waiting(lake, BUY)
    ((known_s, counted_s, _, reward),) = rewarded(run, lake, a_program(at(900), at(1_100)))
    assert (known_s, counted_s, reward) == (100, 100, 10_000_000)


@pytest.mark.parametrize(
    ("reward_cc", "most_cc", "paid"),
    [
        (94_999, None, 0),  # 2/19 of it is below $1
        (95_000, None, 1_000_000),
        (96_000, None, 1_010_000),  # $1.0105
        (1_900_000, 123_456, 12_340_000),
        (1_900_000, 9_999, 0),
    ],
)
def test_less_than_a_dollar_is_not_paid_and_more_in_whole_cents(
    reward_cc: int, most_cc: int | None, paid: int
) -> None:
    lake = booked()
    program = a_program(reward_cc=reward_cc, most_cc=most_cc)
    assert rewarded(waiting(lake, BUY), lake, program)[0][3] == paid


def test_ticks_are_those_of_the_markets_grid() -> None:
    """Below .10 a tick is a tenth of a cent: .049 is one tick behind .05, and counts half."""
    lake = a_lake(
        markets=[a_market(price_level_structure="tapered_deci_cent")],
        book_snapshots=[a_snapshot(0, yes={500: 8_000}, no={4_500: 20_000})],
    )
    run = waiting(lake, bt.buy_yes(20, limit=490, tif="gtc"))
    assert rewarded(run, lake, a_program())[0][2] == pytest.approx(10 / 90 / 2)


def test_each_parameter_row_and_program_is_a_row_and_nothing_of_the_result() -> None:
    lake = booked()
    plan = a_plan((1, "A", bt.buy_yes(bt.param("count"), limit=4_900, tif="gtc")))
    run = bt.run(plan, lake, fills="queue", latency="1s", cash=1_000, params={"count": [20, 40]})
    before = {name: frame.clone() for name, frame in run.frames.items()}
    found = bt.liquidity_rewards(
        run, lake, pl.concat([a_program(), a_program(at(0), at(1)), a_program(at(1), at(3))])
    )
    assert found.select("count", "end_ts", "counted_us").rows() == [
        (20.0, at(110), 100_000_000),
        (20.0, at(3), 2_000_000),
        (40.0, at(110), 100_000_000),
        (40.0, at(3), 2_000_000),
    ]
    assert found["score"].to_list() == pytest.approx([2 / 19, 1 / 19, 40 / 115 / 2, 40 / 115 / 4])
    assert all(frame.equals(before[name]) for name, frame in run.frames.items())


def test_orders_that_never_wait_have_no_reward() -> None:
    lake = booked()
    run = waiting(lake, bt.buy_yes(1))
    assert run.orders["ended_ts"].to_list() == [None]
    assert rewarded(run, lake, a_program()) == []


def test_an_order_is_what_cash_can_pay_for_however_it_ends() -> None:
    """$5 buy 10 of 2,000: cancelled, expired or after a fill of one, the score is that of 10."""
    lake = booked(
        trades=[a_trade(35, 4_900, 100, "no")], book_deltas=[a_delta(35, "yes", 4_900, -100, seq=2)]
    )
    for queue in ("pessimistic", "front"):
        for later in ((), ((59, "A", bt.cancel()),)):
            scores = []
            for count, cash in ((2_000, 5), (10, 1_000)):
                order = bt.buy_yes(count, limit=4_900, tif="gtc")
                run = replayed(lake, (1, "A", order), *later, fills="queue", queue=queue, cash=cash)
                scores.append(rewarded(run, lake, a_program())[0][2])
            assert scores[0] == pytest.approx(scores[1], rel=0.03), "a fee may take a hundredth"
            assert scores[0] > 0.01


def test_a_market_that_settles_before_its_close_counts_until_then() -> None:
    lake = a_lake(
        markets=[settled("A", pays_cc=10_000, settlement_ts=at(60))],
        book_snapshots=[a_snapshot(0, yes=YES, no=NO)],
    )
    ((known_s, counted_s, _, reward),) = rewarded(waiting(lake, BUY), lake, a_program())
    assert (known_s, counted_s, reward) == (50, 50, 10_000_000)


def test_an_order_in_a_market_without_an_end_waits_on() -> None:
    lake = a_lake(markets=[a_market(close_ts=None)], book_snapshots=[a_snapshot(0, yes=YES, no=NO)])
    run = waiting(lake, BUY)
    assert run.orders.select("ended_ts", "dropped_centi").row(0) == (None, 0)
    assert rewarded(run, lake, a_program()) == [(100, 100, pytest.approx(2 / 19), 20_000_000)]


def test_a_side_whose_best_ask_is_the_lowest_there_is_scores_nothing_either() -> None:
    """A bid of .99 for NO is an ask of .01."""
    lake = booked(yes={}, no={9_900: 20_000, 4_500: 20_000})
    assert rewarded(waiting(lake, bt.buy_no(20, limit=4_500, tif="gtc")), lake, a_program(IN_OCTOBER)) == [
        (110, 0, 0.0, 0)
    ]


def test_a_fifth_is_reached_by_no_less_than_a_fifth() -> None:
    """20 at .50 are a fifth of 100 and less than one of 100.01: then .49 is the reference."""
    lake = booked(yes={5_000: 2_000, 4_900: 1_000, 4_800: 9_000})
    run = waiting(lake, BUY)
    for target, expected in ((10_000, 10 / (20 + 15 + 90 / 4)), (10_001, 20 / (20 + 30 + 90 / 2))):
        ((_, _, score, _),) = rewarded(run, lake, a_program(target=target))
        assert score == pytest.approx(expected / 2)


def test_each_grid_counts_for_its_time() -> None:
    """From second 60 on a tick is a tenth of a cent: .49 is ten behind .50, and counts a thousandth."""
    states = [
        a_market(observed_ts=at(-5)),
        a_market(observed_ts=at(60), price_level_structure="deci_cent"),
    ]
    lake = a_lake(markets=states, book_snapshots=[a_snapshot(0, yes={5_000: 8_000}, no=NO)])
    run = waiting(lake, BUY)
    ((_, counted_s, score, _),) = rewarded(run, lake, a_program())
    first, second = 10 / 90, 20 / 1_024 / (80 + 20 / 1_024)
    assert (counted_s, score) == (100, pytest.approx((first + second) / 4))


def test_a_policy_in_two_markets_and_a_run_that_was_saved(tmp_path: Path) -> None:
    """It joins both sides of both books with 20 each; a saved run is rewarded like the one in memory."""
    lake = a_lake(
        markets=[a_market("A"), a_market("B")],
        book_snapshots=[a_snapshot(0, yes=YES, no=NO, ticker="A"), a_snapshot(0, yes=NO, no=YES, ticker="B")],
    )
    run = bt.run(twenty_a_side.on(["B", "A"]), lake, fills="queue", latency="1s", feed="1s", cash=10_000)
    programs = pl.concat([a_program(ticker="B"), a_program(ticker="A")])
    found = bt.liquidity_rewards(run, lake, programs)
    # Of YES 20 of 25 + 40/2 + 60/4, for a fifth of 100 is reached at .50 now; of NO 20 of 220.
    yes, no = 20 / (25 + 40 / 2 + 60 / 4), 20 / 220
    assert found["ticker"].to_list() == ["B", "A"]
    assert found["score"].to_list() == pytest.approx([(yes + no) / 2] * 2)
    run.save(tmp_path / "run")
    assert bt.liquidity_rewards(bt.Run.load(tmp_path / "run"), lake, programs).equals(found)


@bt.policy(every="1s")
def twenty_a_side(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401, ARG001 -- records, to numba
    return bt.Quotes(at.bid_cc, 2_000, at.ask_cc, 2_000)


def test_parameters_keep_their_names_unless_a_column_has_them() -> None:
    lake = booked()
    for name in ("program", "setting", "index"):
        plan = a_plan((1, "A", bt.buy_yes(bt.param(name), limit=4_900, tif="gtc")))
        run = bt.run(plan, lake, fills="queue", latency="1s", cash=1_000, params={name: [20, 40]})
        assert bt.liquidity_rewards(run, lake, a_program())[name].to_list() == [20.0, 40.0]
    plan = a_plan((1, "A", bt.buy_yes(bt.param("score"), limit=4_900, tif="gtc")))
    run = bt.run(plan, lake, fills="queue", latency="1s", cash=1_000, params={"score": [20]})
    with pytest.raises(PlanError, match="cannot be called score: rewards have a column of that name"):
        bt.liquidity_rewards(run, lake, a_program())


def test_programs_of_other_markets_and_of_unknown_times_hurt_nobody() -> None:
    """The exchange says 0001 of what it does not know, and all that it answers may be given."""
    long_ago, far_off = datetime(1, 1, 1, tzinfo=UTC), datetime(9_999, 12, 31, tzinfo=UTC)
    odd = a_program(ticker="B").with_columns(discount_factor_bps=pl.lit(None, dtype=pl.Int64))
    programs = pl.concat([odd, a_program(ticker="C", bps=-1), a_program(long_ago, far_off)])
    lake = booked()
    assert rewarded(waiting(lake, BUY), lake, programs)[0][:2] == (1_000, 1_000)
    nothing = bt.liquidity_rewards(waiting(lake, BUY), lake, odd)
    assert nothing.is_empty()
    assert nothing.schema == bt.liquidity_rewards(waiting(lake, BUY), lake, a_program()).schema


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (a_program().drop("target_size_centi"), "no column target_size_centi; needed are ticker, start_ts"),
        (a_program(bps=-1), r"discount_factor_bps -1.*: all of .* are needed, amounts from 0 to"),
        (a_program(bps=10_001), r"discount_factor_bps 10001.*discount factors to 10,000"),
        (a_program(reward_cc=10**15), "period_reward_cc 1000000000000000"),
        (a_program().with_columns(target_size_centi=pl.lit(None)), "target_size_centi None"),
        (a_program().with_columns(max_reward_cc=pl.lit("x")), "max_reward_cc is String: it must be a whole"),
    ],
)
def test_programs_that_cannot_be_meant_are_refused(given: pl.DataFrame, said: str) -> None:
    lake = booked()
    with pytest.raises(PlanError, match=said):
        bt.liquidity_rewards(waiting(lake, BUY), lake, given)


@dataclass(frozen=True)
class Told:
    """What a slow look at every moment adds up to."""

    known_us: int
    counted_us: int
    score: Fraction


def looked_at(lake: MemoryLake, run: Run, terms: Terms, window: tuple[int, int]) -> Told:
    """Look at market A's book in a window, between all that happens to it or to our orders there."""
    tables = {name: lake.rows.get(name, ()) for name in ("book_snapshots", "book_deltas", "book_gaps")}
    rows = [
        [row for row in table if "A" in row.get("tickers", [row.get("ticker")])] for table in tables.values()
    ]
    own = run.orders.filter(pl.col("dropped_centi").is_not_null(), ticker="A")
    orders, fills = own.to_dicts(), run.fills.to_dicts()
    happens = {t for t, *_ in told(rows[0], rows[1], event_time)} | {
        t for each in orders for t in (each["arrival_ts"], each["ended_ts"])
    }
    happens |= {gap["from_ts"] + timedelta(microseconds=1) for gap in rows[2]} | {
        fill["fill_ts"] for fill in fills
    }
    happens |= {gap["until_ts"] for gap in rows[2] if gap.get("until_ts")}
    edges = sorted({*window, *(to_us(t) for t in happens if window[0] < to_us(t) < window[1])})
    known_us = counted_us = everybodys = 0
    ours = Fraction(0)
    for begin_us, end_us in pairwise(edges):
        at_ts = EPOCH + timedelta(microseconds=begin_us)
        spoken = speaker(rows[0], rows[1], rows[2], at_ts, event_time)
        if spoken is None:
            continue
        known_us += end_us - begin_us
        book, mine = spoken.book(at_ts), resting(orders, fills, at_ts)
        found = moment((dict(book.levels("yes")), mine["yes"]), (dict(book.levels("no")), mine["no"]), terms)
        if found is not None:
            counted_us += end_us - begin_us
            everybodys += (end_us - begin_us) * found[0]
            ours += (end_us - begin_us) * found[1]
    return Told(known_us, counted_us, ours / everybodys if everybodys else Fraction(0))


def resting(orders: list[Row], fills: list[Row], at_ts: datetime) -> dict[str, dict[int, int]]:
    """Return what of ours waits at a moment, as bids for YES and for NO."""
    found: dict[str, dict[int, int]] = {"yes": {}, "no": {}}
    for order in orders:
        if order["arrival_ts"] <= at_ts < order["ended_ts"]:
            of_it = [each for each in fills if each["order_id"] == order["order_id"]]
            done = sum(each["count_centi"] for each in of_it if each["fill_ts"] <= at_ts)
            is_sale = order["action"] == "sell"
            side = {"yes": "no", "no": "yes"}[order["side"]] if is_sale else order["side"]
            price = 10_000 - order["limit_cc"] if is_sale else order["limit_cc"]
            found[side][price] = (
                found[side].get(price, 0) + order["count_centi"] - order["dropped_centi"] - done
            )
    return found


@settings(max_examples=60)
@given(st.integers(0, 2**40))
def test_scores_equal_a_slow_look_at_every_moment(seed: int) -> None:
    """Any books with holes, any orders that wait, targets that are met or not, and all three rules."""
    score_one_world(Random(seed))


@pytest.mark.long
def test_random_worlds_reach_what_scores_and_what_does_not() -> None:
    """Of 400 worlds, some score in part, some alone, some never; some books are unknown for a while."""
    found = [score_one_world(Random(f"liquidity {number}")) for number in range(400)]
    scores = [each.score for each in found if each is not None]
    assert sum(0 < score < Fraction(1, 2) for score in scores) > 40
    assert sum(score >= Fraction(1, 2) for score in scores) > 10
    assert sum(score == 0 for score in scores) > 10
    assert sum(each.counted_us < each.known_us for each in found if each is not None) > 40


def score_one_world(rng: Random) -> Told | None:
    """Compare one world's score with the slow one; None where nothing of ours waited in time."""
    structure = rng.choice(["linear_cent", "tapered_deci_cent", "deci_cent"])
    markets = [{**row, "price_level_structure": structure} for row in market_rows(rng)]
    lake = a_lake(markets=markets, series=[a_series()], **queue_tables(rng))
    orders = ((at_s, ticker, intent(order)) for at_s, ticker, order in patient(rng))
    run = bt.run(
        a_plan(*orders),
        lake,
        fills="queue",
        queue=rng.choice(list(QUEUES)),
        latency="1s",
        cash=rng.choice([3, 1_000]),
    )
    since = rng.choice([IN_OCTOBER, IN_MARCH, at(rng.randint(-3, 20))])
    until = at(rng.randint(21, 50))
    target, bps = rng.choice([100, 500, 1_000, 3_000]), rng.choice([10_000, 5_000, 2_500, 0])
    found = bt.liquidity_rewards(run, lake, a_program(since, until, target=target, bps=bps))
    rule = next(each for each in reversed(RULES) if each.since <= since)
    prices = prices_on(STRUCTURES[structure])
    terms = Terms(target, Fraction(bps, 10_000), rule.reference_part, rule.is_two_sided, prices)
    (market,) = (row for row in markets if row["ticker"] == "A")
    ends = [until, market["close_ts"], market.get("settlement_ts") or until]
    slow = looked_at(lake, run, terms, (to_us(since), to_us(min(ends))))
    if found.is_empty():
        assert slow.score == 0
        return None
    assert found.select("known_us", "counted_us").row(0) == (slow.known_us, slow.counted_us)
    assert found["score"][0] == pytest.approx(float(slow.score), abs=1e-12)
    return slow
