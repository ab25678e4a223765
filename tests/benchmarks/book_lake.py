"""Recorded books: the busiest markets of a sandbox world, written by its recorder, and a lake of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.ingest.import_ws import import_ws
from sandbox import World
from sandbox.recording import write_recording
from warehouse import Lake

SEED: Final = 7
N_MARKETS: Final = 60
OBSERVED_TS: Final = datetime(2026, 11, 1, tzinfo=UTC)


def recording(work: Path) -> Path:
    """Return a recording of the busiest markets under `work`, writing it if nobody has yet."""
    path = work / "recording.jsonl"
    if not path.exists():
        world = World(SEED)
        by_trades = sorted(world.histories().items(), key=lambda each: -len(each[1].prints))
        write_recording(world, path, [ticker for ticker, _ in by_trades[:N_MARKETS]])
    return path


def book_lake(work: Path) -> Lake:
    """Return a lake of that recording, importing it if nobody has yet."""
    lake = Lake(work / "books")
    if not lake.exists():
        import_ws(lake, [recording(work)], observed_ts=OBSERVED_TS)
    return lake
