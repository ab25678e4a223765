"""The recorder before a real exchange: its books in the lake are the exchange's, or said to be unknown."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.ingest.import_ws import import_ws
from pipelines.recorder.watching import Watch
from sandbox.fault_kinds import fault
from tests.recorder.rooms import a_room, recorded, until
from tests.recorder.truth import judged
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES, TRADES

SPEED = 600
SECOND_US = 1_000_000


@pytest.mark.slow
def test_what_streams_is_in_the_lake_and_can_be_imported_again_from_the_frames(tmp_path: Path) -> None:
    with a_room(speed=SPEED) as room:
        tickers = room.active()
        recorder = room.recorder(tmp_path, Watch(tickers=tickers), per_connection=len(tickers) // 2)
        folder = asyncio.run(recorded(recorder, lambda: until(lambda: recorder.tally.n_deltas > 300)))
        lake, tally = recorder.lake, recorder.tally
        verdict = judged(lake, room.world, tickers, 10 * SPEED * SECOND_US)
    assert verdict.wrong == []
    assert (verdict.n_unknown, verdict.n_known) == (0, tally.n_deltas + tally.n_snapshots)
    assert lake.scan(BOOK_DELTAS).collect().height == tally.n_deltas
    assert lake.scan(TRADES, every_source=True).collect().height == tally.n_trades > 0
    assert lake.scan(QUOTES).collect().height > 0
    assert set(lake.scan(BOOK_GAPS).collect()["cause"]) == {"session_end"}
    again = Lake(tmp_path / "again")
    import_ws(again, [folder], observed_ts=datetime(2026, 11, 26, tzinfo=UTC))
    for table in (BOOK_DELTAS, BOOK_SNAPSHOTS, BOOK_GAPS, QUOTES, TRADES):
        scans = [each.scan(table, every_source=True).sort(table.key) for each in (lake, again)]
        rows = [each.drop("fetched_ts", strict=False).collect() for each in scans]
        assert rows[0].equals(rows[1]), table.name


@pytest.mark.slow
def test_under_losses_and_drops_a_book_in_the_lake_is_right_or_unknown(tmp_path: Path) -> None:
    """Lost and repeated frames, stalls, ended subscriptions, drops; every one of them happens."""
    misfortunes = (
        fault("ws_hole", route="orderbook_delta", chance=0.02),
        fault("ws_duplicate", route="orderbook_delta", chance=0.02),
        fault("ws_overflow", route="orderbook_delta", chance=0.003),
        fault("ws_disconnect", route="orderbook_delta", chance=0.003),
        fault("ws_stall", route="orderbook_delta", chance=0.001, for_s=1.0),
    )
    with a_room(*misfortunes, seed=11, speed=SPEED) as room:
        tickers = room.active()
        recorder = room.recorder(
            tmp_path,
            Watch(tickers=tickers),
            per_connection=len(tickers) // 2,
            habits=room.habits(silence_s=0.7),
        )
        tally = recorder.tally

        def is_enough() -> bool:
            happened = (tally.n_holes, tally.n_repeats, tally.n_ended, tally.n_disconnects)
            return tally.n_deltas > 600 and min(happened) > 0

        asyncio.run(recorded(recorder, lambda: until(is_enough, within_s=60)))
        verdict = judged(recorder.lake, room.world, tickers, 10 * SPEED * SECOND_US)
    assert verdict.wrong == []
    assert verdict.n_known > verdict.n_unknown > 0
    causes = set(recorder.lake.scan(BOOK_GAPS).collect()["cause"])
    assert {"hole", "overflow", "session_end"} <= causes
