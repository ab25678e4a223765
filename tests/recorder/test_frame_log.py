"""The frame log: what was flushed is there, whatever happens to what was not."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.frame_logs import BEGINNING, Position, batches, cut, file_of, is_log, packed
from pipelines.recorder.errors import LogUnwritable
from pipelines.recorder.frame_log import FrameLog

SECOND = 10**9


def lines_of(folder: Path, start: Position = BEGINNING) -> list[bytes]:
    return [line for batch in batches(folder, start) for line in batch.text.splitlines()]


def a_log(folder: Path, n_batches: int) -> list[bytes]:
    """Write a log of one file, and return the bytes of each batch."""
    written = [packed(b'{"n":%d}\n' % number * (number + 1), number + 1) for number in range(n_batches)]
    folder.mkdir()
    file_of(folder, 1).write_bytes(b"".join(written))
    return written


def test_a_frame_comes_back_as_it_was_sent_with_its_time_and_connection(tmp_path: Path) -> None:
    log = FrameLog(tmp_path / "log")
    log.frame("c-1", 17, b'{"type":"ticker",\n "sid": 1}')
    log.note("recorder_ended", 18, cause="asked")
    log.close()
    frame, note = map(json.loads, lines_of(tmp_path / "log"))
    assert frame == {"recv_ns": 17, "conn": "c-1", "frame": {"type": "ticker", "sid": 1}}
    assert note == {"recv_ns": 18, "conn": "", "recorder_event": "recorder_ended", "data": {"cause": "asked"}}


def test_lines_are_on_disk_when_flush_returns_and_not_before(tmp_path: Path) -> None:
    log = FrameLog(tmp_path / "log")
    log.frame("c-1", 1, b"{}")
    assert (log.n_waiting_bytes > 0, lines_of(log.folder)) == (True, [])
    log.flush()
    assert (log.n_waiting_bytes, len(lines_of(log.folder))) == (0, 1)
    log.flush()
    assert len(list(batches(log.folder))) == 1
    log.close()


def test_a_log_goes_on_in_further_files_by_time_and_by_size(tmp_path: Path) -> None:
    """Lines at 0, 1, 2 and 3 s; a file takes 2 s: two files. Every batch is larger than 1 byte: four."""
    for name, n_files, limits in (("time", 2, {"file_ns": 2 * SECOND}), ("size", 4, {"file_bytes": 1})):
        log = FrameLog(tmp_path / name, **limits)
        for second in range(4):
            log.frame("c", second * SECOND, b"{}")
            log.flush()
        log.close()
        assert len(list(log.folder.glob("*.zst"))) == n_files
        assert [json.loads(line)["recv_ns"] // SECOND for line in lines_of(log.folder)] == [0, 1, 2, 3]


def test_reading_goes_on_from_any_place_between_batches(tmp_path: Path) -> None:
    a_log(tmp_path / "log", 4)
    every = lines_of(tmp_path / "log")
    assert len(every) == 10
    for batch in batches(tmp_path / "log"):
        assert lines_of(tmp_path / "log", batch.end) == every[batch.end.n_lines :]


def test_other_programs_read_it_too(tmp_path: Path) -> None:
    a_log(tmp_path / "log", 3)
    try:
        told = subprocess.run(["zstd", "-dc", file_of(tmp_path / "log", 1)], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("the zstd command is not installed")
    assert told.stdout.splitlines() == lines_of(tmp_path / "log")


@settings(max_examples=40)
@given(st.data(), st.integers(1, 4), st.booleans())
def test_any_cut_of_the_last_batch_loses_that_batch_and_nothing_else(
    data: st.DataObject,
    n_batches: int,
    is_filled: bool,  # noqa: FBT001 - drawn
) -> None:
    """A file system may also have made room for what never came: zeros stand there then."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "log"
        written = a_log(folder, n_batches)
        whole = b"".join(written[:-1])
        n_left = data.draw(st.integers(0, len(written[-1]) - 1))
        n_zeros = len(written[-1]) - n_left if is_filled and n_left < len(written[-1]) - 4 else 0
        file_of(folder, 1).write_bytes(whole + written[-1][:n_left] + bytes(n_zeros))
        before = [b'{"n":%d}' % number for number in range(n_batches - 1) for _ in range(number + 1)]
        assert lines_of(folder) == before
        assert cut(folder) == n_left + n_zeros
        assert file_of(folder, 1).read_bytes() == whole
        assert (lines_of(folder), cut(folder)) == (before, 0)


@settings(max_examples=40)
@given(st.data())
def test_a_damaged_byte_before_the_last_batch_is_told_and_never_read_over(data: st.DataObject) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place) / "log"
        written = a_log(folder, 3)
        content = bytearray(b"".join(written))
        at = data.draw(st.integers(0, len(content) - len(written[-1]) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        file_of(folder, 1).write_bytes(content)
        good: list[bytes] = []
        with pytest.raises(UnreadableFile, match="damaged at byte"):
            good.extend(batch.text for batch in batches(folder))
        assert len(good) == (0 if at < len(written[0]) else 1)


def test_a_missing_file_and_a_torn_one_before_the_last_are_damage(tmp_path: Path) -> None:
    written = a_log(tmp_path / "log", 2)
    file_of(tmp_path / "log", 3).write_bytes(written[0])
    with pytest.raises(UnreadableFile, match=r"000002.*needs all its files"):
        lines_of(tmp_path / "log")
    file_of(tmp_path / "log", 2).write_bytes(written[0][:-1])
    with pytest.raises(UnreadableFile, match=r"000002.*damaged at byte 0"):
        lines_of(tmp_path / "log")


def test_a_folder_with_a_log_is_never_written_again(tmp_path: Path) -> None:
    log = FrameLog(tmp_path / "log")
    with pytest.raises(LogUnwritable, match="--frames"):
        FrameLog(tmp_path / "log")
    log.close()
    log.close()
    assert is_log(tmp_path / "log")
    assert not is_log(tmp_path)
    assert cut(tmp_path / "log") == 0
