"""A scripted WebSocket on loopback with an encoder of its own: a test says, step by step, what it does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from pipelines.client import Client, Settings
from pipelines.client.stream import Feed, Item, Stream
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import patient

T = TypeVar("T")
Json = dict[str, Any]
PATH = "/trade-api/ws/v2"
A, B, C = "KXA-1-Y", "KXB-1-Y", "KXC-1-Y"
BOOKS = Feed("orderbook_delta", (A, B))


@dataclass(frozen=True, slots=True)
class Denial:
    """An answer to a handshake that is not a connection; `date_s` shifts its clock."""

    status: int
    clock_ahead_s: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Peer:
    """The exchange's end of one connection."""

    def __init__(self, socket: ServerConnection, number: int, heard: list[Json]) -> None:
        self.socket = socket
        self.number = number
        self._heard = heard

    async def hear(self) -> Json:
        """Return the next command."""
        command: Json = json.loads(await self.socket.recv())
        self._heard.append(command)
        return command

    async def say(self, kind: str, *, msg: Any = None, **envelope: Any) -> None:  # noqa: ANN401  JSON
        await self.socket.send(json.dumps({"type": kind, **envelope, "msg": msg}))

    async def subscribed(self, sid: int = 1) -> Json:
        """Hear a subscribe command and confirm it."""
        command = await self.hear()
        assert command["cmd"] == "subscribe"
        (channel,) = command["params"]["channels"]
        await self.say("subscribed", id=command["id"], msg={"channel": channel, "sid": sid})
        return command

    async def snapshot(self, seq: int, ticker: str = A, *, sid: int = 1, **more: Any) -> None:  # noqa: ANN401
        await self.say("orderbook_snapshot", sid=sid, seq=seq, msg=a_snapshot(ticker), **more)

    async def delta(self, seq: int, ticker: str = A, *, sid: int = 1) -> None:
        await self.say("orderbook_delta", sid=sid, seq=seq, msg=a_delta(ticker))

    async def ok(self, command: Json, seq: int, *, sid: int = 1, **msg: Any) -> None:  # noqa: ANN401  JSON
        await self.say("ok", id=command["id"], sid=sid, seq=seq, msg=msg)

    async def refuse(self, command: Json, code: int, said: str = "no") -> None:
        await self.say("error", id=command["id"], msg={"code": code, "msg": said})

    async def stay(self) -> None:
        """Say nothing more, and wait for the other end to go."""
        await self.socket.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """A running server: how often it was visited, and with what."""

    port: int = 0
    handshakes: list[Request] = field(default_factory=list)
    heard: list[Json] = field(default_factory=list)
    n_connections: int = 0

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"

    @property
    def commands(self) -> list[tuple[str, Json]]:
        """Every command that was heard, without its id."""
        return [(one["cmd"], one.get("params", {})) for one in self.heard]

    def client(self, *, has_key: bool = True, **options: Any) -> Client:  # noqa: ANN401  Client's own
        key = {"key_id": KEY_ID, "private_key": pem("ed25519")} if has_key else {}
        settings = Settings(base_url=f"http://127.0.0.1:{self.port}/trade-api/v2", ws_url=self.ws_url, **key)
        return Client(settings, **options)

    def stream(self, *feeds: Feed, has_key: bool = True, **options: Any) -> Stream:  # noqa: ANN401  Stream's
        """Return a stream that pauses for no time."""
        return self.client(has_key=has_key).stream(*feeds, **{"retry": patient(max_tries=20)} | options)


@asynccontextmanager
async def exchange(
    script: Script,
    *,
    denials: list[Denial] | None = None,
    **options: Any,  # noqa: ANN401  serve's own
) -> AsyncIterator[Exchange]:
    """Run a server that lives through `script` with everyone who comes in, after it denied some."""
    running = Exchange()
    left = [] if denials is None else denials

    def door(connection: ServerConnection, request: Request) -> Response | None:
        running.handshakes.append(request)
        if not left:
            return None
        denial = left.pop(0)
        response = connection.respond(denial.status, "no\n")
        del response.headers["Date"]
        at_ts = datetime.now(UTC) + timedelta(seconds=denial.clock_ahead_s)
        response.headers["Date"] = format_datetime(at_ts, usegmt=True)
        for name, value in denial.headers.items():
            response.headers[name] = value
        return response

    async def visit(socket: ServerConnection) -> None:
        running.n_connections += 1
        try:
            await script(Peer(socket, running.n_connections, running.heard))
        except ConnectionClosed:
            return

    async with serve(visit, "127.0.0.1", 0, process_request=door, **options) as server:
        running.port = next(iter(server.sockets)).getsockname()[1]
        yield running


def play(story: Coroutine[Any, Any, T], *, within_s: float = 60.0) -> T:
    """Run a story; one that hangs fails."""

    async def timed() -> T:
        async with asyncio.timeout(within_s):
            return await story

    return asyncio.run(timed())


async def until(stream: Stream, *kinds: type[Item], n: int = 1) -> list[Item]:
    """Return the items up to the `n`-th one of the given kinds."""
    items: list[Item] = []
    async for item in stream:
        items.append(item)
        n -= isinstance(item, kinds)
        if n == 0:
            return items
    return items


def of(kind: type[T], items: list[Item]) -> list[T]:
    """Return the items of one kind."""
    return [item for item in items if isinstance(item, kind)]


def a_snapshot(ticker: str = A, **changes: object) -> Json:
    return {
        "market_ticker": ticker,
        "market_id": "9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1",
        "yes_dollars_fp": [["0.0800", "300.00"], ["0.2200", "333.00"]],
    } | changes


def a_delta(ticker: str = A, **changes: object) -> Json:
    return {
        "market_ticker": ticker,
        "market_id": "9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1",
        "price_dollars": "0.9600",
        "delta_fp": "-54.00",
        "side": "yes",
        "ts_ms": 1_790_000_000_000,
    } | changes
