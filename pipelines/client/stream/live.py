"""One connection while it lives: reads, subscribes, mends what broke, and watches the silence.

Three tasks share it. The reader never waits for a command, only for room in the buffer. Whatever cannot be
mended ends the connection: a new one begins with snapshots of everything.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import ConnectionClosed

from pipelines.client.drift import Drift
from pipelines.client.errors import CommandRefused
from pipelines.client.retry import Retry
from pipelines.client.stream.buffer import Buffer
from pipelines.client.stream.channels import BOOKS
from pipelines.client.stream.commands import Commands, NoReply
from pipelines.client.stream.feeds import Wanted
from pipelines.client.stream.handshake import Connection
from pipelines.client.stream.items import Gap, Item, Refusal, Repeated, Stalled, Unreadable
from pipelines.client.stream.reading import Reading
from pipelines.client.stream.refusals import TERMINAL
from pipelines.client.stream.watchdog import Watchdog
from pipelines.client.telemetry import Telemetry

MAX_REPEATS: Final = 16
"""Repeated numbers in a row after which a connection's numbers mean nothing any more."""

MAX_MENDS: Final = 16
"""Mends in a row, without `CALM_S` between them, after which a connection is given up."""

CALM_S: Final = 30.0
"""Seconds without trouble after which earlier trouble is forgotten."""

OnFrame = Callable[[str, int, bytes], None]
"""Takes a connection's name, our clock in nanoseconds since 1970, and a frame as it came."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every connection of a stream shares."""

    wanted: Wanted
    buffer: Buffer
    drift: Drift
    telemetry: Telemetry
    retry: Retry
    path: str
    silence_s: float | None
    link_s: float
    reply_s: float
    n_names: int
    on_frame: OnFrame | None
    now_ns: Callable[[], int]
    now_s: Callable[[], float]


