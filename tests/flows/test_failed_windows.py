"""What a run does when the exchange fails it: nothing is lost, nothing is hidden, nothing is done twice."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from prefect.client.schemas.objects import State

from pipelines.flows import windows
from pipelines.flows.trades import sync_trades
from tests.flows.exchanges import Refusal, a_world, n_trades, refusing
from tests.flows.orchestra import Orchestra, leftover_sockets
from warehouse import Lake
from warehouse.tables import TRADES, WINDOWS

pytestmark = [pytest.mark.slow, leftover_sockets]

END_TS = datetime(2026, 3, 2, tzinfo=UTC)
BAD_TS = datetime(2026, 2, 28, 12, tzinfo=UTC)
START = "2026-02-27"
END = "2026-03-02"


@pytest.fixture(autouse=True)
def _without_waiting(in_process: Orchestra, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - its server
    """Try again at once."""
    monkeypatch.setattr(windows, "pull", windows.pull.with_options(retry_delay_seconds=0))


def run(lake: Lake) -> State[dict[str, int]]:
    """Sync three days of trades and return the state of the run."""

    async def three_days() -> State[dict[str, int]]:
        return await sync_trades(start=START, end=END, lake=lake.uri, return_state=True)

    return asyncio.run(three_days())


def test_one_refused_window_fails_the_run_after_the_others_are_done_and_is_pulled_alone_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """27 February and 1 March come although 28 February is refused; the second run asks for that day only."""
    world, lake, refusal = a_world(END_TS), Lake(tmp_path / "lake"), Refusal(BAD_TS)
    with refusing(world, refusal) as base_url:
        monkeypatch.setenv("KALSHI_BASE_URL", base_url)
        failed = run(lake)
        tries = [span for span in refusal.asked if span[0] <= BAD_TS.timestamp() <= span[1]]
        in_lake = lake.scan(TRADES).collect()
        ledger = lake.scan(WINDOWS).sort("start_ts").collect()
        refusal.is_on, refusal.asked = False, []
        completed = run(lake)

    assert failed.is_failed()
    assert len(tries) == 3
    assert ledger["status"].to_list() == ["complete", "failed", "complete"]
    assert "not today" in ledger["reason"][1]
    assert "1 of 3 windows failed" in str(failed.message)
    assert in_lake["event_ts"].dt.date().unique().sort().to_list() == [
        datetime(2026, 2, 27, tzinfo=UTC).date(),
        datetime(2026, 3, 1, tzinfo=UTC).date(),
    ]
    assert completed.is_completed()
    assert {span[0] for span in refusal.asked} == {int(datetime(2026, 2, 28, tzinfo=UTC).timestamp()) - 1}
    expected = n_trades(world, datetime(2026, 2, 27, tzinfo=UTC), END_TS)
    assert lake.scan(TRADES).select(pl.len()).collect().item() == expected
    assert lake.missing("trades", "all", START, END) == []
