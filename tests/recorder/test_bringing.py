"""Rows are made beside the recorder: the same rows, the same errors, and no process is left behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.ingest.errors import UnreadableFile
from pipelines.recorder.bringing import Apart, here
from pipelines.recorder.frame_log import FrameLog
from warehouse import Lake
from warehouse.tables import BOOK_SNAPSHOTS

BEGUN_NS = 1_784_466_000_000_000_000
SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":1,"seq":1,'
    b'"msg":{"market_ticker":"KXA-1","yes_dollars_fp":[["0.4000","10.00"]]}}'
)

pytestmark = pytest.mark.slow


def a_log(folder: Path) -> Path:
    log = FrameLog(folder)
    log.frame("c-1", BEGUN_NS, SNAPSHOT)
    log.close()
    return folder


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    """Share one process: starting it takes a second."""
    with Apart() as made:
        yield made


def test_a_process_beside_brings_the_same_rows_and_says_so(tmp_path: Path, apart: Apart) -> None:
    near, far = Lake(tmp_path / "near"), Lake(tmp_path / "far")
    done = apart(far, a_log(tmp_path / "frames" / "1"), is_over=True)
    again = apart(far, tmp_path / "frames" / "1", is_over=True)
    expected = here(near, a_log(tmp_path / "frames" / "2"), is_over=True)
    assert done.tables == expected.tables
    assert (done.n_new, again.n_new) == (2, 0)  # the book, and that its session ended
    assert far.scan(BOOK_SNAPSHOTS).collect()["ticker"].to_list() == ["KXA-1"]


def test_what_goes_wrong_beside_is_raised_here_and_the_next_log_goes_in(tmp_path: Path, apart: Apart) -> None:
    broken, whole = a_log(tmp_path / "1"), a_log(tmp_path / "2")
    text = (broken / "000001.jsonl.zst").read_bytes()
    (broken / "000001.jsonl.zst").write_bytes(b"x" + text + text)
    with pytest.raises(UnreadableFile, match="damaged at byte 0"):
        apart(Lake(tmp_path / "lake"), broken, is_over=True)
    assert apart(Lake(tmp_path / "lake"), whole, is_over=True).n_new == 2


def test_a_process_that_was_killed_is_started_again_and_none_is_left(tmp_path: Path, apart: Apart) -> None:
    lake, log = Lake(tmp_path / "lake"), a_log(tmp_path / "1")
    apart(lake, log, is_over=False)
    first = _child()
    os.kill(first, signal.SIGKILL)
    assert apart(lake, log, is_over=True).n_new == 1  # that the session ended
    second = _child()
    apart.close()
    assert second != first
    assert not Path(f"/proc/{second}").exists()


def _child() -> int:
    """Return the process that brings."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ours = [each for each in listed if b"bringing" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return int(ours[-1])
