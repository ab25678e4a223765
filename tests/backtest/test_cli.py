"""`tapehouse backtest`: what the commands print, write and refuse."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from backtest.cli import app
from backtest.results import SCHEMAS
from backtest.strategies.registry import STRATEGIES
from exchange.errors import BadInput
from tests.backtest.lakes import a_lake, a_market, a_quote, at, committed
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.tables import FEE_CHANGES

CONFIG = """
strategy = "favourite_longshot"
lake = "lake"
fills = "touch"
out = "out"
[params]
beyond = [0.90, 0.99]
"""


def said(*arguments: str | Path) -> Result:
    """Run the command; what it raises on purpose comes out, as `tapehouse` maps it to an exit code."""
    answer = CliRunner().invoke(app, [str(each) for each in arguments])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer


def a_config(folder: Path, text: str = CONFIG) -> Path:
    """Write a configuration beside a lake with one favourite: 10 YES at 92 cents, paid $10.00."""
    paid: dict[str, Any] = {
        "settlement_value_cc": 10_000,
        "settlement_ts": at(130),
        "result": "yes",
        "status": "finalized",
    }
    history = [a_market(), a_market(seen=200, **paid)]
    a_lake(folder, [a_quote(70, 9_000, 9_200), a_quote(90, 9_100, 9_300)], history)
    (folder / "my.toml").write_text(text)
    return folder / "my.toml"


def test_a_run_leaves_report_frames_and_manifest_and_nothing_else(tmp_path: Path) -> None:
    answer = said("run", a_config(tmp_path))
    assert answer.exit_code == 0
    out = tmp_path / "out"
    expected = {"report.html", "manifest.json", *(f"{name}.parquet" for name in SCHEMAS)}
    assert {path.name for path in out.iterdir()} == expected
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "my.toml", "out"}
    assert "Report:" in answer.stdout
    told = json.loads((out / "manifest.json").read_text())
    assert told["strategy"] == "favourite_longshot"
    assert any("the end of a market is its close" in each for each in told["assumptions"])


def test_json_is_one_object_with_the_whole_sweep(tmp_path: Path) -> None:
    """10 YES at $0.92 and a fee of 0.07 x 10 x 0.92 x 0.08 = $0.05152, charged $0.0516: 0.80 - 0.0516."""
    answer = json.loads(said("run", a_config(tmp_path), "--json").stdout)
    assert [row["beyond"] for row in answer["summary"]] == [0.90, 0.99]
    assert [row["pnl_micros"] for row in answer["summary"]] == [748_400, 0]
    assert Path(answer["report"]).is_file()
    frame = pl.read_parquet(tmp_path / "out" / "summary.parquet")
    assert frame["pnl_micros"].to_list() == [748_400, 0]


def test_a_forecast_lies_beside_its_configuration_and_is_named_in_the_manifest(tmp_path: Path) -> None:
    """Worth 96 cents, cost 92 and a fee of 0.52: 10 contracts are bought; the manifest pins the file."""
    named = 'fills = "touch"\nforecast = "mine.csv"\nlake = "lake"\nout = "out"\n'
    config = a_config(tmp_path, 'strategy = "calibration_edge"\n' + named)
    forecast = f"ticker,known_ts,prob\nKXT-1-A,{at(60).isoformat()},0.96\n"
    (tmp_path / "mine.csv").write_text(forecast)
    said("run", config)
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["forecast"] == {"file": "mine.csv", "sha256": sha256(forecast.encode()).hexdigest()}
    assert pl.read_parquet(tmp_path / "out" / "fills.parquet")["count_centi"].to_list() == [1_000]


def test_an_earlier_result_is_replaced_and_anything_else_is_left_alone(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    said("run", config)
    (tmp_path / "out" / "stale.parquet").write_text("old")
    said("run", config)
    assert not (tmp_path / "out" / "stale.parquet").exists()
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.png").write_text("x")
    with pytest.raises(BadInput, match="holds something that is no result"):
        said("run", config, "--out", foreign)
    assert (foreign / "cat.png").read_text() == "x"
    with pytest.raises(BadInput, match="is a file"):
        said("run", config, "--out", config)


def test_a_run_that_fails_leaves_the_earlier_result_as_it_was(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    said("run", config)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    config.write_text(CONFIG.replace("[params]", 'series = "KXNONE"\n[params]'))
    with pytest.raises(BadInput):
        said("run", config)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_running_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    said("run", config)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    said("run", config)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_holdout_is_opened_beside_the_other_results_once(tmp_path: Path) -> None:
    """Trap 46: the one market was paid at 130 s: before the holdout or in it, as the configuration says."""
    since = f'holdout = {{ since = {at(100).isoformat()}, log = "looks.jsonl" }}\n'
    config = a_config(tmp_path, since + CONFIG)
    with pytest.raises(BadInput, match="no market of the plan is over before"):
        said("run", config)
    with pytest.raises(BadInput, match="opened for one parameter row, and params has 2"):
        said("run", config, "--open-holdout", "both settings")
    assert said("run", config, "--param", "beyond=0.90", "--open-holdout", "the first").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "my.toml", "out-holdout", "looks.jsonl"}
    summary = pl.read_parquet(tmp_path / "out-holdout" / "summary.parquet")
    assert summary["pnl_micros"].to_list() == [748_400]
    assert "the first" in (tmp_path / "out-holdout" / "report.html").read_text()
    with pytest.raises(BadInput, match=r"looks\.jsonl: this holdout was opened on"):
        said("run", config, "--param", "beyond=0.99", "--open-holdout", "another setting")
    with pytest.raises(BadInput, match="no holdout to open: add holdout = "):
        said("run", a_config(tmp_path / "other"), "--open-holdout", "nothing to open")


def test_a_ladder_says_what_every_way_to_fill_leaves(tmp_path: Path) -> None:
    """Trap 4: 10 YES at the ask of .92, or at the middle of .91; nobody recorded books."""
    config = a_config(tmp_path, CONFIG.replace("[0.90, 0.99]", "0.90"))
    rows = json.loads(said("ladder", config, "--json").stdout)["ladder"]
    assert [row["rung"] for row in rows][:3] == ["mid", "touch", "book"]
    assert [row["filled_centi"] for row in rows] == [1_000, 1_000, 0, 0, 0, 0]
    assert rows[1]["pnl_micros"] == 748_400
    assert rows[0]["pnl_micros"] > rows[1]["pnl_micros"]
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "my.toml"}
    printed = said("ladder", config).stdout.splitlines()
    assert printed[0].split() == ["Rung", "Known", "Net", "P&L", "Fees", "Orders", "Fills", "Contracts"]
    assert printed[2].split()[0] == "touch"
    assert "+$0.75" in printed[2]
    swept = said("ladder", a_config(tmp_path / "swept")).stdout
    assert swept.splitlines()[0].split()[:2] == ["Rung", "beyond"]


MOVED = ("size", "extra_ticks", "fees")


def test_a_sensitivity_says_what_every_assumption_leaves(tmp_path: Path) -> None:
    """10 YES at their limit of .92 gain .80 less a fee of .0516, of nothing, or of .1031 (.10304 doubled)."""
    config = a_config(tmp_path, CONFIG.replace("[0.90, 0.99]", "0.90"))
    rows = json.loads(said("sensitivity", config, "--json").stdout)["sensitivity"]
    assert [row["assumption"] for row in rows] == [
        *(["latency"] * 4),
        *(each for each in MOVED for _ in range(3)),
    ]
    told = {name: [row["pnl_micros"] for row in rows if row["assumption"] == name] for name in MOVED}
    assert told["extra_ticks"] == [748_400, 0, 0]
    assert told["fees"] == [800_000, 748_400, 696_900]
    assert [row["change_micros"] for row in rows if row["assumption"] == "fees"] == [51_600, 0, -51_500]
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "my.toml"}
    printed = [line.split() for line in said("sensitivity", config).stdout.splitlines()]
    assert " ".join(printed[0]) == "Assumption Value Net P&L Change Fees Orders Fills Contracts"
    assert printed[2] == ["latency", "250ms", "+$0.75", "base", "$0.05", "1", "1", "10"]
    assert printed[9] == ["extra_ticks", "1", "$0.00", "\N{MINUS SIGN}$0.75", "$0.00", "1", "0", "0"]
    swept = said("sensitivity", a_config(tmp_path / "swept")).stdout
    assert swept.splitlines()[0].split()[:3] == ["Assumption", "Value", "beyond"]


PEEKING = """
import backtest as bt, polars as pl

