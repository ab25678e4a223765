"""Several processes write one lake, and some of them die."""

import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.writer import batch
from warehouse import Lake
from warehouse.tables import TRADES

ROOT = Path(__file__).resolve().parents[2]


def start_writer(lake: Path, *, first: int, n_batches: int, size: int) -> "subprocess.Popen[str]":
    """Start a writer and leave it to its work."""
    command = [sys.executable, "-m", "tests.warehouse.writer", str(lake)]
    command += [str(each) for each in (first, n_batches, size)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(writer: "subprocess.Popen[str]") -> None:
    """Wait for a writer and insist that it ended well."""
    _, said = writer.communicate(timeout=120)
    assert writer.returncode == 0, said


def rows_by_batch(lake: Path) -> dict[int, int]:
    """Return how many rows of each batch are in the lake."""
    trades = Lake(lake).scan(TRADES).select(pl.col("trade_id").str.split("-").list.first().cast(pl.Int64))
    return dict(trades.group_by("trade_id").len().collect().iter_rows())


@pytest.mark.slow
def test_two_processes_that_write_different_windows_lose_nothing(tmp_path: Path) -> None:
    """Both make the table at the same moment, then commit 6 batches each: 12 batches of 40 rows."""
    lake = tmp_path / "lake"
    writers = [start_writer(lake, first=first, n_batches=6, size=40) for first in (0, 6)]
    for writer in writers:
        finish(writer)
    assert rows_by_batch(lake) == dict.fromkeys(range(12), 40)


@pytest.mark.slow
def test_two_processes_that_write_the_same_window_store_it_once(tmp_path: Path) -> None:
    """Each batch twice, at the same time: every trade is there once."""
    lake = tmp_path / "lake"
    writers = [start_writer(lake, first=0, n_batches=6, size=40) for _ in range(2)]
    for writer in writers:
        finish(writer)
    trades = Lake(lake).scan(TRADES).collect()
    assert trades.height == trades["trade_id"].n_unique() == 240


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_batches_and_a_lake_that_goes_on(tmp_path: Path) -> None:
    """Trap 43: SIGKILL at six random instants of commits: every batch is there whole or not at all.

    Every other writer may finish one commit first, so that there is something to damage.
    What a writer said was done stays done; the next writer picks up where the lake stands.
    """
    lake, rng, done = tmp_path / "lake", random.Random(20261122), 0
    for turn in range(6):
        writer = start_writer(lake, first=done, n_batches=200, size=50)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "go\n"
        first = writer.stdout.readline() if turn % 2 else ""
        time.sleep(rng.uniform(0.0, 0.4))
        writer.kill()
        rest, _ = writer.communicate(timeout=60)
        stored = rows_by_batch(lake)
        assert set(stored.values()) <= {50}
        assert set(stored) == set(range(len(stored)))
        promised = [int(line) for line in (first + rest).split()]
        assert set(promised) <= set(stored)
        done = len(stored)
    assert done >= 3
    Lake(lake).commit(TRADES, batch(done, 50))
    assert len(rows_by_batch(lake)) == done + 1


@pytest.mark.slow
def test_a_reader_sees_whole_batches_while_another_process_writes(tmp_path: Path) -> None:
    """Readers are never blocked and never see half a commit."""
    lake = tmp_path / "lake"
    Lake(lake).commit(TRADES, batch(0, 50))
    writer = start_writer(lake, first=1, n_batches=10, size=50)
    n_seen = [0]
    while writer.poll() is None:
        stored = rows_by_batch(lake)
        assert set(stored.values()) == {50}
        n_seen.append(len(stored))
    finish(writer)
    assert n_seen == sorted(n_seen)
    assert len(rows_by_batch(lake)) == 11
