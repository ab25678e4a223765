"""A sandbox whose clock stands until a test moves it, and that can be told to answer otherwise."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.units import to_us
from pipelines.client import Budget, Client, Retry, Settings
from pipelines.poller.polling import Pace, Poller
from pipelines.recorder.watching import Watch
from sandbox.app import create_app
from sandbox.gate import PREFIX
from sandbox.serve import Running
from sandbox.world import DEFAULT_END_TS, World
from tests.recorder.rooms import SharedClock, until
from warehouse import Lake

IMPATIENT = Retry(max_tries=2, first_s=0.01, longest_s=0.01)
OFTEN = Pace(every_s=0.1, relist_s=0.3, commit_s=0.1, state_s=0.2)
CLOSING = "KXSIMBTC15M-26FEB271205-05"
Answer = Callable[[Request], Response]


@dataclass
class House:
    """A running sandbox; `answers` to paths such as /markets/orderbooks take its place while they are set."""

    world: World
    clock: SharedClock
    server: Running
    answers: dict[str, Answer] = field(default_factory=dict)

    def staying(self, n: int = 1) -> list[str]:
        """Return markets that stay open for hours."""
        later_ts = self.world.now_ts + timedelta(hours=3)
        open_ = [each for each in self.world.markets() if each.status == "active"]
        return sorted(each.ticker for each in open_ if each.close_ts and each.close_ts > later_ts)[:n]

    def client(self, base_url: str | None = None) -> Client:
        settings = Settings(base_url=base_url or self.server.base_url)
        return Client(settings, budget=Budget.for_tier("prestige"), retry=IMPATIENT)

    def poller(self, folder: Path, *tickers: str, **more: Any) -> Poller:  # noqa: ANN401  its own
        options: dict[str, Any] = {"pace": OFTEN, "watch": Watch(tickers=tickers)}
        return Poller(
            client=self.client(), lake=Lake(folder / "lake"), marks=folder / "marks", **options | more
        )


@contextmanager
def a_house(*, hours: float = 60.0) -> Iterator[House]:
    """Serve a world as it is `hours` before its end; at 60, CLOSING closes five minutes later."""
    start_us = to_us(DEFAULT_END_TS - timedelta(hours=hours))
    clock = SharedClock(start_us, 0.001, time.monotonic_ns())
    world = World(7, days=6, activity=0.02, clock=clock)
    app = create_app(world, tier="prestige")
    answers: dict[str, Answer] = {}
    app.add_middleware(_Otherwise, answers=answers)
    server = Running(app, 0)
    server.start()
    try:
        yield House(world, clock, server, answers)
    finally:
        server.stop()


async def polled(poller: Poller, story: Callable[[], Awaitable[None]]) -> None:
    """Poll while a story is told, then stop in order."""
    stop = asyncio.Event()
    async with poller.client:
        task = asyncio.create_task(poller.run(stop))
        telling = asyncio.ensure_future(story())
        await asyncio.wait([task, telling], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.gather(task, telling)


async def rounds(poller: Poller, more: int) -> None:
    """Wait until so many rounds are over from now on."""
    wanted = poller.tally.n_rounds + more
    await until(lambda: poller.tally.n_rounds > wanted)


def refusing(status: int) -> Answer:
    """Return what answers everything with an error."""
    return lambda _: JSONResponse({"code": "refused", "message": "not this"}, status_code=status)


class _Otherwise:
    def __init__(self, app: ASGIApp, answers: dict[str, Answer]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["path"].removeprefix(PREFIX)) if scope["type"] == "http" else None
        await (self._app if answer is None else answer(Request(scope)))(scope, receive, send)
