"""The strategies that come along: what they want when, and that nothing later changes it."""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.parameters import bound
from backtest.strategies.registry import STRATEGIES, find_strategy
from exchange.errors import BadInput
from tests.backtest.lakes import T0, a_lake, a_market, a_quote, at, committed
from warehouse import Lake
from warehouse.tables import EVENTS

PLANS = sorted(set(STRATEGIES) - {"market_making"})  # tests/backtest/test_market_making.py has the policy


def plan_of(name: str, lake: Lake) -> pl.LazyFrame:
    """Return a strategy's plan; one that reads a forecast gets `FORECAST`."""
    strategy = STRATEGIES[name]
    told = {"forecast": FORECAST} if strategy.reads_forecast else {}
    plan = strategy.plan(lake, **told)
    assert isinstance(plan, pl.LazyFrame)
    return plan


def intents(name: str, lake: Lake, **changes: float) -> list[tuple[Any, ...]]:
    """Return (ticker, minutes, action, side, limit) of what a strategy wants under its defaults."""
    with bound({**(STRATEGIES[name].params or {}), **changes}):
        rows = plan_of(name, lake).drop_nulls("intent").unnest("intent").collect()
    return [
        (ticker, (known_ts - T0) / timedelta(minutes=1), action, side, limit_cc)
        for ticker, known_ts, action, side, limit_cc in rows.select(
            "ticker", "known_ts", "action", "side", "limit_cc"
        ).iter_rows()
    ]


def test_favourites_are_bought_once_in_the_last_hour_at_the_ask(tmp_path: Path) -> None:
    """The close is at minute 120: a 92-cent ask counts at 70, not at 10, and only the first time."""
    quotes = [a_quote(10, 9_000, 9_200), a_quote(70, 9_000, 9_200), a_quote(80, 9_300, 9_500)]
    lake = a_lake(tmp_path, quotes, [a_market()])
    assert intents("favourite_longshot", lake) == [("KXT-1-A", 70.0, "buy", "yes", 9_200)]


def test_an_older_quote_that_arrives_later_is_no_news(tmp_path: Path) -> None:
    """The ask was .92 at minute 62 and .72 at 65; that a slower recorder tells of 62 at 70 buys no favourite.

    Who thinks .80 at minute 75 buys at .72, and no NO at $1 less the bid of minute 62, of .90.
    """
    late = a_quote(62, 9_000, 9_200) | {"session": "slow", "received_ts": at(70)}
    lake = a_lake(tmp_path, [a_quote(65, 7_000, 7_200), late], [a_market()])
    assert intents("favourite_longshot", lake) == []
    assert edge(lake, (75, 0.8)) == [("KXT-1-A", 75.0, "buy", "yes", 7_200)]


def test_the_no_of_a_longshot_is_bought(tmp_path: Path) -> None:
    """A YES bid of 5 cents sells NO at 95."""
    lake = a_lake(tmp_path, [a_quote(70, 500, 700), a_quote(75, 1_500, 1_600)], [a_market()])
    assert intents("favourite_longshot", lake) == [("KXT-1-A", 70.0, "buy", "no", 9_500)]
    assert intents("favourite_longshot", lake, beyond=0.96) == []


def test_an_early_close_is_not_known_before_it_was_recorded(tmp_path: Path) -> None:
    """At minute 70 the close on record was minute 600; that it came at 120 was recorded at 121 only."""
    history = [a_market(close=600), a_market(seen=121, close=120)]
    lake = a_lake(tmp_path, [a_quote(70, 9_000, 9_200), a_quote(119, 9_800, 9_900)], history)
    assert intents("favourite_longshot", lake) == []


def test_a_market_first_seen_later_counts_by_its_listed_end_only(tmp_path: Path) -> None:
    """Seen at minute 200 for the first time: only an end that cannot have moved is used."""
    quotes = [a_quote(70, 9_000, 9_200, f"KXT-1-{name}") for name in "ABC"]
    markets = [
        a_market("KXT-1-A", seen=200),
        a_market("KXT-1-B", seen=200, can_close_early=False),
        a_market("KXT-1-C", seen=200, expected_expiration_ts=at(100)),
    ]
    lake = a_lake(tmp_path, quotes, markets)
    assert [row[0] for row in intents("favourite_longshot", lake)] == ["KXT-1-B", "KXT-1-C"]


