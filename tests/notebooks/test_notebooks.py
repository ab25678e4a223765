"""The notebooks are promises: they run from top to bottom, and what they show is true."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import altair as alt
import polars as pl
import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
NAMES: Final = ("first_look", "first_backtest")


def run_notebook(name: str) -> dict[str, Any]:
    """Run every cell and return what they defined."""
    spec = spec_from_file_location(name, ROOT / "notebooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    _, definitions = module.app.run()
    return dict(definitions)


@pytest.fixture(scope="module")
def look(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What first_look defines."""
    return _on(small_lake, tmp_path_factory.mktemp("look"), "first_look")


@pytest.fixture(scope="module")
def backtest(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What first_backtest defines."""
    return _on(small_lake, tmp_path_factory.mktemp("backtest"), "first_backtest")


def _on(lake: Path, cwd: Path, name: str) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEHOUSE_LAKE", str(lake))
        patch.chdir(cwd)
        return run_notebook(name) | {"cwd": cwd}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_no_tangles(name: str) -> None:
    """`marimo check` finds no cell that redefines, loops or hides anything."""
    done = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", str(ROOT / "notebooks" / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_without_a_lake_a_notebook_says_in_one_line_what_to_do(name: str, tmp_path: Path) -> None:
    """A stranger who opens it first is sent to `make demo`, and sees no traceback."""
    environment = {each: value for each, value in os.environ.items() if each != "TAPEHOUSE_LAKE"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / f"{name}.py")],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "There is no lake at out/demo/lake yet: run `make demo` first, or set TAPEHOUSE_LAKE."
    ]


def test_first_look_counts_what_is_in_the_lake(look: dict[str, Any]) -> None:
    """The overview by table and the one by series count the same trades."""
    counted = dict(look["contents"].select("name", "n_rows").iter_rows())
    assert counted["trades"] == look["by_series"]["n_trades"].sum() > 10_000
    assert {"quotes", "book_deltas", "book_snapshots", "candles", "markets"} <= set(counted)


def test_first_look_shows_complete_coverage(look: dict[str, Any]) -> None:
    """Everything that was asked of the sandbox is in the ledger, complete."""
    assert look["coverage"]["status"].unique().to_list() == ["complete"]
    assert {"trades", "markets"} <= set(look["coverage"]["resource"])


def test_first_look_draws_bars_book_and_trades(look: dict[str, Any]) -> None:
    """Three charts with something in them, all small enough for altair."""
    for chart, points in (("bars_chart", "bars"), ("tape_chart", "prints"), ("depth_chart", "depth")):
        assert isinstance(look[chart], alt.TopLevelMixin)
        assert 50 < look[points].height < 5_000
        look[chart].to_dict()
    assert look["bars"]["n_trades"].sum() <= look["candidates"]["n_trades"][0]


def test_first_look_never_shows_a_crossed_book(look: dict[str, Any]) -> None:
    """At every moment the best bid lies below the best offer, or one side is empty."""
    best = (
        look["depth"]
        .group_by("ts")
        .agg(
            bid=pl.col("price").filter(pl.col("side") == "yes").max(),
            offer=pl.col("price").filter(pl.col("side") == "no").min(),
        )
    )
    assert best.filter(pl.col("bid") >= pl.col("offer")).is_empty()


def test_first_look_knows_no_result_before_there_is_one(look: dict[str, Any]) -> None:
    """Half-way through the market nobody knows how it ends; later everybody does."""
    half_way, later = look["asof"].sort("known_at").to_dicts()
    assert half_way["result"] is None
    assert half_way["settlement_value"] is None
    assert later["result"] == look["settlement"]["result"][0]
    assert later["result"] in {"yes", "no"}


def test_first_backtest_adds_up_for_every_parameter(backtest: dict[str, Any]) -> None:
    """Cash at the end = start + payouts + sales - purchases - fees, to the micro-dollar."""
    identity = backtest["identity"]
    assert identity["min_edge"].to_list() == [0.01, 0.02, 0.04, 0.08]
    assert identity["difference_micros"].to_list() == [0, 0, 0, 0]


def test_first_backtest_trades_less_the_more_edge_it_wants(backtest: dict[str, Any]) -> None:
    """A higher threshold wants a subset of the orders; the lowest one really trades."""
    n_orders = backtest["overview"].sort("min_edge")["n_orders"].to_list()
    assert n_orders == sorted(n_orders, reverse=True)
    assert n_orders[0] > 100
    assert set(backtest["run"].fills["evidence"]) == {"book", "book:crossed"}


def test_first_backtest_draws_equity_that_ends_where_the_summary_says(backtest: dict[str, Any]) -> None:
    """The last point of each line is the marked equity of the summary, in dollars."""
    last = backtest["equity"].sort("ts").group_by("min_edge").last().sort("min_edge")["marked"].to_list()
    told = backtest["run"].summary.sort("min_edge")["marked_end_micros"].to_list()
    assert last == [each / 1_000_000 for each in told]
    assert backtest["equity"].height < 5_000
    backtest["equity_chart"].to_dict()


def test_first_backtest_leaves_a_report_and_the_frames(backtest: dict[str, Any]) -> None:
    """One page under a megabyte, and the frames beside it."""
    report = backtest["cwd"] / backtest["report"]
    assert 10_000 < report.stat().st_size < 1_000_000
    assert pl.read_parquet(report.parent / "fills.parquet").height == backtest["run"].fills.height
