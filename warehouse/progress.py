"""How long work tells where it stands: bars on a terminal, plain lines in a log, nothing at all."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

LINE_EVERY_S: Final = 5.0


class Progress(Protocol):
    """Called as work advances; `total` is None where nobody knows it."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Say that `done` of `total` steps of a stage are finished."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


@contextmanager
def terminal_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Show bars when the stream (stderr) is a terminal, else a line per stage and every few seconds."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield _Lines(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=Console(file=stream)) as bars:

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


class _Lines:
    """Prints the first and last step of each stage, and one in between every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said_s: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now_s = time.monotonic()
        is_last = total is not None and done >= total
        if not is_last and now_s - self._said_s.get(stage, float("-inf")) < LINE_EVERY_S:
            return
        self._said_s[stage] = now_s
        print(
            f"{stage}: {done}" + (f" of {total}" if total is not None else ""), file=self._stream, flush=True
        )
