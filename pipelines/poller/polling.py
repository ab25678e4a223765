"""The poller: rounds on a grid of instants, the lake behind them, until somebody says stop."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor
from pathlib import Path
from typing import Any, Final

from exchange.errors import TapehouseError
from exchange.units import to_us
from pipelines.client import Client, RateLimited, ServerFault, Unreachable
from pipelines.ingest.publishing import publish
from pipelines.ingest.receipts import ImportReceipt
from pipelines.poller.asking import Asker, Round
from pipelines.poller.costs import RoundCost, round_cost
from pipelines.poller.markets import Markets, Taken
from pipelines.poller.tally import PollState, PollTally
from pipelines.poller.unended import end_killed, run_mark
from pipelines.poller.waiting import Waiting
from pipelines.recorder.errors import NothingToWatch
from pipelines.recorder.watching import Lister, Watch
from warehouse.errors import WarehouseError
from warehouse.lake import Lake

PUBLISH_S: Final = 900.0
STALE_ROUNDS: Final = 3
"""A book that comes so many rounds' time after the one before leaves a gap: nobody asked meanwhile."""

_WARN_S: Final = 60.0
_TRANSIENT: Final = (Unreachable, ServerFault, RateLimited)
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often things are done, in seconds; `for_s` is when to begin no more rounds, None for never."""

    every_s: float = 60.0
    relist_s: float = 60.0
    commit_s: float = 10.0
    state_s: float = 60.0
    for_s: float | None = None


def next_round(nth: int, *, elapsed_s: float, every_s: float) -> int:
    """Return which instant of the grid (nth * every_s) the next round belongs to.

    The one after `nth`; or the last that is over, if it has gone by meanwhile: that round begins at once.
    """
    return max(nth + 1, floor(elapsed_s / every_s))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Poller:
    """Everything that one run needs.

    Args:
        client: asks; a key is not needed.
        lake: where rows go.
        marks: the folder where runs are marked, and where the ones that were killed are found.
        watch: which markets.
        pace: how often.
        tell: told in words what a round costs, and how things stand now and then.
        now: our clock.
    """

    client: Client
    lake: Lake
    marks: Path
    watch: Watch
    pace: Pace = field(default_factory=Pace)
    tell: Callable[[str], None] = lambda _: None
    now: Callable[[], datetime] = _now
    tally: PollTally = field(default_factory=PollTally)
    receipt: ImportReceipt = field(default_factory=lambda: ImportReceipt("poll"))
    cost: RoundCost | None = None
    _asker: Asker = field(init=False)
    _markets: Markets = field(init=False)
    _waiting: Waiting = field(default_factory=Waiting)
    _warned_s: dict[str, float] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop` is set, the time or the last market is over.

        A round under way is finished when the time is over, and given up, but for what came, when `stop` is
        set. However a run ends, if it can it puts what came into the lake, and after that nothing is known.

        Raises:
            NothingToWatch: nothing was asked for, or no market of that name is open.
            MarkUnwritable: the folder for marks cannot be written.
            KalshiError: the exchange does not let us ask for listings at all.
            TooManyWaiting, WarehouseError: the lake takes no rows; the next run declares what is lost.
        """
        if self.watch.is_nothing:
            raise NothingToWatch("nothing to watch: name --ticker, --series or --most-active")
        for run in await asyncio.to_thread(end_killed, self.lake, self.marks):
            _LOG.warning("%s was killed: its books count as unknown from its last polls on", run)
        self._asker, lister = Asker(self.client), Lister(self.client, self.watch)
        wanted = await self._first_look(lister)
        with run_mark(self.marks, self.now()) as run:
            self.tally.run, self._markets = run, Markets(run)
            self._markets.watch(wanted, now_us=to_us(self.now()))
            try:
                await self._work(lister, stop)
            finally:
                self._waiting.add(Taken(gaps=self._markets.end()))
                await asyncio.to_thread(self._flush)
        await asyncio.to_thread(publish, self.lake)

    async def _work(self, lister: Lister, stop: asyncio.Event) -> None:
        work: list[Coroutine[Any, Any, Any]] = [
            self._rounds(),
            self._follow(lister),
            self._commit(),
            self._tell(),
            stop.wait(),
        ]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _rounds(self) -> None:
        loop, every_s, for_s = asyncio.get_running_loop(), self.pace.every_s, self.pace.for_s
        began_s, nth = loop.time(), 0
        while True:
            round_s = loop.time()
            await self._round()
            took_s = loop.time() - round_s
            self.tally.last_round_ms = round(took_s * 1_000)
            self.tally.longest_round_ms = max(self.tally.longest_round_ms, self.tally.last_round_ms)
            if took_s > every_s:
                self.tally.n_late += 1
                self._warn("late", f"a round took {took_s:.2f} s of {every_s:g}; the next begins at once")
            elapsed_s = loop.time() - began_s
            following = next_round(nth, elapsed_s=elapsed_s, every_s=every_s)
            self.tally.n_skipped += following - nth - 1
            nth = following
            if for_s is not None and max(nth * every_s, elapsed_s) >= for_s:
                return
            await asyncio.sleep(max(began_s + nth * every_s - loop.time(), 0))

    async def _round(self) -> None:
        cost, asked, heard = self._count(), self._markets.ask(), Round()
        self.tally.n_rounds += 1
        try:
            await self._asker.ask([each.ticker for each in asked], heard)
        finally:
            stale_s = STALE_ROUNDS * max(cost.least_s, cost.every_s)
            taken = self._markets.take(asked, heard, stale_us=round(stale_s * 1e6))
            self._note(taken, heard)
            self._waiting.add(taken)

    def _count(self) -> RoundCost:
        """Return what a round costs now; tell it when it changes, and warn where the budget is too small."""
        cost = round_cost(
            self.client.budget,
            n_markets=len(self._markets.spells),
            every_s=self.pace.every_s,
            has_batch=self._asker.has_batch,
        )
        if self.cost is None or (cost.n_requests, cost.fits) != (self.cost.n_requests, self.cost.fits):
            (self.tell if cost.fits else _LOG.warning)(str(cost))
        self.cost = cost
        return cost

    def _note(self, taken: Taken, heard: Round) -> None:
        tally = self.tally
        tally.n_books += taken.n_books
        tally.n_empty += sum(
            rows.filter(rows["yes_prices_cc"].list.len() + rows["no_prices_cc"].list.len() == 0).height
            for rows in taken.rows
        )
        tally.n_missed += len(heard.books) - taken.n_books + len(heard.missed)
        tally.n_refused += taken.n_refused
        tally.n_gaps += len(taken.gaps)
        for ticker, error in heard.missed.items():
            why = "the answer left it out" if error is None else str(error)
            self._warn("missed", f"{len(heard.missed):,} books were not had, that of {ticker}: {why}")
            break
        for refused in taken.refused:
            self._warn("refused", f"books are in quarantine: {refused['location'][0]} {refused['reason'][0]}")

    async def _first_look(self, lister: Lister) -> list[str]:
        try:
            await self.client.adopt_limits()
            wanted, _ = await lister.look(set())
        except _TRANSIENT as error:
            self.tally.n_relists_failed += 1
            _LOG.warning("the listing failed, asking for what was named: %s", error)
            return [*self.watch.tickers]
        if not (wanted or self.watch.series or self.watch.most_active):
            raise NothingToWatch(f"no market of {', '.join(self.watch.tickers)} is open; check the tickers")
        return wanted

    async def _follow(self, lister: Lister) -> None:
        """Return when nothing is left to watch, for then nothing will come."""
        while True:
            await asyncio.sleep(self.pace.relist_s)
            try:
                wanted, leaving = await lister.look(set(self._markets.spells))
            except TapehouseError as error:
                self.tally.n_relists_failed += 1
                self._warn("listing", f"the listing failed, what is watched stays: {error}")
                continue
            self._waiting.add(Taken(gaps=self._markets.leave(leaving)))
            self._markets.watch(wanted, now_us=to_us(self.now()))
            if not (self._markets.spells or self.watch.series or self.watch.most_active):
                return

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        published_s = loop.time()
        while True:
            await asyncio.sleep(self.pace.commit_s)
            try:
                await asyncio.to_thread(self._flush)
                if loop.time() - published_s >= PUBLISH_S:
                    await asyncio.to_thread(publish, self.lake)
                    published_s = loop.time()
            except WarehouseError as error:
                self.tally.n_commits_failed += 1
                self._warn("lake", f"the lake did not take rows, {self._waiting.n_books:,} wait: {error}")

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self.pace.state_s)
            state = PollState(
                tally=self.tally, n_markets=len(self._markets.spells), n_waiting=self._waiting.n_books
            )
            self.tell(str(state))

    def _flush(self) -> None:
        self._waiting.flush(self.lake, self.tally.run, self.receipt)
        self.tally.n_rows = self.receipt.n_new

    def _warn(self, of: str, text: str) -> None:
        """Warn, of one thing at most once a minute."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._warned_s.get(of, now_s - _WARN_S) >= _WARN_S:
            self._warned_s[of] = now_s
            _LOG.warning("%s", text)
