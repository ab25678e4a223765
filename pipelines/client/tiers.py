"""What each tier may ask for, as dated data.

A bucket refills continuously and holds some seconds of its refill: reading 3 s for Basic and Advanced and 1
s above; writing 1 s for Basic and 3 s above. `/account/limits` has the last word: `Client.adopt_limits()`.

Source: KALSHI.md §3 (rate limits page of 2026-09-22; Premier and above +20 % since 2026-09-24).
"""

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One bucket.

    Attributes:
        tokens_per_s: what comes in.
        capacity_tokens: what we let it hold.
        reserve_tokens: what the exchange's own bucket holds beyond that.
    """

    tokens_per_s: int
    capacity_tokens: int
    reserve_tokens: int = 0

    @property
    def largest_tokens(self) -> int:
        """The dearest request or batch that can ever pass: what the exchange's bucket holds."""
        return self.capacity_tokens + self.reserve_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The two buckets of one usage tier, in force since `effective_date`."""

    name: str
    read: Limits
    write: Limits
    effective_date: date


def _tier(name: str, *, read: int, write: int, read_burst_s: int, write_burst_s: int, since: date) -> Tier:
    return Tier(
        name=name,
        read=Limits(tokens_per_s=read, capacity_tokens=read * read_burst_s),
        write=Limits(tokens_per_s=write, capacity_tokens=write * write_burst_s),
        effective_date=since,
    )


_BURST_RULE: Final = date(2026, 9, 22)
_RAISE: Final = date(2026, 9, 24)

TIERS: Final = {
    tier.name: tier
    for tier in (
        _tier("basic", read=200, write=100, read_burst_s=3, write_burst_s=1, since=_BURST_RULE),
        _tier("advanced", read=300, write=300, read_burst_s=3, write_burst_s=3, since=_BURST_RULE),
        _tier("expert", read=600, write=600, read_burst_s=1, write_burst_s=3, since=_BURST_RULE),
        _tier("premier", read=1_200, write=1_200, read_burst_s=1, write_burst_s=3, since=_RAISE),
        _tier("paragon", read=2_400, write=2_400, read_burst_s=1, write_burst_s=3, since=_RAISE),
        _tier("prime", read=4_800, write=4_800, read_burst_s=1, write_burst_s=3, since=_RAISE),
        _tier("prestige", read=12_000, write=9_600, read_burst_s=1, write_burst_s=3, since=_RAISE),
    )
}

DEFAULT_COST_TOKENS: Final = 10

ENDPOINT_COSTS_TOKENS: Final = {
    ("DELETE", "/portfolio/events/orders"): 2,
    ("DELETE", "/portfolio/events/orders/batched"): 2,
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("GET", "/portfolio/orders/{order_id}"): 2,
    ("POST", "/account/api_usage_level/upgrade"): 30,
}
"""Routes with another cost than the default; a batch costs this for every item, cancel-all once in all.

Market data has none (seen in May and July 2026). Source: KALSHI.md §3 (changelog of 2026-06-04, 2026-09-03).
"""
