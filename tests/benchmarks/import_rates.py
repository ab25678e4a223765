"""How quickly files that others made go into the lake: trade tapes and recorded order books."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from pipelines.ingest.import_trades import import_trades
from pipelines.ingest.import_ws import import_ws
from tests.benchmarks import made_up
from tests.benchmarks.book_lake import OBSERVED_TS, recording
from tests.benchmarks.figures import Figure, timed
from tests.benchmarks.lake_bytes import bytes_per_row
from tests.realdata import DATA
from warehouse.lake import Lake
from warehouse.tables import BOOK_DELTAS, TRADES

N_TRADES: Final = 500_000


def figures(work: Path) -> Iterator[Figure]:
    """Yield import rates and bytes per row: made-up tapes always, recorded ones where they are at hand."""
    tape = work / "tape.csv"
    _write_csv(made_up.trades(N_TRADES), tape)
    size_mb = tape.stat().st_size / 1e6
    yield from _trades(work, [tape], f"{N_TRADES:,} made-up trades of 10 days, {size_mb:.0f} MB of CSV")
    yield from _deltas(work, [recording(work)], "recording of 60 sandbox markets")
    if DATA.is_dir():
        macro = sorted((DATA / "trades").glob("*.csv.gz"))
        yield from _trades(work, macro, "real tapes of macro markets, sparse: a few trades a day for 3 years")
        quarter_hours = sorted((DATA / "ws").glob("*.jsonl.gz"))
        yield from _deltas(work, quarter_hours, "real recordings of 15-minute markets, gzipped")


def _trades(work: Path, files: list[Path], tape: str) -> Iterator[Figure]:
    lake = _fresh(work)
    took = timed(lambda: import_trades(lake, files))
    n_trades = took.result.n_rows
    assert took.result.n_quarantined == 0
    yield Figure(what="import trades", value=n_trades / took.wall_s, unit="trades/s", work=tape)
    again = timed(lambda: import_trades(lake, files))
    assert again.result.n_new == 0
    yield Figure(
        what="import them again",
        value=n_trades / again.wall_s,
        unit="trades/s",
        work=f"{tape}: nothing is new",
    )
    yield Figure(what="lake, whole row", value=bytes_per_row(lake, TRADES), unit="B/trade", work=tape)


def _deltas(work: Path, files: list[Path], stream: str) -> Iterator[Figure]:
    lake = _fresh(work)
    took = timed(lambda: import_ws(lake, files, observed_ts=OBSERVED_TS))
    n_deltas = took.result.tables[BOOK_DELTAS.name].n_new
    yield Figure(
        what="import ws", value=n_deltas / took.wall_s, unit="deltas/s", work=f"{stream}, {n_deltas:,} deltas"
    )
    yield Figure(what="lake, whole row", value=bytes_per_row(lake, BOOK_DELTAS), unit="B/delta", work=stream)
    lake.compact([BOOK_DELTAS])
    yield Figure(what="lake, compacted", value=bytes_per_row(lake, BOOK_DELTAS), unit="B/delta", work=stream)


def _fresh(work: Path) -> Lake:
    shutil.rmtree(work / "imported", ignore_errors=True)
    return Lake(work / "imported")


def _write_csv(trades: pl.DataFrame, path: Path) -> None:
    """Write a tape as others publish it: whole cents, whole contracts."""
    cents = pl.col("yes_price_cc") // 100
    trades.select(
        "trade_id",
        "ticker",
        (pl.col("count_centi") // 100).alias("count"),
        pl.col("event_ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").alias("created_time"),
        cents.alias("yes_price"),
        (100 - cents).alias("no_price"),
        "taker_side",
    ).write_csv(path)
