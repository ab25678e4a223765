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

# Routes that do not cost the default, as listed by GET /account/endpoint_costs.
COSTS: Final[dict[tuple[str, str], int]] = {
    ("GET", "/portfolio/orders/{order_id}"): 2,
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("POST", "/account/api_usage_level/upgrade"): 30,
}


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
    """One read bucket per key; everybody without a key shares one."""

    def __init__(self, allowance: Allowance, now_s: Callable[[], float]) -> None:
        self._allowance = allowance
        self._now_s = now_s
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, key_id: str, cost: int) -> bool:
        """Take the cost of a request out of a bucket, or tell that it does not hold that much."""
        now_s = self._now_s()
        tokens, seen_s = self._left.get(key_id, (float(self._allowance.capacity), now_s))
        tokens = min(tokens + (now_s - seen_s) * self._allowance.refill_per_s, self._allowance.capacity)
        is_enough = tokens >= cost
        self._left[key_id] = (tokens - cost if is_enough else tokens, now_s)
        return is_enough


class Prices:
    """What a request costs, by method and path template."""

    def __init__(self, costs: Mapping[tuple[str, str], int]) -> None:
        self._costs = [
            (method, re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), cost)
            for (method, path), cost in costs.items()
        ]

    def of(self, method: str, path: str) -> int:
        """Return the tokens that a request takes."""
        for priced, template, cost in self._costs:
            if method == priced and template.fullmatch(path):
                return cost
        return DEFAULT_COST
