"""A sandbox that streams, a recorder before it, and what the sandbox's own books were at any instant."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from exchange.units import to_us
from pipelines.client import Client, Retry, Settings
from pipelines.recorder.recording import Pace, Recorder
from pipelines.recorder.shard import Habits
from pipelines.recorder.watching import Watch
from sandbox.faults import Faults
from sandbox.serve import Running, running
from sandbox.world import DEFAULT_END_TS, World
from tests.client.keys import KEY_ID, pem, public_pem
from warehouse import Lake

QUICK = Retry(first_s=0.01, longest_s=0.02, max_tries=1_000)


@dataclass(slots=True)
class SharedClock:
    """A clock that runs `speed` times as fast as ours; a copy in another process says the same."""

    start_us: int
    speed: float
    began_ns: int

    def now_us(self) -> int:
        return self.start_us + int((time.monotonic_ns() - self.began_ns) * self.speed) // 1_000

    def jump(self, by: timedelta) -> None:
        """Skip some time; copies elsewhere do not."""
        self.start_us += by // timedelta(microseconds=1)

    def now_ns(self) -> int:
        return self.now_us() * 1_000


@dataclass(frozen=True, slots=True)
class Room:
    """A running sandbox, and how to get in."""

    world: World
    clock: SharedClock
    server: Running
    settings: Settings

    def active(self, n: int | None = None) -> list[str]:
        """Return the markets that are open now, the first `n` of them."""
        return sorted(each.ticker for each in self.world.markets() if each.status == "active")[:n]

    def habits(self, **more: Any) -> Habits:  # noqa: ANN401  Habits' own
        """Return habits with the exchange's own clock, so that event and receive times belong together."""
        return Habits(retry=QUICK, refused_pause_s=0.05, now_ns=self.clock.now_ns, **more)

    def recorder(self, folder: Path, watch: Watch, **more: Any) -> Recorder:  # noqa: ANN401  its own
        """Return a recorder that commits often and pauses for no time."""
        options: dict[str, Any] = {
            "pace": Pace(commit_s=0.3, relist_s=0.3, state_s=0.2),
            "habits": self.habits(),
        }
        return Recorder(
            client=Client(self.settings),
            lake=Lake(folder / "lake"),
            frames=folder / "frames",
            watch=watch,
            **options | more,
        )


@contextmanager
def a_room(
    *faults: object, seed: int = 0, activity: float = 0.25, speed: float = 600.0, hours: float = 30.0
) -> Iterator[Room]:
    """Serve a world whose clock runs `speed` times as fast as ours, from `hours` before its end on."""
    start_us = to_us(DEFAULT_END_TS - timedelta(hours=hours))
    clock = SharedClock(start_us, speed, time.monotonic_ns())
    world = World(7, activity=activity, clock=clock)
    key = pem("ed25519")
    script = Faults(tuple(faults), seed=seed)  # type: ignore[arg-type]  # faults, made in the tests
    with running(world, tier="prestige", keys={KEY_ID: public_pem(key)}, faults=script) as server:
        yield Room(world, clock, server, Settings(base_url=server.base_url, key_id=KEY_ID, private_key=key))


async def recorded(recorder: Recorder, story: Callable[[], Awaitable[None]]) -> Path:
    """Record while a story is told; return the folder of the log."""
    stop = asyncio.Event()
    async with recorder.client:
        task = asyncio.create_task(recorder.run(stop))
        telling = asyncio.ensure_future(story())
        await asyncio.wait([task, telling], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        if not telling.done():
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        folder = await task
        if not telling.cancelled():
            telling.result()
        return folder


async def until(is_so: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 - what is waited for knows nothing of us
            await asyncio.sleep(0.02)
