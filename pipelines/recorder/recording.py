"""The recorder: connections, log and lake, kept going side by side until somebody says stop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from pipelines.client import Client, KalshiError
from pipelines.ingest.import_log import leftovers
from pipelines.ingest.log_reading import ENDED, STARTED
from pipelines.ingest.publishing import publish
from pipelines.ingest.receipts import ImportReceipt
from pipelines.recorder.bringing import Bring, here
from pipelines.recorder.errors import BringerDied, NothingToWatch
from pipelines.recorder.fleet import PER_CONNECTION, Fleet
from pipelines.recorder.frame_log import BATCH_BYTES, FrameLog
from pipelines.recorder.shard import USE_YES_PRICE, Habits, Shard
from pipelines.recorder.tally import Tally
from pipelines.recorder.watching import Lister, Watch
from warehouse.errors import WarehouseError
from warehouse.lake import Lake

FLUSH_S: Final = 1.0
"""A line waits for the disk at most so long, and then the time that writing takes."""

PUBLISH_S: Final = 900.0
_LOOK_S: Final = 0.1
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often things are done, in seconds; `for_s` is when to stop, None for never."""

    commit_s: float = 60.0
    relist_s: float = 60.0
    state_s: float = 10.0
    for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a recorder stands, for people; `deltas_per_s` is since the state before."""

    tally: Tally
    n_tickers: int
    n_connections: int
    deltas_per_s: float
    n_waiting_bytes: int

    def __str__(self) -> str:
        """Return the state as a line."""
        tally, lag_ms = self.tally, self.tally.lag_ms
        return (
            f"{self.n_tickers:,} markets, {self.n_connections} connections | {tally.n_frames:,} frames, "
            f"{self.deltas_per_s:,.0f} deltas/s | {tally.n_holes} holes, {tally.n_ended} ended, "
            f"{tally.n_stalls} stalls, {tally.n_disconnects} disconnects | "
            f"lag {'unknown' if lag_ms is None else f'{lag_ms:,} ms'} | "
            f"{self.n_waiting_bytes:,} bytes not on disk | {tally.n_rows:,} rows"
        )


@dataclass(slots=True)
class Recorder:
    """Everything that one recording needs.

    Args:
        client: has a key: the WebSocket lets nobody in without.
        lake: where rows go.
        frames: the folder for logs of raw frames; leftovers of earlier recordings there are finished first.
        watch: which markets.
        pace, habits, per_connection: how.
        bring: what makes rows of the log; in a process of its own (`Apart`) it does not keep frames waiting.
        tell: told of the state now and then.
    """

    client: Client
    lake: Lake
    frames: Path
    watch: Watch
    pace: Pace = field(default_factory=Pace)
    habits: Habits = field(default_factory=Habits)
    per_connection: int = PER_CONNECTION
    bring: Bring = here
    tell: Callable[[State], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    receipt: ImportReceipt = field(default_factory=lambda: ImportReceipt("record"))

    async def run(self, stop: asyncio.Event) -> Path:
        """Record until `stop` is set, the time or the last market is over; returns the folder of the log.

        Raises:
            NothingToWatch: nothing was asked for, or no market of that name is open.
            StreamRefused: the exchange does not let us in.
            LogUnwritable: the disk takes no more; what it took is whole.
            WarehouseError, BringerDied: the lake did not take the last rows; they are in the log, and the
                next run, or `tapehouse import ws` with its folder, brings them.
        """
        if self.watch.is_nothing:
            raise NothingToWatch("nothing to watch: name --ticker, --series or --most-active")
        await asyncio.to_thread(self._finish_leftovers)
        at = datetime.fromtimestamp(self.habits.now_ns() / 1e9, UTC)
        log = FrameLog(self.frames / f"{at:%Y%m%dT%H%M%S}Z-{token_hex(3)}")
        channels = list(self.habits.channels)
        log.note(STARTED, self.habits.now_ns(), channels=channels, use_yes_price=USE_YES_PRICE)
        fleet = Fleet(
            lambda: Shard(self.client, log, self.tally, self.habits), per_connection=self.per_connection
        )
        try:
            await self._work(log, fleet, stop)
        finally:
            await fleet.close()
            log.note(ENDED, self.habits.now_ns())
            await asyncio.to_thread(log.close)
        await asyncio.to_thread(self._bring, log.folder, is_over=True)
        await asyncio.to_thread(publish, self.lake)
        return log.folder

    async def _work(self, log: FrameLog, fleet: Fleet, stop: asyncio.Event) -> None:
        """Do everything side by side until it is time to stop or something fails for good."""
        work: list[Coroutine[Any, Any, None]] = [
            self._flush(log),
            self._follow(fleet),
            self._commit(log.folder),
            self._tell(log, fleet),
            fleet.failed(),
        ]
        tasks = [asyncio.create_task(each) for each in work]
        waiting = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(
                [*tasks, waiting], timeout=self.pace.for_s, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done - {waiting}:
                task.result()
        finally:
            # The one that writes to the lake is in a thread: it is let finish.
            for task in [*tasks, waiting]:
                task.cancel()
            await asyncio.gather(*tasks, waiting, return_exceptions=True)

    async def _flush(self, log: FrameLog) -> None:
        flushed_s = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_S)
            if log.n_waiting_bytes >= BATCH_BYTES or time.monotonic() - flushed_s >= FLUSH_S:
                await _undisturbed(asyncio.to_thread(log.flush))
                flushed_s = time.monotonic()

    async def _follow(self, fleet: Fleet) -> None:
        """Return when nothing is left to watch, for then nothing will come."""
        lister, is_first = Lister(self.client, self.watch), True
        while True:
            try:
                wanted, leaving = await lister.look(fleet.tickers)
            except KalshiError as error:
                self.tally.n_relists_failed += 1
                _LOG.warning("the listing failed, what is watched stays: %s", error)
                wanted, leaving = [*self.watch.tickers], []
            await fleet.leave(leaving)
            await fleet.watch(wanted)
            self.tally.refused = sorted(fleet.refused)
            if not (wanted or self.watch.series or self.watch.most_active):
                if is_first:
                    raise NothingToWatch(
                        f"no market of {', '.join(self.watch.tickers)} is open; check the tickers"
                    )
                return
            is_first = False
            await asyncio.sleep(self.pace.relist_s)

    async def _commit(self, folder: Path) -> None:
        published_s = time.monotonic()
        while True:
            await asyncio.sleep(self.pace.commit_s)
            try:
                await _undisturbed(asyncio.to_thread(self._bring, folder, is_over=False))
                if time.monotonic() - published_s >= PUBLISH_S:
                    await _undisturbed(asyncio.to_thread(publish, self.lake))
                    published_s = time.monotonic()
            except (WarehouseError, BringerDied) as error:
                self.tally.n_commits_failed += 1
                _LOG.warning("the lake did not take rows, they wait in %s: %s", folder, error)

    async def _tell(self, log: FrameLog, fleet: Fleet) -> None:
        n_before, before_s = 0, time.monotonic()
        while True:
            await asyncio.sleep(self.pace.state_s)
            now_s, n_now = time.monotonic(), self.tally.n_deltas
            self.tell(
                State(
                    tally=self.tally,
                    n_tickers=len(fleet.tickers),
                    n_connections=fleet.n_connections,
                    deltas_per_s=(n_now - n_before) / (now_s - before_s),
                    n_waiting_bytes=log.n_waiting_bytes,
                )
            )
            n_before, before_s = n_now, now_s

    def _finish_leftovers(self) -> None:
        for folder in leftovers(self.frames):
            self._bring(folder, is_over=True)

    def _bring(self, folder: Path, *, is_over: bool) -> None:
        self.receipt.add(self.bring(self.lake, folder, is_over=is_over))
        self.tally.n_rows = self.receipt.n_new


async def _undisturbed(work: Awaitable[None]) -> None:
    """Wait for work in a thread to its end, also when this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
