"""A backfill by hand beside the runs on schedule."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.flows import summary
from pipelines.flows.backfill import backfill
from pipelines.flows.trades import sync_trades
from pipelines.ingest.windows import Receipt
from sandbox.serve import running
from tests.flows.exchanges import a_world, n_trades
from tests.flows.orchestra import Orchestra, leftover_sockets
from warehouse import Lake
from warehouse.tables import TRADES, WINDOWS

pytestmark = [pytest.mark.slow, leftover_sockets]

END_TS = datetime(2026, 3, 2, tzinfo=UTC)
START_TS = datetime(2026, 2, 25, tzinfo=UTC)


def test_a_backfill_goes_back_from_the_newest_day_and_leaves_out_what_others_pulled(
    in_process: Orchestra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five days are asked for, the fourth is there: the fifth comes first, then the third, second, first."""
    world, lake = a_world(END_TS), Lake(tmp_path / "lake")

    async def runs() -> list[dict[str, int]]:
        first, last = "2026-02-25", "2026-03-02"
        return [
            await sync_trades(lake=lake.uri, start="2026-02-28", end="2026-03-01"),
            await backfill(first, last, lake=lake.uri),
            await backfill(first, last, order="oldest", lake=lake.uri),
        ]

    with running(world) as exchange:
        monkeypatch.setenv("KALSHI_BASE_URL", exchange.base_url)
        first, back, again = asyncio.run(runs())
    ledger = lake.scan(WINDOWS).sort("asked_ts").collect()
    keys = [each["key"] for each in in_process.find("artifacts") if lake.uri in (each["description"] or "")]

    assert ledger["start_ts"].dt.day().to_list() == [28, 1, 27, 26, 25]
    assert (first["windows"], back["windows"], again["windows"]) == (1, 4, 0)
    expected = n_trades(world, START_TS, END_TS)
    assert lake.scan(TRADES).select(pl.len()).collect().item() == expected
    assert first["new_rows"] + back["new_rows"] == expected
    assert sorted(keys) == ["backfill", "backfill", "sync-trades"]


def test_the_page_of_a_run_has_the_notes_of_its_receipts() -> None:
    """What vanished, what was not asked: one line each, under the table."""
    window = ("markets", "all", START_TS, START_TS + timedelta(days=1))
    receipt = Receipt(*window, 3, 2, 1, "d", "complete", None, ("two vanished",))
    page = summary.as_markdown([receipt], [])
    assert page.endswith("\n\nmarkets all [2026-02-25T00:00:00Z, 2026-02-26T00:00:00Z): two vanished")
