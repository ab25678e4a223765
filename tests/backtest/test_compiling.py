"""The first run on a machine says why it stands still, and no later one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import backtest as bt
from backtest.compiling import SAID, announced
from tests.backtest.worlds import a_lake, a_market, a_quote, replayed

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_clock_says_that_it_is_compiled_and_only_then(tmp_path: Path) -> None:
    """Of the two clocks, that of plans, with a cache that is empty and then is not."""
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", "from tests.compile_kernels import plan_alone; plan_alone()"],
            check=True,
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        said.append(done.stderr)
        assert done.stdout == ""
    assert said == [SAID, ""]


def test_a_second_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Announcements inside one another are taken back, each its own."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 6_000)])
    replayed(lake, (1, "A", bt.buy_yes(1)))
    capsys.readouterr()
    with announced():
        replayed(lake, (1, "A", bt.buy_yes(1)))
    replayed(lake, (1, "A", bt.buy_yes(1)))
    assert capsys.readouterr().err == ""
