"""Market making, and policies as strategies: found by name or file, run by configuration and command."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import backtest as bt
from backtest.cli import app
from backtest.policies import Quoting
from backtest.strategies.market_making import PARAMS, market_making
from backtest.strategies.registry import STRATEGIES, find_strategy
from exchange.errors import BadInput
from tests.backtest.lakes import a_lake, a_market, a_quote, at
from warehouse import Lake


def quotes(bid_cc: int, ask_cc: int, position_centi: int) -> tuple[int, ...]:
    """Return what is quoted at this touch with this position, under the defaults."""
    told = SimpleNamespace(bid_cc=bid_cc, ask_cc=ask_cc, position_centi=position_centi)
    wanted: bt.Quotes = market_making.function(told, SimpleNamespace(**PARAMS), None)
    return tuple(wanted)


@pytest.mark.parametrize(
    ("touch", "held", "wanted"),
    [
        ((4_500, 4_900), 0, (4_500, 1_000, 4_900, 1_000)),  # 46 would be before the touch
        ((4_800, 5_000), 0, (4_800, 1_000, 5_000, 1_000)),  # a cent around 49
        ((4_500, 4_900), 4_000, (4_400, 1_000, 4_900, 1_000)),  # 47 - 40 x .05 = 45, less a cent
        ((4_500, 4_900), 4_625, (4_368, 375, 4_900, 1_000)),  # 47 - 2.3125 - 1 = 43.6875, down
        ((4_500, 4_900), -4_625, (4_500, 1_000, 5_032, 375)),  # 47 + 2.3125 + 1 = 50.3125, up
        ((4_500, 4_900), 6_000, (4_300, 0, 4_900, 1_000)),  # beyond the limit: less, never more
    ],
)
def test_quotes_lean_against_what_is_held(touch: tuple[int, int], held: int, wanted: tuple[int, ...]) -> None:
    """A cent from the middle less .05 cent a contract, 10 contracts, 50 at most, never before the touch."""
    assert quotes(*touch, held) == wanted


@pytest.mark.parametrize("touch", [(4_700, 4_800), (0, 4_800), (4_700, 10_000), (0, 10_000)])
def test_where_the_touch_is_narrow_or_missing_only_what_is_held_is_offered(touch: tuple[int, int]) -> None:
    assert quotes(*touch, 0)[1::2] == (0, 0)
    assert quotes(*touch, 300)[1::2] == (0, 300)
    assert quotes(*touch, -1_500)[1::2] == (1_000, 0)


def a_rise(folder: Path) -> Lake:
    """The touch goes from 49/51 to 55/57 and YES is paid: an ask of 51 is bought by minute 5."""
    paid: dict[str, Any] = {"settlement_value_cc": 10_000, "settlement_ts": at(130), "result": "yes"}
    history = [a_market(), a_market(seen=200, status="finalized", **paid)]
    return a_lake(folder, [a_quote(0, 4_900, 5_100), a_quote(5, 5_500, 5_700)], history)


def test_what_comes_later_changes_nothing_before(tmp_path: Path) -> None:
    lake = a_lake(
        tmp_path,
        [
            a_quote(i, mid - 100, mid + 100)
            for i, mid in enumerate((5_000, 5_600, 5_200, 4_300, 6_000, 5_500))
        ],
        [a_market()],
    )
    whole = bt.run(STRATEGIES["market_making"].plan(lake), lake, fills="touch").orders
    assert whole.height > 8
    for cut in (1.5, 2.5, 4.5):
        until = STRATEGIES["market_making"].plan(lake, end=at(cut))
        orders = bt.run(until, lake, fills="touch").orders
        told = ("decision_ts", "action", "limit_cc", "count_centi")
        before = whole.filter(pl.col("decision_ts") < at(cut)).select(told)
        assert orders.filter(pl.col("decision_ts") < at(cut)).select(told).equals(before)


OWN = '''
import backtest as bt

ASSUMPTIONS = ("Mine holds.",)

@bt.policy(every="1s", params={"centi": 100})
def mine(at, params, memory):
    """Bid.

    Hypothesis: it rises.
    """
    return bt.Quotes(at.bid_cc, params.centi, 0, 0)
'''
CONFIG = """
lake = "lake"
fills = "touch"
feed = "1s"
out = "out"
"""


def told_by(folder: Path, text: str) -> dict[str, Any]:
    (folder / "my.toml").write_text(text)
    answer = CliRunner().invoke(app, ["run", str(folder / "my.toml"), "--json"])
    assert answer.exit_code == 0, answer.exception
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def test_the_command_runs_a_policy_and_sweeps_it(tmp_path: Path) -> None:
    """Sold 10 or 20 at 51, paid back at $1.00, makers pay no fee: -$4.90 and -$9.80."""
    a_rise(tmp_path)
    told = told_by(tmp_path, 'strategy = "market_making"' + CONFIG + "[params]\nsize = [10, 20]\n")
    assert [(row["size"], row["pnl_micros"]) for row in told["summary"]] == [
        (10, -4_900_000),
        (20, -9_800_000),
    ]
    assert any("1000 ms after it happened" in each for each in told["assumptions"])
    assert any("join the recorded touch" in each for each in told["assumptions"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["strategy"] == manifest["config"]["policy"]["name"] == "market_making"
    assert "market_making" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_policy_of_the_users_own_is_found_and_run(tmp_path: Path) -> None:
    """Bids of 1 contract at 49 and then 55; its parameters and docstring are those of a strategy."""
    a_rise(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    strategy = find_strategy("own.py:mine", beside=tmp_path)
    assert (strategy.params, strategy.assumptions) == ({"centi": 100}, ("Mine holds.",))
    assert (strategy.summary, strategy.hypothesis) == ("Bid.", "it rises.")
    told = told_by(tmp_path, 'strategy = "own.py:mine"' + CONFIG + 'series = "KXT"\n')
    assert told["summary"][0]["n_orders"] == 2
    assert "Mine holds." in told["assumptions"]
    with pytest.raises(BadInput, match="no function 'mime'; did you mean mine"):
        find_strategy("own.py:mime", beside=tmp_path)


INFORMED = '''
import math
import backtest as bt

@bt.policy(every="1s")
def mine(at, params, memory, signals):
    """Bid what a forecast says."""
    return bt.Quotes(0 if math.isnan(signals.prob) else int(10_000 * signals.prob), 100, 0, 0)
'''


def test_a_policy_that_takes_signals_is_given_the_forecast(tmp_path: Path) -> None:
    """What is known at minute 2 is bid from minute 2 on; and without a forecast it says what to add."""
    a_rise(tmp_path)
    (tmp_path / "own.py").write_text(INFORMED)
    (tmp_path / "mine.csv").write_text("ticker,known_ts,prob\nKXT-1-A,2026-09-01T12:02:00Z,0.25\n")
    told = told_by(tmp_path, 'strategy = "own.py:mine"\nforecast = "mine.csv"' + CONFIG)
    assert told["summary"][0]["n_orders"] == 1
    (bid,) = pl.read_parquet(tmp_path / "out" / "orders.parquet").rows(named=True)
    assert (bid["decision_ts"], bid["limit_cc"]) == (at(2), 2_500)
    (tmp_path / "my.toml").write_text('strategy = "own.py:mine"' + CONFIG)
    answer = CliRunner().invoke(app, ["run", str(tmp_path / "my.toml")])
    assert isinstance(answer.exception, BadInput)
    assert "own.py:mine reads a forecast: add forecast" in str(answer.exception)


def test_a_policy_is_asked_about_the_markets_that_may_trade_in_the_selection(tmp_path: Path) -> None:
    """A trades to minute 120, B to 600, C belongs to another event and series."""
    markets = [a_market(), a_market("KXT-1-B", close=600), a_market("KXU-1-C", series_ticker="KXU")]
    lake, plan = a_lake(tmp_path, [], markets), STRATEGIES["market_making"].plan
    for selection, tickers in (
        ({}, {"KXT-1-A", "KXT-1-B", "KXU-1-C"}),
        ({"series": "KXT"}, {"KXT-1-A", "KXT-1-B"}),
        ({"event": "KXU-1"}, {"KXU-1-C"}),
        ({"ticker": "KXT-1-B", "end": at(0)}, {"KXT-1-B"}),
        ({"series": "KXT", "start": at(120), "end": at(200)}, {"KXT-1-B"}),
    ):
        quoting = plan(lake, **selection)
        assert isinstance(quoting, Quoting)
        assert quoting.tickers == tickers
        assert (quoting.start, quoting.end) == (selection.get("start"), selection.get("end"))
    with pytest.raises(BadInput, match=r"no market to quote \(KXT, 2026-09-02 .*\): sync or import"):
        plan(lake, series="KXT", start=at(900))