def test_a_jump_is_faded_and_closed_after_the_hold(tmp_path: Path) -> None:
    """The middle goes 50 -> 56 in five minutes: NO is bought at 1 - 55; ten minutes later it is closed."""
    quotes = [
        a_quote(0, 4_900, 5_100),
        a_quote(5, 5_500, 5_700),
        a_quote(8, 5_500, 5_700),
        a_quote(14, 5_100, 5_300),
        a_quote(16, 5_000, 5_200),
        a_quote(17, 5_000, 5_200),
    ]
    lake = a_lake(tmp_path, quotes, [a_market()])
    assert intents("mean_reversion", lake) == [
        ("KXT-1-A", 5.0, "buy", "no", 4_500),
        ("KXT-1-A", 16.0, "close", None, None),
    ]
    assert intents("mean_reversion", lake, jump=0.07) == []


def test_a_fall_is_bought(tmp_path: Path) -> None:
    lake = a_lake(tmp_path, [a_quote(0, 4_900, 5_100), a_quote(6, 4_200, 4_400)], [a_market()])
    assert intents("mean_reversion", lake) == [("KXT-1-A", 6.0, "buy", "yes", 4_400)]


def test_a_middle_long_gone_is_no_signal(tmp_path: Path) -> None:
    """Between minute 0 and 11 nothing was quoted: the quote five minutes ago was itself six minutes old."""
    lake = a_lake(tmp_path, [a_quote(0, 4_900, 5_100), a_quote(11, 4_200, 4_400)], [a_market()])
    assert intents("mean_reversion", lake) == []


def test_markets_do_not_mix(tmp_path: Path) -> None:
    """Each market jumps against its own past: 50 in one and 56 in the other are no jump."""
    quotes = [a_quote(0, 4_900, 5_100), a_quote(5, 5_500, 5_700, "KXT-1-B"), a_quote(6, 4_900, 5_100)]
    lake = a_lake(tmp_path, quotes, [a_market(), a_market("KXT-1-B")])
    assert intents("mean_reversion", lake) == []


def test_the_favourite_of_the_last_hours_is_bought_and_sold_before_the_close(tmp_path: Path) -> None:
    """The close is at minute 600: 180 minutes before it the ask is 70 cents, 15 minutes before it is sold."""
    quotes = [
        a_quote(400, 6_900, 7_000),
        a_quote(425, 6_900, 7_000),
        a_quote(430, 6_900, 7_000),
        a_quote(584, 8_000, 8_100),
        a_quote(586, 8_000, 8_100),
        a_quote(590, 8_000, 8_100),
    ]
    lake = a_lake(tmp_path, quotes, [a_market(close=600)])
    assert intents("closing_drift", lake) == [
        ("KXT-1-A", 425.0, "buy", "yes", 7_000),
        ("KXT-1-A", 586.0, "close", None, None),
    ]
    assert intents("closing_drift", lake, fade=1)[0] == ("KXT-1-A", 425.0, "buy", "no", 3_100)
    assert intents("closing_drift", lake, beyond=0.75) == []


def test_the_drift_of_a_favourite_no_is_bought_as_no(tmp_path: Path) -> None:
    """A bid of 25 cents offers NO at 75; without a quote near the end it is left to settlement."""
    lake = a_lake(tmp_path, [a_quote(430, 2_500, 2_600)], [a_market(close=600)])
    assert intents("closing_drift", lake) == [("KXT-1-A", 430.0, "buy", "no", 7_500)]


def test_hours_before_the_close_count_to_the_close_listed_then(tmp_path: Path) -> None:
    """Trap 30: at minute 70 the close on record was 600; that it came at 120 was recorded at 121."""
    history = [a_market(close=600), a_market(seen=121, close=120)]
    lake = a_lake(tmp_path, [a_quote(70, 6_900, 7_000), a_quote(110, 7_500, 7_600)], history)
    assert intents("closing_drift", lake) == []


def test_a_forecast_is_bought_where_it_beats_ask_and_fee_by_the_margin(tmp_path: Path) -> None:
    """Ask 50, fee 1.75 cents, margin 2: 53.75 is not enough, 54 is; NO at 1 - 48 needs less than 44.25."""
    lake = a_lake(tmp_path, [a_quote(10, 4_800, 5_000)], [a_market()])
    for prob, wanted in (
        (0.5375, []),
        (0.54, [("KXT-1-A", 10.0, "buy", "yes", 5_000)]),
        (0.45, []),
        (0.44, [("KXT-1-A", 10.0, "buy", "no", 5_200)]),
    ):
        assert edge(lake, (0, prob)) == wanted


