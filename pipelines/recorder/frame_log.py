"""Writing a frame log: lines wait in memory for at most a second, then they are on disk for good.

What waits is all that a kill can lose. The format, and how it is read, is `pipelines.ingest.frame_logs`.
"""

import fcntl
import json
import os
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any, Final

from pipelines.ingest.frame_logs import LOCK, file_of, packed
from pipelines.recorder.errors import LogUnwritable

BATCH_BYTES: Final = 1 << 20
FILE_BYTES: Final = 256 << 20
FILE_NS: Final = 3_600 * 10**9


class FrameLog:
    """A new log in a folder of its own; `frame` and `note` never wait, `flush` does.

    One thread may add lines while another flushes.

    Args:
        folder: where the files go; nobody may have written a log there.
        file_bytes: about how large a file may become before the next one is begun.
        file_ns: for how long one is written to, in nanoseconds of the times that lines are noted with.

    Raises:
        LogUnwritable: the folder cannot be made, or has a log already.
    """

    def __init__(self, folder: Path, *, file_bytes: int = FILE_BYTES, file_ns: int = FILE_NS) -> None:
        self.folder = folder
        self.n_lines = self.n_written_bytes = 0
        self._file_bytes = file_bytes
        self._file_ns = file_ns
        self._waiting: list[bytes] = []
        self._n_waiting_bytes = 0
        self._last_ns = 0
        self._lines = Lock()
        self._writing = Lock()
        self._number = 0
        self._file: FileIO | None = None
        self._n_file_bytes = self._file_began_ns = 0
        try:
            folder.mkdir(parents=True)
            self._lock = (folder / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(folder.parent)
        except OSError as error:
            raise LogUnwritable(
                f"{folder}: no log can be begun there ({error.strerror}); choose another folder with --frames"
            ) from error

    @property
    def n_waiting_bytes(self) -> int:
        """How much a kill would lose now."""
        return self._n_waiting_bytes

    def frame(self, connection: str, received_ns: int, payload: bytes) -> None:
        """Add a frame as it came."""
        # A line break can only stand between tokens of JSON, where a space means the same.
        self._add(received_ns, b'{"recv_ns":%d,"conn":"%s","frame":%s}\n'
                  % (received_ns, connection.encode(), payload.replace(b"\n", b" ")))  # fmt: skip

    def note(self, event: str, at_ns: int, connection: str = "", **data: Any) -> None:  # noqa: ANN401  JSON
        """Add a note of the recorder's own."""
        line = {"recv_ns": at_ns, "conn": connection, "recorder_event": event, "data": data}
        self._add(at_ns, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def flush(self) -> None:
        """Put on disk, for good, what waits; when it returns a kill loses none of it.

        Raises:
            LogUnwritable: the disk refuses; what is there of this batch is cut off again.
        """
        with self._writing:
            with self._lines:
                lines, self._waiting = self._waiting, []
                n_bytes, last_ns = self._n_waiting_bytes, self._last_ns
            if not lines:
                return
            try:
                self._write(packed(b"".join(lines), len(lines)), last_ns)
            except OSError as error:
                raise LogUnwritable(
                    f"{self.folder}: {len(lines):,} lines could not be written ({error.strerror}); make room "
                    "and start again, what was written before is whole"
                ) from error
            with self._lines:
                self._n_waiting_bytes -= n_bytes

    def close(self) -> None:
        """Flush, and let others have the log; twice does no harm."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._lock.close()

    def _add(self, at_ns: int, line: bytes) -> None:
        with self._lines:
            self._waiting.append(line)
            self._n_waiting_bytes += len(line)
            self._last_ns = at_ns
            self.n_lines += 1

    def _write(self, batch: bytes, at_ns: int) -> None:
        is_due = self._n_file_bytes >= self._file_bytes or at_ns - self._file_began_ns >= self._file_ns
        if self._file is None or is_due:
            self._next_file(at_ns)
        assert self._file is not None
        try:
            left = memoryview(batch)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), self._n_file_bytes)
            raise
        self._n_file_bytes += len(batch)
        self.n_written_bytes += len(batch)

    def _next_file(self, at_ns: int) -> None:
        if self._file is not None:
            self._file.close()
        self._number += 1
        self._file = FileIO(file_of(self.folder, self._number), "xb")
        self._n_file_bytes, self._file_began_ns = 0, at_ns
        _sync_folder(self.folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
