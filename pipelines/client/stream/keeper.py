"""One connection after the other, for as long as it takes: back-off, outages, and their end.

The pause grows with every try, also when connections are made and end at once; only one that held for a
while was a success.
"""

import asyncio
import logging
import secrets
from typing import Final

from pipelines.client.errors import StreamLost
from pipelines.client.signing import ExchangeClock, Signers
from pipelines.client.stream.handshake import NotNow, opened
from pipelines.client.stream.items import Connected, Disconnected
from pipelines.client.stream.live import CALM_S, Live, World

_LOG: Final = logging.getLogger(__name__)


class Keeper:
    """Keeps a connection: makes it, and makes the next one when it ends.

    Args:
        url, signer, clock: how to get in.
        is_compressed: offer permessage-deflate.
        world: what outlives a connection.
    """

    def __init__(
        self, url: str, *, signer: Signers | None, clock: ExchangeClock, is_compressed: bool, world: World
    ) -> None:
        self.url = url
        self.live: Live | None = None
        self._signer = signer
        self._clock = clock
        self._is_compressed = is_compressed
        self._world = world
        self._name = secrets.token_hex(4)
        self._n_connections = 0
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    async def start(self) -> None:
        """Return once there is a connection; does nothing the second time.

        Raises:
            StreamRefused, StreamLost: there is none, and will be none.
        """
        if self._task is None and not self._is_closed:
            first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(first))
            await first

    async def close(self) -> None:
        """End the connection; does nothing the second time."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._world.buffer.end()

    async def _run(self, first: asyncio.Future[None]) -> None:
        error: Exception | None = None
        try:
            await self._keep(first)
        except Exception as caught:  # noqa: BLE001  it is raised where somebody listens
            error = caught
        finally:
            self.live = None
            if first.done():
                self._world.buffer.end(error)
            else:
                self._world.buffer.end()
                first.set_exception(error) if error else first.cancel()

    async def _keep(self, first: asyncio.Future[None]) -> None:
        world, n_failed = self._world, 0
        good_s = world.now_s()
        while True:
            try:
                socket = await opened(
                    self.url, signer=self._signer, clock=self._clock, is_compressed=self._is_compressed
                )
            except NotNow as error:
                cause = str(error)
                world.telemetry.stream("unreachable")
            else:
                began_s = world.now_s()
                self._n_connections += 1
                live = Live(socket, f"{self._name}-{self._n_connections}", world)
                cause = await self._live_through(live, first, n_tries=n_failed + 1)
                if world.now_s() - began_s >= CALM_S:
                    n_failed, good_s = 0, world.now_s()
            n_failed += 1
            lost_s = world.now_s() - good_s
            if n_failed >= world.retry.max_tries or lost_s > world.retry.total_s:
                raise StreamLost(
                    f"WebSocket {self.url}: lost after {n_failed} tries in {lost_s:.0f} s ({cause}); check "
                    "the network, KALSHI_WS_URL and the exchange's status, then start again"
                )
            pause_s = world.retry.pause_s(n_failed)
            _LOG.warning("WebSocket %s: %s; try %d in %.1f s", self.url, cause, n_failed + 1, pause_s)
            await world.retry.sleep(pause_s)

    async def _live_through(self, live: Live, first: asyncio.Future[None], *, n_tries: int) -> str:
        put, telemetry = self._world.buffer.put, self._world.telemetry
        telemetry.stream("connected")
        await put(Connected(connection=live.name, received_ns=self._world.now_ns(), n_tries=n_tries))
        self.live = live
        is_first = not first.done()
        if is_first:
            first.set_result(None)
        try:
            cause = await live.run(is_first=is_first)
        finally:
            self.live = None
        telemetry.stream("lost")
        if live.stalled is not None:
            await put(live.stalled)
        await put(Disconnected(connection=live.name, received_ns=self._world.now_ns(), cause=cause))
        return cause
