"""What a stream yields: messages in order of arrival, and everything that puts them in doubt.

| item | what it means for what was received before |
|---|---|
| Connected | a new session begins: nothing of an earlier one continues |
| Message | a typed message, its number checked |
| Gap | numbers are missing, or a subscription died: `tickers` are unknown until their next snapshot |
| Repeated | a number came again: its message was not delivered a second time |
| Unreadable | a message whose meaning is not certain: `tickers` are unknown until their next snapshot |
| Unknown | a type of message that no document lists, whole |
| Reply | a command was carried out; it may have consumed a number |
| Refusal | a command, or a subscription, failed |
| Stalled | nothing arrived for too long; Disconnected follows |
| Disconnected | the session ended: every book of it is unknown from here on |

Structs rather than dataclasses: a busy stream makes thousands a second, and these cost a third.
"""

import msgspec


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A session began; `connection` is never used again. `n_tries` counts those that led to it."""

    connection: str
    received_ns: int
    n_tries: int = 1


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """A session ended, or could not be made; `cause` is for people."""

    connection: str
    received_ns: int
    cause: str


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """No frame for `silent_s` seconds, though `n_pings` pings came meanwhile."""

    connection: str
    received_ns: int
    silent_s: float
    n_pings: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a channel.

    Attributes:
        connection: the session it came in; `seq` counts per connection and sid.
        received_ns: our clock in nanoseconds since 1970, read as soon as the frame was there.
        channel: what was subscribed.
        type: what it is; a channel has several.
        msg: a struct of `pipelines.client.wire`.
        seq: None in channels without numbers.
        id: of the command that asked for it, such as a snapshot; None if nobody did.
        sending_ts_ms: when the exchange queued it, in milliseconds.
        use_yes_price: of books: NO levels stand in YES prices (True) or in NO prices (False).
    """

    connection: str
    received_ns: int
    channel: str
    type: str
    msg: msgspec.Struct
    sid: int | None = None
    seq: int | None = None
    id: int | None = None
    sending_ts_ms: int | None = None
    use_yes_price: bool | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers `expected` to `got` - 1 of a subscription never came; or all from `expected` on.

    Attributes:
        got: the number that came instead; None when the exchange ended the subscription (`cause` says why).
        tickers: what is in doubt from here on; empty if everything was subscribed.
        cause: `hole`, or the error that ended the subscription.
    """

    connection: str
    received_ns: int
    channel: str
    sid: int
    expected: int
    got: int | None
    tickers: tuple[str, ...]
    cause: str = "hole"


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """A number came again, or came late: `got` where `expected` was next; the frame stands in `payload`."""

    connection: str
    received_ns: int
    channel: str
    sid: int
    expected: int
    got: int
    payload: bytes


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that is not what the documents say; `payload` is the frame, `reason` says where and what."""

    connection: str
    received_ns: int
    channel: str
    reason: str
    payload: bytes
    sid: int | None = None
    seq: int | None = None
    tickers: tuple[str, ...] = ()


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of a type that no document lists."""

    connection: str
    received_ns: int
    type: str
    payload: bytes
    sid: int | None = None
    seq: int | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`subscribed`, `unsubscribed` or `ok`: a command was carried out; `msg` is what the exchange said."""

    connection: str
    received_ns: int
    type: str
    channel: str
    msg: bytes
    id: int | None = None
    sid: int | None = None
    seq: int | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error frame, or a feed that could not be subscribed again; `advice` is for people."""

    connection: str
    received_ns: int
    channel: str
    code: int
    said: str
    advice: str
    id: int | None = None
    sid: int | None = None
    seq: int | None = None


Item = Connected | Disconnected | Stalled | Message | Gap | Repeated | Unreadable | Unknown | Reply | Refusal
