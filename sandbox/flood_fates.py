"""Misfortunes of a flood: the same script as anywhere, drawn ahead instead of frame by frame.

A line of a script strikes each frame with its `chance`; here the number of frames until it next strikes is
drawn, which comes to the same and costs nothing for the frames between.
"""

import math
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from sandbox.chance import stream
from sandbox.fault_kinds import Fault
from sandbox.faults import Faults

CHANNEL: Final = "orderbook_delta"
NEVER: Final = 2**62


class Fates:
    """A script at work on all connections of a flood; the script starts now.

    Args:
        faults: the script; lines that are not about frames of books are passed over.
        injected: counts by kind what was done.
        now_s: seconds since any moment.
    """

    def __init__(self, faults: Faults, injected: Counter[str], now_s: Callable[[], float]) -> None:
        self.lines = [
            each
            for each in faults.lines
            if each.place == "frame" and each.number("chance") and fnmatchcase(CHANNEL, each.word("route"))
        ]
        self.seed = faults.seed
        self._injected = injected
        self._now_s = now_s
        self._started_s = now_s()
        self._n_struck = [0] * len(self.lines)

    def may(self, index: int, n_frames: int) -> bool:
        """Tell whether a line may strike now, a connection's `n_frames`-th frame, and count that it does."""
        line, now_s = self.lines[index], self._now_s() - self._started_s
        is_time = line.number("after_s") <= now_s < line.number("before_s")
        is_in_turn = line.number("first") <= n_frames <= line.number("last")
        if not (is_time and is_in_turn and self._n_struck[index] < line.number("limit")):
            return False
        self._n_struck[index] += 1
        self._injected[line.kind] += 1
        return True


class Fate:
    """What is in store for one connection: count `n_calm` down with every frame, and `strike` at zero."""

    def __init__(self, fates: Fates, name: str) -> None:
        self._fates = fates
        self._n_frames = 0
        self._rngs = [stream("fate", fates.seed, index, name) for index in range(len(fates.lines))]
        self._due = [self._drawn(index) for index in range(len(fates.lines))]
        self.n_calm = min(self._due, default=NEVER)

    def strike(self) -> Fault | None:
        """Return what happens to this frame, if anything does, and draw what comes next."""
        self._n_frames = min(self._due)
        struck: Fault | None = None
        for index, due in enumerate(self._due):
            if due == self._n_frames:
                self._due[index] += self._drawn(index)
                if struck is None and self._fates.may(index, self._n_frames):
                    struck = self._fates.lines[index]
        self.n_calm = min(self._due) - self._n_frames
        return struck

    def _drawn(self, index: int) -> int:
        return _frames_until(self._rngs[index], self._fates.lines[index].number("chance"))


def _frames_until(rng: Random, chance: float) -> int:
    """Return which of the next frames is the first that a line of this chance strikes, from 1 on."""
    if chance >= 1:
        return 1
    return 1 + int(math.log1p(-rng.random()) / math.log1p(-chance))
