"""Readers of a lake that is being written, killed, compacted and published: what they see must hold together.

A read is one question with an answer that can be wrong: rows that a version says it has against rows that are
there, a tape that never shrinks, a trade that is there once, windows called complete whose trades are there.
"""

import json
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import duckdb
import polars as pl

from warehouse import Lake
from warehouse.tables import TABLES, TRADES, WINDOWS

COMBOS: Final = "KXMVE"
ERRORS_KEPT: Final = 5
Checks = Iterator[bool]


def read_catalog(folder: Path, stop: Path, told: Path, seed: int, pause_s: float) -> None:
    """Ask the catalog as an analyst does, with DuckDB alone, until told to stop."""
    held = _Seen()

    def session(rng: Random) -> Checks:
        with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set threads = 1")
            # DuckDB takes a forked process for a person at a prompt.
            connection.execute("set enable_progress_bar = false")
            for _ in range(rng.randint(1, 4)):  # an analyst keeps a catalog open while newer ones come
                yield from _catalog_checks(connection, held, rng)
                time.sleep(pause_s * rng.random())

    _read(session, folder / "warehouse.duckdb", stop, told, seed, pause_s)


def read_pinned(folder: Path, stop: Path, told: Path, seed: int, pause_s: float) -> None:
    """Ask pinned versions with polars, new ones and old ones, until told to stop."""
    held, versions = _Seen(), []

    def session(rng: Random) -> Checks:
        lake = Lake(folder).pinned()
        versions.append(lake.versions())
        yield from _pinned_checks(lake, held, rng)
        then = rng.choice(versions)
        yield from _time_travel_checks(Lake(folder).pinned(then), held, rng)

    _read(session, folder / "warehouse.duckdb", stop, told, seed, pause_s)


class _Seen:
    """What a reader saw before: how many trades there were, and how many rows a version had."""

    def __init__(self) -> None:
        self.n_trades = 0
        self.rows_of: dict[tuple[str, int], int] = {}

    def has_not_shrunk(self, n_trades: int) -> bool:
        before, self.n_trades = self.n_trades, n_trades
        return n_trades >= before

    def is_as_before(self, table: str, version: int, n_rows: int) -> bool:
        return self.rows_of.setdefault((table, version), n_rows) == n_rows


def _catalog_checks(connection: duckdb.DuckDBPyConnection, held: _Seen, rng: Random) -> Checks:
    def ask(query: str, *values: object) -> list[tuple[Any, ...]]:
        return connection.execute(query, values).fetchall()

    snapshot = {
        name: (version, n) for name, version, n in ask("select table_name, version, n_rows from _snapshot")
    }
    for name in {"trades", *rng.sample(sorted(snapshot), 4)}:
        version, n_rows = snapshot[name]
        [(n,)] = ask(f"select count(*) from raw.{name}")
        yield n == n_rows
        yield version is None or held.is_as_before(name, version, n)
    yield held.has_not_shrunk(snapshot["trades"][1])
    dates = ask("select distinct date from raw.trades")
    if dates:
        [(day,)] = rng.sample(dates, 1)
        [(n, n_ids)] = ask(
            "select count(trade_id), count(distinct trade_id) from raw.trades where date = ?", day
        )
        yield n == n_ids
    windows = ask(
        "select start_ts, end_ts, max_by(n_rows, asked_ts) from raw.windows "
        "where resource = 'trades' and scope = 'all' and status = 'complete' group by all"
    )
    for start_ts, end_ts, n_rows in rng.sample(windows, min(2, len(windows))):
        query = (
            "select count(*) from raw.trades where event_ts >= ? and event_ts < ? and date between ? and ?"
        )
        [(n,)] = ask(query, start_ts, end_ts, start_ts.date(), end_ts.date())
        yield n >= n_rows


def _pinned_checks(lake: Lake, held: _Seen, rng: Random) -> Checks:
    for name in {"trades", *rng.sample(sorted(TABLES), 3)}:
        files = lake.files(TABLES[name])
        n = lake.scan(TABLES[name]).select(pl.len()).collect().item()
        yield n == (0 if files is None else files.files["n_rows"].sum())
        yield files is None or held.is_as_before(name, files.version, n)
        if name == "trades":
            yield held.has_not_shrunk(n)
    complete = lake.scan(WINDOWS).filter(resource="trades", scope="all", status="complete")
    latest = complete.sort("asked_ts").unique(["start_ts", "end_ts"], keep="last").collect()
    if latest.height:
        window = latest.row(rng.randrange(latest.height), named=True)
        start_ts, end_ts = window["start_ts"], window["end_ts"]
        n_there = (
            lake.scan(TRADES, dates=(start_ts.date(), end_ts.date()))
            .filter(pl.col("event_ts") >= start_ts, pl.col("event_ts") < end_ts)
            .select(pl.len())
        )
        yield n_there.collect().item() >= window["n_rows"]


def _time_travel_checks(lake: Lake, held: _Seen, rng: Random) -> Checks:
    """Look at a version of earlier: what it held then, it holds now."""
    name = rng.choice(sorted(lake.versions()))
    n = lake.scan(TABLES[name]).select(pl.len()).collect().item()
    version = lake.version(TABLES[name])
    assert version is not None
    yield held.is_as_before(name, version, n)


def _read(
    session: Callable[[Random], Checks], catalog: Path, stop: Path, told: Path, seed: int, pause_s: float
) -> None:
    """Read until the file `stop` is there, then write down how often and what was wrong."""
    rng, n_reads, wrong = Random(seed), 0, []
    while not stop.exists():
        if not catalog.exists():
            time.sleep(0.05)
            continue
        try:
            for number, is_right in enumerate(session(rng)):
                n_reads += 1
                if not is_right:
                    wrong.append(f"{session.__qualname__}: check {number} does not hold")
        except Exception:  # noqa: BLE001 - any error of a reader is a finding, and reading goes on
            wrong.append(traceback.format_exc())
        time.sleep(pause_s)
    told.write_text(json.dumps({"n_reads": n_reads, "n_wrong": len(wrong), "wrong": wrong[:ERRORS_KEPT]}))
