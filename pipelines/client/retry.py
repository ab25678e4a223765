"""How often and how long a request is tried: the only layer that retries requests.

A loop of our own rather than stamina's: stamina adds its jitter to an exponential wait (full jitter draws
from zero up to it, which is what keeps many clients from returning together), its hook does not learn which
attempt failed, and its sleep and clock cannot be handed in, so tests would wait for real. What remains is
twenty lines in `session.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

MAX_TRIES: Final = 6
TOTAL_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Exponential back-off with full jitter, capped in tries and in time.

    Attributes:
        max_tries: sends of one request, the first included.
        total_s: seconds spent on sends and pauses (not on waiting for budget) after which nothing is tried
            again.
        try_s: seconds one send may take, from connecting to the last byte.
        first_s: the pause after the first failure is drawn from 0 to this; it doubles from failure to
            failure.
        longest_s: and never exceeds this.
        draw: a number in [0, 1).
        sleep: how to pause, in seconds.
    """

    max_tries: int = MAX_TRIES
    total_s: float = TOTAL_S
    try_s: float = 45.0
    first_s: float = 0.5
    longest_s: float = 10.0
    draw: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def pause_s(self, n_failed: int) -> float:
        """Draw the pause after the `n_failed`-th failure."""
        return self.draw() * min(self.longest_s, self.first_s * 2.0 ** (n_failed - 1))
