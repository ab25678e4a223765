"""The nightly look at the lake: what it found is an artifact, and a flagged thing fails the run."""

import asyncio
import json
import logging
from pathlib import Path

import polars as pl
import pytest
from prefect.client.schemas.objects import State

from pipelines.flows.checks import check_lake
from tests.flows.orchestra import Orchestra, leftover_sockets
from tests.warehouse.defects import rewrite
from tests.warehouse.test_checks_kept import a_lake
from warehouse import Lake
from warehouse.checks import CHECKS
from warehouse.tables import CHECKS as CHECKS_TABLE
from warehouse.tables import TRADES

pytestmark = [pytest.mark.slow, leftover_sockets]


def run(lake: Lake) -> State[str]:
    async def once() -> State[str]:
        return await check_lake(lake=lake.uri, return_state=True)

    return asyncio.run(once())


def artifact(server: Orchestra, state: State[str]) -> list[dict[str, str]]:
    run_id = str(state.state_details.flow_run_id)
    wanted = {"flow_run_id": {"any_": [run_id]}, "key": {"any_": ["check-lake"]}}
    (page,) = server.find("artifacts", artifacts=wanted)
    rows: list[dict[str, str]] = json.loads(page["data"])
    return rows


def test_a_sound_lake_passes_and_a_lost_trade_fails_the_run_with_where_and_what_to_do(
    in_process: Orchestra, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two runs are kept, of all checks each; the second artifact begins with what was flagged."""
    lake = a_lake(tmp_path)
    sound = run(lake)
    assert sound.is_completed()
    assert {each["verdict"] for each in artifact(in_process, sound)} == {"ok", "nothing to check"}

    rewrite(lake, TRADES, lambda rows: rows.filter(pl.col("trade_id") != "t2"))
    with caplog.at_level(logging.WARNING):
        broken = run(lake)
    first, second, third = artifact(in_process, broken)[:3]
    assert broken.is_failed()
    assert "window_rows, days failed" in str(broken.message)
    assert (first["check"], first["verdict"], first["flagged"]) == ("window_rows", "failed", "1")
    assert first["for example"].startswith("trades all [2026-05-13T11:59:00")
    assert (second["check"], second["for example"][:25]) == ("days", "trades 2026-05-13: 1 rows")
    assert third["flagged"] == ""
    assert any("what to do: Rows were lost" in each.message for each in caplog.records)
    assert lake.scan(CHECKS_TABLE).collect().height == 2 * len(CHECKS)
