"""A network that is never even: requests are late or lost, and the exchange is never asked for more."""

import asyncio
import errno
import logging
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.client.buckets import SharedKeeper, TokenBucket
from pipelines.client.errors import SettingsError
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
    is_given_up: bool = False


TRIPS = st.lists(
    st.builds(
        Trip,
        after_ms=st.sampled_from([0, 0, 0, 20, 900, 4_000]),
        cost_tokens=st.sampled_from([2, 10, 10, 10, 50, 1_000]),
        there_ms=st.sampled_from([0, 1, 1, 30, 400, 999]),
        back_ms=st.sampled_from([0, 1, 1, 30, 400, 3_000]),
        is_given_up=st.sampled_from([False] * 4 + [True]),
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
def test_requests_up_to_a_second_late_never_ask_the_exchange_for_more_than_it_holds(
    programs: list[list[Trip]], tokens_per_s: int, capacity_tokens: int, reserve_tokens: int
) -> None:
    """The exchange refills nothing while it is full, so nothing may come in here before it was reached.

    Some costs are all that the bucket holds; some requests are given up, or their program is killed.
    """
    limits = Limits(tokens_per_s=tokens_per_s, capacity_tokens=capacity_tokens, reserve_tokens=reserve_tokens)
    exchange = Exchange(tokens_per_s, limits.largest_tokens)
    loop = VirtualLoop()

    async def trip(bucket: TokenBucket, one: Trip) -> None:
        flight = await bucket.acquire(one.cost_tokens)
        await asyncio.sleep(one.there_ms / 1_000)
        is_taken = exchange.spend(loop.now_ns(), flight.cost_tokens)
        await asyncio.sleep(one.back_ms / 1_000)
        if not one.is_given_up:
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
    """60 under way for 0.9 s leave room for 40; a second after the answer the 60 have come back."""

    async def story(bucket: TokenBucket) -> None:
        flight = await bucket.acquire(60)
        await asyncio.sleep(0.9)
        await spend(bucket, 40)
        bucket.landed(flight, is_accepted=True)
        await spend(bucket, 100)

    assert passed_s(story) == pytest.approx(1.9)


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


def test_a_request_without_an_answer_holds_up_what_needs_the_whole_bucket_for_two_seconds_at_most() -> None:
    """10 of 100 never come back; who wants all 100 waits 1 to 2 s, and 0.1 s for what they cost."""

    async def story(bucket: TokenBucket) -> None:
        await bucket.acquire(10)
        await spend(bucket, 100)

    assert 1.0 <= passed_s(story) <= 2.1


def test_what_was_forgotten_long_ago_costs_nothing() -> None:
    async def story(bucket: TokenBucket) -> None:
        await bucket.acquire(100)
        await asyncio.sleep(60)
        await spend(bucket, 100)

    assert passed_s(story) == 60.0


def test_an_answer_that_comes_after_that_changes_nothing() -> None:
    """What left since then still takes room when the old answer comes at last: 10 wait for it, and 0.1 s."""

    async def story(bucket: TokenBucket) -> None:
        old = await bucket.acquire(100)
        await asyncio.sleep(3.5)
        flight = await bucket.acquire(100)
        bucket.landed(old, is_accepted=True)
        waiting = asyncio.ensure_future(spend(bucket, 10))
        await asyncio.sleep(0.4)
        assert not waiting.done()
        bucket.landed(flight, is_accepted=True)
        await waiting

    assert passed_s(story) == pytest.approx(4.0, abs=0.02)


def test_who_waits_for_more_than_a_smaller_bucket_holds_does_not_stop_the_others() -> None:
    """A batch of 100 waits when somebody learns that the bucket holds 50: it goes out when that is full."""

    async def story(bucket: TokenBucket) -> None:
        await spend(bucket, 100)
        batch = asyncio.ensure_future(spend(bucket, 100))
        await asyncio.sleep(0)
        bucket.adopt(Limits(tokens_per_s=50, capacity_tokens=50))
        await asyncio.gather(batch, *(spend(bucket, 10) for _ in range(10)))

    assert passed_s(story) <= 10 + 1 + 2 + 1  # seconds until the line ends, for 50, for 100, to spare


def test_limits_that_shrink_while_requests_are_under_way_leave_no_debt() -> None:
    """All 100 are under way when the bucket shrinks to 10: as soon as they are back, 10 come in 0.1 s."""

    async def story(bucket: TokenBucket) -> None:
        flight = await bucket.acquire(100)
        bucket.adopt(Limits(tokens_per_s=100, capacity_tokens=10))
        bucket.landed(flight, is_accepted=True)
        await spend(bucket, 10)

    assert passed_s(story) == pytest.approx(0.1)


def test_what_was_under_way_when_the_machine_was_started_again_is_forgotten(tmp_path: Path) -> None:
    """The bucket is empty then, and 100 come in a second: nobody waits for the answers of before."""

    def booted(start_s: int, story: Callable[[TokenBucket], Coroutine[Any, Any, None]]) -> float:
        loop = VirtualLoop(start_s=start_s)
        keeper = SharedKeeper(tmp_path, "a key", LIMITS, loop.now_ns)
        loop.play(story(TokenBucket(LIMITS, now_ns=loop.now_ns, keeper=keeper)))
        return loop.now_ns() / SECOND_NS - start_s

    async def leave(bucket: TokenBucket) -> None:
        await bucket.acquire(100)

    async def come_back(bucket: TokenBucket) -> None:
        await spend(bucket, 100)

    booted(90_000, leave)
    assert booted(30, come_back) == pytest.approx(1.0)


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


def test_a_disk_that_fails_costs_no_answer_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    keeper = SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0)
    bucket = TokenBucket(LIMITS, now_ns=lambda: 0, keeper=keeper)
    flight = asyncio.run(bucket.acquire(10))
    monkeypatch.setattr(os, "pread", fail)
    with caplog.at_level(logging.WARNING):
        bucket.landed(flight, is_accepted=True)
    assert "cannot keep the shared budget there (input/output error)" in caplog.text
    with pytest.raises(SettingsError, match="input/output error"):
        asyncio.run(bucket.acquire(10))


def test_an_answer_does_not_wait_for_a_holder_that_was_stopped(tmp_path: Path) -> None:
    keeper = SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0)
    bucket = TokenBucket(LIMITS, now_ns=lambda: 0, keeper=keeper)
    flight = asyncio.run(bucket.acquire(10))
    with SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0).held():
        began_s = time.monotonic()
        bucket.landed(flight, is_accepted=True)
        assert time.monotonic() - began_s < 2.0
