"""One budget for the programs of several machines: blocks of tokens leased from a Prefect limit.

A global concurrency limit with slot decay is a token bucket that every machine can reach, but no pacer: it
answers in tens of milliseconds, serves nobody in order and, after every refusal, forgets what has decayed. So
it is asked seldom, for blocks, and the machine's own bucket paces what was leased. Together the machines
spend at most the limit's size, its decay, and one block each that may lie unused; leave that much free:

    prefect gcl create kalshi-read --limit 400 --slot-decay-per-second 200    # Basic, four processes of 50

Flows lease where TAPEHOUSE_PREFECT_LIMITS=kalshi-read,kalshi-write names two limits, for reads and writes.
Every process leases for itself. Where Prefect is out of reach nothing is asked of the exchange.

Source: PLATFORM.md §3.4 (measured 2026-11-22): blocks used 99 % of a limit, single slots 43-67 %.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

import httpx
from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import (
    AcquireConcurrencySlotTimeoutError,
    ConcurrencySlotAcquisitionError,
    rate_limit,
)
from prefect.exceptions import ObjectNotFound

from exchange.errors import TapehouseError
from pipelines.client import Client, Settings
from pipelines.client.budget import Bucket, Budget, Flight, Usage
from pipelines.client.errors import SettingsError
from pipelines.client.tiers import Limits

LEASE_S: Final = 120.0
LIMITS_VARIABLE: Final = "TAPEHOUSE_PREFECT_LIMITS"
_BLOCKS_PER_S: Final = 4


class NoLease(TapehouseError):
    """Prefect gave no tokens: it cannot be reached, or others took all of them for too long."""


class LeasedBucket:
    """A bucket of this machine that spends only what it leased from a limit of all machines.

    Use it within one event loop; callers are served in the order they came.

    Args:
        local: paces what was leased, and learns from refusals.
        limit_name: of a Prefect global concurrency limit with slot decay, whose slots are tokens.
        block_tokens: tokens per lease; a dearer request leases what it costs.
        lease_s: seconds to wait for one lease.
    """

    def __init__(
        self, local: Bucket, *, limit_name: str, block_tokens: int, lease_s: float = LEASE_S
    ) -> None:
        self.leased_tokens = 0
        self._local = local
        self._limit_name = limit_name
        self._block_tokens = block_tokens
        self._lease_s = lease_s
        self._slots = 0
        self._turn = asyncio.Lock()

    @property
    def limits(self) -> Limits:
        """What this machine's own bucket holds, and how fast it refills."""
        return self._local.limits

    async def acquire(self, cost_tokens: int) -> Flight:
        """Lease a block where none is left, then wait for this machine's own bucket.

        Raises:
            SettingsError: the limit does not exist, is switched off, does not decay or is too small.
            NoLease: Prefect cannot be reached, or gave nothing in time.
        """
        async with self._turn:
            if self.leased_tokens < cost_tokens:
                await self._lease(cost_tokens - self.leased_tokens)
            self.leased_tokens -= cost_tokens
            try:
                return await self._local.acquire(cost_tokens)
            except BaseException:
                self.leased_tokens += cost_tokens
                raise

    def drain(self) -> None:
        """The exchange said 429: what was leased is worth nothing, and this machine stands back.

        Others notice when they are refused in turn.
        """
        self.leased_tokens = 0
        self._local.drain()

    def landed(self, flight: Flight, *, is_accepted: bool) -> None:
        """A request is over; `TokenBucket.landed`."""
        self._local.landed(flight, is_accepted=is_accepted)

    def adopt(self, limits: Limits) -> None:
        """Follow the exchange on this machine; Prefect's limit is for its operator to change."""
        self._local.adopt(limits)

    def usage(self) -> Usage:
        """Return this machine's counts so far."""
        return self._local.usage()

    async def _lease(self, least_tokens: int) -> None:
        if not self._slots:
            self._slots = await self._checked_slots()
        wanted_tokens = max(self._block_tokens, least_tokens)
        if wanted_tokens > self._slots:
            raise SettingsError(
                f"Prefect's limit {self._limit_name} has {self._slots} slots, a lease takes {wanted_tokens}: "
                f"`prefect gcl update {self._limit_name} --limit {2 * wanted_tokens}` or lease smaller blocks"
            )
        try:
            await rate_limit(
                self._limit_name, occupy=wanted_tokens, timeout_seconds=self._lease_s, strict=True
            )
        except AcquireConcurrencySlotTimeoutError as error:
            raise NoLease(
                f"Prefect's limit {self._limit_name} gave no {wanted_tokens} tokens in "
                f"{self._lease_s:.0f} s: run fewer programs on this key, or give the limit more slots "
                f"or decay (`prefect gcl inspect {self._limit_name}` shows both)"
            ) from error
        except ConcurrencySlotAcquisitionError as error:
            self._slots = 0  # deleted or changed: look again next time
            raise self._out_of_reach(error) from error
        self.leased_tokens += wanted_tokens

    async def _checked_slots(self) -> int:
        """Return the limit's size; a limit that is missing or switched off would let everything through."""
        name = self._limit_name
        try:
            async with get_client() as client:
                limit = await client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound as error:
            raise SettingsError(
                f"Prefect has no limit {name}: `prefect gcl create {name} "
                f"--limit {self.limits.capacity_tokens} --slot-decay-per-second {self.limits.tokens_per_s}`"
            ) from error
        except (httpx.HTTPError, OSError) as error:
            raise self._out_of_reach(error) from error
        if not limit.active:
            raise SettingsError(
                f"Prefect's limit {name} is switched off and limits nothing: `prefect gcl enable {name}`"
            )
        if not limit.slot_decay_per_second:
            raise SettingsError(
                f"Prefect's limit {name} never refills: `prefect gcl update {name} "
                f"--slot-decay-per-second {self.limits.tokens_per_s}`"
            )
        return limit.limit

    def _out_of_reach(self, error: Exception) -> NoLease:
        return NoLease(
            f"no lease from Prefect's limit {self._limit_name} ({type(error).__name__}: {error}): "
            "check PREFECT_API_URL and its server; nothing was asked of the exchange"
        )


def across_machines(budget: Budget, *, read_limit: str, write_limit: str) -> Budget:
    """Return a budget that leases quarter seconds of what `budget` allows from two Prefect limits.

    `budget` should be the one that this machine's programs share: `Budget.shared`.
    """

    def leased(local: Bucket, limit_name: str) -> LeasedBucket:
        block_tokens = max(local.limits.tokens_per_s // _BLOCKS_PER_S, 1)
        return LeasedBucket(local, limit_name=limit_name, block_tokens=block_tokens)

    return Budget(
        read=leased(budget.read, read_limit), write=leased(budget.write, write_limit), costs=budget.costs
    )


def client_of_flow(environment: Mapping[str, str] = os.environ) -> Client:
    """Return the client of a flow: with the budget of this machine, or leased where limits are named.

    Raises:
        SettingsError: settings or key cannot be used, or the limits are not two names.
    """
    settings, named = Settings(), environment.get(LIMITS_VARIABLE, "")
    if not named:
        return Client(settings)
    names = [name.strip() for name in named.split(",")]
    if len(names) != 2 or not all(names):  # noqa: PLR2004 - one for reads, one for writes
        raise SettingsError(
            f"{LIMITS_VARIABLE} is {named!r}: write two names of Prefect limits, for reads and writes, "
            "as in kalshi-read,kalshi-write"
        )
    budget = Budget.shared(settings.tier, settings.budget_name)
    return Client(settings, budget=across_machines(budget, read_limit=names[0], write_limit=names[1]))
