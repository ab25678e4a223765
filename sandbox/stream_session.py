"""One WebSocket: its subscriptions, each with its own numbers, and the frames that wait to be sent.

Frames of one subscription (sid) share one counter: snapshots, changes and `ok` frames alike, whatever the
market. A reader that lets too many frames wait loses its subscriptions with error 25.
Source: KALSHI.md §10.2 and §10.5 (asyncapi.yaml, 2026-08-22; changelog, 2025-09-25 and 2026-04-20).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sandbox.access import Caller
from sandbox.faults import Misfortune
from sandbox.stream_commands import MAX_MARKETS, NUMBERED, Command, CommandError, parsed
from sandbox.stream_frames import dump

MAX_WAITING: Final = 50_000  # frames; beyond, the reader is too slow

SendFirst = Callable[["Session", "Subscription", Iterable[str], int], None]


@dataclass(slots=True)
class Subscription:
    """One channel of a session; `tickers` is None for all markets."""

    sid: int
    channel: str
    tickers: set[str] | None
    use_yes_price: bool
    seq: int = 0
    shown: dict[str, str] = field(default_factory=dict)  # the last ticker message of each market

    def wants(self, ticker: str) -> bool:
        """Whether a market is subscribed."""
        return self.tickers is None or ticker in self.tickers


class Session:
    """What one client has asked for, and what it has not received yet.

    `first` sends what a new market of a subscription begins with (its snapshot; the number is the command it
    answers, 0 for none); `drop` ends the connection without a word.
    """

    def __init__(
        self,
        name: str,
        caller: Caller,
        *,
        first: SendFirst,
        drop: Callable[[], None],
        misfortune: Misfortune,
        now_s: Callable[[], float] = time.monotonic,
        max_markets: int = MAX_MARKETS,
    ) -> None:
        self.name = name
        self.caller = caller
        self.subscriptions: dict[int, Subscription] = {}
        self._by_channel: dict[str, Subscription] = {}
        self._first = first
        self._drop = drop
        self._misfortune = misfortune
        self._now_s = now_s
        self._max_markets = max_markets
        self._next_sid = 1
        self._waiting: deque[str] = deque()
        self._has_frames = asyncio.Event()
        self._silent_until_s = 0.0

    def subscription(self, channel: str) -> Subscription | None:
        """Return the subscription of a channel: there is at most one."""
        return self._by_channel.get(channel)

    async def frames(self) -> list[str]:
        """Wait for frames and return all that wait; a stalled stream waits longer."""
        await self._has_frames.wait()
        await asyncio.sleep(max(self._silent_until_s - self._now_s(), 0.0))
        return self.taken()

    def taken(self) -> list[str]:
        """Return all frames that wait, and forget them."""
        self._has_frames.clear()
        frames = [*self._waiting]
        self._waiting.clear()
        return frames

    def hear(self, text: str | bytes) -> None:
        """Carry out one command, or answer it with an error frame."""
        try:
            command = parsed(text)
            {
                "subscribe": self._subscribe,
                "unsubscribe": self._unsubscribe,
                "update_subscription": self._update,
                "list_subscriptions": self._list,
            }[command.name](command)
        except CommandError as error:
            told: dict[str, object] = {"type": "error", "msg": {"code": error.code, "msg": str(error)}}
            if error.command_id:
                told["id"] = error.command_id
            self._put(dump(told))

    def send(self, subscription: Subscription, kind: str, msg: str, *, command_id: int = 0) -> None:
        """Send one data frame of a subscription, or let the script of misfortunes have it."""
        if subscription.sid not in self.subscriptions:
            return
        number = self._numbered(subscription)
        named = f'"id":{command_id},' if command_id else ""
        frame = f'{{{named}"type":"{kind}","sid":{subscription.sid},{number}"msg":{msg}}}'
        fault = None
        if self._misfortune:
            fault = self._misfortune.frame(subscription.channel, f"{self.name}/{subscription.sid}")
        if fault is None:
            self._put(frame)
        elif fault.kind == "ws_duplicate":
            self._put(frame)
            self._put(frame)
        elif fault.kind == "ws_stall":
            self._silent_until_s = self._now_s() + fault.number("for_s")
            self._put(frame)
        elif fault.kind == "ws_disconnect":
            self._drop()
        elif fault.kind == "ws_overflow":
            self.overflow(subscription)
        # ws_hole: the number is used up, the frame is gone

    def _numbered(self, subscription: Subscription) -> str:
        if subscription.channel not in NUMBERED:
            return ""
        subscription.seq += 1
        return f'"seq":{subscription.seq},'

    def _put(self, frame: str) -> None:
        self._waiting.append(frame)
        self._has_frames.set()
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            for subscription in list(self.subscriptions.values()):
                self.overflow(subscription)

    def overflow(self, subscription: Subscription) -> None:
        """End a subscription with error 25."""
        self._end(subscription)
        told = {"code": 25, "msg": "Subscription buffer overflow"}
        self._put(dump({"type": "error", "sid": subscription.sid, "msg": told}))

    def _end(self, subscription: Subscription) -> None:
        # It may be over already: a first snapshot of many markets is sent on after an overflow.
        if self.subscriptions.pop(subscription.sid, None) is not None:
            del self._by_channel[subscription.channel]

    def _subscribe(self, command: Command) -> None:
        for channel in command.channels:
            known = self._by_channel.get(channel)
            if known is not None:
                self._merge(command, known)
                continue
            tickers = None if command.tickers is None else set(command.tickers)
            if tickers is not None and len(tickers) > self._max_markets:
                raise CommandError(26, command_id=command.command_id)
            made = Subscription(self._next_sid, channel, tickers, command.use_yes_price)
            self._next_sid += 1
            self.subscriptions[made.sid] = self._by_channel[channel] = made
            told = {"channel": channel, "sid": made.sid}
            self._put(dump({"id": command.command_id, "type": "subscribed", "msg": told}))
            if channel == "orderbook_delta" or command.has_initial_snapshot:
                self._first(self, made, command.tickers or (), 0)

    def _merge(self, command: Command, known: Subscription) -> None:
        """Subscribing again adds markets, or widens to all of them; the sid stays."""
        new = [] if known.tickers is None else [t for t in command.tickers or () if t not in known.tickers]
        if command.tickers is None:
            known.tickers = None
        self._add(command, known, new, has_first=command.has_initial_snapshot)

    def _add(self, command: Command, known: Subscription, new: list[str], *, has_first: bool) -> None:
        if known.tickers is not None:
            if len(known.tickers) + len(new) > self._max_markets:
                raise CommandError(26, command_id=command.command_id)
            known.tickers.update(new)
        self._ok(command, known)
        if known.channel == "orderbook_delta" or has_first:
            self._first(self, known, new, 0)

    def _ok(self, command: Command, subscription: Subscription) -> None:
        tickers = sorted(subscription.tickers or ())
        self._put(
            f'{{"id":{command.command_id},"sid":{subscription.sid},{self._numbered(subscription)}"type":"ok",'
            f'"msg":{dump({"market_tickers": tickers})}}}'
        )

    def _unsubscribe(self, command: Command) -> None:
        if unknown := [sid for sid in command.sids if sid not in self.subscriptions]:
            raise CommandError(7, str(unknown[0]), command_id=command.command_id)
        for sid in dict.fromkeys(command.sids):
            subscription = self.subscriptions[sid]
            number = self._numbered(subscription)
            self._end(subscription)
            self._put(f'{{"id":{command.command_id},"sid":{sid},{number}"type":"unsubscribed"}}')

    def _update(self, command: Command) -> None:
        subscription = self.subscriptions.get(command.sids[0])
        if subscription is None:
            raise CommandError(7, str(command.sids[0]), command_id=command.command_id)
        tickers = list(command.tickers or ())
        if command.action == "get_snapshot":
            if subscription.channel != "orderbook_delta":
                raise CommandError(13, "get_snapshot is for orderbook_delta", command_id=command.command_id)
            self._first(self, subscription, tickers, command.command_id)
        elif command.action == "add_markets":
            known = subscription.tickers
            new = [each for each in tickers if known is not None and each not in known]
            self._add(command, subscription, new, has_first=command.has_initial_snapshot)
        else:
            if subscription.tickers is None:
                raise CommandError(11, "all markets are subscribed", command_id=command.command_id)
            subscription.tickers.difference_update(tickers)
            self._ok(command, subscription)

    def _list(self, command: Command) -> None:
        told = [{"channel": each.channel, "sid": each.sid} for each in self.subscriptions.values()]
        self._put(dump({"id": command.command_id, "type": "ok", "msg": told}))
