"""Recorded WebSocket frames as structs: names and text as Kalshi spells them.

Source: KALSHI.md §10.4 (websocket pages, 2026-10-01).
"""

from typing import Any, Final

import msgspec

SNAPSHOT: Final = "orderbook_snapshot"
DELTA: Final = "orderbook_delta"
TICKER: Final = "ticker"
TRADE: Final = "trade"
ERROR: Final = "error"
SUBSCRIBED: Final = "subscribed"
BOOK_KINDS: Final = (SNAPSHOT, DELTA)
STORED_KINDS: Final = (SNAPSHOT, DELTA, TICKER, TRADE)

CONNECTED: Final = "ws_connected"
WATCHED: Final = "watch_market"
UNWATCHED: Final = "unwatch_market"

NONE: Final = -1
"""Stands for a missing sid, seq or receive time: none of them is ever negative."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """The `msg` of any frame: the fields that a table here holds."""

    market_ticker: str = ""
    sid: int = NONE
    price_dollars: str | None = None
    delta_fp: str | None = None
    side: str | None = None
    ts: str | int | None = None
    ts_ms: int | None = None
    yes_dollars_fp: list[tuple[str, str]] | None = None
    no_dollars_fp: list[tuple[str, str]] | None = None
    time: str | None = None
    yes_bid_dollars: str | None = None
    yes_ask_dollars: str | None = None
    yes_bid_size_fp: str | None = None
    yes_ask_size_fp: str | None = None
    volume_fp: str | None = None
    open_interest_fp: str | None = None
    trade_id: str | None = None
    yes_price_dollars: str | None = None
    count_fp: str | None = None
    taker_outcome_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool | None = None
    code: int | None = None


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame of the stream."""

    type: str = ""
    msg: Message = Message()
    sid: int = NONE
    seq: int = NONE


class Note(msgspec.Struct, frozen=True, gc=False):
    """What a recorder notes about a market it watches; event and series only where it states them."""

    market_ticker: str | None = None
    event_ticker: str | None = None
    series_ticker: str | None = None
    close_time: str | None = None
    status: str | None = None
    strike: float | None = None


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a recording: a frame, or a recorder's note."""

    recv_ns: int = NONE
    received_ms: int = NONE
    conn: str = ""
    recorder_event: str = ""
    data: Note = Note()
    frame: Frame = Frame()

    @property
    def received_us(self) -> int:
        """The recorder's clock in microseconds since 1970, NONE if it did not say."""
        if self.recv_ns != NONE:
            return self.recv_ns // 1_000
        return NONE if self.received_ms == NONE else self.received_ms * 1_000


class Capture(msgspec.Struct, frozen=True):
    """A whole recording in one JSON document."""

    frames: list[msgspec.Raw]


class LooseFrame(msgspec.Struct, frozen=True):
    """A frame whose message is not what we know: its number still counts."""

    type: str
    sid: int = NONE
    seq: int = NONE
    msg: Any = None


class LooseLine(msgspec.Struct, frozen=True):
    """A line whose frame is not what we know."""

    frame: LooseFrame
    recv_ns: int = NONE
    received_ms: int = NONE
    conn: str = ""