def test_a_probability_counts_from_the_moment_it_was_known(tmp_path: Path) -> None:
    """Known at minute 20, between quotes: the quote of minute 10 did not have it, and it meets that quote."""
    lake = a_lake(tmp_path, [a_quote(10, 4_800, 5_000), a_quote(30, 4_900, 5_100)], [a_market()])
    assert edge(lake, (20, 0.9)) == [("KXT-1-A", 20.0, "buy", "yes", 5_000)]
    assert edge(lake, (5, 0.5), (20, 0.1)) == [("KXT-1-A", 20.0, "buy", "no", 5_200)]
    assert edge(lake, (31, 0.9), end=at(31)) == []


def test_one_order_a_market_and_none_without_a_price(tmp_path: Path) -> None:
    """The first quote has no ask, the second is bought, the third is not: it was bought already."""
    quotes = [a_quote(10, 4_800, None), a_quote(20, 4_800, 5_000), a_quote(30, 4_800, 4_900)]
    lake = a_lake(tmp_path, quotes, [a_market()])
    assert edge(lake, (0, 0.9)) == [("KXT-1-A", 20.0, "buy", "yes", 5_000)]


def test_kelly_stakes_the_edge_over_what_can_be_won(tmp_path: Path) -> None:
    """Cost 51.75, worth 80: (0.80 - 0.5175) / 0.4825 = 58.55 % of $1,000, a tenth of it: 113 contracts."""
    lake = a_lake(tmp_path, [a_quote(10, 4_800, 5_000)], [a_market()])
    plan = STRATEGIES["calibration_edge"].plan(lake, forecast=a_forecast((0, 0.8)))
    assert isinstance(plan, pl.LazyFrame)
    with bound({"margin": 0.02, "kelly": 0.1, "bankroll": 1_000, "count": 10}):
        wanted = plan.drop_nulls("intent").collect()
    assert wanted["intent"].struct.field("count_centi").to_list() == [11_300]


