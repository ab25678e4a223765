"""Whether a connection that is open still carries anything.

Pings and data are watched apart: a connection was once seen with healthy pings while data had stopped for 16
minutes [KALSHI.md §10.1, field report of 2026]. The library's own keepalive is off: while a slow consumer
makes us pause, its pongs would go unread and it would end a good connection.
"""

from collections.abc import Callable
from typing import Literal

Verdict = Literal["fine", "silent", "dead"]


class Watchdog:
    """Hears frames and pings, and says when there were none for too long.

    Args:
        silence_s: seconds without a frame that are too long; None for never.
        link_s: seconds without a frame or a ping that are too long; the exchange pings every 10 s.
        now_s: a clock that never goes back, in seconds.
    """

    def __init__(self, *, silence_s: float | None, link_s: float, now_s: Callable[[], float]) -> None:
        self._silence_s = silence_s
        self._link_s = link_s
        self._now_s = now_s
        self._is_paused = False
        self.n_pings = 0
        self._frame_at_s = self._sign_at_s = now_s()

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame."""
        return self._now_s() - self._frame_at_s

    def frame(self) -> None:
        """Hear a frame."""
        self._frame_at_s = self._sign_at_s = self._now_s()
        self.n_pings = 0

    def ping(self) -> None:
        """Hear a ping."""
        self._sign_at_s = self._now_s()
        self.n_pings += 1

    def pause(self) -> None:
        """We stop reading: nothing can be heard until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """We read again; the silence was ours."""
        if self._is_paused:
            self._is_paused = False
            self._frame_at_s = self._sign_at_s = self._now_s()

    def verdict(self, *, expects_data: bool) -> Verdict:
        """Return what the silence means; without subscriptions no data is expected."""
        if self._is_paused:
            return "fine"
        if self._silence_s is not None and expects_data and self.silent_s >= self._silence_s:
            return "silent"
        return "dead" if self._now_s() - self._sign_at_s >= self._link_s else "fine"

    def next_look_s(self) -> float:
        """Return after how many seconds a limit could be reached at the earliest."""
        now_s = self._now_s()
        left_s = self._sign_at_s + self._link_s - now_s
        if self._silence_s is not None:
            left_s = min(left_s, self._frame_at_s + self._silence_s - now_s)
        return max(left_s, min(self._link_s, self._silence_s or self._link_s) / 10)
