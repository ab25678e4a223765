"""From the log into the lake: in this process, or in one of its own beside it.

Making rows holds Python's one lock for long; in the process that receives, frames would wait for it, by
seconds when many come, and count as received later than they were. A recorder that is meant to last therefore
leaves it to another process. That one ends with the recorder, whatever the recorder ends of: what it leaves
undone is the next one's.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Protocol, Self

from pipelines.ingest.import_log import go_on_with_log
from pipelines.ingest.receipts import ImportReceipt
from pipelines.recorder.errors import BringerDied
from warehouse.lake import Lake

_TRIES: Final = 2
_END_S: Final = 10.0


class Bring(Protocol):
    """Makes rows of logs."""

    def __call__(self, lake: Lake, folder: Path, *, is_over: bool) -> ImportReceipt:
        """Bring what is new of a log into a lake; `is_over`: nobody writes it any more."""
        ...


def here(lake: Lake, folder: Path, *, is_over: bool) -> ImportReceipt:
    """Bring what is new of a log into a lake, in this process; raises as `go_on_with_log` does."""
    receipt = ImportReceipt("record")
    go_on_with_log(lake, folder, receipt, is_over=is_over)
    return receipt


class Apart:
    """Brings logs in a process of its own, which is started when it is needed; one log at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, lake: Lake, folder: Path, *, is_over: bool) -> ImportReceipt:
        """Bring what is new of a log.

        Raises:
            BringerDied: the process was ended twice, perhaps for want of memory.
            Exception: what `here` raises.
        """
        for _ in range(_TRIES):
            try:
                pipe = self._pipe or self._start()
                pipe.send((lake.uri, folder, is_over))
                done: ImportReceipt | Exception = pipe.recv()
            except (EOFError, OSError):
                self.close()
                continue
            if isinstance(done, Exception):
                raise done
            return done
        raise BringerDied(
            f"{folder}: the process that makes rows of it was ended {_TRIES} times; see that the machine has "
            "memory left, frames wait in the log and go in later"
        )

    def close(self) -> None:
        """End the process; what it is doing comes to its end. Twice does no harm."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very module
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._pipe = ours
        return ours


def _serve(pipe: Connection) -> None:
    """Bring one log after the other until the recorder is gone."""
    # Ctrl-C goes to both: the recorder decides when it is over.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            uri, folder, is_over = pipe.recv()
            try:
                done: ImportReceipt | Exception = here(Lake(uri), folder, is_over=is_over)
            except Exception as error:  # noqa: BLE001 - raised where somebody listens
                done = error
            pipe.send(done)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
