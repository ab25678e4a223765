"""Refusals that no budget explains: the pace goes down, and not to nothing."""

import asyncio
from random import Random

import pytest

from pipelines.client.buckets.ledger import Ledger
from pipelines.client.budget import Budget
from pipelines.client.tiers import TIERS, Limits
from tests.client.virtual import COST, SECOND_NS, VirtualLoop


@pytest.mark.parametrize(
    ("tokens_per_s", "least_per_s"),
    [
        (200, 20),  # a sixteenth is 12; a tenth of Basic is more
        (12_000, 750),
        (10, 10),  # who publishes less than the least is taken at his word
    ],
)
def test_a_refusal_a_second_for_ever_leaves_a_least_pace(tokens_per_s: int, least_per_s: int) -> None:
    """A sixteenth of what was published, or 20 tokens/s where that is more."""
    ledger = Ledger.opened(Limits(tokens_per_s=tokens_per_s, capacity_tokens=3 * tokens_per_s), 0)
    for second in range(1, 101):
        ledger.refused(second * SECOND_NS)
    assert ledger.learned_per_s == least_per_s


@pytest.mark.parametrize("tier", ["basic", "prestige"])
def test_one_answer_in_ten_is_a_429_and_the_program_still_gets_on(tier: str) -> None:
    """Ten minutes of it: 1.5 requests a second and more; without a floor it is 0.6, and falling."""
    loop, draw = VirtualLoop(), Random(7)
    bucket = Budget.for_tier(tier, now_ns=loop.now_ns).read
    least_per_s = max(TIERS[tier].read.tokens_per_s // 16, 20)

    async def asking() -> int:
        n_answered = 0
        while loop.time() < 1_600:
            flight = await bucket.acquire(COST)
            await asyncio.sleep(0.02)
            is_accepted = draw.random() >= 0.1
            bucket.landed(flight, is_accepted=is_accepted)
            n_answered += is_accepted
            if not is_accepted:
                bucket.drain()
        return n_answered

    n_answered = loop.play(asking())
    assert bucket.usage().pace_tokens_per_s >= least_per_s
    assert n_answered >= 600 * 1.5
