"""From frames to items, for one connection: numbers first, then the meaning.

It does no input or output: bytes and a time in, items out. A frame's number is checked before anybody looks
at its type, because every type may consume one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from pipelines.client.decode import BrokenBody, decode
from pipelines.client.drift import Drift
from pipelines.client.errors import WireError
from pipelines.client.stream.channels import CHANNEL_OF_TYPE, STRUCTS
from pipelines.client.stream.feeds import Wanted
from pipelines.client.stream.items import Gap, Item, Message, Refusal, Repeated, Reply, Unknown, Unreadable
from pipelines.client.stream.refusals import TERMINAL, advice
from pipelines.client.stream.sequence import Sequences
from pipelines.client.telemetry import Telemetry
from pipelines.client.wire.stream_frames import Envelope, ErrorMessage, SubscribedMessage

S = TypeVar("S", bound=msgspec.Struct)

_REPLIES: Final = frozenset({"subscribed", "unsubscribed", "ok"})
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_LOOSE: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELDS: Final = frozenset(Envelope.__struct_fields__)
_PLAIN: Final = re.compile(r"[a-z0-9_]{1,60}")


@dataclass(frozen=True, slots=True)
class _Subscription:
    channel: str
    use_yes_price: bool | None


class Reading:
    """What arrives over one connection.

    Args:
        connection: its name in every item.
        wanted: to tell what a gap puts in doubt.
        channel_of_command: which channel a command of ours was about, empty if none.
        drift: where novelties are noted.
        telemetry: where frames that cannot be read are counted.
        path: of the WebSocket, for messages.
    """

    def __init__(
        self,
        connection: str,
        *,
        wanted: Wanted,
        channel_of_command: Callable[[int], str],
        drift: Drift,
        telemetry: Telemetry,
        path: str,
    ) -> None:
        self.connection = connection
        self._wanted = wanted
        self._channel_of_command = channel_of_command
        self._drift = drift
        self._telemetry = telemetry
        self._path = path
        self._sequences = Sequences()
        self._subscriptions: dict[int, _Subscription] = {}

    def sid_of(self, channel: str) -> int | None:
        """Return the number of a channel's subscription, None if there is none now."""
        return next((sid for sid, one in self._subscriptions.items() if one.channel == channel), None)

    def hear(self, payload: bytes, received_ns: int) -> list[Item]:
        """Return what one frame means, in order: first what it puts in doubt, then what it says."""
        at = {"connection": self.connection, "received_ns": received_ns}
        try:
            frame = self._envelope(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [self._unreadable(at, payload, f"not a frame: {error}", channel="", kind="envelope")]
        begun = self._begin(frame, payload, at) if frame.type == "subscribed" else None
        if isinstance(begun, Unreadable):
            return [begun]
        items: list[Item] = []
        if frame.sid is not None and frame.seq is not None:
            due = self._sequences.take(frame.sid, frame.seq)
            if frame.seq < due:
                return [self._repeated(at, frame, due, payload)]
            if frame.seq > due:
                items.append(self._gap(at, frame.sid, due, frame.seq))
        items += [self._reply(frame, at, begun)] if begun else self._said(frame, payload, at)
        return items

    def _envelope(self, payload: bytes) -> Envelope:
        try:
            return _ENVELOPE.decode(payload)
        except msgspec.ValidationError:
            fields = _LOOSE.decode(payload)
            for name in fields.keys() - _FIELDS:
                self._drift.note_field("Envelope", name, bytes(fields.pop(name)).decode("utf-8", "replace"))
            return _ENVELOPE.decode(msgspec.json.encode(fields))

    def _begin(self, frame: Envelope, payload: bytes, at: dict[str, Any]) -> SubscribedMessage | Unreadable:
        told = self._decoded(frame, SubscribedMessage, payload, at)
        if isinstance(told, Unreadable):
            return told
        feed = self._wanted.get(told.channel)
        known = self._subscriptions.get(told.sid)
        if known is None or known.channel != told.channel:
            # A sid that begins anew counts anew.
            self._sequences.end(told.sid)
            self._subscriptions[told.sid] = _Subscription(told.channel, feed.use_yes_price if feed else None)
        self._sequences.begin(told.sid)
        return told

    def _said(self, frame: Envelope, payload: bytes, at: dict[str, Any]) -> list[Item]:
        shape = STRUCTS.get(frame.type)
        if shape is not None:
            return [self._message(frame, shape, payload, at)]
        if frame.type == "error":
            return self._error(frame, payload, at)
        if frame.type in _REPLIES:
            return [self._reply(frame, at)]
        # Kinds are few and short; a telemetry attribute or a drift report must not grow with what is sent.
        kind = frame.type if _PLAIN.fullmatch(frame.type) else "(unprintable)"
        self._telemetry.anomaly("unknown message", "stream")
        self._drift.note_field("Stream", kind, payload.decode("utf-8", "replace"))
        return [Unknown(**at, type=frame.type, payload=payload, sid=frame.sid, seq=frame.seq)]

    def _message(
        self, frame: Envelope, shape: type[msgspec.Struct], payload: bytes, at: dict[str, Any]
    ) -> Message | Unreadable:
        msg = self._decoded(frame, shape, payload, at)
        if isinstance(msg, Unreadable):
            return msg
        subscription = self._subscriptions.get(frame.sid or 0)
        return Message(
            **at,
            channel=subscription.channel if subscription else CHANNEL_OF_TYPE[frame.type],
            type=frame.type,
            msg=msg,
            sid=frame.sid,
            seq=frame.seq,
            id=frame.id,
            sending_ts_ms=frame.sending_ts_ms,
            use_yes_price=subscription.use_yes_price if subscription else None,
        )

    def _reply(self, frame: Envelope, at: dict[str, Any], begun: SubscribedMessage | None = None) -> Reply:
        channel, sid = (begun.channel, begun.sid) if begun else (self._channel(frame), frame.sid)
        if frame.type == "unsubscribed" and sid is not None:
            self._forget(sid)
        return Reply(
            **at,
            type=frame.type,
            channel=channel,
            msg=bytes(frame.msg),
            id=frame.id,
            sid=sid,
            seq=frame.seq,
        )

    def _error(self, frame: Envelope, payload: bytes, at: dict[str, Any]) -> list[Item]:
        told = self._decoded(frame, ErrorMessage, payload, at)
        if isinstance(told, Unreadable):
            return [told]
        items: list[Item] = [
            Refusal(
                **at,
                channel=self._channel(frame),
                code=told.code,
                said=told.msg,
                advice=advice(told.code),
                id=frame.id,
                sid=frame.sid,
                seq=frame.seq,
            )
        ]
        if told.code in TERMINAL and frame.sid in self._subscriptions:
            cause = f"error {told.code} ({told.msg})"
            due = self._sequences.expected(frame.sid)
            items.append(self._gap(at, frame.sid, due, None, cause=cause))
            self._forget(frame.sid)
        return items

    def _forget(self, sid: int) -> None:
        self._sequences.end(sid)
        self._subscriptions.pop(sid, None)

    def _channel(self, frame: Envelope) -> str:
        subscription = self._subscriptions.get(frame.sid or 0)
        return subscription.channel if subscription else self._channel_of_command(frame.id or 0)

    def _names(self, channel: str) -> tuple[str, ...]:
        feed = self._wanted.get(channel)
        return feed.names if feed else ()

    def _gap(
        self, at: dict[str, Any], sid: int, expected: int, got: int | None, *, cause: str = "hole"
    ) -> Gap:
        channel = self._subscriptions[sid].channel
        tickers = self._names(channel)
        return Gap(**at, channel=channel, sid=sid, expected=expected, got=got, tickers=tickers, cause=cause)

    def _repeated(self, at: dict[str, Any], frame: Envelope, due: int, payload: bytes) -> Repeated:
        assert frame.sid is not None
        assert frame.seq is not None
        channel = self._subscriptions[frame.sid].channel
        return Repeated(**at, channel=channel, sid=frame.sid, expected=due, got=frame.seq, payload=payload)

    def _decoded(self, frame: Envelope, shape: type[S], payload: bytes, at: dict[str, Any]) -> S | Unreadable:
        try:
            return decode(bytes(frame.msg), shape, path=f"{self._path} {frame.type}", drift=self._drift)
        except WireError as error:
            reason, ticker = f"`{error.field}`: {error.reason}", error.ticker
        except BrokenBody as error:
            reason, ticker = str(error), ""
        channel = self._channel(frame) or CHANNEL_OF_TYPE.get(frame.type, "")
        names = (ticker,) if ticker else self._names(channel)
        return self._unreadable(
            at, payload, reason, channel=channel, kind=frame.type, frame=frame, tickers=names
        )

    def _unreadable(
        self,
        at: dict[str, Any],
        payload: bytes,
        reason: str,
        *,
        channel: str,
        kind: str,
        frame: Envelope | None = None,
        tickers: tuple[str, ...] = (),
    ) -> Unreadable:
        self._telemetry.anomaly("unreadable", f"stream {kind}")
        return Unreadable(
            **at,
            channel=channel,
            reason=reason,
            payload=payload,
            sid=frame.sid if frame else None,
            seq=frame.seq if frame else None,
            tickers=tickers,
        )