def plan(lake, **selection):
    next_cc = pl.col("bid_cc").shift(-1).over("ticker")
    bought = bt.buy_yes(10, limit=pl.col("ask_cc")).when(next_cc > pl.col("bid_cc"))
    return lake.quotes(**selection).select("ticker", "known_ts", intent=bought)
"""


def test_a_plan_that_looks_ahead_exits_1_and_says_where(tmp_path: Path) -> None:
    """The bid rises from .90 to .91 at minute 90: who does not know that at 70 does not buy."""
    (tmp_path / "peeking.py").write_text(PEEKING)
    config = a_config(tmp_path, 'strategy = "peeking.py:plan"\nlake = "lake"\nfills = "touch"\n')
    answer = said("audit", config)
    assert answer.exit_code == 1
    assert answer.stdout.startswith("The strategy looks ahead: made anew with what was known at 2 moments")
    assert "Look for shift(-1)" in answer.stdout
    *_, told = answer.stdout.splitlines()
    moment = "2026-09-01 13:10:00"
    assert re.split(r"  +", told.strip()) == [moment, "KXT-1-A", "buy 10 yes at $0.92", "nothing"]
    found = json.loads(said("audit", config, "--json").stdout)
    assert (found["is_clean"], len(found["cuts"]), len(found["differences"])) == (False, 2, 1)


def test_a_plan_that_does_not_look_ahead_exits_0(tmp_path: Path) -> None:
    """Of the sweep the first setting is looked at: 90 cents, which buys once; 99 would buy nothing."""
    config = a_config(tmp_path)
    answer = said("audit", config)
    assert answer.exit_code == 0
    setting, told = answer.stdout.splitlines()
    assert setting == "Of the sweep, its first setting: beyond = 0.9, horizon_minutes = 60, count = 10."
    assert told.startswith("No look-ahead found: made anew with what was known at 2 moments")
    assert json.loads(said("audit", config, "--json").stdout)["params"]["beyond"] == 0.90
    with pytest.raises(BadInput, match="n_cuts=0 must be a whole number from 1 up"):
        said("audit", config, "--cuts", "0")
    config.write_text(CONFIG.replace("[0.90, 0.99]", "0.99"))
    with pytest.raises(BadInput, match=r"the plan wants nothing \(beyond=0.99"):
        said("audit", config)


def test_placebos_stand_below_the_audit(tmp_path: Path) -> None:
    """10 YES at .92 pay $10: $0.80 less a fee of .0516 (.05152). There is no other event to go to."""
    config = a_config(tmp_path)
    answer = said("audit", config, "--placebos", "3")
    assert answer.exit_code == 0
    _, audited, empty, planned, later, left_out, _ = answer.stdout.splitlines()
    assert (audited[:20], empty) == ("No look-ahead found:", "")
    assert planned == (
        "As planned: +$0.75 with 10 contracts (+$0.0748 per contract), +$0.90 without spread and fees."
    )
    assert later.startswith("The same orders later: ")
    assert left_out == (
        "Left out of other markets: 1 decision; the plan lists no other event of the series that can take "
        "them. Let it list several, such as the whole series instead of one event."
    )
    told = json.loads(said("audit", config, "--placebos", "3", "--json").stdout)["placebo"]
    assert [each["kind"] for each in told["runs"]] == ["as planned", "later", "later", "later"]
    assert (told["runs"][0]["pnl_micros"], told["n_left_out"]) == (748_400, 1)
    assert json.loads(said("audit", config, "--json").stdout)["placebo"] is None
    with pytest.raises(BadInput, match="n=-1 must be a whole number from 1 up"):
        said("audit", config, "--placebos", "-1")


@pytest.mark.parametrize("command", ["run", "audit", "ladder", "sensitivity"])
def test_a_strategy_that_is_none_is_bad_input(tmp_path: Path, command: str) -> None:
    """Polars' own words on a column that is not there go on with the whole plan: the first line is enough."""
    own = (
        "import backtest as bt, polars as pl\n\ndef plan(): return None\n"
        "def misspelt(lake, *, series):\n"
        "    quotes = lake.quotes(series=series)\n"
        '    return quotes.select("ticker", "known_ts", intent=bt.buy_yes(1, limit=pl.col("asks_cc")))\n'
    )
    text = 'strategy = "own.py:plan"\nlake = "lake"\nseries = "KXT"\nfills = "touch"\n'
    config = a_config(tmp_path, text)
    (tmp_path / "own.py").write_text(own)
    with pytest.raises(
        BadInput, match=r"own\.py:plan: too many positional arguments: a strategy is a function of"
    ):
        said(command, config)
    config.write_text(text.replace("own.py:plan", "own.py:misspelt"))
    with pytest.raises(BadInput) as refused:
        said(command, config)
    assert str(refused.value).startswith('the plan cannot be made: unable to find column "asks_cc"; valid')
    assert "\n" not in str(refused.value)