class Live:
    """A connection and everything that is known about it.

    Args:
        socket: open, and nobody else reads it.
        name: of the connection, in every item.
        world: what outlives it.
    """

    def __init__(self, socket: Connection, name: str, world: World) -> None:
        self.name = name
        self.changing = asyncio.Lock()
        self.commands = Commands(self._send, buffer=world.buffer, retry=world.retry, reply_s=world.reply_s)
        self.reading = Reading(
            name,
            wanted=world.wanted,
            channel_of_command=self.commands.channel_of,
            drift=world.drift,
            telemetry=world.telemetry,
            path=world.path,
        )
        self._socket = socket
        self._world = world
        self._watchdog = Watchdog(silence_s=world.silence_s, link_s=world.link_s, now_s=world.now_s)
        socket.on_ping = self._watchdog.ping
        self._cause: str | None = None
        self._broke = asyncio.Event()
        self._blind: dict[str, None] = {}
        self._dead: dict[str, None] = {}
        self._n_repeats = 0
        self.stalled: Stalled | None = None

    async def run(self, *, is_first: bool) -> str:
        """Live until the connection ends; returns why, for people."""
        tasks = [asyncio.create_task(self._subscribe_all(is_first=is_first)),
                 asyncio.create_task(self._mend()), asyncio.create_task(self._watch())]  # fmt: skip
        try:
            cause = await self._read()
        finally:
            self.commands.end("the connection ended")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._socket.close()
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return cause

    def _failed(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.end(f"{type(error).__name__}: {error}")

    async def _send(self, command: bytes) -> None:
        try:
            await self._socket.send(command, text=True)
        except ConnectionClosed as error:
            raise NoReply(str(error)) from error

    def end(self, cause: str) -> None:
        """End the connection at once, without a farewell that nobody may answer."""
        if self._cause is None:
            self._cause = cause
            _LOG.warning("WebSocket %s: %s; connecting anew", self.name, cause)
        self._socket.transport.abort()

    async def _read(self) -> str:
        buffer = self._world.buffer
        try:
            while True:
                payload = await self._socket.recv(decode=False)
                received_ns = self._world.now_ns()
                self._watchdog.frame()
                if self._world.on_frame is not None:
                    self._world.on_frame(self.name, received_ns, payload)
                for item in self.reading.hear(payload, received_ns):
                    self.commands.hear(item)
                    self._react(item)
                    if buffer.is_full:
                        self._watchdog.pause()
                    await buffer.put(item)
                    self._watchdog.resume()
        except ConnectionClosed as error:
            return self._cause or str(error)

    def _react(self, item: Item) -> None:
        count = self._world.telemetry.stream
        self._n_repeats = self._n_repeats + 1 if isinstance(item, Repeated) else 0
        match item:
            case Gap(got=None):
                count("gap", item.channel)
                self._dead[item.channel] = None
                self._broke.set()
            case Gap():
                count("gap", item.channel)
                self._make_blind(item.channel, item.tickers)
            case Unreadable():
                count("unreadable", item.channel)
                self._make_blind(item.channel, item.tickers)
            case Repeated():
                count("repeated", item.channel)
                if self._n_repeats >= MAX_REPEATS:
                    self.end(f"numbers of {item.channel} run backward ({item.got} came for {item.expected})")
            case Refusal():
                count("error", item.channel)
                if item.code in TERMINAL and item.sid is None and not item.id:
                    self.end(f"error {item.code} ({item.said}) names no subscription")
            case _:
                pass

    def _make_blind(self, channel: str, tickers: tuple[str, ...]) -> None:
        """Only books can be asked for again; of other channels what is lost is lost, and told."""
        if channel == BOOKS:
            self._blind.update(dict.fromkeys(tickers))
            self._broke.set()

    async def _subscribe_all(self, *, is_first: bool) -> None:
        async with self.changing:
            for feed in self._world.wanted:
                if self.reading.sid_of(feed.channel) is not None:
                    continue  # somebody was quicker, and has subscribed all of it
                try:
                    await self.commands.subscribe(feed, n_names=self._world.n_names)
                except CommandRefused as error:
                    # The refusal itself stands in the stream; the next connection tries again.
                    _LOG.warning("WebSocket %s: %s", self.name, error)
                except NoReply as error:
                    self.end(str(error))
                    return
                if not is_first:
                    self._world.telemetry.stream("resubscribed", feed.channel)

    async def _mend(self) -> None:
        n_mends, mended_s = 0, self._world.now_s()
        while True:
            await self._broke.wait()
            if self._world.now_s() - mended_s > CALM_S:
                n_mends = 0
            if n_mends >= MAX_MENDS:
                self.end(f"broken {n_mends} times in a row")
                return
            if n_mends:
                await self._world.retry.sleep(self._world.retry.pause_s(n_mends))
            n_mends += 1
            self._broke.clear()
            blind, self._blind = list(self._blind), {}
            dead, self._dead = list(self._dead), {}
            try:
                await self._mend_books(blind)
                for channel in dead:
                    await self._revive(channel)
            except (CommandRefused, NoReply) as error:
                self.end(f"what broke could not be mended: {error}")
                return
            mended_s = self._world.now_s()

    async def _mend_books(self, tickers: list[str]) -> None:
        async with self.changing:
            feed, sid = self._world.wanted.get(BOOKS), self.reading.sid_of(BOOKS)
            if feed is None or sid is None:
                return
            still = [ticker for ticker in tickers if ticker in set(feed.names)]
            if still:
                await self.commands.snapshot(feed, sid, still, n_names=self._world.n_names)

    async def _revive(self, channel: str) -> None:
        async with self.changing:
            feed = self._world.wanted.get(channel)
            if feed is not None and self.reading.sid_of(channel) is None:
                await self.commands.subscribe(feed, n_names=self._world.n_names)
                self._world.telemetry.stream("resubscribed", channel)

    async def _watch(self) -> None:
        watchdog = self._watchdog
        while True:
            await asyncio.sleep(watchdog.next_look_s())
            verdict = watchdog.verdict(expects_data=bool(self._world.wanted))
            if verdict == "fine":
                continue
            self._world.telemetry.stream("stalled")
            self.stalled = Stalled(
                connection=self.name,
                received_ns=self._world.now_ns(),
                silent_s=watchdog.silent_s,
                n_pings=watchdog.n_pings,
            )
            what = f"no frame for {watchdog.silent_s:.1f} s"
            self.end(what if verdict == "silent" else f"{what}, not even a ping")
            return
