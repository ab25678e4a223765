"""A lake served by the sandbox and synced into another lake: nothing is lost on the way."""

import asyncio
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.client import Client, Settings
from pipelines.ingest.import_trades import import_trades
from pipelines.ingest.sync import sync
from sandbox.serve import running
from tests.ingest.made_files import a_tape, a_trade
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.archive import LakeSource
from warehouse.tables import TRADES

pytestmark = pytest.mark.slow


def synced_copy(original: Lake, copy: Lake, page_size: int) -> None:
    """Serve a lake and sync all its trades into another one."""
    times = original.scan(TRADES).select(first=pl.col("event_ts").min(), last=pl.col("event_ts").max())
    first_ts, last_ts = times.collect().row(0)

    async def syncing(base_url: str) -> None:
        async with Client(Settings(base_url=base_url, tier="prestige")) as client:
            end_ts = last_ts + timedelta(seconds=1)
            asked = {"start": first_ts, "end": end_ts, "every": timedelta(days=30), "page_size": page_size}
            await sync(client, copy, ["trades"], **asked)

    with running(LakeSource(original), tier="prestige") as served:
        asyncio.run(syncing(served.base_url))


def content(lake: Lake) -> pl.DataFrame:
    facts = [name for name in TRADES.polars_schema if name not in ("source", "fetched_ts")]
    return lake.scan(TRADES).select(facts).sort("trade_id").collect()


def test_an_imported_tape_comes_back_row_for_row(tmp_path: Path) -> None:
    """Twenty trades in one second and fractional counts, in pages of three: the same trades."""
    original, copy = Lake(tmp_path / "original"), Lake(tmp_path / "copy")
    rows = [
        a_trade(f"t-{n}", count=f"{n}.0{n % 9}", created_time=f"2025-07-19T14:22:{42 + n // 20}.5Z")
        for n in range(1, 60)
    ]
    import_trades(original, [a_tape(tmp_path / "tape.csv", *rows)])
    synced_copy(original, copy, 3)
    assert content(copy).equals(content(original))
    assert content(copy).height == 59


@needs_real_data
@pytest.mark.parametrize(
    ("page_size", "tapes", "n_trades"),
    [
        (1_000, ("payrolls", "gdp_end_of_year"), 16_281 + 1_305),
        pytest.param(100, ("unemployment", "payrolls", "gdp_end_of_year"), 42_389, marks=pytest.mark.long),
    ],
)
def test_the_real_tapes_come_back_row_for_row(
    tmp_path: Path, page_size: int, tapes: tuple[str, ...], n_trades: int
) -> None:
    """Years of trades over HTTP: equal in every column but their origin."""
    original, copy = Lake(tmp_path / "original"), Lake(tmp_path / "copy")
    import_trades(original, [DATA / "trades" / f"trades_{name}.csv.gz" for name in tapes])
    synced_copy(original, copy, page_size)
    assert content(copy).height == n_trades
    assert content(copy).equals(content(original))
