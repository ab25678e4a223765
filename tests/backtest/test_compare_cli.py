"""`tapehouse backtest compare` as it is typed: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from backtest.config import read_config
from backtest.report_numbers import MINUS
from backtest.running import run_config
from tests.backtest.lakes import at
from tests.backtest.test_cli import CONFIG, a_config
from tests.stories.commands import say

# 10 YES at 92 cents from 70 minutes on, fee $0.0516, paid $10; see test_cli.
HEADER = "created_time,ticker,outcome_side,count_fp,yes_price_dollars,fee_cost,is_taker,order_id"


def a_result(folder: Path, text: str = CONFIG) -> Path:
    """Run a configuration and return its file."""
    config = a_config(folder, text)
    run_config(read_config(config))
    return config


def test_a_configuration_stands_for_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = a_result(tmp_path)
    same = say(capsys, "backtest", "compare", config, tmp_path / "out")
    assert same.code == 0
    assert "Every contract has its like, to the micro-dollar." in same.out
    assert "Orders: 1, the same on both sides." in same.out


def test_results_that_differ_exit_1_and_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Later by 30 minutes: the ask of 92 cents had become one of 93, beyond the limit; nothing was bought."""
    config = a_result(tmp_path)
    (tmp_path / "slow.toml").write_text(CONFIG.replace('out = "out"', 'out = "slow"\nlatency = "30m"'))
    run_config(read_config(tmp_path / "slow.toml"))
    said = say(capsys, "backtest", "compare", config, tmp_path / "slow")
    assert said.code == 1
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0][:4] == ["beyond", "Run", "Other", "Difference"]
    assert lines[1][:4] == ["0.9", "+$0.75", "$0.00", f"{MINUS}$0.75"]
    assert ["KXT-1-A", "only", "in", "run", "0.9", f"{MINUS}$0.75", "10"] in lines
    told = json.loads(say(capsys, "backtest", "compare", config, tmp_path / "slow", "--json").out)
    assert (told["is_equal"], [each["micros"] for each in told["causes"]]) == (False, [-748_400])
    assert set(told) == {"is_equal", "summary", "causes", "contracts", "manifest", "left_out"}


def test_own_fills_stand_beside_a_row_of_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Filled a second later for a cent less, $0.10; and in a market that the run does not know."""
    config = a_result(tmp_path)
    mine = tmp_path / "mine.csv"
    rows = [
        f"{at(71).isoformat()},KXT-1-A,yes,10.00,0.9100,0.0516,true,o1",
        f"{at(71).isoformat()},KXT-9-A,yes,10.00,0.9100,0.0516,true,o2",
    ]
    mine.write_text("\n".join([HEADER, *rows]) + "\n")
    said = say(capsys, "backtest", "compare", config, "--fills", mine, "--param", "beyond=0.90")
    assert said.code == 1
    assert ["KXT-1-A", "price", "+$0.10", "10"] in [line.split() for line in said.out.splitlines()]
    assert "Left out of the account: 1 fill of 10 in 1 market: market is not in the run." in said.out
    mine.write_text("\n".join([HEADER, rows[0].replace("0.9100", "0.9200")]) + "\n")
    again = say(
        capsys,
        "backtest",
        "compare",
        config,
        "--fills",
        mine,
        "--param",
        "beyond=0.90",
        "--lake",
        tmp_path / "lake",
    )
    assert again.code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["out"], "compare a result with another one (OTHER), or with own fills (--fills, fills=)"),
        (["out", "nowhere"], "nowhere: there is no such folder; `tapehouse backtest run` writes results"),
        (["out", "lake"], "lake: no result of a backtest"),
        (["out", "own.csv"], "own fills are compared with one as --fills own.csv"),
        (["out", "out", "--param", "beyond"], "write NAME=VALUE"),
        (["out", "--fills", "mine.csv", "--lake", "nowhere"], "no lake there"),
        (["out", "--fills", "mine.csv"], "2 parameter rows: choose one"),
    ],
)
def test_what_cannot_be_compared_exits_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_result(tmp_path)
    (tmp_path / "own.csv").write_text(HEADER)
    monkeypatch.chdir(tmp_path)
    said = say(capsys, "backtest", "compare", *arguments)
    assert said.code == 2
    assert words in said.err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "backtest", "compare", "--help")
    assert (said.code, "--fills" in said.out) == (0, True)
