"""How much we may ask: a read and a write bucket per key, and what each route costs.

Integer arithmetic throughout: a bucket counts nano-tokens against a clock in nanoseconds, so `capacity +
rate * t` is a law and not an approximation. Waiters are served strictly in the order they came.

Source: KALSHI.md §3 (rate limits page of 2026-09-22): continuous refill, no penalty, reads and writes apart.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from pipelines.client.buckets import Flight, SharedKeeper, TokenBucket, Usage, budget_folder, can_share
from pipelines.client.buckets.bucket import NowNs, Sleep
from pipelines.client.errors import RequestError
from pipelines.client.tiers import DEFAULT_COST_TOKENS, ENDPOINT_COSTS_TOKENS, TIERS, Limits

__all__ = ["Bucket", "Budget", "Costs", "Flight", "TokenBucket", "Usage", "with_headroom"]

_LOG: Final = logging.getLogger(__name__)
_HEADROOM: Final = 4  # a quarter of a second of refill


class Bucket(Protocol):
    """What a budget needs of a bucket; `TokenBucket` says what each of these does."""

    @property
    def limits(self) -> Limits:
        """What it holds and how fast it refills."""
        ...

    async def acquire(self, cost_tokens: int) -> Flight:
        """Wait for tokens and take them."""
        ...

    def landed(self, flight: Flight, *, is_accepted: bool) -> None:
        """The request that tokens were taken for is over."""
        ...

    def drain(self) -> None:
        """The exchange said 429."""
        ...

    def adopt(self, limits: Limits) -> None:
        """Follow what the exchange says."""
        ...

    def usage(self) -> Usage:
        """Return the counts so far."""
        ...


class Costs:
    """Tokens per route: a default and the routes that differ; `{placeholders}` match one segment."""

    def __init__(self, default_tokens: int, routes: Mapping[tuple[str, str], int]) -> None:
        self.default_tokens = default_tokens
        self.routes = dict(routes)
        self._patterns = [(method, _pattern(path), cost) for (method, path), cost in routes.items()]

    def of(self, method: str, path: str) -> int:
        """Return the cost of one request, or of one item where a route takes batches.

        `path` is relative to `/trade-api/v2`, such as `/markets`.
        """
        for its_method, pattern, cost in self._patterns:
            if its_method == method and pattern.fullmatch(path):
                return cost
        return self.default_tokens


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]*\}", path.removeprefix("/trade-api/v2"))
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


class Budget:
    """Read and write bucket of one key, and the price of each route; clients of one loop may share it."""

    def __init__(self, *, read: Bucket, write: Bucket, costs: Costs) -> None:
        self.read = read
        self.write = write
        self.costs = costs

    @classmethod
    def for_tier(
        cls, tier: str, *, now_ns: NowNs = time.monotonic_ns, sleep: Sleep = asyncio.sleep
    ) -> "Budget":
        """Return the budget of one tier for this process alone, with a little headroom (see `with_headroom`).

        Raises:
            KeyError: no such tier.
        """
        read, write = (with_headroom(one) for one in (TIERS[tier].read, TIERS[tier].write))
        return cls(
            read=TokenBucket(read, now_ns=now_ns, sleep=sleep),
            write=TokenBucket(write, now_ns=now_ns, sleep=sleep),
            costs=Costs(DEFAULT_COST_TOKENS, ENDPOINT_COSTS_TOKENS),
        )

    @classmethod
    def shared(
        cls,
        tier: str,
        name: str,
        folder: Path | None = None,
        *,
        now_ns: NowNs = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> "Budget":
        """Return the budget that all of this user's processes on this machine share under `name`.

        The limits are those of the tier until one of them adopts the exchange's; from then on the exchange's,
        also for processes that come later, unless an hour went by without anybody asking. Without file locks
        (Windows) it is this process's alone, and a warning says so.

        Args:
            tier: which limits hold as long as nobody knows better.
            name: one per key and host; only its digest is written anywhere.
            folder: where the state is kept; None takes `budget_folder(os.environ)`.
            now_ns: a clock that all these processes read, never going back while the machine runs.
            sleep: how to pause, in seconds.

        Raises:
            KeyError: no such tier.
            SettingsError: the folder cannot be used.
        """
        if not can_share():
            _LOG.warning("no file locks on this system: programs on one key do not share its budget")
            return cls.for_tier(tier, now_ns=now_ns, sleep=sleep)
        place = folder or budget_folder(os.environ)

        def bucket(kind: str, limits: Limits) -> TokenBucket:
            limits = with_headroom(limits)
            keeper = SharedKeeper(place, f"{name}\n{kind}", limits, now_ns)
            return TokenBucket(limits, now_ns=now_ns, sleep=sleep, keeper=keeper)

        return cls(
            read=bucket("read", TIERS[tier].read),
            write=bucket("write", TIERS[tier].write),
            costs=Costs(DEFAULT_COST_TOKENS, ENDPOINT_COSTS_TOKENS),
        )

    async def acquire(self, method: str, path: str, *, n_items: int = 1) -> Flight:
        """Wait for the tokens of one request, or of a batch of `n_items`, and take them.

        Returns what `landed` has to be told once the request is over.
        A batch has to fit into the exchange's bucket at once.

        Raises:
            RequestError: a batch that never fits, or of nothing; nothing was waited for or taken.
            SettingsError: the shared state cannot be used any more.

        Source: KALSHI.md §3 (rate limits page of 2026-09-22, changelog of 2026-09-17).
        """
        item_tokens = self.costs.of(method, path)
        bucket = self._bucket(method)
        largest_tokens = bucket.limits.largest_tokens
        if n_items < 1:
            raise RequestError(f"{method} {path}: a batch of {n_items} items: put at least one into it")
        if n_items > 1 and item_tokens * n_items > largest_tokens:
            raise RequestError(
                f"{method} {path}: a batch of {n_items} items costs {item_tokens * n_items:,} tokens, more "
                f"than the {largest_tokens:,} that the bucket ever holds: send at most "
                f"{max(largest_tokens // item_tokens, 1)} at once"
            )
        return await bucket.acquire(item_tokens * n_items)

    def landed(self, method: str, flight: Flight, *, is_accepted: bool) -> None:
        """A request has its answer, and was accepted with any but a 429; or it surely never left.

        What the exchange accepts is how a rate that nobody published is learned.
        """
        self._bucket(method).landed(flight, is_accepted=is_accepted)

    def drain(self, method: str) -> None:
        """Empty the bucket that a 429 came from, for everybody who shares it."""
        self._bucket(method).drain()

    def _bucket(self, method: str) -> Bucket:
        return self.read if method in {"GET", "HEAD"} else self.write


def with_headroom(limits: Limits) -> Limits:
    """Return limits that hold a quarter second of refill less than the exchange's bucket.

    A request that was given up may arrive late after all, and the exchange's clock is not ours; the bucket
    there must not run dry before ours. The rate stays, so a long pull loses nothing.
    """
    reserve_tokens = min(limits.tokens_per_s, limits.capacity_tokens) // _HEADROOM
    return Limits(
        tokens_per_s=limits.tokens_per_s,
        capacity_tokens=limits.capacity_tokens - reserve_tokens,
        reserve_tokens=reserve_tokens,
    )
