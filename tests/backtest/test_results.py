"""What a run leaves behind: frames with fixed columns, a manifest that repeats, a cheap import."""

import json
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.results import SCHEMAS, Run
from tests.backtest.worlds import a_lake, a_market, a_quote, at, replayed, settled


def a_run() -> Run:
    lake = a_lake(
        markets=[settled("A", pays_cc=10_000), a_market("B"), a_market("C")],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(5, 4_900, 5_000, ticker="B")],
    )
    return replayed(
        lake,
        *(
            (1, "A", bt.buy_yes(bt.param("n"))),
            (6, "B", bt.buy_no(1)),
            (7, "C", bt.buy_no(1).when(condition=False)),
        ),
        params={"n": [1, 2]},
    )


def test_every_frame_has_its_declared_columns_after_the_parameters() -> None:
    run = a_run()
    for name, frame in run.frames.items():
        own = frame if name == "coverage" else frame.drop("n")
        assert own.schema == SCHEMAS[name], name
        assert name == "coverage" or frame.columns[0] == "n"


@pytest.mark.parametrize(
    ("dtype", "values", "told", "printed"),
    [
        (
            pl.Datetime("us", "UTC"),
            [at(1), at(0.5)],
            ["2026-09-01T12:00:01Z", "2026-09-01T12:00:00.5Z"],
            "2026-09-01 12:00:01",
        ),
        (pl.Date, [date(2026, 9, 1), date(2026, 9, 2)], ["2026-09-01", "2026-09-02"], "2026-09-01"),
        (
            pl.Duration,
            [timedelta(seconds=90), timedelta(days=2)],
            ["0:01:30", "2 days, 0:00:00"],
            "1 min 30 s",
        ),
        (pl.Decimal(9, 2), [Decimal("1.25"), Decimal("2.50")], ["1.25", "2.50"], "1.25"),
    ],
)
def test_times_and_decimals_are_parameters_that_a_run_saves_and_prints(
    dtype: pl.DataType, values: list[Any], told: list[str], printed: str, tmp_path: Path
) -> None:
    """The manifest has them as text, the summary as they are, and the report as people write them."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    wish = bt.buy_yes(1).when(bt.param("p", dtype).is_not_null())
    run = replayed(lake, (1, "A", wish), params={"p": values})
    assert run.summary["p"].to_list() == values
    manifest = json.loads((run.save(tmp_path) / "manifest.json").read_text())
    assert manifest["config"]["params"] == [{"p": each} for each in told]
    page = run.report(tmp_path / "report.html").read_text()
    assert f"p = {printed}" in page
    assert all(each in page for each in told)


def test_attrition_counts_markets_from_universe_to_outcome() -> None:
    """Three markets in the plan, two with quotes, two wanted and filled, one settled, one open."""
    assert a_run().attrition.rows() == [(1, 3, 2, 2, 2, 1, 1), (2, 3, 2, 2, 2, 1, 1)]


def test_a_plan_may_drop_rows_or_want_nothing_in_them() -> None:
    """Under the first parameter the filtered plan knows A alone: B comes in with the second."""
    lake = a_lake(
        markets=[settled("A", pays_cc=10_000), a_market("B")],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(0, 4_900, 5_000, ticker="B")],
    )
    signals = pl.LazyFrame({"ticker": ["A", "B"], "known_ts": [at(1), at(2)], "edge": [5.0, 2.0]})
    is_wanted = pl.col("edge") > bt.param("least")
    dropped = signals.filter(is_wanted).select("ticker", "known_ts", intent=bt.buy_yes(1))
    left = signals.select("ticker", "known_ts", intent=bt.buy_yes(1).when(is_wanted))
    one, other = (bt.run(plan, lake, fills="touch", params={"least": [3.0, 1.0]}) for plan in (dropped, left))
    assert one.orders.rows() == other.orders.rows()
    assert one.summary.rows() == other.summary.rows()
    assert one.summary["n_orders"].to_list() == [1, 2]
    assert one.manifest == other.manifest


def test_coverage_says_what_there_was_to_fill_against() -> None:
    """B's first quote came 5 s after its opening of 1,000 s."""
    told = a_run().coverage.select("ticker", "n_events", "n_gaps", "known_share").rows()
    assert told == [("A", 1, 0, 1.0), ("B", 1, 0, 0.995), ("C", 0, 0, 0.0)]


def test_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    """Trap 47: same lake, plan and code: same files; the manifest names versions, settings and digests."""
    first, second = a_run().save(tmp_path / "1"), a_run().save(tmp_path / "2")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted([*(f"{name}.parquet" for name in SCHEMAS), "manifest.json"])
    assert [(first / name).read_bytes() for name in names] == [(second / name).read_bytes() for name in names]
    told = json.loads((first / "manifest.json").read_text())
    assert told["versions"] == {"markets": 1, "quotes": 1, "series": 1}
    assert told["config"]["latency_us"] == 1_000_000
    assert told["config"]["params"] == [{"n": 1}, {"n": 2}]
    assert pl.read_parquet(first / "fills.parquet").equals(a_run().fills)


def test_other_data_has_another_digest() -> None:
    market = [a_market()]
    first = replayed(a_lake(markets=market, quotes=[a_quote(0, 4_900, 5_000)]), (1, "A", bt.buy_yes(1)))
    second = replayed(a_lake(markets=market, quotes=[a_quote(0, 4_900, 5_100)]), (1, "A", bt.buy_yes(1)))
    assert first.manifest["inputs"] != second.manifest["inputs"]
    assert first.manifest["code"] == second.manifest["code"]


def test_the_order_in_which_a_lake_gives_its_rows_does_not_matter() -> None:
    """Five files or one, sorted or not: of one instant the last received counts, then the last session."""
    quotes = [
        a_quote(0, 4_900, 5_000),
        a_quote(0, 4_900, 5_100) | {"received_ts": at(0.5)},
        a_quote(5, 4_900, 5_200, session="t") | {"received_ts": at(5.5)},
        a_quote(5, 4_900, 5_300) | {"received_ts": at(5.5)},
        *(a_quote(seconds, None, 5_000, ticker=ticker) for ticker in "CB" for seconds in (2, 1)),
    ]
    wishes = [(seconds, ticker, bt.buy_yes(1)) for ticker in "ABC" for seconds in (0, 1, 5)]
    runs = []
    for seed in range(6):
        shuffled = Random(seed).sample(quotes, len(quotes)) if seed else quotes
        lake = a_lake(markets=[a_market("A"), a_market("C")], quotes=shuffled)
        runs.append(replayed(lake, *wishes))
    assert runs[0].fills.filter(pl.col("ticker") == "A")["price_cc"].to_list() == [5_100, 5_100, 5_200]
    assert len({run.manifest["inputs"] for run in runs}) == 1
    assert all(run.fills.equals(runs[0].fills) for run in runs)


def test_importing_backtest_is_cheap() -> None:
    """Neither the package nor its plan-building half loads numba; only a run does."""
    program = (
        "import sys, backtest as bt; assert 'polars' not in sys.modules;"
        "bt.buy_yes(1), bt.run, bt.assume_fees; sys.exit('numba' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_public_names_are_listed_and_exist() -> None:
    assert set(bt.__all__) <= set(dir(bt))
    assert all(getattr(bt, name) is not None for name in bt.__all__)
