"""A breaker: a host that fails again and again is left alone for a while.

It counts requests that failed after all their tries, not single tries: under concurrency a two-second outage
fails a dozen tries at once, and those are what retrying is for.
"""

import time
from collections.abc import Callable
from typing import Final

from pipelines.client.errors import BreakerOpen

FAILURES_TO_OPEN: Final = 5
COOLDOWN_S: Final = 30.0


class Breaker:
    """Closed: all pass. Open: none, for `cooldown_s`. Half open: one probe, whose outcome decides.

    Args:
        host: for the message.
        failures_to_open: consecutive failed requests that open it.
        cooldown_s: seconds until a probe is let through.
        now_s: a clock that never goes back.
        on_change: hears the host and the state it is in from now on.
    """

    def __init__(
        self,
        host: str,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        cooldown_s: float = COOLDOWN_S,
        now_s: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, str], object] | None = None,
    ) -> None:
        self._host = host
        self._failures_to_open = failures_to_open
        self._cooldown_s = cooldown_s
        self._now_s = now_s
        self.on_change = on_change
        self._n_failures = 0
        self._last_failure = ""
        self._opened_s: float | None = None
        self._is_probing = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._opened_s is None:
            return "closed"
        return "half_open" if self._now_s() - self._opened_s >= self._cooldown_s else "open"

    def enter(self, path: str, *, method: str = "GET") -> bool:
        """Ask to send a request; True means that it is the probe and gets one try only.

        Raises:
            BreakerOpen: not now.
        """
        if self._opened_s is None:
            return False
        wait_s = self._opened_s + self._cooldown_s - self._now_s()
        if wait_s > 0 or self._is_probing:
            what = f"the next probe goes out in {wait_s:.1f} s" if wait_s > 0 else "a probe is under way"
            raise BreakerOpen(
                f"{method} {path}: not sent, {self._host} failed {self._n_failures} requests in a row "
                f"(last: {self._last_failure}); {what}",
                path=path,
                retry_after_s=max(wait_s, 0.0),
            )
        self._is_probing = True
        self._tell("half_open")
        return True

    def succeeded(self) -> None:
        """The host answered, be it with a 404: close."""
        self._n_failures = 0
        if self._opened_s is not None:
            self._opened_s = None
            self._tell("closed")
        self._is_probing = False

    def failed(self, reason: str, *, is_probe: bool) -> None:
        """A request failed after all its tries: count, open when it is too many, or again after a probe."""
        self._n_failures += 1
        self._last_failure = reason
        if is_probe or (self._opened_s is None and self._n_failures >= self._failures_to_open):
            self._opened_s = self._now_s()
            self._tell("open")
        if is_probe:
            self._is_probing = False

    def abandoned(self, *, is_probe: bool) -> None:
        """The request was cancelled: it says nothing about the host, but another may probe now."""
        if is_probe:
            self._is_probing = False

    def _tell(self, state: str) -> None:
        if self.on_change is not None:
            self.on_change(self._host, state)
