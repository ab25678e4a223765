"""A sandbox exchange that refuses to tell the trades of one window, for as long as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.units import to_us
from sandbox.app import create_app
from sandbox.serve import Running
from sandbox.world import World


@cache
def a_world(end_ts: datetime) -> World:
    """Six quiet days that end at `end_ts`; the last five are in the live tier."""
    return World(7, days=6, activity=0.2, end_ts=end_ts)


def n_trades(world: World, start_ts: datetime, end_ts: datetime) -> int:
    """Count the trades of `[start_ts, end_ts)` as the world has them."""
    first, end = world.tape(None).span(to_us(start_ts), to_us(end_ts))
    return end - first


@dataclass
class Refusal:
    """Answers 400, which no client retries, to questions about trades around `at_ts` while `is_on`."""

    at_ts: datetime
    is_on: bool = True
    asked: list[tuple[int, int]] = field(default_factory=list)  # min_ts, max_ts of every question

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return an application that listens first and refuses what it should."""

        async def listening(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].endswith("/trades"):
                query = parse_qs(scope["query_string"].decode())
                span = int(query["min_ts"][0]), int(query["max_ts"][0])
                self.asked.append(span)
                if self.is_on and span[0] <= self.at_ts.timestamp() <= span[1]:
                    refused = JSONResponse({"code": "bad_day", "message": "not today"}, status_code=400)
                    await refused(scope, receive, send)
                    return
            await app(scope, receive, send)

        return listening


@contextmanager
def refusing(world: World, refusal: Refusal) -> Iterator[str]:
    """Serve a world behind a refusal; yield its base URL."""
    app = create_app(world)
    app.add_middleware(_Wrapped, refusal=refusal)
    server = Running(app, 0)
    server.start()
    try:
        yield server.base_url
    finally:
        server.stop()


class _Wrapped:
    def __init__(self, app: ASGIApp, refusal: Refusal) -> None:
        self._app = refusal.wrap(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
