"""`tapehouse backtest sweep` as it is typed: which values it tries, what it prints, and what it refuses."""

import json
from pathlib import Path

import polars as pl
import pytest

import backtest as bt
from backtest.config import read_config
from backtest.printing import print_run
from backtest.report_detail import details
from backtest.report_numbers import dollars
from backtest.running import Finished, run_config
from tests.backtest.a_run import a_run
from tests.backtest.test_cli import CONFIG, a_config
from tests.stories.commands import say

# One favourite: who asks for 90 cents and not for 95 buys 10 YES at 92 and gains $0.7484; see test_cli.


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("beyond=0.5", [0.5]),
        ("beyond=0.90, 0.99", [0.90, 0.99]),
        ("beyond=0.1..0.3..0.1", [0.1, 0.2, 0.3]),
        ("beyond=0..1..0.4", [0.0, 0.4, 0.8]),
        ("beyond=0.5,0.9..0.94..0.02", [0.5, 0.9, 0.92, 0.94]),
    ],
)
def test_values_stand_between_commas_or_in_steps(
    given: str, values: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly: three times 0.1 is 0.3, not 0.30000000000000004. FROM..TO goes by 1."""
    config = a_config(tmp_path)
    said = say(
        capsys, "backtest", "sweep", config, "--json", "--param", given, "--param", "horizon_minutes=60..61"
    )
    assert said.code == 0
    rows = json.loads(said.out)["summary"]
    assert sorted({row["beyond"] for row in rows}) == values
    assert sorted({row["horizon_minutes"] for row in rows}) == [60, 61]
    assert len(rows) == 2 * len(values)


def test_settings_are_ranked_and_say_what_picking_the_best_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 0.99, 0.90 and 0.95 the second buys; the median of three is the one in the middle."""
    config = a_config(tmp_path)
    said = say(capsys, "backtest", "sweep", config, "--param", "beyond=0.99,0.90,0.95")
    assert said.code == 0
    lines = said.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Rank"))
    table = [line.split() for line in lines[at : at + 4]]
    assert table[0][:4] == ["Rank", "beyond", "Net", "P&L"]
    assert [row[:4] for row in table[1:]] == [
        ["1", "best", "0.9", "+$0.75"],
        ["2", "median", "0.95", "$0.00"],
        ["3", "0.99", "$0.00", "$0.00"],
    ]
    assert "The best made +$0.75, but picking the best of 3 flatters it." in " ".join(said.out.split())
    told = json.loads(
        say(capsys, "backtest", "sweep", config, "--param", "beyond=0.99,0.90,0.95", "--json").out
    )
    assert [row["pnl_micros"] for row in told["summary"]] == [748_400, 0, 0]
    assert (told["swept"], told["best"]["params"]["beyond"], told["best"]["n_tried"]) == (["beyond"], 0.90, 3)
    assert told["median"]["params"]["beyond"] == 0.95


def test_of_settings_that_fill_nothing_none_is_the_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = say(capsys, "backtest", "sweep", a_config(tmp_path), "--param", "beyond=0.98,0.99")
    assert "The lower median of 2 settings placed no orders: there is nothing to judge.\n" in said.out
    assert "The best made" not in said.out


def test_the_folder_is_that_of_a_run_with_these_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists that are not named stay; so both write the same bytes."""
    config = a_config(tmp_path, CONFIG.replace("[0.90, 0.99]", "0.5"))
    (tmp_path / "lists.toml").write_text(
        CONFIG.replace('"out"', '"lists"').replace("[0.90, 0.99]", "[0.90, 0.95]")
    )
    run_config(read_config(tmp_path / "lists.toml"))
    said = say(
        capsys, "backtest", "sweep", config, "--param", "beyond=0.90..0.95..0.05", "--out", tmp_path / "swept"
    )
    assert said.code == 0
    assert not (tmp_path / "out").exists()
    written, by_run = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("swept", "lists")
    )
    assert written == by_run
    assert pl.read_parquet(tmp_path / "swept" / "summary.parquet")["beyond"].to_list() == [0.90, 0.95]


def test_many_settings_show_the_best_and_the_median(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """50 settings: ranks 1 to 20, and the worse of the two middle ones, which is the 26th."""
    said = say(capsys, "backtest", "sweep", a_config(tmp_path), "--param", "beyond=0.50..0.99..0.01")
    lines = said.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("Rank"))
    assert [line.split()[0] for line in lines[at + 1 : at + 22]] == [
        str(rank) for rank in (*range(1, 21), 26)
    ]
    assert lines[at + 21].split()[:2] == ["26", "median"]
    assert "The best 20 of 50 settings and the median; the report has all of them." in lines


def test_a_sweep_with_time_for_choices_says_what_choosing_came_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trap 46: ten days of an event an hour; of two days there is one choice, which says nothing."""
    run = a_run(240, {"min_edge": [0.01, 0.02]})
    best = details(run)[-1]
    print_run(Finished(run, tmp_path))
    said = " ".join(capsys.readouterr().out.split())
    ends = [
        dollars(best.interval[side], is_signed=True) for side in ("mean_micros", "low_micros", "high_micros")
    ]
    assert best.interval["n_tried"] == 2
    assert f"Per event the best came to {ends[0]}; its interval, {ends[1]} to {ends[2]} at 95 %" in said
    assert "allowing for 2 tries, " in said
    walked = int(bt.walk_forward(run, every="1d")["net_micros"].sum())
    assert f"is what it earned: {dollars(walked, is_signed=True)} in all." in said
    print_run(Finished(a_run(30, {"min_edge": [0.01, 0.02]}), tmp_path))
    few = capsys.readouterr().out
    assert "is what it earned" not in few
    print_run(Finished(a_run(30), tmp_path))
    one = capsys.readouterr().out
    assert "Rank" not in one
    assert "the best made" not in one


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["beyond"], "write --param NAME=V1,V2"),
        (["=1"], "write --param NAME=V1,V2"),
        (["beyond="], "'' is no number and no range"),
        (["beyond=0.9,"], "'' is no number and no range"),
        (["beyond=high"], "'high' is no number and no range"),
        (["beyond=nan"], "is no number and no range"),
        (["beyond=1e400"], "is no number and no range"),
        (["horizon_minutes=1..2..3..4"], "is no number and no range"),
        (["beyond=0.1..0.5"], "has no step; write it, as in 0.1..0.5..0.01"),
        (["horizon_minutes=5..1"], "goes nowhere"),
        (["horizon_minutes=1..5..0"], "goes nowhere"),
        (["beyond=0..1e30..1e-30"], "more than 100,000 values"),
        (["horizon_minutes=1..400", "count=1..400"], "320,000 combinations: a sweep has at most 100,000"),
        (["beyond=0.9", "beyond=0.8"], "beyond has values already"),
        (["beyond=0.9,0.90"], "--param: beyond names a value twice"),
        (["beyonf=0.9,0.8"], "'beyonf' is unknown; did you mean beyond? known are beyond, horizon_minutes"),
        (["beyond=0.9"], "one setting is no sweep (favourite_longshot has beyond = 0.9, horizon_minutes"),
    ],
)
def test_what_is_no_sweep_exits_2_and_writes_nothing(
    given: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = a_config(tmp_path)
    said = say(capsys, "backtest", "sweep", config, *(word for each in given for word in ("--param", each)))
    assert said.code == 2
    assert words in said.err
    assert not (tmp_path / "out").exists()


def test_a_configuration_of_one_setting_says_how_to_give_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = a_config(tmp_path, CONFIG.replace("[0.90, 0.99]", "0.90"))
    said = say(capsys, "backtest", "sweep", config)
    assert said.code == 2
    assert "one setting is no sweep (favourite_longshot has beyond = 0.9, horizon_minutes = " in said.err
    assert "or lists in [params]" in said.err
    config.write_text(CONFIG)
    assert say(capsys, "backtest", "sweep", config).code == 0
