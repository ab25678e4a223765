"""A token bucket to wait at: first come, first served, in this process and, if it is shared, beyond it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from pipelines.client.buckets.ledger import NANO, Flight, Ledger, Place
from pipelines.client.errors import SettingsError
from pipelines.client.tiers import Limits

NowNs = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]

_LOG: Final = logging.getLogger(__name__)
_LANDING_S: Final = 0.05  # for a lock that others hold for microseconds: an answer is worth more than a count
_LONGEST_SLEEP_NS: Final = NANO
"""Whoever waits looks again after a second: limits may have been raised, or others may have left the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a bucket was used for since it was made, by us and by everybody who shares it.

    Attributes:
        spent_tokens: tokens we took.
        everyones_tokens: tokens that anybody took or waits for; ours where nobody shares it.
        allowed_tokens: tokens that could have been taken: those it began with and all refill since.
        waited_s: seconds that our callers waited for tokens, summed over callers.
        n_requests: how many times we took tokens.
        n_refused: how many times the exchange said 429 to us.
        elapsed_s: seconds since it was made.
        pace_tokens_per_s: what comes in now; less than the limits say after refusals.
    """

    spent_tokens: int
    everyones_tokens: int
    allowed_tokens: int
    waited_s: float
    n_requests: int
    n_refused: int
    elapsed_s: float
    pace_tokens_per_s: int

    @property
    def share(self) -> float:
        """Part of the allowance that we used, 0..1."""
        return self.spent_tokens / self.allowed_tokens if self.allowed_tokens else 0.0


class Keeper(Protocol):
    """Where a ledger is kept."""

    def held(self, patience_s: float | None = None) -> AbstractContextManager[Ledger]:
        """Hold the ledger for a moment, alone; None waits for its holder as long as that makes sense."""
        ...


class _OwnKeeper:
    """Keeps a ledger for this process only."""

    def __init__(self, limits: Limits, now_ns: int) -> None:
        self._ledger = Ledger.opened(limits, now_ns)

    @contextmanager
    def held(self, patience_s: float | None = None) -> Iterator[Ledger]:  # noqa: ARG002  nobody else has it
        yield self._ledger


class TokenBucket:
    """A bucket, full at first; in any interval of t seconds it gives out at most capacity + rate * t.

    Use it within one event loop. One caller at a time stands in the ledger's line, the others wait behind him
    in this process: so processes that share a ledger take turns, however many callers each of them has.

    Args:
        limits: what it holds and how fast it refills.
        now_ns: a clock in nanoseconds that all who share the ledger read.
        sleep: how to pause, in seconds.
        keeper: where the ledger is kept; None keeps it here and shares it with nobody.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        now_ns: NowNs = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
        keeper: Keeper | None = None,
    ) -> None:
        self._now_ns = now_ns
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._keeper = keeper or _OwnKeeper(limits, now_ns())
        self._spent_tokens = self._n_requests = self._n_refused = self._waited_ns = 0
        with self._held() as (ledger, self._started_ns):
            ledger.join(limits, self._started_ns)
            self._limits = ledger.limits
            self._reserved_before = ledger.reserved_tokens
            self._allowed_before_micro = ledger.allowed_micro - max(ledger.level_nano, 0) // 1_000

    @property
    def limits(self) -> Limits:
        """What it holds and how fast it refills, as last seen; refusals may make it slower, see `usage`."""
        return self._limits

    async def acquire(self, cost_tokens: int) -> Flight:
        """Wait until `cost_tokens` are there and everybody who came earlier was served, then take them.

        Returns what `landed` has to be told once the request is over.

        Whoever is cancelled while he waits gives his tokens back. What costs more than the exchange's bucket
        can hold goes out when that is full.

        Raises:
            SettingsError: the shared ledger cannot be used any more.
        """
        asked_ns = self._now_ns()
        async with self._turn:
            place, found = self._reserve(cost_tokens)
            try:
                while isinstance(found, int):
                    await self._sleep(min(found, _LONGEST_SLEEP_NS) / NANO)
                    place, found = self._ask_again(place)
            except BaseException:
                self._give_back(place)
                raise
        self._spent_tokens += cost_tokens
        self._n_requests += 1
        self._waited_ns += self._now_ns() - asked_ns
        return found

    def landed(self, flight: Flight, *, is_accepted: bool) -> None:
        """A request is over; `is_accepted` where the exchange took it, which is any answer but a 429.

        Until then it takes room in the bucket, or for one to two seconds where nobody says so. A shared
        ledger that cannot be used costs no answer: the next who wants tokens hears of it.
        """
        try:
            with self._held(patience_s=_LANDING_S) as (ledger, now_ns):
                ledger.landed(flight, now_ns)
                if is_accepted:
                    ledger.accepted()
        except SettingsError as error:
            _LOG.warning("%s", error)

    def drain(self) -> None:
        """Empty it for everybody who shares it: the exchange said 429, see `Ledger.refused`."""
        self._n_refused += 1
        with self._held() as (ledger, now_ns):
            ledger.refused(now_ns)

    def adopt(self, limits: Limits) -> None:
        """Follow what the exchange says from now on; what is in the bucket stays, up to the new capacity."""
        with self._held() as (ledger, now_ns):
            ledger.refill(now_ns)
            ledger.limit(limits, is_adopted=True)
            self._limits = ledger.limits

    def usage(self) -> Usage:
        """Return the counts so far."""
        with self._held() as (ledger, now_ns):
            ledger.refill(now_ns)
            return Usage(
                spent_tokens=self._spent_tokens,
                everyones_tokens=max(ledger.reserved_tokens - self._reserved_before, 0),
                allowed_tokens=max(ledger.allowed_micro - self._allowed_before_micro, 0) // 1_000_000,
                waited_s=self._waited_ns / NANO,
                n_requests=self._n_requests,
                n_refused=self._n_refused,
                elapsed_s=(now_ns - self._started_ns) / NANO,
                pace_tokens_per_s=ledger.pace_per_s(now_ns),
            )

    @contextmanager
    def _held(self, patience_s: float | None = None) -> Iterator[tuple[Ledger, int]]:
        # The clock is read once the ledger is ours: so its moments follow each other whoever writes them.
        with self._keeper.held(patience_s) as ledger:
            yield ledger, self._now_ns()

    def _reserve(self, cost_tokens: int) -> tuple[Place, Flight | int]:
        with self._held() as (ledger, now_ns):
            self._limits = ledger.limits
            place = ledger.reserve(min(cost_tokens, self._limits.largest_tokens), now_ns)
            return place, _go_if_due(ledger, place, now_ns)

    def _ask_again(self, place: Place) -> tuple[Place, Flight | int]:
        with self._held() as (ledger, now_ns):
            place = ledger.still_in_line(place, now_ns)
            return place, _go_if_due(ledger, place, now_ns)

    def _give_back(self, place: Place) -> None:
        with self._held() as (ledger, now_ns):
            ledger.give_back(place, now_ns)


def _go_if_due(ledger: Ledger, place: Place, now_ns: int) -> Flight | int:
    """Let a place go if it may; return how long it has to wait otherwise."""
    wait_ns = ledger.wait_ns(place, now_ns)
    return wait_ns if wait_ns > 0 else ledger.go(place, now_ns)
