"""A tiny exchange on a real socket that says what a test wants, even nothing, half of it, or a reset."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pipelines.client import Client, Retry, Settings

PREFIX = "/trade-api/v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came off the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path.removeprefix(PREFIX)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to say; `body` is JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Literal["reset", "half_body", "half_json", "silence"] | None = None
    clock_ahead_s: int = 0


Answer = Callable[[Asked], Reply]
Ask = Callable[[Client], Any]


@dataclass(slots=True)
class Exchange:
    """A running server: what it was asked, where it is."""

    port: int
    asked: list[Asked]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def settings(self, **more: object) -> Settings:
        return Settings(base_url=self.base_url, **more)


def script(*replies: Reply) -> Answer:
    """Return an answer that says one reply after the other and then the last one for ever."""
    left = list(replies)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


def patient(**more: Any) -> Retry:  # noqa: ANN401  the fields of Retry
    """Return a retry policy that pauses for no time at all."""

    async def no_time(_seconds: float) -> None:
        await asyncio.sleep(0)

    return Retry(sleep=no_time, **more)


def result(answer: Answer, ask: Ask, **settings: object) -> tuple[Any, list[Asked]]:
    """Return what one call gives (pages as a list) and what the exchange was asked for."""

    async def story(settings: Settings) -> Any:  # noqa: ANN401  any answer
        async with Client(settings) as client:
            asked = ask(client)
            return [page async for page in asked] if isinstance(asked, AsyncGenerator) else await asked

    with exchange(answer) as running:
        return asyncio.run(story(running.settings(**settings))), running.asked


@contextmanager
def exchange(answer: Answer) -> Iterator[Exchange]:
    """Run a server in a thread until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = Exchange(port=listener.getsockname()[1], asked=[])
    loop = asyncio.new_event_loop()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange_words(reader, writer, answer, running.asked):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve_one, sock=listener))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(_end_all, loop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.create_task(_stop_after(tasks, loop))


async def _stop_after(tasks: set[asyncio.Task[Any]], loop: asyncio.AbstractEventLoop) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
    loop.stop()


async def _exchange_words(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, asked: list[Asked]
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request_line, *header_lines = head.strip().split("\r\n")
    method, target, _version = request_line.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in header_lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    one = Asked(method=method, target=target, headers=headers, body=body)
    asked.append(one)
    reply = answer(one)
    if reply.fault == "silence":
        await asyncio.sleep(60)
    if reply.fault == "reset":
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    if reply.fault == "half_json":
        body = body[: len(body) // 2]
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=reply.clock_ahead_s), usegmt=True)
    said = {
        "Date": date,
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        **reply.headers,
    }
    writer.write(f"HTTP/1.1 {reply.status} X\r\n".encode())
    writer.write("".join(f"{name}: {value}\r\n" for name, value in said.items() if value).encode() + b"\r\n")
    writer.write(body[: len(body) // 2] if reply.fault == "half_body" else body)
    await writer.drain()
    return reply.fault != "half_body"
