"""Recorded books of the real exchange, from the recorder's file to the last micro-dollar."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import backtest as bt
from pipelines.ingest.import_ws import import_ws
from tests.backtest.worlds import assert_conserved
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.tables import BOOK_SNAPSHOTS

RECORDING = DATA / "ws" / "shadow_forward_20260511T053112Z-47457a12.jsonl.gz"


@pytest.mark.slow
@needs_real_data
def test_recorded_books_fill_settle_and_conserve_cash(tmp_path: Path) -> None:
    """KXBTC15M on 2026-05-11: buy YES and NO in turn; the identity holds, large orders walk the book."""
    lake = Lake(tmp_path / "lake")
    import_ws(
        lake,
        [RECORDING],
        observed_ts=datetime(2026, 5, 14, tzinfo=UTC),
        markets=DATA / "ws" / "ws_markets.csv",
    )
    books = lake.scan(BOOK_SNAPSHOTS).select("ticker", known_ts="captured_ts").collect()
    rows = pl.concat([books, lake.quotes().select("ticker", "known_ts").collect()])
    is_even = pl.int_range(pl.len()) % 2 == 0
    wish = pl.when(is_even).then(bt.buy_yes(bt.param("n"))).otherwise(bt.buy_no(bt.param("n")))
    run = bt.run(
        rows.lazy().select("ticker", "known_ts", intent=wish),
        lake,
        fills="book",
        latency="1ms",
        cash=1_000_000,
        params={"n": [1, 5_000]},
        payout_delay="5m",
        fees=bt.assume_fees("quadratic"),
    )
    assert_conserved(run)
    assert run.fills.height > run.orders.height  # large orders walk several levels
    assert set(run.fills["evidence"]) == {"book"}
    assert (run.summary["cash_end_micros"] >= 0).all()
    assert (
        run.fills.join(run.coverage, on="ticker").filter(pl.col("fill_ts") >= pl.col("close_ts")).is_empty()
    )
