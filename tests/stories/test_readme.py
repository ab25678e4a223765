"""What the README promises: two commands, and each user's next step, taken from its text and run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pytest

import backtest as bt
from warehouse import Lake
from warehouse.tables import TRADES

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = (ROOT / "README.md").read_text()
DEMO_S_MAX: Final = 300

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the main job once, as `make demo` does, with no variable of Kalshi, Prefect or Tapehouse set."""
    out = tmp_path_factory.mktemp("demo") / "out"
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KALSHI_", "PREFECT_", "TAPEHOUSE_"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tapehouse", "demo", "--out", str(out), "--json"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=DEMO_S_MAX,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    facts: dict[str, Any] = json.loads(ran.stdout)
    return facts


def test_the_demo_goes_from_exchange_to_report_and_reconciles(demo: dict[str, Any]) -> None:
    """Every market's trades add up to its volume, nothing was refused, and the report is one small page."""
    assert demo["reconciles"] is True
    assert demo["pulled"]["refused"] == 0
    assert len(demo["summary"]) == 16
    report = Path(demo["report"]).read_text()
    assert len(report) < 1_000_000
    assert report.index("Assumptions") < report.index("Net P&amp;L")
    lake = Lake(demo["lake"])
    traded = lake.scan(TRADES).group_by("ticker").agg(pl.col("count_centi").sum())
    both = lake.markets().join(traded, on="ticker", how="left").collect()
    assert both["volume_centi"].fill_null(0).to_list() == both["count_centi"].fill_null(0).to_list()
    assert lake.is_complete("trades", "all", "2026-02-20", "2026-03-02")


def test_the_lake_of_the_demo_answers_the_readmes_sql(demo: dict[str, Any]) -> None:
    """Each line that a reader would paste into DuckDB."""
    lines = re.findall(r"^D (.+;)$", README, re.MULTILINE)
    assert len(lines) == 3
    with duckdb.connect(demo["catalog"], read_only=True) as catalog:
        for line in lines:
            assert catalog.execute(line).fetchall(), line


def test_the_readmes_strategy_runs_as_it_stands(
    demo: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code.replace("out/demo/lake", demo["lake"]), names)  # noqa: S102 - the README's own lines
    run = names["run"]
    assert isinstance(run, bt.Run)
    assert run.summary.height == 2
    assert (tmp_path / "report.html").is_file()


def test_the_demos_configuration_can_be_run_again(demo: dict[str, Any]) -> None:
    """Nothing changed, so the summary is the same to the last digit."""
    again = subprocess.run(
        [sys.executable, "-m", "tapehouse", "backtest", "run", demo["config"], "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEMO_S_MAX,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["summary"] == demo["summary"]


def test_every_command_teaches_and_help_loads_no_prefect() -> None:
    """`--help` names each command of DESIGN that exists, in well under a second of imports."""
    probe = """
import sys, tapehouse
try: tapehouse.main(["--help"])
except SystemExit: pass
print([name for name in ("prefect", "polars", "duckdb", "numba") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    for command in ("demo", "doctor", "sandbox", "sync", "import", "warehouse", "backtest"):
        assert re.search(rf"\b{command}\b", said.stdout), command
    assert said.stdout.splitlines()[-1] == "[]"
