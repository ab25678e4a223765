"""The strategies that come along: what they want when, and that nothing later changes it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import backtest as bt
from backtest.intents import bound
from backtest.strategies.registry import STRATEGIES, find_strategy
from exchange.errors import BadInput
from tests.backtest.lakes import T0, a_lake, a_market, a_quote, at
from warehouse import Lake


def intents(name: str, lake: Lake, *, end: datetime | None = None, **changes: float) -> list[tuple[Any, ...]]:
    """Return (ticker, minutes, action, side, limit) of what a strategy wants under its defaults."""
    strategy = STRATEGIES[name]
    with bound({**(strategy.params or {}), **changes}):
        rows = strategy.plan(lake, end=end).drop_nulls("intent").unnest("intent").collect()
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


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_what_comes_later_changes_nothing_before(tmp_path: Path, name: str) -> None:
    """Cut the data anywhere: what the plan wanted until then stays the same."""
    path = [5_000, 5_600, 9_000, 9_200, 8_400, 9_500, 300, 600, 9_700, 9_750, 9_000, 5_000]
    quotes = [
        a_quote(6 * i + 0.5 * k, mid - 100, mid + 100, f"KXT-1-{ticker}")
        for k, ticker in enumerate("AB")
        for i, mid in enumerate(path[k:])
    ]
    lake = a_lake(tmp_path, quotes, [a_market("KXT-1-A", close=72), a_market("KXT-1-B", close=72)])
    whole = intents(name, lake)
    assert len(whole) >= 2
    for cut in (13, 31, 50):
        known = [row for row in whole if row[1] < cut]
        assert intents(name, lake, end=at(cut)) == known


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_engine_runs_it_and_every_declared_parameter_is_read(tmp_path: Path, name: str) -> None:
    quotes = [a_quote(0, 4_900, 5_100), a_quote(5, 5_500, 5_700), a_quote(70, 9_000, 9_200)]
    lake = a_lake(tmp_path, quotes, [a_market()])
    strategy = STRATEGIES[name]
    run = bt.run(strategy.plan(lake), lake, fills="touch", params=dict(strategy.params or {}))
    assert run.param_names == tuple(strategy.params or {})
    assert run.summary["n_fills"][0] >= 1


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_says_what_it_bets_on_and_what_would_refute_it(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.summary.endswith(".")
    assert len(strategy.hypothesis.split()) > 10
    assert len(strategy.falsified_by.split()) > 10


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
