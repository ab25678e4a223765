"""A network that is never even: requests are late or lost, and the exchange is never asked for more."""

import asyncio
import logging
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.client.buckets import SharedKeeper, TokenBucket
from pipelines.client.tiers import Limits
from tests.client.virtual import SECOND_NS, Exchange, VirtualLoop, spend

LIMITS: Final = Limits(tokens_per_s=100, capacity_tokens=100)


@dataclass(frozen=True)
class Trip:
    """One request: when it is asked for, what it costs, and how long it is under way there and back."""

    after_ms: int
    cost_tokens: int
    there_ms: int
    back_ms: int


TRIPS = st.lists(
    st.builds(
        Trip,
        after_ms=st.sampled_from([0, 0, 0, 20, 900, 4_000]),
        cost_tokens=st.sampled_from([2, 10, 10, 10, 50]),
        there_ms=st.sampled_from([0, 1, 1, 30, 400, 3_000]),
        back_ms=st.sampled_from([0, 1, 1, 30, 400, 3_000]),
    ),
    min_size=1,
    max_size=40,
)
LATE_FIRST: Final = [Trip(0, 10, there_ms, 1) for there_ms in (400, *[1] * 19)]


@example(programs=[LATE_FIRST], tokens_per_s=100, capacity_tokens=100, reserve_tokens=0)
@given(
    programs=st.lists(TRIPS, min_size=1, max_size=3),
    tokens_per_s=st.integers(1, 1_200),
    capacity_tokens=st.integers(50, 400),
    reserve_tokens=st.integers(0, 100),
)
def test_requests_however_late_never_ask_the_exchange_for_more_than_it_holds(
    programs: list[list[Trip]], tokens_per_s: int, capacity_tokens: int, reserve_tokens: int
) -> None:
    """The exchange refills nothing while it is full, so nothing may come in here before it was reached."""
    limits = Limits(tokens_per_s=tokens_per_s, capacity_tokens=capacity_tokens, reserve_tokens=reserve_tokens)
    exchange = Exchange(tokens_per_s, limits.largest_tokens)
    loop = VirtualLoop()

    async def trip(bucket: TokenBucket, one: Trip) -> None:
        flight = await bucket.acquire(one.cost_tokens)
        await asyncio.sleep(one.there_ms / 1_000)
        is_taken = exchange.spend(loop.now_ns(), one.cost_tokens)
        await asyncio.sleep(one.back_ms / 1_000)
        bucket.landed(flight, is_accepted=is_taken)

    async def program(trips: list[Trip], folder: Path) -> None:
        keeper = SharedKeeper(folder, "a key", limits, loop.now_ns)
        bucket = TokenBucket(limits, now_ns=loop.now_ns, keeper=keeper)
        under_way = []
        for one in trips:
            await asyncio.sleep(one.after_ms / 1_000)
            under_way.append(asyncio.ensure_future(trip(bucket, one)))
        await asyncio.gather(*under_way)
        keeper.close()

    async def everybody(folder: Path) -> None:
        await asyncio.gather(*(program(trips, folder) for trips in programs))

    with tempfile.TemporaryDirectory() as folder:
        loop.play(everybody(Path(folder)))
    assert all(is_taken for _, is_taken in exchange.asked)
    assert len(exchange.asked) == sum(map(len, programs))


def passed_s(story: Callable[[TokenBucket], Coroutine[Any, Any, None]]) -> float:
    """Let a story use a bucket of 100 tokens that refills 100 a second; return how long it took."""
    loop = VirtualLoop()
    began_ns = loop.now_ns()
    loop.play(story(TokenBucket(LIMITS, now_ns=loop.now_ns)))
    return (loop.now_ns() - began_ns) / SECOND_NS


def test_what_is_under_way_takes_room_until_its_answer_is_there() -> None:
    """60 under way for 2 s leave room for 40; a second after the answer the 60 have come back."""

    async def story(bucket: TokenBucket) -> None:
        flight = await bucket.acquire(60)
        await asyncio.sleep(2)
        await spend(bucket, 40)
        bucket.landed(flight, is_accepted=True)
        await spend(bucket, 100)

    assert passed_s(story) == 3.0


def test_long_answers_cost_no_pace_while_part_of_the_bucket_is_under_way() -> None:
    """0.8 s to each answer of ten tokens, 100 a second, 8 at once: the first hundred, then 19 s for 1,900.

    What was under way while the bucket was full is missing once, for as long as an answer takes.
    """

    async def story(bucket: TokenBucket) -> None:
        slots = asyncio.Semaphore(9)

        async def trip() -> None:
            async with slots:
                flight = await bucket.acquire(10)
                await asyncio.sleep(0.8)
                bucket.landed(flight, is_accepted=True)

        await asyncio.gather(*(trip() for _ in range(200)))

    assert 19.0 <= passed_s(story) <= 19.0 + 0.8 + 0.9


def test_requests_of_a_program_that_was_killed_are_forgotten_within_half_a_minute() -> None:
    """100 tokens whose answer nobody waits for; who comes next waits 15 to 30 s, and a second for refill."""

    async def story(bucket: TokenBucket) -> None:
        await bucket.acquire(100)
        await spend(bucket, 100)

    assert 16.0 <= passed_s(story) <= 31.0


def test_an_answer_that_comes_after_that_changes_nothing() -> None:
    """Forgotten after at most 30 s: what left since still takes room when the old answer comes at last."""

    async def story(bucket: TokenBucket) -> None:
        old = await bucket.acquire(100)
        await asyncio.sleep(40)
        bucket.usage()
        await asyncio.sleep(1)
        flight = await bucket.acquire(100)
        bucket.landed(old, is_accepted=True)
        waiting = asyncio.ensure_future(spend(bucket, 10))
        await asyncio.sleep(2)
        assert not waiting.done()
        bucket.landed(flight, is_accepted=True)
        await waiting

    assert passed_s(story) == pytest.approx(43.1, abs=0.2)


def test_a_ledger_that_cannot_be_used_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An order's answer is not lost because the budget's folder has become a file."""
    loop, folder = VirtualLoop(), tmp_path / "budgets"
    bucket = TokenBucket(
        LIMITS, now_ns=loop.now_ns, keeper=SharedKeeper(folder, "a key", LIMITS, loop.now_ns)
    )

    async def story() -> None:
        flight = await bucket.acquire(10)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.write_text("")
        bucket.landed(flight, is_accepted=True)

    with caplog.at_level(logging.WARNING):
        loop.play(story())
    assert "cannot keep the shared budget there" in caplog.text
