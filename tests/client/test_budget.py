"""The budget: a law, not an approximation; first come, first served; and an account of what was used."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.client.budget import Budget, Costs, TokenBucket, with_headroom
from pipelines.client.errors import RequestError
from pipelines.client.tiers import TIERS, Limits
from tests.client.virtual import spend

SECOND_NS = 1_000_000_000


@dataclass
class FakeTime:
    """A clock that moves only when somebody sleeps, a little late like a real one."""

    at_ns: int = 0
    late_ns: int = 0

    def now_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        self.at_ns += round(seconds * SECOND_NS) + self.late_ns
        await asyncio.sleep(0)


def bucket(tokens_per_s: int, capacity_tokens: int, time: FakeTime) -> TokenBucket:
    limits = Limits(tokens_per_s=tokens_per_s, capacity_tokens=capacity_tokens)
    return TokenBucket(limits, now_ns=time.now_ns, sleep=time.sleep)


@given(
    tokens_per_s=st.integers(1, 12_000),
    capacity_tokens=st.integers(50, 1_000),
    costs=st.lists(st.sampled_from([2, 10, 30, 50]), min_size=1, max_size=60),
    pauses_ns=st.lists(st.integers(0, 3 * SECOND_NS), min_size=60, max_size=60),
    late_ns=st.integers(0, 5_000_000),
)
def test_no_interval_ever_holds_more_than_capacity_plus_rate_times_time(
    tokens_per_s: int, capacity_tokens: int, costs: list[int], pauses_ns: list[int], late_ns: int
) -> None:
    """For every pair of moments: tokens taken in between <= capacity + rate * t, in exact integers."""
    time = FakeTime(late_ns=late_ns)
    one = bucket(tokens_per_s, capacity_tokens, time)
    taken: list[tuple[int, int]] = []

    async def story() -> None:
        for cost, pause_ns in zip(costs, pauses_ns, strict=False):
            await spend(one, cost)
            taken.append((time.at_ns, cost))
            time.at_ns += pause_ns

    asyncio.run(story())
    for first, last in itertools.combinations_with_replacement(range(len(taken)), 2):
        spent = sum(cost for _, cost in taken[first : last + 1])
        t_ns = taken[last][0] - taken[first][0]
        assert spent * SECOND_NS <= capacity_tokens * SECOND_NS + tokens_per_s * t_ns
    usage = one.usage()
    assert usage.spent_tokens == sum(costs)
    assert usage.spent_tokens <= usage.allowed_tokens + 1


@given(n_waiters=st.integers(2, 12), costs=st.lists(st.sampled_from([2, 10, 50]), min_size=12, max_size=12))
def test_who_comes_first_is_served_first(n_waiters: int, costs: list[int]) -> None:
    """A cheap request does not overtake an expensive one that came before it."""
    time = FakeTime()
    one = bucket(100, 50, time)
    served: list[int] = []

    async def wait(number: int) -> None:
        await spend(one, costs[number])
        served.append(number)

    async def everybody() -> None:
        await asyncio.gather(*(wait(number) for number in range(n_waiters)))

    asyncio.run(everybody())
    assert served == list(range(n_waiters))


def test_a_full_bucket_gives_its_burst_and_then_the_rate() -> None:
    """Basic reads: 60 requests of 10 at once from 600 tokens, then one every 50 ms at 200 tokens/s."""
    time = FakeTime()
    one = bucket(200, 600, time)

    at_s: list[float] = []

    async def story() -> None:
        for _ in range(62):
            await spend(one, 10)
            at_s.append(time.at_ns / SECOND_NS)

    asyncio.run(story())
    assert at_s[59:] == [0.0, 0.05, 0.10]


def test_a_429_empties_the_bucket_stands_back_and_slows_down() -> None:
    """Five refusals that come together are one: 19/20 of 200 is 190, 95 tokens of standing back, 10 to take.

    The next comes soon and nothing was accepted in between, so the pace halves: 95, (47.5 + 10) / 95 s.
    """
    time = FakeTime()
    one = bucket(200, 600, time)
    asyncio.run(spend(one, 10))
    for _ in range(5):
        one.drain()
    asyncio.run(spend(one, 10))
    assert time.at_ns == 552_631_579
    one.drain()
    asyncio.run(spend(one, 10))
    assert time.at_ns == 552_631_579 + 605_263_158
    assert one.usage().n_refused == 6


def test_a_cancelled_waiter_takes_nothing_and_blocks_nobody() -> None:
    one = TokenBucket(Limits(tokens_per_s=1_000, capacity_tokens=10))

    async def story() -> int:
        await spend(one, 10)
        waiter = asyncio.create_task(spend(one, 10))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await spend(one, 10)
        return one.usage().spent_tokens

    assert asyncio.run(story()) == 20


def test_a_request_dearer_than_the_exchanges_bucket_goes_out_when_that_is_full() -> None:
    """It will be refused, or we are wrong about the capacity; neither is a reason to wait for ever."""
    time = FakeTime()
    one = bucket(10, 10, time)

    async def story() -> None:
        await spend(one, 10)
        await spend(one, 30)
        await spend(one, 10)

    asyncio.run(story())
    assert time.at_ns == 2 * SECOND_NS


def test_a_batch_as_large_as_the_exchanges_bucket_uses_the_headroom_too() -> None:
    """Basic writes: 75 tokens for us, 25 in reserve; ten creates of 10 go out a quarter second after full."""
    time = FakeTime()
    budget = Budget.for_tier("basic", now_ns=time.now_ns, sleep=time.sleep)
    flight = asyncio.run(budget.acquire("POST", "/portfolio/events/orders/batched", n_items=10))
    assert time.at_ns == SECOND_NS // 4
    budget.landed("POST", flight, is_accepted=True)
    asyncio.run(budget.acquire("POST", "/portfolio/events/orders"))
    assert time.at_ns == SECOND_NS // 4 + SECOND_NS // 10


def test_a_batch_that_never_fits_is_refused_before_anything_is_waited_for() -> None:
    """Basic writes hold 100 tokens: ten creates of 10, or fifty cancels of 2."""
    time = FakeTime()
    budget = Budget.for_tier("basic", now_ns=time.now_ns, sleep=time.sleep)
    route = "/portfolio/events/orders/batched"
    for method, n_items, told in (
        ("POST", 11, "11 items costs 110 tokens, more than the 100 .* at most 10 at once"),
        ("DELETE", 51, "51 items costs 102 tokens, more than the 100 .* at most 50 at once"),
        ("POST", 0, "a batch of 0 items"),
    ):
        with pytest.raises(RequestError, match=told):
            asyncio.run(budget.acquire(method, route, n_items=n_items))
    assert (time.at_ns, budget.write.usage().spent_tokens) == (0, 0)


def test_usage_says_which_share_of_the_budget_was_used() -> None:
    """5 s at 200 tokens/s from 600: 1,600 allowed. 80 requests of 10 spend half of it."""
    time = FakeTime()
    one = bucket(200, 600, time)

    async def story() -> None:
        for _ in range(80):
            await spend(one, 10)

    asyncio.run(story())
    time.at_ns = 5 * SECOND_NS
    usage = one.usage()
    assert (usage.spent_tokens, usage.allowed_tokens, usage.share) == (800, 1_600, 0.5)
    assert (usage.n_requests, usage.waited_s, usage.elapsed_s) == (80, 1.0, 5.0)


def test_adopted_limits_apply_at_once_and_never_overfill() -> None:
    time = FakeTime()
    one = bucket(200, 600, time)
    one.adopt(Limits(tokens_per_s=20, capacity_tokens=20))

    async def story() -> None:
        for _ in range(4):
            await spend(one, 10)

    asyncio.run(story())
    assert time.at_ns == SECOND_NS


@pytest.mark.parametrize(
    ("tier", "read", "write"),
    [
        ("basic", (200, 600), (100, 100)),
        ("advanced", (300, 900), (300, 900)),
        ("expert", (600, 600), (600, 1_800)),
        ("premier", (1_200, 1_200), (1_200, 3_600)),
        ("paragon", (2_400, 2_400), (2_400, 7_200)),
        ("prime", (4_800, 4_800), (4_800, 14_400)),
        ("prestige", (12_000, 12_000), (9_600, 28_800)),
    ],
)
def test_tiers_are_those_of_the_rate_limits_page(
    tier: str, read: tuple[int, int], write: tuple[int, int]
) -> None:
    """KALSHI.md §3, 2026-09-24: reads hold 3 s below Expert, then 1 s; writes 1 s for Basic, else 3 s."""
    limits = TIERS[tier]
    assert (limits.read.tokens_per_s, limits.read.capacity_tokens) == read
    assert (limits.write.tokens_per_s, limits.write.capacity_tokens) == write


def test_headroom_is_a_quarter_second_of_refill() -> None:
    """Basic reads: 600 - 200 / 4 = 550 tokens at once; the rate is untouched."""
    expected = Limits(tokens_per_s=200, capacity_tokens=550, reserve_tokens=50)
    assert with_headroom(TIERS["basic"].read) == expected


def test_headroom_of_a_shallow_bucket_leaves_most_of_it() -> None:
    """A bucket of 8 that refills 400 a second keeps 2 back, not 100."""
    expected = Limits(tokens_per_s=400, capacity_tokens=6, reserve_tokens=2)
    assert with_headroom(Limits(tokens_per_s=400, capacity_tokens=8)) == expected


def test_limits_of_nothing_make_callers_hear_a_refusal_rather_than_wait_for_ever() -> None:
    time = FakeTime()
    one = bucket(10, 10, time)
    one.adopt(Limits(tokens_per_s=0, capacity_tokens=0))
    assert one.limits == Limits(tokens_per_s=1, capacity_tokens=1)
    asyncio.run(spend(one, 10))
    assert time.at_ns == 0


def test_costs_are_priced_by_route() -> None:
    costs = Costs(10, {("GET", "/portfolio/orders/{order_id}"): 2, ("GET", "/trade-api/v2/x"): 5})
    assert costs.of("GET", "/markets") == 10
    assert costs.of("GET", "/portfolio/orders/abc-1") == 2
    assert costs.of("GET", "/portfolio/orders/abc/queue_position") == 10
    assert costs.of("GET", "/portfolio/orders") == 10
    assert costs.of("DELETE", "/portfolio/orders/abc-1") == 10
    assert costs.of("GET", "/x") == 5


def test_reads_and_writes_have_their_own_buckets() -> None:
    time = FakeTime()
    budget = Budget.for_tier("basic", now_ns=time.now_ns, sleep=time.sleep)

    async def story() -> None:
        await budget.acquire("GET", "/markets")
        await budget.acquire("POST", "/account/api_usage_level/upgrade")
        await budget.acquire("DELETE", "/portfolio/events/orders/1")

    asyncio.run(story())
    spent: Any = (budget.read.usage().spent_tokens, budget.write.usage().spent_tokens)
    assert spent == (10, 32)
