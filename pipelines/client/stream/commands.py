"""Commands to the exchange and the replies to them, for one connection.

Ids are unique within a connection; a reply is whatever frame carries the id first. A command that the
exchange was too busy for is sent once more, one that came too soon waits; any other refusal is the caller's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from pipelines.client.errors import StreamError
from pipelines.client.retry import Retry
from pipelines.client.stream.buffer import Buffer
from pipelines.client.stream.feeds import Feed
from pipelines.client.stream.items import Item, Message, Refusal, Reply
from pipelines.client.stream.refusals import TIMED_OUT, TOO_MANY, refused

MAX_TRIES: Final = 5
"""How often a command is sent while the exchange says that it came too soon."""

Answer = Reply | Message


class NoReply(StreamError):
    """The connection ended, or the time was up, before a command was answered: nobody knows what it did."""


class Commands:
    """Sends commands over one connection and matches their replies.

    Args:
        send: writes one text frame.
        buffer: gets more room while a reply is awaited.
        retry: how long to pause when a command came too soon.
        reply_s: seconds to wait for a reply.
    """

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], *, buffer: Buffer, retry: Retry, reply_s: float
    ) -> None:
        self._send = send
        self._buffer = buffer
        self._retry = retry
        self._reply_s = reply_s
        self._n_sent = 0
        self._waiting: dict[int, asyncio.Future[Answer | Refusal]] = {}
        self._channels: dict[int, str] = {}
        self._over: str | None = None

    def channel_of(self, command_id: int) -> str:
        """Return the channel that a command is about, empty if it is about none or was answered."""
        return self._channels.get(command_id, "")

    def hear(self, item: Item) -> None:
        """See whether an item answers a command."""
        if isinstance(item, Reply | Message | Refusal) and item.id:
            waiting = self._waiting.get(item.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(item)

    def end(self, cause: str) -> None:
        """Tell all who wait that the connection is gone."""
        self._over = cause
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NoReply(cause))

    async def ask(self, cmd: str, params: dict[str, Any] | None = None, *, channel: str = "") -> Answer:
        """Send a command and return its reply.

        Raises:
            CommandRefused: the exchange said no; `.code` says why.
            NoReply: it said nothing.
        """
        n_sent = 0
        while True:
            answer = await self._ask(cmd, params, channel)
            n_sent += 1
            if not isinstance(answer, Refusal):
                return answer
            max_sent = {TIMED_OUT: 2, TOO_MANY: MAX_TRIES}.get(answer.code, 1)
            if n_sent >= max_sent:
                raise refused(f"{cmd} {channel}".strip(), code=answer.code, said=answer.said)
            await self._retry.sleep(self._retry.pause_s(n_sent))

    async def _ask(self, cmd: str, params: dict[str, Any] | None, channel: str) -> Answer | Refusal:
        if self._over is not None:
            raise NoReply(self._over)
        self._n_sent += 1
        command_id = self._n_sent
        command = {"id": command_id, "cmd": cmd} | ({} if params is None else {"params": params})
        answer: asyncio.Future[Answer | Refusal] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = answer
        self._channels[command_id] = channel
        self._buffer.hurry()
        try:
            async with asyncio.timeout(self._reply_s):
                await self._send(msgspec.json.encode(command))
                return await answer
        except TimeoutError as error:
            raise NoReply(f"no reply to {cmd} {channel} within {self._reply_s:g} s") from error
        finally:
            self._buffer.calm()
            del self._waiting[command_id], self._channels[command_id]
            if answer.done() and not answer.cancelled():
                answer.exception()  # whoever waited is gone: nobody is left to be told

    async def subscribe(self, feed: Feed, *, n_names: int) -> None:
        """Subscribe a feed, at most `n_names` names per command.

        Raises:
            CommandRefused, NoReply: see `ask`; a part may be subscribed.
        """
        first, *rest = _parts(feed.names, n_names)
        params: dict[str, Any] = {"channels": [feed.channel], **feed.options}
        if first:
            params[feed.kind.named_by] = list(first)
        answer = await self.ask("subscribe", params, channel=feed.channel)
        for part in rest:
            assert answer.sid is not None, "a reply to subscribe names its sid"
            await self._update(feed, answer.sid, feed.kind.add, part)

    async def add(self, feed: Feed, sid: int, *, n_names: int) -> None:
        """Add the names of a feed to a subscription; see `subscribe`."""
        for part in _parts(feed.names, n_names):
            await self._update(feed, sid, feed.kind.add, part)

    async def remove(self, feed: Feed, sid: int, *, n_names: int) -> None:
        """Take the names of a feed from a subscription; see `subscribe`."""
        for part in _parts(feed.names, n_names):
            await self._update(feed, sid, feed.kind.remove, part)

    async def snapshot(self, feed: Feed, sid: int, names: Sequence[str], *, n_names: int) -> None:
        """Ask for whole books, which come as messages; see `subscribe`."""
        for part in _parts(names, n_names):
            await self._update(feed, sid, "get_snapshot", part)

    async def _update(self, feed: Feed, sid: int, action: str, names: Sequence[str]) -> None:
        params: dict[str, Any] = {"sids": [sid], "action": action, feed.kind.named_by: list(names)}
        if action == feed.kind.add and feed.send_initial_snapshot is not None:
            params["send_initial_snapshot"] = feed.send_initial_snapshot
        await self.ask("update_subscription", params, channel=feed.channel)


def _parts(names: Sequence[str], n_names: int) -> Iterator[Sequence[str]]:
    """Yield names in parts of at most `n_names`; no names are one part without any."""
    for start in range(0, max(len(names), 1), n_names):
        yield names[start : start + n_names]
