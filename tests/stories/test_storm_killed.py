"""A pull that is killed in the middle of a storm, again and again: what is left of it goes on."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Final

import pytest
from polars.testing import assert_frame_equal

from sandbox import Running, running
from tests.stories.storm import END_TS, ROOT, a_storm, a_world, n_traded, pulled, rows
from warehouse import Lake

pytestmark = pytest.mark.slow

DAYS: Final = 6
START_TS: Final = END_TS - timedelta(days=DAYS - 1)
N_KILLS: Final = 3
START_S: Final = 60.0


def killed_after(server: Running, lake: Lake, *, n_requests: int, pause_s: float) -> int:
    """Start a program that pulls, kill it some time after so many requests more, and return how it ended."""
    until = server.meter.requests + n_requests
    span = (START_TS.isoformat(), END_TS.isoformat())
    pulling = subprocess.Popen(
        [sys.executable, "-m", "tests.stories.storm", "--pull", server.base_url, lake.place.uri, *span],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + START_S
    while server.meter.requests < until and pulling.poll() is None:
        assert time.monotonic() < deadline_s, "it never asked that often"
        time.sleep(0.001)
    time.sleep(pause_s)
    pulling.kill()
    return pulling.wait()


@pytest.mark.long
def test_a_pull_that_is_killed_again_and_again_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL at three seeded instants; then the rest comes through the same storm, nothing twice or lost."""
    world, draw = a_world(DAYS), Random(7)
    lake, calm = Lake(tmp_path / "lake"), Lake(tmp_path / "calm")
    with running(world, tier="prestige") as server:
        assert not pulled(server.base_url, calm, start=START_TS, end=END_TS).failed
    n_kept = [0]
    with running(world, tier="prestige", faults=a_storm()) as server:
        for _ in range(N_KILLS):
            n_requests, pause_s = draw.randrange(10, 60), draw.uniform(0, 0.1)
            assert killed_after(server, lake, n_requests=n_requests, pause_s=pause_s) == -SIGKILL
            n_kept.append(rows(lake).height if lake.exists() else 0)
        pulled(server.base_url, lake, syncs=8, start=START_TS, end=END_TS, page_size=200)
    assert n_kept == sorted(n_kept)
    assert 0 < n_kept[-1] < rows(calm).height
    assert rows(calm).height == n_traded(world, START_TS, END_TS)
    assert_frame_equal(rows(lake), rows(calm))
    assert lake.is_complete("trades", "all", START_TS, END_TS)
