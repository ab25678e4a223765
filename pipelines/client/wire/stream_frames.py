"""The envelope of every frame of the WebSocket, and the answers to commands.

Source: KALSHI.md §10.2, §10.4 and §10.6 (asyncapi.yaml of Sept 2026; `sending_ts_ms` since 2026-10-01).
"""

import msgspec

from pipelines.client.wire.exact import Whole

_NO_MESSAGE = msgspec.Raw(b"null")


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One frame, its message still as bytes: the number counts even where the message is not understood."""

    type: str
    id: Whole | None = None
    sid: Whole | None = None
    seq: Whole | None = None
    sending_ts_ms: Whole | None = None
    msg: msgspec.Raw = _NO_MESSAGE


class SubscribedMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`subscribed`: the number under which a channel comes on this connection; unsubscribed by it too."""

    channel: str
    sid: Whole


class ErrorMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`error`: what a command, or a whole subscription, failed of."""

    code: Whole
    msg: str
    market_ticker: str | None = None
    market_tickers: list[str] | None = None
    market_id: str | None = None


class OkMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ok`: everything that a subscription holds after a change; nothing with `skip_ticker_ack`."""

    market_tickers: list[str] | None = None
    market_ids: list[str] | None = None
    index_ids: list[str] | None = None
    underlying_tickers: list[str] | None = None
