"""Virtual time: an event loop that never waits, and an exchange that answers in it."""

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

from pipelines.client.budget import Bucket, Flight

T = TypeVar("T")

SECOND_NS: Final = 1_000_000_000
COST: Final = 10


async def spend(bucket: Bucket, cost_tokens: int) -> Flight:
    """Take tokens for a request that is over at once."""
    flight = await bucket.acquire(cost_tokens)
    bucket.landed(flight, is_accepted=False)
    return flight


class _Skipping(selectors.DefaultSelector):
    """Jumps to the next timer instead of waiting for it."""

    at_ns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self.at_ns += max(round(timeout * SECOND_NS), 1)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves only when everybody waits."""

    def __init__(self, start_s: int = 1_000) -> None:
        self.skipping = _Skipping()
        self.skipping.at_ns = start_s * SECOND_NS
        super().__init__(self.skipping)

    def now_ns(self) -> int:
        return self.skipping.at_ns

    def time(self) -> float:
        return self.skipping.at_ns / SECOND_NS

    def play(self, story: Coroutine[Any, Any, T]) -> T:
        """Run a story to its end and close the loop."""
        try:
            return self.run_until_complete(story)
        finally:
            self.close()


@dataclass
class Exchange:
    """One bucket as the exchange keeps it: exact, full at first, silent about its size."""

    tokens_per_s: int
    capacity_tokens: int
    level_nano: int = -1
    seen_ns: int = 0
    asked: list[tuple[int, bool]] = field(default_factory=list)  # when, and whether it was taken

    def spend(self, now_ns: int, cost_tokens: int = COST) -> bool:
        """Answer one request."""
        most_nano = self.capacity_tokens * SECOND_NS
        if self.level_nano < 0:
            self.level_nano, self.seen_ns = most_nano, now_ns
        came_nano = (now_ns - self.seen_ns) * self.tokens_per_s
        self.level_nano, self.seen_ns = min(self.level_nano + came_nano, most_nano), now_ns
        is_taken = self.level_nano >= cost_tokens * SECOND_NS
        self.level_nano -= cost_tokens * SECOND_NS * is_taken
        self.asked.append((now_ns, is_taken))
        return is_taken

    def scale(self, tokens_per_s: int, capacity_tokens: int) -> None:
        """Change without telling anybody."""
        self.tokens_per_s, self.capacity_tokens = tokens_per_s, capacity_tokens
        self.level_nano = min(self.level_nano, capacity_tokens * SECOND_NS)

    def n_taken(self, start_ns: int, end_ns: int) -> int:
        return sum(is_taken for at_ns, is_taken in self.asked if start_ns <= at_ns < end_ns)

    def n_refused(self, start_ns: int, end_ns: int) -> int:
        return sum(not is_taken for at_ns, is_taken in self.asked if start_ns <= at_ns < end_ns)


@dataclass
class Program:
    """One process: a bucket of its own making, several requests under way, a network that is never even."""

    bucket: Bucket
    exchange: Exchange
    loop: VirtualLoop
    draw: Random
    most_delay_s: float = 0.1
    n_answered: int = 0

    async def ask_for_ever(self) -> None:
        while True:
            flight = await self.bucket.acquire(COST)
            await asyncio.sleep(self.draw.uniform(0.001, self.most_delay_s))
            is_taken = self.exchange.spend(self.loop.now_ns())
            await asyncio.sleep(self.draw.uniform(0.001, self.most_delay_s))
            self.bucket.landed(flight, is_accepted=is_taken)
            if is_taken:
                self.n_answered += 1
            else:
                self.bucket.drain()
                await asyncio.sleep(self.draw.uniform(0, 0.5))

    async def run(self, n_callers: int) -> None:
        await asyncio.gather(*(self.ask_for_ever() for _ in range(n_callers)))
