"""One measured number, how it is timed, and how it is written down."""

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number: `what` in `unit`, doing `work`; a goal is a bound on the value, or absent."""

    what: str
    value: float
    unit: str
    work: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words; empty without one."""
        if self.at_least is not None:
            return f"≥ {number(self.at_least)} {self.unit}"
        return "" if self.at_most is None else f"≤ {number(self.at_most)} {self.unit}"

    @property
    def verdict(self) -> str:
        """Yes or no; empty without a goal."""
        if not self.goal:
            return ""
        is_met = self.value >= (self.at_least or 0) and self.value <= (self.at_most or float("inf"))
        return "yes" if is_met else "**no**"


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """What a call returned, and the seconds that it took: on the wall clock and of all our threads' CPU."""

    result: T
    wall_s: float
    cpu_s: float


def timed(call: Callable[[], T], *, n_times: int = 1) -> Timed[T]:
    """Call `n_times` and keep the least time: whatever else the machine does only ever adds to it.

    Of results only the last is kept: pages for the next one would cost more the more are held.
    """
    wall_s = cpu_s = math.inf
    for number_left in reversed(range(n_times)):
        gc.collect()
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        result = call()
        wall_s = min(wall_s, time.perf_counter() - began_s)
        cpu_s = min(cpu_s, time.process_time() - began_cpu_s)
        if number_left:
            del result
    return Timed(result, wall_s, cpu_s)


def number(value: float) -> str:
    """Write three significant digits for a person: 1,230,000; 45.6; 0.012."""
    if abs(value) >= 100:
        digits = len(str(int(abs(value))))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.3g}"
