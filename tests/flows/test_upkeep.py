"""The nightly upkeep of a lake, on a real Prefect server."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.flows.upkeep import upkeep
from tests.flows.orchestra import Orchestra, leftover_sockets
from tests.warehouse.rows import a_trade, frame
from tests.warehouse.test_compacting import a_lake, content, files
from warehouse.tables import TRADES

pytestmark = [pytest.mark.slow, leftover_sockets]


def test_days_that_are_over_become_one_file_and_the_catalog_names_it(
    in_process: Orchestra, tmp_path: Path
) -> None:
    """5 commits of 2 days in May are 10 files, afterwards 2; today's two stay, for today still grows."""
    lake = a_lake(tmp_path / "lake")
    for name in ("today-1", "today-2"):
        lake.commit(TRADES, frame(TRADES, a_trade(name, event_ts=datetime.now(UTC))))
    before = content(lake)
    assert asyncio.run(upkeep(lake.uri)) == 8
    assert files(lake).files.height == 2 + 2
    assert content(lake).equals(before)
    assert (tmp_path / "lake" / "warehouse.duckdb").is_file()
    pages = in_process.find("artifacts", artifacts={"key": {"any_": ["upkeep"]}})
    (told,) = (json.loads(each["data"]) for each in pages)
    assert told == [
        {
            "table": "trades",
            "days": 2,
            "files before": 10,
            "files after": 2,
            "deleted": 0,
            "bytes freed": 0,
        }
    ]


def test_without_a_lake_there_is_nothing_to_keep_up(in_process: Orchestra, tmp_path: Path) -> None:
    assert in_process
    assert asyncio.run(upkeep(str(tmp_path / "none"))) == 0
