"""Clocks of an exchange: one that stands, one that runs, and one that tests push forward.

All count microseconds since 1970 in exchange time. None goes back.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sandbox.errors import BadWorld

MICROSECOND = timedelta(microseconds=1)
US_NS = 1_000


class Clock(Protocol):
    """What an exchange asks for the time."""

    def now_us(self) -> int:
        """Return the exchange's time; never less than before."""
        ...


@dataclass(frozen=True, slots=True)
class Frozen:
    """A clock that stands at one instant: the exchange as it was then."""

    at_us: int

    def now_us(self) -> int:
        """Return the instant."""
        return self.at_us


class Running:
    """A clock that leaves `start_us` when it is made and runs `speed` exchange seconds a second.

    Raises:
        BadWorld: a speed that is not positive.
    """

    def __init__(
        self, start_us: int, speed: float = 1.0, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        if not 0 < speed < float("inf"):
            raise BadWorld(f"a clock cannot run {speed} times as fast as a wall clock; give more than 0")
        self._start_us = start_us
        self._speed = speed
        self._monotonic_ns = monotonic_ns
        self._started_ns = monotonic_ns()

    def now_us(self) -> int:
        """Return the start plus what has passed since, times the speed."""
        return self._start_us + int((self._monotonic_ns() - self._started_ns) * self._speed) // US_NS


class Stepped:
    """A clock that only moves when it is told to."""

    def __init__(self, start_us: int) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """Return where it was left."""
        return self._now_us

    def advance(self, by: timedelta) -> None:
        """Move forward.

        Raises:
            BadWorld: a step back.
        """
        if by < timedelta(0):
            raise BadWorld(f"a clock cannot be moved back ({by}); time only runs forward")
        self._now_us += by // MICROSECOND
