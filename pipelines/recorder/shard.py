"""One connection and the markets it carries: every frame goes into the log as it came."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.client import Client, CommandRefused, KalshiError, Retry, StreamRefused
from pipelines.client.errors import StreamLost
from pipelines.client.stream import Connected, Disconnected, Feed, Item, Stalled, Stream
from pipelines.ingest.log_reading import DISCONNECTED, STALLED
from pipelines.ingest.ws_wire import UNWATCHED
from pipelines.recorder.frame_log import FrameLog
from pipelines.recorder.tally import Tally

BOOKS: Final = "orderbook_delta"
CHANNELS: Final = (BOOKS, "ticker", "trade")

USE_YES_PRICE: Final = False
"""NO levels come in NO prices, as REST and the lake have them; asked for explicitly: the exchange will turn
its default round and then drop it (KALSHI.md §10.4). Frames do not say it: the log's first line does."""

PATIENCE: Final = Retry(max_tries=1_000_000, total_s=30 * 86_400.0, longest_s=60.0)
"""How an outage is borne: the exchange may be away for all of a Thursday's maintenance, and longer."""

REFUSED_PAUSE_S: Final = 60.0
MAX_WAITING_BYTES: Final = 64 << 20
"""Bytes that may wait for the disk; beyond, items are taken slowly, and soon the exchange has to wait."""

_DISK_PAUSE_S: Final = 0.05

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How connections are kept.

    Attributes:
        channels: of CHANNELS; without books there are no gaps either.
        silence_s: seconds without a frame after which a connection is renewed; a third of it asks first.
        retry: how an outage is borne.
        refused_pause_s: seconds before the next try when the exchange does not let us in any more.
        now_ns: the clock for times in the log, in nanoseconds since 1970.
    """

    channels: Sequence[str] = CHANNELS
    silence_s: float = 60.0
    retry: Retry = PATIENCE
    refused_pause_s: float = REFUSED_PAUSE_S
    now_ns: Callable[[], int] = time.time_ns


class Shard:
    """A connection; `tickers` is what it carries, `left` what it carried once and never will again.

    A market that left has no book any more for the rest of the session, so it does not come back into one.
    """

    def __init__(self, client: Client, log: FrameLog, tally: Tally, habits: Habits) -> None:
        self.tickers: dict[str, None] = {}
        self.left: set[str] = set()
        self._client = client
        self._log = log
        self._tally = tally
        self._habits = habits
        self._connection: str | None = None
        self._heard_s = time.monotonic()
        self._changing = asyncio.Lock()
        self._is_closed = False
        self._stream: Stream | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""
        return self._connection is not None

    async def start(self, tickers: Iterable[str]) -> None:
        """Connect and subscribe.

        Raises:
            StreamRefused: the exchange does not let us in.
        """
        self.tickers = dict.fromkeys(tickers)
        self._stream = self._opened()
        await self._stream.start()

    async def run(self) -> None:
        """Record until `close`, across every outage."""
        asking = asyncio.create_task(self._ask())
        try:
            while not self._is_closed:
                assert self._stream is not None, "start comes first"
                try:
                    async for item in self._stream:
                        self._hear(item)
                        if self._log.n_waiting_bytes > MAX_WAITING_BYTES:
                            await asyncio.sleep(_DISK_PAUSE_S)
                except (StreamRefused, StreamLost) as error:
                    # Refused after it had let us in: during maintenance anything may be said at the door.
                    _LOG.warning("%s; trying again in %.0f s", error, self._habits.refused_pause_s)
                    await asyncio.sleep(self._habits.refused_pause_s)
                    self._stream = self._opened()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """End the connection; what was received is in the log. Twice does no harm."""
        self._is_closed = True
        if self._stream is not None:
            await self._stream.aclose()
        self._over(DISCONNECTED)

    async def add(self, tickers: Sequence[str]) -> list[str]:
        """Watch more markets; return those that the exchange would not give us."""
        async with self._changing:
            self.tickers |= dict.fromkeys(tickers)
            try:
                for channel in self._habits.channels:
                    await self._live().add(channel, tickers)
            except CommandRefused as error:
                return await self._one_by_one(tickers, error)
        return []

    async def remove(self, tickers: Sequence[str]) -> None:
        """Watch markets no more: their books are unknown from then on, and the log says so."""
        async with self._changing:
            connection = self._connection
            for channel in self._habits.channels:
                try:
                    await self._live().remove(channel, tickers)
                except CommandRefused as error:
                    _LOG.warning("%s", error)
            for ticker in tickers:
                self.tickers.pop(ticker, None)
                self.left.add(ticker)
                if connection is not None:
                    self._log.note(UNWATCHED, self._habits.now_ns(), connection, market_ticker=ticker)

    async def _one_by_one(self, tickers: Sequence[str], error: CommandRefused) -> list[str]:
        refused: list[str] = []
        for ticker in tickers:
            try:
                for channel in self._habits.channels:
                    await self._live().add(channel, [ticker])
            except CommandRefused as its:
                refused.append(ticker)
                self.tickers.pop(ticker, None)
                error = its
        if refused:
            _LOG.warning("%d markets are not recorded (%s, …): %s", len(refused), refused[0], error)
        return refused

    def _opened(self) -> Stream:
        habits = self._habits
        feeds = [
            Feed(channel, tuple(self.tickers), use_yes_price=USE_YES_PRICE if channel == BOOKS else None)
            for channel in habits.channels
        ]
        return self._client.stream(
            *feeds,
            retry=habits.retry,
            silence_s=habits.silence_s,
            on_frame=self._keep,
            now_ns=habits.now_ns,
        )

    def _live(self) -> Stream:
        assert self._stream is not None, "start comes first"
        return self._stream

    def _keep(self, connection: str, received_ns: int, payload: bytes) -> None:
        self._log.frame(connection, received_ns, payload)
        self._tally.n_frames += 1
        self._heard_s = time.monotonic()

    def _hear(self, item: Item) -> None:
        self._tally.hear(item)
        match item:
            case Connected():
                self._connection = item.connection
            case Stalled():
                self._over(STALLED)
            case Disconnected():
                self._over(DISCONNECTED, said=item.cause)
            case _:
                pass

    def _over(self, event: str, **said: str) -> None:
        if self._connection is not None:
            self._log.note(event, self._habits.now_ns(), self._connection, **said)
            self._connection = None

    async def _ask(self) -> None:
        """Ask for a snapshot when nothing comes: quiet markets are told from a dead connection."""
        pause_s = self._habits.silence_s / 3
        while True:
            await asyncio.sleep(pause_s)
            is_quiet = time.monotonic() - self._heard_s >= pause_s
            if not (is_quiet and self.is_connected and self.tickers and BOOKS in self._habits.channels):
                continue
            try:
                await self._live().get_snapshot([next(iter(self.tickers))])
            except KalshiError as error:
                _LOG.info("no snapshot on asking: %s", error)
