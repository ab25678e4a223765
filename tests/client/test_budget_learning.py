"""Four programs on one key in virtual time: all of the budget, fairly, and what they do when it changes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from pipelines.client.buckets.ledger import Ledger
from pipelines.client.budget import Budget, TokenBucket
from pipelines.client.tiers import TIERS, Limits
from tests.client.virtual import COST, SECOND_NS, Exchange, Program, VirtualLoop

N_PROGRAMS = 4
Story = Callable[[list[Program], Exchange], Awaitable[None]]


def play(tier: str, folder: Path, story: Story, *, most_delay_s: float = 0.1, seed: int = 7) -> None:
    """Let four programs ask for ever, sixteen requests under way in each, and a story watch them."""
    loop = VirtualLoop()
    limits = TIERS[tier].read
    exchange = Exchange(limits.tokens_per_s, limits.capacity_tokens)

    async def scene() -> None:
        programs = [
            Program(
                Budget.shared(tier, "a key", folder, now_ns=loop.now_ns).read,
                exchange,
                loop,
                Random(f"{seed} {number}"),
                most_delay_s,
            )
            for number in range(N_PROGRAMS)
        ]
        running = [asyncio.ensure_future(one.run(n_callers=16)) for one in programs]
        try:
            await story(programs, exchange)
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    loop.play(scene())


async def used_share(exchange: Exchange, loop: VirtualLoop, seconds: int) -> float:
    """Let `seconds` go by and return which part of what the exchange's bucket refilled was used."""
    start_ns = loop.now_ns()
    await asyncio.sleep(seconds)
    return COST * exchange.n_taken(start_ns, loop.now_ns()) / (exchange.tokens_per_s * seconds)


@pytest.mark.parametrize("tier", ["basic", "premier"])
@pytest.mark.parametrize("most_delay_s", [0.002, 0.1])
def test_four_programs_use_the_whole_budget_fairly_and_are_never_refused(
    tier: str, most_delay_s: float, tmp_path: Path
) -> None:
    """60 s: at least 97 % of capacity + rate * t, no 429, and the slowest has a fifth of it or more."""

    async def story(programs: list[Program], exchange: Exchange) -> None:
        start_ns = programs[0].loop.now_ns()
        await asyncio.sleep(60)
        end_ns = programs[0].loop.now_ns()
        allowed = exchange.capacity_tokens + 60 * exchange.tokens_per_s
        answered = [one.n_answered for one in programs]
        assert exchange.n_refused(start_ns, end_ns) == 0
        assert COST * exchange.n_taken(start_ns, end_ns) >= 0.97 * allowed
        assert min(answered) >= 0.2 * sum(answered)

    play(tier, tmp_path, story, most_delay_s=most_delay_s)


@pytest.mark.parametrize("tier", ["basic", "premier"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_budget_that_is_halved_silently_is_learned_within_ten_seconds(
    tier: str, seed: int, tmp_path: Path
) -> None:
    """From the tenth second on at least 90 % of the new rate; of all requests less than 2 % are refused."""

    async def story(programs: list[Program], exchange: Exchange) -> None:
        loop = programs[0].loop
        await asyncio.sleep(20)
        halved_ns = loop.now_ns()
        exchange.scale(exchange.tokens_per_s // 2, exchange.capacity_tokens // 2)
        await asyncio.sleep(10)
        assert await used_share(exchange, loop, 20) >= 0.9
        n_refused = exchange.n_refused(halved_ns, loop.now_ns())
        assert 0 < n_refused < 0.02 * (n_refused + exchange.n_taken(halved_ns, loop.now_ns()))

    play(tier, tmp_path, story, seed=seed)


def test_a_budget_that_is_given_back_is_found_again(tmp_path: Path) -> None:
    """A learned pace doubles in 40 s: a minute after the exchange is generous again all of it is used."""

    async def story(programs: list[Program], exchange: Exchange) -> None:
        loop = programs[0].loop
        exchange.scale(100, 300)
        await asyncio.sleep(60)
        exchange.scale(200, 600)
        start_ns = loop.now_ns()
        await asyncio.sleep(60)
        assert await used_share(exchange, loop, 30) >= 0.97
        assert exchange.n_refused(start_ns, loop.now_ns()) == 0

    play("basic", tmp_path, story)


def test_a_lone_refusal_costs_little(tmp_path: Path) -> None:
    """Half a second of silence and 5 % of the pace, back after 40 s * sqrt(1/19) = 9.2 s."""

    async def story(programs: list[Program], exchange: Exchange) -> None:
        loop = programs[0].loop
        await asyncio.sleep(30)
        programs[0].bucket.drain()
        assert programs[1].bucket.usage().pace_tokens_per_s == 190
        assert await used_share(exchange, loop, 10) >= 0.9
        assert programs[1].bucket.usage().pace_tokens_per_s == 200

    play("basic", tmp_path, story)


def test_a_tier_set_far_too_high_is_found_out(tmp_path: Path) -> None:
    """Premier's 1,200 tokens/s against Basic's 200: after 15 s of learning the real rate is used."""

    async def story(programs: list[Program], exchange: Exchange) -> None:
        loop = programs[0].loop
        exchange.scale(200, 600)
        await asyncio.sleep(15)
        start_ns = loop.now_ns()
        assert await used_share(exchange, loop, 60) >= 0.95
        n_refused = exchange.n_refused(start_ns, loop.now_ns())
        assert n_refused < 0.02 * exchange.n_taken(start_ns, loop.now_ns())

    play("premier", tmp_path, story)


def test_a_measured_rate_is_followed_with_a_twentieth_to_spare() -> None:
    """Two seconds, 19 requests of 10 accepted and one refused: 200 / 2 s = 100, so 95 of 150 published."""
    ledger = Ledger.opened(Limits(tokens_per_s=150, capacity_tokens=450), 0)
    for _ in range(20):
        ledger.reserve(10, 0)
    for _ in range(19):
        ledger.accepted()
    ledger.refused(2 * SECOND_NS)
    assert ledger.learned_per_s == 95
    assert [ledger.pace_per_s(s * SECOND_NS) for s in (2, 22, 42)] == [95, 118, 150]


def test_limits_that_the_exchange_names_end_what_was_learned_only_if_they_are_new() -> None:
    time_ns = [0]
    limits = Limits(tokens_per_s=200, capacity_tokens=550, reserve_tokens=50)
    bucket = TokenBucket(limits, now_ns=lambda: time_ns[0])
    time_ns[0] = 5 * SECOND_NS
    bucket.drain()
    bucket.adopt(limits)
    assert bucket.usage().pace_tokens_per_s == 100
    bucket.adopt(Limits(tokens_per_s=300, capacity_tokens=900))
    assert bucket.usage().pace_tokens_per_s == 300
