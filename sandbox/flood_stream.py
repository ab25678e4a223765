"""The WebSockets of a flood: commands as everywhere, but frames go as bytes, many in one write.

What a session says (confirmations, errors) and what the flood tells go into one row of frames per connection,
in the order in which they were made; they are written to the connection itself, past the server's own way of
sending, which costs some 40 microseconds a frame.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from starlette.routing import WebSocketRoute
from starlette.types import Scope
from starlette.websockets import WebSocket

from exchange.units import DOLLAR_CC, from_us
from sandbox.access import Caller
from sandbox.connections import cut, transport_of
from sandbox.encoding import DOLLARS, contracts
from sandbox.faults import Faults, Misfortune
from sandbox.flood import SECOND_US, Flood
from sandbox.flood_fates import CHANNEL, Fate, Fates
from sandbox.flood_truth import Change
from sandbox.routes_stream import WS_PATH, let_in
from sandbox.stream_frames import dump, market_id, snapshot
from sandbox.stream_session import Session, Subscription

TICK_S: Final = 0.01
AT_ONCE: Final = 2_000
"""Changes between two looks at the connections, when many are due."""

_SMALL, _MIDDLE = 126, 1 << 16
_DELTA: Final = "orderbook_delta"
_SNAPSHOT: Final = "orderbook_snapshot"


class Line:
    """One connection: its session, and the frames that are on their way."""

    def __init__(self, hub: "FloodHub", number: int, caller: Caller, scope: Scope) -> None:
        self.number = number
        self.is_over = False
        self.fate = Fate(hub.fates, str(number))
        self.session = Session(
            str(number),
            caller,
            first=self._first,
            drop=self.drop,
            misfortune=hub.misfortune,
            max_markets=hub.flood.max_markets,
        )
        self._hub = hub
        self._scope = scope
        self._transport = transport_of(scope)
        self._waiting: list[bytes] = []
        self._n_waiting_bytes = 0
        self._silent_until_s = 0.0

    @property
    def books(self) -> Subscription | None:
        """The subscription of books, if there is one."""
        return self.session.subscription(CHANNEL)

    def hear(self, text: str | bytes) -> None:
        """Carry out a command."""
        self.session.hear(text)
        self._take()
        self._hub.follow()
        self.flush()

    def tell(
        self,
        books: Subscription,
        kind: str,
        ticker: str,
        msg: bytes,
        *,
        command_id: int = 0,
        change: int | None = None,
    ) -> None:
        """Put a frame of books on its way, or let the script have it; `change` is which change it tells."""
        books.seq += 1
        named = b'"id":%d,' % command_id if command_id else b""
        frame = framed(
            b'{%b"type":"%b","sid":%d,"seq":%d,"msg":%b}' % (named, kind.encode(), books.sid, books.seq, msg)
        )
        self.fate.n_calm -= 1
        if not self.fate.n_calm and self._is_struck(books, ticker, frame, change):
            return
        self._put(frame)
        if kind == _SNAPSHOT:
            self._write_down("snapshot", sid=books.sid, seq=books.seq, ticker=ticker)

    def flush(self) -> None:
        """Write what waits, unless the connection is made to be silent."""
        if self.is_over or not self._waiting or self._hub.now_s() < self._silent_until_s:
            return
        if self._transport is None or self._transport.is_closing():
            self._waiting.clear()
            return
        self._transport.write(b"".join(self._waiting))
        self._waiting.clear()
        self._n_waiting_bytes = 0

    def check_room(self) -> None:
        """End the subscriptions of a reader that is too slow."""
        n_bytes = self._n_waiting_bytes
        n_bytes += self._transport.get_write_buffer_size() if self._transport else 0
        if n_bytes > self._hub.flood.max_waiting_bytes and self.session.subscriptions:
            for each in list(self.session.subscriptions.values()):
                self._overflow(each)

    def drop(self) -> None:
        """Reset the connection."""
        self.is_over = True
        self._waiting.clear()
        self._hub.follow()
        cut(self._scope)

    def _is_struck(self, books: Subscription, ticker: str, frame: bytes, change: int | None) -> bool:
        """Let the script have a frame; tell whether it is gone."""
        fault = self.fate.strike()
        if fault is None:
            return False
        if fault.kind == "ws_stall":
            self._silent_until_s = self._hub.now_s() + fault.number("for_s")
            until_us = self._hub.flood.now_us() + int(fault.number("for_s") * SECOND_US)
            self._write_down(fault.kind, until_us=until_us)
            return False
        if fault.kind == "ws_overflow":
            self._overflow(books)
            return True
        self._write_down(fault.kind, sid=books.sid, seq=books.seq, ticker=ticker, change=change)
        if fault.kind == "ws_duplicate":
            self._put(frame)
            return False
        if fault.kind == "ws_disconnect":
            self.drop()
        return True

    def _first(self, session: Session, books: Subscription, tickers: Iterable[str], command_id: int) -> None:
        self._take()  # the confirmation stands before them
        if books.channel != CHANNEL:
            return
        flood = self._hub.flood
        for ticker in tickers:
            if flood.rank(ticker) is not None and books.sid in session.subscriptions:
                msg = snapshot(flood.book(ticker), use_yes_price=books.use_yes_price)
                self.tell(books, _SNAPSHOT, ticker, msg.encode(), command_id=command_id)

    def _overflow(self, subscription: Subscription) -> None:
        self.session.overflow(subscription)
        self._take()
        self._write_down("ws_overflow", sid=subscription.sid)
        self._hub.follow()

    def _take(self) -> None:
        for frame in self.session.taken():
            self._put(framed(frame.encode()))

    def _put(self, frame: bytes) -> None:
        if not self.is_over:
            self._waiting.append(frame)
            self._n_waiting_bytes += len(frame)

    def _write_down(self, what: str, **told: object) -> None:
        self._hub.flood.befell(self.number, what, **told)


class FloodHub:
    """All connections of a flood, and the beat that keeps it going while somebody listens.

    Args:
        flood: what is told.
        faults: the script; its lines about frames of books are played here.
        misfortune: the same script, for everything else; what is done to frames is counted there too.
        now_s: seconds since any moment.
    """

    def __init__(
        self,
        flood: Flood,
        faults: Faults,
        misfortune: Misfortune,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.flood = flood
        self.misfortune = misfortune
        self.fates = Fates(faults, misfortune.injected, now_s)
        self.now_s = now_s
        self._n_lines = 0
        self._lines: list[Line] = []
        self._following: list[list[tuple[Line, Subscription]]] = [[] for _ in flood.tickers]
        self._followed: dict[int, tuple[int, list[str]]] = {}
        self._heads = [_head(ticker) for ticker in flood.tickers]
        self._second, self._second_text = -1, b""
        self._pump: asyncio.Task[None] | None = None

    def join(self, caller: Caller, scope: Scope) -> Line:
        """Tell a connection from now on."""
        self._n_lines += 1
        line = Line(self, self._n_lines, caller, scope)
        self.flood.befell(line.number, "connected")
        self._lines.append(line)
        if len(self._lines) == 1:
            self.flood.resume()
            self._pump = asyncio.get_running_loop().create_task(self._run())
        return line

    def leave(self, line: Line) -> None:
        """Forget a connection."""
        self._lines.remove(line)
        self.flood.befell(line.number, "gone")
        self.follow()
        if not self._lines and self._pump is not None:
            self._pump.cancel()

    def follow(self) -> None:
        """See anew who follows which market."""
        self._following = [[] for _ in self.flood.tickers]
        for line in self._lines:
            books = line.books
            if books is None or books.tickers is None or line.is_over:
                continue
            tickers = sorted(ticker for ticker in books.tickers if self.flood.rank(ticker) is not None)
            for ticker in tickers:
                self._following[self.flood.rank(ticker) or 0].append((line, books))
            if self._followed.get(line.number) != (books.sid, tickers):
                self._followed[line.number] = (books.sid, tickers)
                self.flood.befell(line.number, "subscribed", sid=books.sid, tickers=tickers)

    async def _run(self) -> None:
        while True:
            changes = self.flood.due(n_most=AT_ONCE)
            for change in changes:
                self._tell(change)
            for line in self._lines:
                line.flush()
                line.check_room()
            await asyncio.sleep(0 if len(changes) == AT_ONCE else TICK_S)

    def _tell(self, change: Change) -> None:
        msgs: dict[bool, bytes] = {}
        for line, books in self._following[change.market]:
            mode = books.use_yes_price
            if mode not in msgs:
                msgs[mode] = self._printed(change, use_yes_price=mode)
            ticker = self.flood.tickers[change.market]
            line.tell(books, _DELTA, ticker, msgs[mode], change=change.number)

    def _printed(self, change: Change, *, use_yes_price: bool) -> bytes:
        _, time_us, market, side, price_cc, delta_centi = change
        if side == "no" and use_yes_price:
            price_cc = DOLLAR_CC - price_cc
        second, micros = divmod(time_us, SECOND_US)
        if second != self._second:
            self._second = second
            self._second_text = from_us(second * SECOND_US).strftime("%Y-%m-%dT%H:%M:%S").encode()
        return b'%b"price_dollars":"%b","delta_fp":"%b","side":"%b","ts":"%b.%06dZ","ts_ms":%d}' % (
            self._heads[market],
            DOLLARS[price_cc].encode(),
            contracts(delta_centi).encode(),
            side.encode(),
            self._second_text,
            micros,
            time_us // 1_000,
        )


def framed(payload: bytes) -> bytes:
    """Return a text frame of a server: whole, and not masked (RFC 6455 §5.2)."""
    n_bytes = len(payload)
    if n_bytes < _SMALL:
        return b"\x81%c%b" % (n_bytes, payload)
    if n_bytes < _MIDDLE:
        return b"\x81\x7e%b%b" % (n_bytes.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (n_bytes.to_bytes(8, "big"), payload)


def _head(ticker: str) -> bytes:
    told = dump({"market_ticker": ticker, "market_id": market_id(ticker)})
    return f"{told[:-1]},".encode()


async def stream(websocket: WebSocket) -> None:
    """Serve one client until it goes, or is dropped."""
    caller = await let_in(websocket)
    hub: FloodHub = websocket.app.state.hub
    line = hub.join(caller, websocket.scope)
    try:
        while (told := await websocket.receive())["type"] != "websocket.disconnect":
            line.hear(told.get("text") or told.get("bytes") or "")
    finally:
        hub.leave(line)


ROUTES: Final = [WebSocketRoute(WS_PATH, stream)]
