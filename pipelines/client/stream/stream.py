"""A stream: what is wanted of the WebSocket, received in order, across connections that come and go.

```python
async with client.stream(Feed("orderbook_delta", ("KXHIGHNY-26JUL19-T80",))) as stream:
    async for item in stream:
        match item:
            case Message(msg=BookSnapshot() as book): ...
            case Message(msg=BookDelta() as delta): ...
            case Gap(tickers=tickers): ...                # unknown until their next snapshot
            case Disconnected(): ...                      # everything is; a new session follows
```
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from pipelines.client.drift import Drift
from pipelines.client.errors import CommandRefused, RequestError, StreamError
from pipelines.client.retry import Retry
from pipelines.client.signing import ExchangeClock, Signers
from pipelines.client.stream.buffer import Buffer
from pipelines.client.stream.channels import BOOKS
from pipelines.client.stream.commands import Answer, NoReply
from pipelines.client.stream.feeds import Feed, Wanted, checked_names, kind_of
from pipelines.client.stream.items import Item, Message
from pipelines.client.stream.keeper import Keeper
from pipelines.client.stream.live import Live, OnFrame, World
from pipelines.client.telemetry import Telemetry

RECONNECT: Final = Retry(max_tries=2_000, total_s=4 * 3_600.0, longest_s=60.0)
"""How an outage is borne: the exchange is away on Thursdays from 03:00 to 05:00 ET [KALSHI.md §10.1]."""

SILENCE_S: Final = 120.0
LINK_S: Final = 60.0
REPLY_S: Final = 10.0
BUFFERED_ITEMS: Final = 10_000
NAMES_PER_COMMAND: Final = 1_000

_Tell = Callable[[Live, Feed], Awaitable[None]]
_Undo = Callable[[Feed], None]


class Stream:
    """Items of the WebSocket, in order of arrival; an async context manager and an async iterator.

    One task iterates. What is wanted is kept here: it may be changed at any time, also while there is no
    connection, and every new connection is given all of it. When the consumer is slower than the exchange,
    at most `n_buffered` items wait and then the exchange has to: it ends subscriptions of slow readers with
    error 25, which is told as a Gap.

    Args:
        url: `wss://…`, or `ws://` to the own machine; from Settings, which check it.
        signer: whose stream; the exchange lets nobody in without a key.
        clock: for signatures.
        drift, telemetry: where novelties and events are counted.
        feeds: what is wanted from the start.
        retry: how an outage is borne; `total_s` counts from the end of the last good connection.
        silence_s: seconds without any frame after which a connection is renewed, None for never. Quiet
            markets send nothing for long: choose it for what is subscribed.
        link_s: seconds without even a ping after which a connection is renewed.
        reply_s: seconds to wait for the reply to a command.
        n_buffered: items that may wait for the consumer.
        n_names: names that one command may carry; longer lists are sent in parts.
        is_compressed: offer permessage-deflate: less traffic, more work.
        on_frame: told of every frame as it came, before anything is made of it; it must not take long.
        now_ns: the clock for `received_ns`, in nanoseconds since 1970.
        now_s: a clock that never goes back.

    Raises:
        RequestError: feeds that cannot be had together.
    """

    def __init__(
        self,
        url: str,
        *,
        signer: Signers | None,
        clock: ExchangeClock,
        drift: Drift,
        telemetry: Telemetry,
        feeds: Iterable[Feed] = (),
        retry: Retry = RECONNECT,
        silence_s: float | None = SILENCE_S,
        link_s: float = LINK_S,
        reply_s: float = REPLY_S,
        n_buffered: int = BUFFERED_ITEMS,
        n_names: int = NAMES_PER_COMMAND,
        is_compressed: bool = False,
        on_frame: OnFrame | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._world = World(
            wanted=Wanted(feeds),
            buffer=Buffer(n_buffered, lambda: telemetry.stream("paused")),
            drift=drift,
            telemetry=telemetry,
            retry=retry,
            path=urlsplit(url).path,
            silence_s=silence_s,
            link_s=link_s,
            reply_s=reply_s,
            n_names=n_names,
            on_frame=on_frame,
            now_ns=now_ns,
            now_s=now_s,
        )
        self._keeper = Keeper(url, signer=signer, clock=clock, is_compressed=is_compressed, world=self._world)

    def __repr__(self) -> str:
        wanted = ", ".join(f"{feed.channel} ({len(feed.names) or 'all'})" for feed in self.feeds)
        return f"Stream({self._keeper.url}, {wanted or 'nothing wanted'})"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        await self.start()
        return await self._world.buffer.take()

    @property
    def connection(self) -> str | None:
        """The name of the present connection, None while there is none."""
        return None if self._keeper.live is None else self._keeper.live.name

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What is wanted."""
        return tuple(self._world.wanted)

    async def start(self) -> None:
        """Connect; does nothing if that was done.

        Raises:
            StreamRefused: the exchange does not let us in.
            StreamLost: no connection after every try.
        """
        await self._keeper.start()

    async def aclose(self) -> None:
        """End the connection; iterating ends after what was received. Calling it twice does no harm."""
        await self._keeper.close()

    async def subscribe(self, feed: Feed) -> None:
        """Want a feed; if its channel is wanted already, its names are added.

        While there is no connection the wish is noted, and a refusal comes as an item later.

        Raises:
            RequestError: it cannot be had together with what is wanted; nothing was sent.
            CommandRefused: the exchange said no, and it is not wanted any more.
        """
        await self._change(lambda: self._world.wanted.subscribe(feed), self._tell_more, undo=self._want_less)

    async def unsubscribe(self, channel: str) -> None:
        """Want nothing of a channel any more.

        Raises:
            RequestError: there is no such channel.
            CommandRefused: the exchange said no; it is not wanted any more all the same.
        """
        await self._change(lambda: self._world.wanted.unsubscribe(channel), self._tell_less)

    async def add(self, channel: str, names: Iterable[str]) -> None:
        """Want more markets, indices or underlyings of a channel; see `subscribe`."""
        added = tuple(names)
        await self._change(
            lambda: self._world.wanted.add(channel, added), self._tell_more, undo=self._want_less
        )

    async def remove(self, channel: str, names: Iterable[str]) -> None:
        """Want fewer; with the last name the channel goes, see `unsubscribe`."""
        removed = tuple(names)
        await self._change(lambda: self._world.wanted.remove(channel, removed), self._tell_less)

    async def get_snapshot(self, tickers: Iterable[str]) -> None:
        """Ask for whole books of markets that are subscribed; they come as items.

        Raises:
            RequestError: books are not subscribed.
            CommandRefused: the exchange said no.
            StreamError: there is no connection now; after the next Connected all books come anyway.
        """
        names = checked_names(BOOKS, tickers)
        feed = self._world.wanted.get(BOOKS)
        if feed is None or not set(names) <= set(feed.names):
            raise RequestError(
                f"{BOOKS} is not subscribed for all of {', '.join(names)}: subscribe them first"
            )
        live, sid = self._connected(BOOKS)
        if names:
            await live.commands.snapshot(feed, sid, names, n_names=self._world.n_names)

    async def offered(self, channel: str) -> list[str]:
        """Return which indices or underlyings a channel offers now, of `pyth_value` those of two hours.

        Raises:
            RequestError: the channel has no such list, or is not subscribed.
            CommandRefused: the exchange said no.
            StreamError: there is no connection now, or the answer cannot be read.
        """
        kind = kind_of(channel)
        if not kind.offer:
            raise RequestError(f"{channel} lists nothing: ask REST for its markets")
        if self._world.wanted.get(channel) is None:
            raise RequestError(f"{channel} is not subscribed: subscribe it first, without names if need be")
        live, sid = self._connected(channel)
        answer = await live.commands.ask(
            "update_subscription", {"sids": [sid], "action": kind.offer}, channel=channel
        )
        told = getattr(answer.msg, kind.named_by, ()) if isinstance(answer, Message) else ()
        return list(told or ())

    async def list_subscriptions(self) -> list[tuple[str, int]]:
        """Return what the exchange says is subscribed over this connection: (channel, sid).

        Raises:
            CommandRefused: the exchange said no.
            StreamError: there is no connection now, or the answer cannot be read.
        """
        live = self._keeper.live
        if live is None:
            raise StreamError("there is no connection now: wait for Connected")
        return _listed(await live.commands.ask("list_subscriptions"))

    async def _change(
        self,
        wish: Callable[[], Feed | None],
        tell: _Tell,
        *,
        undo: _Undo | None = None,
    ) -> None:
        while (live := self._keeper.live) is not None:
            async with live.changing:
                if live is self._keeper.live:
                    return await self._tell(live, wish(), tell, undo)
        wish()
        return None

    async def _tell(self, live: Live, changed: Feed | None, tell: _Tell, undo: _Undo | None) -> None:
        if changed is None:
            return
        try:
            await tell(live, changed)
        except CommandRefused:
            if undo is not None:
                undo(changed)
                if len(changed.names) > self._world.n_names:  # a part of it may be subscribed
                    with suppress(CommandRefused, NoReply):
                        await self._tell_less(live, changed)
            raise
        except NoReply as error:
            # Whatever it did, the next connection is given exactly what is wanted.
            live.end(str(error))

    async def _tell_more(self, live: Live, feed: Feed) -> None:
        sid = live.reading.sid_of(feed.channel)
        if sid is None:
            whole = self._world.wanted.get(feed.channel) or feed
            await live.commands.subscribe(whole, n_names=self._world.n_names)
        elif feed.names:
            await live.commands.add(feed, sid, n_names=self._world.n_names)

    async def _tell_less(self, live: Live, feed: Feed) -> None:
        sid = live.reading.sid_of(feed.channel)
        if sid is None:
            return
        if self._world.wanted.get(feed.channel) is None:
            await live.commands.ask("unsubscribe", {"sids": [sid]}, channel=feed.channel)
        else:
            await live.commands.remove(feed, sid, n_names=self._world.n_names)

    def _want_less(self, feed: Feed) -> None:
        here = self._world.wanted.get(feed.channel)
        if here is not None and set(here.names) == set(feed.names):
            self._world.wanted.unsubscribe(feed.channel)
        elif here is not None:
            self._world.wanted.remove(feed.channel, feed.names)

    def _connected(self, channel: str) -> tuple[Live, int]:
        live = self._keeper.live
        sid = None if live is None else live.reading.sid_of(channel)
        if live is None or sid is None:
            raise StreamError(f"{channel} is not subscribed over a connection now: wait for Connected")
        return live, sid


def _listed(answer: Answer) -> list[tuple[str, int]]:
    try:
        told = msgspec.json.decode(getattr(answer, "msg", b""), type=list[dict[str, Any]])
        return [(str(one["channel"]), int(one["sid"])) for one in told]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise StreamError(f"list_subscriptions: the answer cannot be read ({error})") from error
