"""prefect.yaml on a real server: everything it declares is deployed, and a schedule fires into the lake."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml  # type: ignore[import-untyped]  # Prefect brings PyYAML, without its stubs

from sandbox.serve import running
from tests.flows.exchanges import a_world, n_trades
from tests.flows.orchestra import ROOT, Orchestra, until
from warehouse import Lake
from warehouse.tables import WINDOWS

pytestmark = [pytest.mark.slow]

RUN_S = 300  # up to a minute until the schedule fires, seconds to run; the machine may be busy
_COUNT = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('from trades').shape[0])"


@pytest.fixture(scope="module")
def deployed(orchestra: Orchestra) -> dict[str, dict[str, Any]]:
    """Everything of prefect.yaml, as the server sees it, by name."""
    orchestra.prefect("deploy", "--all")
    return {each["name"]: each for each in orchestra.find("deployments")}


def test_everything_in_prefect_yaml_can_be_deployed_and_is_scheduled(
    deployed: dict[str, dict[str, Any]],
) -> None:
    """`prefect deploy --all` takes every deployment with its schedule; overlapping runs are cancelled."""
    declared = {
        each["name"]: each for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    }
    assert {"trades-hourly", "reference-nightly", "backtest-nightly"} <= declared.keys()
    assert deployed.keys() == declared.keys()
    for name, each in deployed.items():
        asked = declared[name]
        assert [schedule["schedule"]["cron"] for schedule in each["schedules"]] == [
            schedule["cron"] for schedule in asked["schedules"]
        ]
        assert each["parameters"] == asked["parameters"]
        assert each["global_concurrency_limit"]["limit"] == 1
        assert each["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
        assert each["work_pool_name"] == "local-pool"
        assert each["pull_steps"] == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
        ]


def test_a_schedule_fires_and_a_worker_brings_the_trades_into_the_lake(
    orchestra: Orchestra, deployed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Nobody but the schedule starts the run; analysts then find every trade of its window in DuckDB."""
    now_ts = datetime.now(UTC).replace(microsecond=0)
    world, lake = a_world(now_ts), Lake(tmp_path / "lake")
    with running(world) as exchange:
        settings = {"KALSHI_BASE_URL": exchange.base_url, "TAPEHOUSE_LAKE": lake.uri}
        with orchestra.worker(tmp_path / "worker.log", **settings):
            orchestra.prefect(
                "deployment", "schedule", "create", "sync-trades/trades-hourly", "--replace", "-y",
                "--interval", "60", "--anchor-date", now_ts.isoformat(), "--timezone", "UTC",
            )  # fmt: skip
            run = _finished(orchestra, deployed["trades-hourly"]["id"], tmp_path / "worker.log")
    ledger = lake.scan(WINDOWS).select(pl.min("start_ts"), pl.max("end_ts"), pl.sum("n_rows")).collect()
    start_ts, end_ts, n_rows = ledger.row(0)
    (page,) = orchestra.find("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    counted = subprocess.run(
        [sys.executable, "-c", _COUNT, lake.path / "warehouse.duckdb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert run["state"]["type"] == "COMPLETED", (tmp_path / "worker.log").read_text()
    assert run["auto_scheduled"]
    assert end_ts - start_ts == timedelta(hours=24)
    assert timedelta(minutes=5) <= datetime.now(UTC) - end_ts < timedelta(minutes=15)
    assert n_rows == n_trades(world, start_ts, end_ts) > 0
    assert int(counted.stdout) == n_rows
    assert page["key"] == "sync-trades"
    assert f"**rows** {n_rows:,} · **new rows** {n_rows:,}" in page["data"]
    assert "**holes** 0" in page["data"]


def _finished(orchestra: Orchestra, deployment_id: str, log: Path) -> dict[str, Any]:
    """Wait for the first run of a deployment that came to an end."""
    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    runs = {"deployment_id": {"any_": [deployment_id]}, "state": ended}
    return until(
        lambda: orchestra.find("flow_runs", flow_runs=runs, sort="START_TIME_ASC"),
        within_s=RUN_S,
        what=f"a scheduled run to end; see {log}",
    )[0]