def test_parameters_that_a_strategy_takes_as_arguments_are_never_given(tmp_path: Path) -> None:
    """It is called once; what it returns may take them, and that can be audited, too."""
    own = (
        "import backtest as bt, polars as pl\n\n"
        "def once(lake, *, series, window=3):\n    return planned(lake, series, window)\n\n"
        "def eager(lake, *, series, window=3):\n    return planned(lake, series, window).collect()\n\n"
        "def each(lake, *, series):\n    return lambda window: planned(lake, series, window)\n\n"
        "def planned(lake, series, window):\n"
        '    mean = pl.col("ask_cc").rolling_mean(window, min_samples=1).over("ticker")\n'
        '    low = pl.col("ask_cc") < mean + 1\n'
        "    quotes = lake.quotes(series=series)\n"
        '    return quotes.select("ticker", "known_ts", intent=bt.buy_yes(1).when(low))\n'
    )
    text = 'strategy = "own.py:once"\nlake = "lake"\nseries = "KXT"\nfills = "touch"\n[params]\nwindow = 2\n'
    config = a_config(tmp_path, text)
    (tmp_path / "own.py").write_text(own)
    for name in ("once", "eager"):
        config.write_text(text.replace("own.py:once", f"own.py:{name}"))
        with pytest.raises(
            BadInput, match=rf"\[params\] window: own\.py:{name} is called once, for all values; instead"
        ):
            said("run", config)
    config.write_text(text.replace("own.py:once", "own.py:each"))
    assert json.loads(said("run", config, "--json").stdout)["summary"][0]["n_orders"] > 0
    assert json.loads(said("audit", config, "--json").stdout)["is_clean"]


