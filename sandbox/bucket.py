"""Token buckets by tier, as documented, and the meter that tests and benchmarks read.

Source: KALSHI.md §3 (page rate_limits, 2026-09-22).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.errors import BadWorld

DEFAULT_COST: Final = 10
BASIC_BURST_S: Final = 3  # read buckets of Basic and Advanced hold three seconds, all others one
ANONYMOUS: Final = ""

READ_PER_S: Final = {
    "basic": 200,
    "advanced": 300,
    "expert": 600,
    "premier": 1_200,
    "paragon": 2_400,
    "prime": 4_800,
    "prestige": 12_000,
}
WRITE_PER_S: Final = READ_PER_S | {"basic": 100, "prestige": 9_600}

BATCHED: Final = "/portfolio/events/orders/batched"  # paid for item by item

# Routes that do not cost the default, as listed by GET /account/endpoint_costs.
COSTS: Final[dict[tuple[str, str], int]] = {
    ("GET", "/portfolio/orders/{order_id}"): 2,
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("DELETE", "/portfolio/events/orders"): 2,
    ("DELETE", BATCHED): 2,
    ("POST", "/account/api_usage_level/upgrade"): 30,
}
# Paths that look like a template above and are none.
_PLAIN: Final = frozenset({("GET", "/portfolio/orders/queue_positions")})


@dataclass(frozen=True, slots=True)
class Allowance:
    """Tokens per second and how many can be saved up."""

    refill_per_s: int
    capacity: int


def read_allowance(tier: str) -> Allowance:
    """Return the read budget of a tier.

    Raises:
        BadWorld: no such tier.
    """
    if tier not in READ_PER_S:
        raise BadWorld(f"tier {tier!r} does not exist; choose one of {', '.join(READ_PER_S)}")
    per_s = READ_PER_S[tier]
    return Allowance(per_s, per_s * (BASIC_BURST_S if tier in {"basic", "advanced"} else 1))


def write_allowance(tier: str) -> Allowance:
    """Return the write budget of a tier: one second for Basic, three above."""
    per_s = WRITE_PER_S[tier]
    return Allowance(per_s, per_s * (1 if tier == "basic" else BASIC_BURST_S))


@dataclass(slots=True)
class Meter:
    """What the sandbox has seen: requests in all, refused for lack of tokens, refused for their signature."""

    requests: int = 0
    refused: int = 0
    unauthorized: int = 0
    tokens_spent: int = 0
    by_path: Counter[str] = field(default_factory=Counter)


class Buckets:
    """One bucket per account, all of one size unless an account was given another."""

    def __init__(self, allowance: Allowance, now_s: Callable[[], float]) -> None:
        self._allowance = allowance
        self._now_s = now_s
        self._factor = 1.0
        self._own: dict[str, Allowance] = {}
        self._left: dict[str, tuple[float, float]] = {}

    def allowance(self, account: str) -> Allowance:
        """Return what an account was promised, whatever `scale` has made of it."""
        return self._own.get(account, self._allowance)

    def allow(self, account: str, allowance: Allowance) -> None:
        """Promise an account another allowance; what its bucket holds stays as it is."""
        self._own[account] = allowance

    def scale(self, factor: float) -> None:
        """Refill and hold only this part of what was promised from now on, and tell nobody.

        Raises:
            BadWorld: a factor that is not positive.
        """
        if factor <= 0:
            raise BadWorld(f"buckets cannot be scaled by {factor}; give a positive factor such as 0.5")
        for account in self._left:
            self._left[account] = self._tokens(account)
        self._factor = factor

    def spend(self, account: str, cost: int) -> bool:
        """Take the cost of a request out of a bucket, or tell that it does not hold that much."""
        tokens, now_s = self._tokens(account)
        is_enough = tokens >= cost
        self._left[account] = (tokens - cost if is_enough else tokens, now_s)
        return is_enough

    def _tokens(self, account: str) -> tuple[float, float]:
        now_s, allowed = self._now_s(), self.allowance(account)
        full = allowed.capacity * self._factor
        tokens, seen_s = self._left.get(account, (full, now_s))
        return min(tokens + (now_s - seen_s) * allowed.refill_per_s * self._factor, full), now_s


class Budgets:
    """Both buckets of every account: reads and writes are counted apart."""

    def __init__(self, tier: str, now_s: Callable[[], float]) -> None:
        self.read = Buckets(read_allowance(tier), now_s)
        self.write = Buckets(write_allowance(tier), now_s)

    def of(self, method: str) -> Buckets:
        """Return the buckets that a method is paid from."""
        return self.read if method in {"GET", "HEAD"} else self.write

    def scale(self, factor: float) -> None:
        """Silently shrink or restore both; `Buckets.scale`."""
        self.read.scale(factor)
        self.write.scale(factor)

    def promote(self, account: str, tier: str) -> None:
        """Give an account the budgets of another tier."""
        self.read.allow(account, read_allowance(tier))
        self.write.allow(account, write_allowance(tier))


class Prices:
    """What a request costs, by method and path template."""

    def __init__(self, costs: Mapping[tuple[str, str], int]) -> None:
        self._costs = [
            (method, re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), cost)
            for (method, path), cost in costs.items()
        ]

    def of(self, method: str, path: str) -> int:
        """Return the tokens that a request takes, or one item of it if it is a batch."""
        if (method, path) in _PLAIN:
            return DEFAULT_COST
        for priced, template, cost in self._costs:
            if method == priced and template.fullmatch(path):
                return cost
        return DEFAULT_COST
