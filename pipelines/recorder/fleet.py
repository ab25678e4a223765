"""Connections that together carry all markets, each at most so many."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from pipelines.recorder.shard import Shard

PER_CONNECTION: Final = 250
MAX_CONNECTIONS: Final = 150  # an account may have 200 [KALSHI.md §10.1; changelog, 2026-06-18]

_LOG: Final = logging.getLogger(__name__)


class Fleet:
    """Shards, opened as markets need them.

    Args:
        new_shard: makes one.
        per_connection: markets that one may carry.
        max_connections: and how many there may be.
    """

    def __init__(
        self,
        new_shard: Callable[[], Shard],
        *,
        per_connection: int = PER_CONNECTION,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.refused: set[str] = set()
        self._new_shard = new_shard
        self._per_connection = per_connection
        self._max_connections = max_connections
        self._shards: dict[asyncio.Task[None], Shard] = {}

    @property
    def tickers(self) -> set[str]:
        """What is watched."""
        return {ticker for shard in self._shards.values() for ticker in shard.tickers}

    @property
    def n_connections(self) -> int:
        """How many connections stand now."""
        return sum(shard.is_connected for shard in self._shards.values())

    async def watch(self, tickers: Iterable[str]) -> None:
        """Watch markets that are not watched yet.

        Raises:
            StreamRefused: the exchange does not let a new connection in.
        """
        known = self.tickers | self.refused
        new = [ticker for ticker in dict.fromkeys(tickers) if ticker not in known]
        for shard in list(self._shards.values()):
            n_room = self._per_connection - len(shard.tickers)
            fitting = [ticker for ticker in new if ticker not in shard.left][: max(n_room, 0)]
            # A connection whose last market left is closed by the exchange's own rules: no names means all.
            if fitting and shard.tickers:
                self.refused.update(await shard.add(fitting))
                new = [ticker for ticker in new if ticker not in set(fitting)]
        while new and len(self._shards) < self._max_connections:
            first, new = new[: self._per_connection], new[self._per_connection :]
            shard = self._new_shard()
            await shard.start(first)
            self._shards[asyncio.create_task(shard.run())] = shard
        if new:
            _LOG.warning("%d markets are not recorded: %d connections are full", len(new), len(self._shards))

    async def leave(self, tickers: Iterable[str]) -> None:
        """Watch markets no more; a connection that carries none is closed."""
        gone = set(tickers)
        for task, shard in list(self._shards.items()):
            its = [ticker for ticker in shard.tickers if ticker in gone]
            if its and len(its) == len(shard.tickers):
                await self._close(task, shard)
            elif its:
                await shard.remove(its)

    async def failed(self) -> None:
        """Return never, unless a connection fails for good: then raise what it failed with."""
        while True:
            for task in list(self._shards):
                if task.done():
                    task.result()
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Close every connection."""
        for task, shard in list(self._shards.items()):
            await self._close(task, shard)

    async def _close(self, task: asyncio.Task[None], shard: Shard) -> None:
        await shard.close()
        await asyncio.gather(task, return_exceptions=True)
        del self._shards[task]
