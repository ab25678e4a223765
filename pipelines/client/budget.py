"""How much we may ask: token buckets that never exceed the exchange's, and what they were used for.

Integer arithmetic throughout: a bucket counts nano-tokens against a clock in nanoseconds, so `capacity +
rate * t` is a law and not an approximation. Waiters are served strictly in the order they came.

Source: KALSHI.md §3 (rate limits page of 2026-09-22): continuous refill, no penalty, reads and writes apart.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.client.tiers import DEFAULT_COST_TOKENS, ENDPOINT_COSTS_TOKENS, TIERS, Limits

NowNs = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]

_NANO: Final = 1_000_000_000
_HEADROOM: Final = 4  # a quarter of a second of refill
_STAND_BACK_NS: Final = _NANO // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a bucket was used for since it was made.

    Attributes:
        spent_tokens: tokens taken.
        allowed_tokens: tokens that could have been taken: those it began with and all refill since.
        waited_s: seconds that callers waited for tokens, summed over callers.
        n_requests: how many times tokens were taken.
        n_refused: how many times the exchange said 429.
        elapsed_s: seconds since it was made.
    """

    spent_tokens: int
    allowed_tokens: int
    waited_s: float
    n_requests: int
    n_refused: int
    elapsed_s: float

    @property
    def share(self) -> float:
        """Part of the allowance that was used, 0..1."""
        return self.spent_tokens / self.allowed_tokens if self.allowed_tokens else 0.0


class TokenBucket:
    """A bucket, full at first; in any interval of t seconds it gives out at most capacity + rate * t.

    Use it within one event loop. The clock (nanoseconds, never going back) and the sleep (seconds) come from
    outside.
    """

    def __init__(
        self, limits: Limits, *, now_ns: NowNs = time.monotonic_ns, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._now_ns = now_ns
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._limits = limits
        self._level_nano = limits.capacity_tokens * _NANO
        self._filled_ns = self._started_ns = now_ns()
        self._standing_back_ns = self._filled_ns
        self._allowed_nano = self._level_nano
        self._spent_tokens = self._n_requests = self._n_refused = self._waited_ns = 0

    @property
    def limits(self) -> Limits:
        """What it holds and how fast it refills."""
        return self._limits

    async def acquire(self, cost_tokens: int) -> None:
        """Wait until `cost_tokens` are there and everybody who came earlier was served, then take them."""
        asked_ns = self._now_ns()
        async with self._turn:
            while (wait_ns := self._wait_ns(cost_tokens)) > 0:
                await self._sleep(wait_ns / _NANO)
            self._level_nano -= cost_tokens * _NANO
        self._spent_tokens += cost_tokens
        self._n_requests += 1
        self._waited_ns += self._now_ns() - asked_ns

    def drain(self) -> None:
        """Empty it, and stand back for half a second: the exchange said 429, so others spend our tokens too.

        Several refusals within that half second are one event: requests under way together fail together.
        Without standing back, three programs on one key would have two of three requests refused for ever.
        """
        self._refill()
        self._level_nano = min(self._level_nano, 0)
        self._n_refused += 1
        if self._filled_ns >= self._standing_back_ns:
            self._standing_back_ns = self._filled_ns + _STAND_BACK_NS
            self._level_nano -= _STAND_BACK_NS * self._limits.tokens_per_s

    def adopt(self, limits: Limits) -> None:
        """Follow other limits from now on; what is in the bucket stays, up to the new capacity."""
        self._refill()
        self._limits = limits
        self._level_nano = min(self._level_nano, limits.capacity_tokens * _NANO)

    def usage(self) -> Usage:
        """Return the counts so far."""
        self._refill()
        return Usage(
            spent_tokens=self._spent_tokens,
            allowed_tokens=self._allowed_nano // _NANO,
            waited_s=self._waited_ns / _NANO,
            n_requests=self._n_requests,
            n_refused=self._n_refused,
            elapsed_s=(self._now_ns() - self._started_ns) / _NANO,
        )

    def _refill(self) -> None:
        now_ns = self._now_ns()
        new_nano = (now_ns - self._filled_ns) * self._limits.tokens_per_s
        self._filled_ns = now_ns
        self._allowed_nano += new_nano
        self._level_nano = min(self._limits.capacity_tokens * _NANO, self._level_nano + new_nano)

    def _wait_ns(self, cost_tokens: int) -> int:
        self._refill()
        # A request dearer than the bucket is deep goes out when the bucket is full, and leaves a debt.
        needed = min(cost_tokens, self._limits.capacity_tokens) * _NANO
        return -(-(needed - self._level_nano) // self._limits.tokens_per_s)


class Costs:
    """Tokens per route: a default and the routes that differ; `{placeholders}` match one segment."""

    def __init__(self, default_tokens: int, routes: Mapping[tuple[str, str], int]) -> None:
        self.default_tokens = default_tokens
        self.routes = dict(routes)
        self._patterns = [(method, _pattern(path), cost) for (method, path), cost in routes.items()]

    def of(self, method: str, path: str) -> int:
        """Return the cost of one request; `path` is relative to `/trade-api/v2`, such as `/markets`."""
        for its_method, pattern, cost in self._patterns:
            if its_method == method and pattern.fullmatch(path):
                return cost
        return self.default_tokens


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]*\}", path.removeprefix("/trade-api/v2"))
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


class Budget:
    """Read and write bucket of one key, and the price of each route; clients of one loop may share it."""

    def __init__(self, *, read: TokenBucket, write: TokenBucket, costs: Costs) -> None:
        self.read = read
        self.write = write
        self.costs = costs

    @classmethod
    def for_tier(
        cls, tier: str, *, now_ns: NowNs = time.monotonic_ns, sleep: Sleep = asyncio.sleep
    ) -> "Budget":
        """Return the budget of one tier, with a little headroom (see `with_headroom`).

        Raises:
            KeyError: no such tier.
        """
        limits = TIERS[tier]
        return cls(
            read=TokenBucket(with_headroom(limits.read), now_ns=now_ns, sleep=sleep),
            write=TokenBucket(with_headroom(limits.write), now_ns=now_ns, sleep=sleep),
            costs=Costs(DEFAULT_COST_TOKENS, ENDPOINT_COSTS_TOKENS),
        )

    async def acquire(self, method: str, path: str, *, n_items: int = 1) -> None:
        """Wait for the tokens of one request and take them; a batch pays for each of its items."""
        await self._bucket(method).acquire(self.costs.of(method, path) * n_items)

    def accepted(self, method: str) -> None:
        """Hear that the exchange took a request."""

    def drain(self, method: str) -> None:
        """Empty the bucket that a 429 came from."""
        self._bucket(method).drain()

    def _bucket(self, method: str) -> TokenBucket:
        return self.read if method in {"GET", "HEAD"} else self.write


def with_headroom(limits: Limits) -> Limits:
    """Return limits that hold a quarter second of refill less than the exchange's bucket.

    Requests reach the exchange closer together than they left when the network is uneven; the bucket there
    must not run dry before ours. The rate stays, so a long pull loses nothing.
    """
    reserve = limits.tokens_per_s // _HEADROOM
    return Limits(tokens_per_s=limits.tokens_per_s, capacity_tokens=limits.capacity_tokens - reserve)
