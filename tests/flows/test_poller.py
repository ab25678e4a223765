"""Polling as a flow, on a real Prefect server."""

import asyncio
from pathlib import Path

import pytest

from pipelines.flows.poller import poll_books
from tests.flows.orchestra import Orchestra, leftover_sockets
from tests.poller.exchanges import a_house
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

pytestmark = [pytest.mark.slow, leftover_sockets]


def test_a_run_polls_for_its_time_and_leaves_books_and_their_end(
    in_process: Orchestra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key; one round, for the time is over before the second."""
    lake = Lake(tmp_path / "lake")
    with a_house() as house:
        monkeypatch.setenv("KALSHI_BASE_URL", house.server.base_url)
        (ticker,) = house.staying()
        told = asyncio.run(poll_books([ticker], every="1h", hours=1 / 3_600, lake=lake.uri))
    assert in_process
    assert (told["n_rounds"], told["n_books"], told["n_missed"]) == (1, 1, 0)
    rows = lake.scan(BOOK_SNAPSHOTS).collect()
    assert (rows["ticker"].to_list(), rows["session"].to_list()) == ([ticker], [told["run"]])
    assert lake.scan(BOOK_GAPS).collect()["cause"].to_list() == ["session_end"]
    assert (lake.path / "warehouse.duckdb").is_file()
