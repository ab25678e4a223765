"""The exchange of the week in a process of its own: a bulk source behind a real socket, told what time it is.

Whoever started it talks over a pipe: `(question, argument)` in, an answer out.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Final

from exchange.units import from_us, to_us
from sandbox.app import create_app
from sandbox.bulk import BulkSource
from sandbox.bulk_plan import BulkSize
from sandbox.fault_kinds import Fault, fault
from sandbox.faults import Faults
from sandbox.serve import Running
from tests.stories.week_truth import write_truth

TIER: Final = "prestige"
BAD_DAY: Final[tuple[Fault, ...]] = (
    fault("error", chance=0.01),
    fault("html", chance=0.003),
    fault("too_many", chance=0.003, burst=2),
    fault("reset", when="during", chance=0.005),
    fault("truncate", chance=0.005),
    fault("hang", for_s=0.2, chance=0.002),
    fault("repeat_cursor", chance=0.002, tries=1),
    fault("duplicate_rows", rows=3, chance=0.02, tries=1),
    fault("move_cutoff", hours=2, chance=0.001, limit=20),
)


@dataclass(frozen=True, slots=True)
class Time:
    """A clock that all processes of this machine read alike: it runs from an instant on, or stands there."""

    at_us: int
    since_ns: int
    is_running: bool = True

    def now_us(self) -> int:
        """Return exchange time in microseconds since 1970."""
        return self.at_us + (time.monotonic_ns() - self.since_ns) // 1_000 * self.is_running

    def now_ts(self) -> datetime:
        """Return exchange time."""
        return from_us(self.now_us())


class Leaping:
    """A source's clock that is handed another time now and then; never an earlier one."""

    def __init__(self, at: Time) -> None:
        self.at = at

    def now_us(self) -> int:
        """Return exchange time in microseconds since 1970."""
        return self.at.now_us()


def time_from(at_ts: datetime, *, is_running: bool = True) -> Time:
    """Return the clock that shows `at_ts` now."""
    return Time(to_us(at_ts), time.monotonic_ns(), is_running)


def serve(pipe: Connection, size: BulkSize, end_ts: datetime, live_days: int, at: Time, seed: int) -> None:
    """Serve until told to end, or until whoever talked to us is gone."""
    clock = Leaping(at)
    source = BulkSource(size, end_ts=end_ts, live_days=live_days, clock=clock)
    server = Running(create_app(source, tier=TIER, faults=Faults(BAD_DAY, seed)), 0)
    server.start()
    pipe.send(server.base_url)
    try:
        while True:
            question, argument = pipe.recv()
            if question == "time":
                assert argument.now_us() >= clock.now_us(), "time only runs forward"
                clock.at = argument
                pipe.send(None)
            elif question == "truth":
                pipe.send(write_truth(source, *argument))
            elif question == "seen":
                pipe.send({"requests": server.meter.requests, "faults": dict(server.faults.injected)})
            else:
                break
    except EOFError:
        pass
    finally:
        server.stop()