def threshold(name: str, strike: float, said: str = "Over {} points", **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    """Return a market on more than `strike`."""
    told: dict[str, Any] = {
        "strike_type": "greater",
        "floor_strike": strike,
        "yes_sub_title": said.format(strike),
    }
    return a_market(f"KXT-1-{name}", **told | more)


def test_a_lower_strike_cannot_be_worth_less_than_a_higher_one(tmp_path: Path) -> None:
    """Over 10 at an ask of 40 + NO of over 20 at 1 - 45 = 55, fees 1.68 + 1.74: 98.42 cents for a dollar."""
    quotes = [a_quote(5, 3_800, 4_000, "KXT-1-A"), a_quote(5, 4_500, 4_700, "KXT-1-B")]
    lake = a_lake(tmp_path, quotes, [threshold("A", 10), threshold("B", 20)])
    legs = [("KXT-1-A", 5.0, "buy", "yes", 4_000), ("KXT-1-B", 5.0, "buy", "no", 5_500)]
    assert intents("cross_strike", lake) == legs
    assert intents("cross_strike", lake, margin=0.02) == []
    baskets = plan_of("cross_strike", lake).drop_nulls("intent").select("basket")
    with bound({"margin": 0.01, "count": 10}):
        assert baskets.collect()["basket"].to_list() == ["yes KXT-1-A + no KXT-1-B"] * 2


def test_the_higher_cap_of_two_contains_the_lower(tmp_path: Path) -> None:
    """Below 20 contains below 10: YES of the first and NO of the second cannot both fail."""
    quotes = [a_quote(5, 4_500, 4_700, "KXT-1-A"), a_quote(6, 3_800, 4_000, "KXT-1-B")]
    told: dict[str, Any] = {"strike_type": "less", "floor_strike": None}
    markets = [threshold("A", 10, cap_strike=10, **told), threshold("B", 20, cap_strike=20, **told)]
    lake = a_lake(tmp_path, quotes, markets)
    assert [row[:4] for row in intents("cross_strike", lake)] == [
        ("KXT-1-B", 6.0, "buy", "yes"),
        ("KXT-1-A", 6.0, "buy", "no"),
    ]


def test_strikes_on_two_quantities_of_one_event_are_no_pair(tmp_path: Path) -> None:
    """Trap 40: an event has strikes of both teams; they are told apart by their wording, not their order."""
    quotes = [a_quote(5, 3_800, 4_000, "KXT-1-A"), a_quote(5, 4_500, 4_700, "KXT-1-B")]
    markets = [
        threshold("A", 10, "Lions win by over {} points"),
        threshold("B", 20, "Elks win by over {} points"),
    ]
    assert intents("cross_strike", a_lake(tmp_path, quotes, markets)) == []


def test_of_markets_that_exclude_each_other_both_nos_are_bought(tmp_path: Path) -> None:
    """Trap 37: bids of 60 and 45: NO at 40 and at 55 pay a dollar or two; no basket of YES is ever bought."""
    quotes = [a_quote(5, 6_000, 6_200, "KXT-1-A"), a_quote(5, 4_500, 4_700, "KXT-1-B")]
    lake = a_lake(tmp_path, quotes, [a_market("KXT-1-A"), a_market("KXT-1-B")])
    assert intents("cross_strike", lake) == []
    event = {"ticker": "KXT-1", "observed_ts": at(-999), "series_ticker": "KXT", "mutually_exclusive": True}
    committed(lake, EVENTS, [event])
    assert intents("cross_strike", lake) == [
        ("KXT-1-A", 5.0, "buy", "no", 4_000),
        ("KXT-1-B", 5.0, "buy", "no", 5_500),
    ]


def test_a_pair_is_judged_by_both_quotes_of_an_instant_and_never_by_one_that_is_gone(tmp_path: Path) -> None:
    """At minute 9 both strikes move at once, never apart; at 12 the cheap ask is gone before B moves."""
    quotes = [
        a_quote(5, 6_000, 6_200, "KXT-1-A"),
        a_quote(5, 4_500, 4_700, "KXT-1-B"),
        a_quote(9, 3_800, 4_000, "KXT-1-A"),
        a_quote(9, 2_500, 2_700, "KXT-1-B"),
        a_quote(11, 3_800, None, "KXT-1-A"),
        a_quote(12, 4_500, 4_700, "KXT-1-B"),
    ]
    lake = a_lake(tmp_path, quotes, [threshold("A", 10), threshold("B", 20)])
    assert intents("cross_strike", lake) == []


@pytest.mark.parametrize("name", PLANS)
def test_what_comes_later_changes_nothing_before(tmp_path: Path, name: str) -> None:
    """Cut the lake at any decision: what the plan wanted until then stays the same."""
    path = [5_000, 5_600, 9_000, 9_200, 8_400, 9_500, 300, 600, 9_700, 9_750, 9_000, 5_000]
    quotes = [
        a_quote(6 * i + 0.5 * k, mid - 100, mid + 100, f"KXT-1-{ticker}")
        for k, ticker in enumerate("AB")
        for i, mid in enumerate(path[k:])
    ]
    markets = [threshold("A", 10, close=72), threshold("B", 20, close=72)]
    lake = a_lake(tmp_path, quotes, markets)
    near: dict[str, Any] = {"enter_minutes": 50} if name == "closing_drift" else {}
    strategy = STRATEGIES[name]
    told = {"forecast": FORECAST} if strategy.reads_forecast else {}
    found = bt.audit(strategy.plan, lake, params={**(strategy.params or {}), **near}, n_cuts=100, **told)
    assert found.is_clean, found
    assert found.cuts["n_decisions"][-1] >= 2


@pytest.mark.parametrize("name", PLANS)
def test_the_engine_runs_it_and_every_declared_parameter_is_read(tmp_path: Path, name: str) -> None:
    quotes = [
        a_quote(0, 4_900, 5_100),
        a_quote(5, 5_500, 5_700),
        a_quote(10, 7_500, 7_700, "KXT-1-B"),
        a_quote(70, 9_000, 9_200),
    ]
    lake = a_lake(tmp_path, quotes, [threshold("A", 10), threshold("B", 20)])
    strategy = STRATEGIES[name]
    run = bt.run(plan_of(name, lake), lake, fills="touch", params=dict(strategy.params or {}))
    assert run.param_names == tuple(strategy.params or {})
    assert run.summary["n_fills"][0] >= 1


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_says_what_it_bets_on_and_what_would_refute_it(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.summary.endswith(".")
    assert len(strategy.hypothesis.split()) > 10
    assert len(strategy.falsified_by.split()) > 10


def a_forecast(*rows: tuple[float, float], ticker: str = "KXT-1-A") -> pl.LazyFrame:
    """Return (minute from which it was known, probability) rows of one market."""
    told = {"ticker": [ticker] * len(rows), "known_ts": [at(minutes) for minutes, _ in rows]}
    frame = pl.LazyFrame(told | {"prob": [prob for _, prob in rows]})
    return frame.cast({"known_ts": pl.Datetime("us", "UTC")})


def edge(lake: Lake, *rows: tuple[float, float], end: datetime | None = None) -> list[tuple[Any, ...]]:
    """Return what the calibration edge wants under a forecast of one market."""
    strategy = STRATEGIES["calibration_edge"]
    with bound(strategy.params or {}):
        plan = strategy.plan(lake, forecast=a_forecast(*rows), end=end)
        assert isinstance(plan, pl.LazyFrame)
        rows_wanted = plan.drop_nulls("intent").collect()
    return [
        (ticker, (known_ts - T0) / timedelta(minutes=1), wish["action"], wish["side"], wish["limit_cc"])
        for ticker, known_ts, wish in rows_wanted.iter_rows()
    ]


FORECAST = pl.concat([a_forecast((0, 0.9), (30, 0.2)), a_forecast((2, 0.4), (40, 0.9), ticker="KXT-1-B")])

OWN = '''
import backtest as bt

PARAMS = {"cents": 50}
ASSUMPTIONS = ("Mine holds.",)

def mine(lake, **selection):
    """Buy.

    Hypothesis: it
    rises.
    """
    return lake.quotes(**selection).select("ticker", "known_ts", intent=bt.buy_yes(1).when(True))
'''


def test_the_users_own_strategy_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "my_own.py").write_text(OWN)
    strategy = find_strategy("my_own.py:mine", beside=tmp_path)
    assert strategy.params == {"cents": 50}
    assert strategy.assumptions == ("Mine holds.",)
    assert (strategy.hypothesis, strategy.falsified_by) == ("it rises.", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mean_revision", "did you mean mean_reversion"),
        ("nothing.py:plan", "there is no file"),
        ("my_own.py:mime", "no function 'mime'; did you mean mine"),
        ("broken.py:plan", "broken.py cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_strategy_that_cannot_be_found_is_named_with_what_comes_near(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "my_own.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(BadInput, match=said):
        find_strategy(name, beside=tmp_path)
    assert "strategy_broken" not in sys.modules


@pytest.mark.parametrize(
    ("given", "sentences"),
    [("'Mine holds.'", ("Mine holds.",)), ("['One.', 'Two.']", ("One.", "Two.")), ("()", ())],
)
def test_one_assumption_is_a_sentence_and_several_are_a_list(
    tmp_path: Path, given: str, sentences: tuple[str, ...]
) -> None:
    (tmp_path / "my_own.py").write_text(OWN.replace('("Mine holds.",)', given))
    assert find_strategy("my_own.py:mine", beside=tmp_path).assumptions == sentences


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '("Mine holds.",)',
            "[1]",
            r"my_own\.py: ASSUMPTIONS is \[1\]: give a sentence, or several in a list",
        ),
        ('("Mine holds.",)', "None", "ASSUMPTIONS is None: give a sentence"),
        ('{"cents": 50}', '["cents"]', r"PARAMS is \['cents'\]: give each name its default, such as"),
        ('{"cents": 50}', "{1: 50}", r"PARAMS is \{1: 50\}: give each name its default"),
    ],
)
def test_parameters_and_assumptions_that_are_none_are_bad_input(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "my_own.py").write_text(OWN.replace(old, new))
    with pytest.raises(BadInput, match=said):
        find_strategy("my_own.py:mine", beside=tmp_path)


def test_a_file_may_define_dataclasses_whose_annotations_are_text(tmp_path: Path) -> None:
    lines = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    own = "@dataclass\nclass Edge:\n    min_cc: int = 5\n"
    (tmp_path / "my_own.py").write_text(lines + own + OWN)
    assert find_strategy("my_own.py:mine", beside=tmp_path).params == {"cents": 50}
