"""What the checks say of books and trades that our own recorder brought in."""

import asyncio
from pathlib import Path

import pytest

from pipelines.recorder.watching import Watch
from sandbox.fault_kinds import fault
from tests.recorder.rooms import a_room, recorded, until
from warehouse.checks import run_checks


@pytest.mark.long
@pytest.mark.slow
def test_each_recorded_trade_takes_its_size_off_a_recorded_book(tmp_path: Path) -> None:
    """Frames are lost: trades near the holes decide nothing, all others have their change."""
    with a_room(fault("ws_hole", route="orderbook_delta", chance=0.01), seed=3) as room:
        tickers = room.active()
        recorder = room.recorder(tmp_path, Watch(tickers=tickers))
        tally = recorder.tally
        asyncio.run(recorded(recorder, lambda: until(lambda: tally.n_trades > 30 and tally.n_holes > 0)))
    report = run_checks(recorder.lake, ["book_trades", "book_ends"], keep=False)
    found = {each.check.name: each for each in report.findings}
    assert {name: each.n_flagged for name, each in found.items()} == dict.fromkeys(found, 0)
    assert found["book_ends"].classes == {"ok": len(tickers)}
    assert found["book_trades"].classes["ok"] > 10
    assert set(found["book_trades"].classes) <= {"ok", "unknown"}
