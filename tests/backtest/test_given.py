"""What public functions say when they are given something else: a path, None, a frame, a class."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from exchange.errors import BadInput, UnitError
from tests.backtest.a_run import T0, a_run
from tests.backtest.worlds import a_lake
from warehouse.asking import moment
from warehouse.errors import NaiveTime

FRAME = pl.DataFrame({"a": [1]})
PLAN = pl.DataFrame({"ticker": ["A"], "known_ts": [T0], "intent": [None]}).with_columns(intent=bt.buy_yes(1))
PROGRAMS = pl.DataFrame({"ticker": ["A"], "start_ts": [T0], "end_ts": [T0], "period_reward_cc": [1]})

RUN_READERS: dict[str, Callable[[Any], object]] = {
    "walk_forward": bt.walk_forward,
    "interest": lambda run: bt.interest(run, 0.03),
    "profits": bt.profits,
    "volume_rewards": lambda run: bt.volume_rewards(run, a_lake(), PROGRAMS.clear()),
    "compare": lambda run: bt.compare(run, a_run(2)),
}
LAKE_READERS: dict[str, Callable[[Any], object]] = {
    "run": lambda lake: bt.run(PLAN, lake, fills="touch"),
    "ladder": lambda lake: bt.ladder(PLAN, lake),
    "sensitivity": lambda lake: bt.sensitivity(PLAN, lake, fills="touch"),
    "placebo": lambda lake: bt.placebo(PLAN, lake, fills="touch"),
    "audit": lambda lake: bt.audit(lambda _: PLAN, lake),
    "score_forecast": lambda lake: bt.score_forecast(FRAME, lake),
    "calibrate_slippage": bt.calibrate_slippage,
    "volume_rewards": lambda lake: bt.volume_rewards(a_run(2), lake, PROGRAMS.clear()),
}


@pytest.mark.parametrize("name", RUN_READERS)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "None is no run"),
        (FRAME, "a DataFrame is no run"),
        (3, "an int is no run"),
        (bt.Run, "the class Run"),
    ],
)
def test_what_reads_a_run_names_what_it_was_given(name: str, given: object, words: str) -> None:
    with pytest.raises(PlanError, match=f"^{words}.*: give what bt.run returned"):
        RUN_READERS[name](given)


@pytest.mark.parametrize("name", [each for each in RUN_READERS if each != "compare"])
@pytest.mark.parametrize("given", ["out", Path("out")])
def test_of_a_path_they_say_how_a_run_is_read(name: str, given: object) -> None:
    with pytest.raises(PlanError, match=r"^'out' is a path, no run: read it with bt\.Run\.load\('out'\)$"):
        RUN_READERS[name](given)


@pytest.mark.parametrize("name", LAKE_READERS)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, r"^lake is None: give a lake, such as Lake\('lake'\)$"),
        (FRAME, "^lake is a DataFrame: give a lake"),
        (a_run(2), "^lake is a Run: give a lake"),
        (bt.Run, "^lake is the class Run: give a lake"),
        ("lake", r"^lake='lake' is a path, and a run reads a lake: give it Lake\('lake'\)$"),
    ],
)
def test_what_reads_a_lake_names_what_it_was_given(name: str, given: object, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        LAKE_READERS[name](given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "^fills: no file: give the path"),
        (3, "^fills: an int is no file"),
        (pl.DataFrame({"ticker": ["A"]}), "^fills: a DataFrame is no file"),
        ([None], "^fills: None is no file"),
    ],
)
def test_own_fills_are_files(given: Any, words: str) -> None:  # noqa: ANN401 -- what people may give
    with pytest.raises(BadInput, match=words):
        bt.compare(a_run(2), fills=given)


def test_a_file_in_the_place_of_a_result_is_pointed_to_fills(tmp_path: Path) -> None:
    mine, run = tmp_path / "mine.csv", a_run(2)
    mine.write_text("x")
    for sides in ((run, mine), (mine, run)):
        with pytest.raises(
            BadInput, match=r"mine\.csv is a file, .*--fills .*mine\.csv \(fills='.*mine\.csv'\)$"
        ):
            bt.compare(*sides)
    manifest = run.save(tmp_path / "out") / "manifest.json"
    with pytest.raises(BadInput, match=r"manifest\.json is a file, .*: give its folder, .*out$"):
        bt.compare(run, manifest)
    with pytest.raises(BadInput, match=r"mine\.csv is a file, .*: give the folder of one$"):
        bt.Run.load(mine)
    with pytest.raises(BadInput, match=r"^None is no folder of a result: give its path$"):
        bt.Run.load(None)  # type: ignore[arg-type]


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "params": (lambda: bt.compare(a_run(2), a_run(2), params=FRAME), "params is a DataFrame"),  # type: ignore[arg-type]
    "rungs": (lambda: bt.ladder(PLAN, a_lake(), rungs=None), "rungs is None: give a list"),  # type: ignore[arg-type]
    "rung": (lambda: bt.ladder(PLAN, a_lake(), rungs="touch"), "rungs is a str: give a list"),
    "fills": (lambda: bt.run(PLAN, a_lake(), fills=FRAME), "is unknown: use mid or touch"),  # type: ignore[arg-type]
    "log": (lambda: bt.holdout("2026-09-01", log=None), "log is None: give the path of a file"),  # type: ignore[arg-type]
    "prob": (lambda: bt.net_edge_cc(None), "prob is None: give the name of a column"),  # type: ignore[arg-type]
    "latency": (lambda: bt.sample_latency("250ms"), "a str is no list: give all lengths"),
    "latencies": (lambda: bt.sample_latency(None), "None is no list: give all lengths"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_arguments_that_are_none_are_named(name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(PlanError, match=words):
        call()


def test_a_moment_may_be_a_date_and_nothing_without_a_zone() -> None:
    assert moment(date(2026, 5, 11)) == T0  # type: ignore[arg-type]
    with pytest.raises(NaiveTime):
        moment(T0.replace(tzinfo=None))
    with pytest.raises(UnitError, match="3 is not a date or time, such as"):
        moment(3)  # type: ignore[arg-type]