def test_policies_have_no_placebos(tmp_path: Path) -> None:
    config = a_config(tmp_path, 'strategy = "market_making"\nlake = "lake"\nfills = "touch"\n')
    with pytest.raises(BadInput, match="a policy decides inside the clock, so it has no decisions to move"):
        said("audit", config, "--placebos", "3")


def test_a_lake_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    config = a_config(tmp_path)
    with pytest.raises(BadInput, match="there is no lake"):
        said("run", config, "--lake", tmp_path / "nowhere")


@needs_real_data
def test_the_fees_of_real_accounts_are_exact() -> None:
    files = sorted((DATA / "fills").glob("*fills*"))
    answer = said("fees", *files, "--json")
    told = json.loads(answer.stdout)
    assert answer.exit_code == 0
    assert (told["fills"], told["single_fill_orders"], told["exact"]) == (158, 96, 96)
    assert (told["multi_fill_orders"], told["multi_exact"]) == (20, 20)


FILL = """created_time,ticker,outcome_side,count_fp,yes_price_dollars,fee_cost,is_taker,order_id
2026-09-01T00:00:00Z,KXT-1-A,yes,1.00,0.5000,0.0088,true,o1
"""


def test_fees_that_differ_exit_1_and_a_given_multiplier_explains_them(tmp_path: Path) -> None:
    """0.035 x 0.25 = 0.00875: $0.0088 is half the standard fee of $0.0175."""
    path = tmp_path / "fills.csv"
    path.write_text(FILL)
    answer = said("fees", path)
    assert answer.exit_code == 1
    assert "0.017500" in answer.stdout
    assert "0.008800" in answer.stdout
    assert said("fees", path, "--multiplier", "KXT=0.5").exit_code == 0


def test_the_lakes_fee_tables_explain_them_too(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(FILL)
    lake = a_lake(tmp_path, [a_quote(0, 1, 2)], [a_market("KXT-1-A")])
    change = {"scope": "series", "ticker": "KXT", "fee_type": "quadratic", "fee_multiplier_ppm": 500_000}
    assert said("fees", path, "--lake", lake.uri).exit_code == 1
    committed(lake, FEE_CHANGES, [{**change, "effective_ts": at(-5_000), "change_id": "c1"}])
    answer = said("fees", path, "--lake", lake.uri)
    assert answer.exit_code == 0
    assert "multiplier 0.5, from the lake's fee tables" in answer.stdout
    event = {**change, "scope": "event", "ticker": "KXT-1", "fee_multiplier_ppm": 1_000_000}
    committed(lake, FEE_CHANGES, [{**event, "effective_ts": at(-4_000), "change_id": "c2"}])
    assert said("fees", path, "--lake", lake.uri).exit_code == 1


@pytest.mark.parametrize("text", ["KXT", "KXT=", "=0.5", "KXT=-1", "KXT=half"])
def test_a_multiplier_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(FILL)
    with pytest.raises(BadInput, match=r"write SERIES=0\.5"):
        said("fees", path, "--multiplier", text)


def test_fees_without_a_lake_do_not_need_one(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text(FILL)
    with pytest.raises(BadInput, match="there is no lake"):
        said("fees", path, "--lake", tmp_path / "nowhere")
    assert not Lake(tmp_path / "nowhere").exists()


def test_strategies_are_listed_with_what_would_refute_them() -> None:
    answer = said("strategies", "--json")
    told = json.loads(answer.stdout)["strategies"]
    assert {each["name"] for each in told} == set(STRATEGIES)
    assert all(each["hypothesis"] and each["falsified_by"] and each["params"] for each in told)
    assert "Falsified by:" in said("strategies").stdout


@pytest.mark.parametrize("command", ["run", "fees", "strategies"])
def test_help_teaches(command: str) -> None:
    answer = said(command, "--help")
    assert answer.exit_code == 0
    assert "--json" in answer.stdout
