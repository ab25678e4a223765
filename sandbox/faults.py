"""A seeded script of misfortunes, and what it has in store for each request.

A draw depends on the seed, the line of the script, the request itself (method, path, query) and on how many
times just this request came before: the same page meets the same fate in whatever order pages are asked for.
"""

import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from sandbox.errors import BadFaults
from sandbox.fault_kinds import Fault

REMEMBERED: Final = 100_000  # different requests whose repetitions are counted; the oldest are forgotten
FULL: Final = 2**64


@dataclass(frozen=True, slots=True)
class Faults:
    """A script: its lines in order, and the seed of its draws. Without lines nothing goes wrong."""

    lines: tuple[Fault, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for line in self.lines:
            if not isinstance(line, Fault):
                raise BadFaults(f"{line!r} is no fault; make one with fault(kind, key=value, …)")


CALM: Final = Faults()


class Line:
    """One line at work: what it has seen, how often it struck."""

    def __init__(self, index: int, made: Fault, start: float) -> None:
        self.fault = made
        self.index = index
        self._start = start  # of its share of the draw that all faults of place `instead` have in common
        self._route = _pattern(made.word("route"))
        self._method = made.word("method").upper()
        self._n_seen = 0
        self._n_struck = 0
        self._burst_left = 0
        self._burst_end_s = 0.0
        self._is_on = False

    def strikes(self, method: str, path: str, *, draw: float, nth: int, now_s: float) -> bool:
        """Tell whether this request, made for the `nth` time, is struck, and remember that it was."""
        if self._method not in {"*", method} or not self._route.fullmatch(path):
            return False
        self._n_seen += 1
        made = self.fault
        is_time = made.number("after_s") <= now_s < made.number("before_s")
        if not is_time or not made.number("first") <= self._n_seen <= made.number("last"):
            self._is_on = False
            return False
        if self._is_on:
            return True
        if self._n_struck >= made.number("limit"):
            return False
        is_in_burst = self._burst_left > 0 or now_s < self._burst_end_s
        if is_in_burst:
            self._burst_left -= 1
        elif nth > made.number("tries") or (draw - self._start) % 1.0 >= made.number("chance"):
            return False
        else:
            self._begin(now_s)
        self._n_struck += 1
        return True

    def give_back(self) -> None:
        """Forget a strike that could not be carried out."""
        self._n_struck -= 1

    def _begin(self, now_s: float) -> None:
        if self.fault.kind == "too_many":
            self._burst_left = self.fault.whole("burst") - 1
            self._burst_end_s = now_s + self.fault.number("burst_s")
        self._is_on = self.fault.kind == "budget"


@dataclass(frozen=True, slots=True)
class Fate:
    """What is in store for one request: at most one fault instead of its answer, and any number on it.

    `key` names the request and which time it is, for draws that are still to be made.
    """

    instead: Line | None
    others: tuple[Line, ...]
    key: str

    def of(self, kind: str) -> Line | None:
        """Return the first line of a kind."""
        return next((line for line in self.others if line.fault.kind == kind), None)


class Misfortune:
    """A script at work in one app; `now_s` counts seconds since any moment, and the script starts now.

    `injected` counts by kind what was done to requests and frames; what did not apply (a cursor to repeat
    on a page without one) is not counted.
    """

    def __init__(self, faults: Faults, now_s: Callable[[], float]) -> None:
        self.injected: Counter[str] = Counter()
        self.seed = faults.seed
        self._now_s = now_s
        self._started_s = now_s()
        self._times: OrderedDict[Hashable, int] = OrderedDict()
        self._lines: list[Line] = []
        start = 0.0
        for index, made in enumerate(faults.lines):
            is_instead = made.place == "instead"
            self._lines.append(Line(index, made, start if is_instead else 0.0))
            if is_instead:
                start += made.number("chance")
        self._on_requests = [line for line in self._lines if line.fault.place != "frame"]
        self._on_frames = [line for line in self._lines if line.fault.place == "frame"]

    def __bool__(self) -> bool:
        """Tell whether there is a script at all."""
        return bool(self._lines)

    def lines(self, kind: str) -> list[Fault]:
        """Return the lines of a kind."""
        return [line.fault for line in self._lines if line.fault.kind == kind]

    def request(self, method: str, path: str, query: str) -> Fate:
        """Draw what happens to a request; `path` is below /trade-api/v2."""
        key = f"{method} {path}?{query}"
        nth, now_s = self._nth(key), self._now_s() - self._started_s
        shared = self.draw("instead", key, nth)
        instead: Line | None = None
        others: list[Line] = []
        for line in self._on_requests:
            is_instead = line.fault.place == "instead"
            if is_instead and instead is not None:
                continue
            if line.fault.kind == "late_trades":
                draw = 0.0  # drawn trade by trade, when the page is there
            else:
                draw = shared if is_instead else self.draw(line.index, key, nth)
            if not line.strikes(method, path, draw=draw, nth=nth, now_s=now_s):
                continue
            if is_instead:
                instead = line
            else:
                others.append(line)
        return Fate(instead, tuple(others), f"{key} {nth}")

    def frame(self, channel: str, stream: str) -> Fault | None:
        """Draw what happens to the next data frame of a channel; `stream` names connection and sid.

        The `route` of a WebSocket's fault is a pattern of channels. What is returned counts as done.
        """
        nth, now_s = self._nth((channel, stream)), self._now_s() - self._started_s
        for line in self._on_frames:
            draw = self.draw(line.index, f"{channel} {stream}", nth)
            if line.strikes("*", channel, draw=draw, nth=1, now_s=now_s):
                self.injected[line.fault.kind] += 1
                return line.fault
        return None

    def draw(self, *names: object) -> float:
        """Return a number of `[0, 1)` that belongs to these names and the seed."""
        text = "/".join(str(name) for name in (self.seed, *names))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / FULL

    def done(self, line: Line) -> None:
        """Count a fault that was carried out."""
        self.injected[line.fault.kind] += 1

    def _nth(self, key: Hashable) -> int:
        """Return how often this came, this time included."""
        nth = self._times.pop(key, 0) + 1
        self._times[key] = nth
        if len(self._times) > REMEMBERED:
            self._times.popitem(last=False)
        return nth


def _pattern(route: str) -> re.Pattern[str]:
    """Return the pattern of a route: `*` is any text, `{name}` one part of the path."""
    parts = re.split(r"(\*|\{[^}]*\})", route)
    return re.compile("".join(_translated(part) for part in parts), re.DOTALL)


def _translated(part: str) -> str:
    if part == "*":
        return ".*"
    return "[^/]+" if part.startswith("{") else re.escape(part)
