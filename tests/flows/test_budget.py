"""A budget leased from a real Prefect server: what machines may spend together, and what goes wrong."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.client.buckets import SharedKeeper
from pipelines.client.budget import Budget, TokenBucket
from pipelines.client.errors import SettingsError
from pipelines.client.tiers import Limits
from pipelines.flows.budget import (
    LIMITS_VARIABLE,
    LeasedBucket,
    NoLease,
    across_machines,
    client_of_flow,
)
from tests.client.virtual import spend
from tests.flows.orchestra import ROOT, Orchestra, leftover_sockets

pytestmark = [pytest.mark.slow, leftover_sockets, pytest.mark.usefixtures("in_process")]

LIMITS = Limits(tokens_per_s=400, capacity_tokens=400)

MACHINE = """
import asyncio, json, sys, time
from pipelines.client.budget import TokenBucket
from pipelines.client.tiers import Limits
from pipelines.flows.budget import LeasedBucket

async def spend() -> list[float]:
    local = TokenBucket(Limits(tokens_per_s=400, capacity_tokens=400))
    bucket = LeasedBucket(local, limit_name="three-machines", block_tokens=100)
    taken_s = []
    for _ in range(60):
        bucket.landed(await bucket.acquire(10), is_accepted=True)
        taken_s.append(time.monotonic())
    return taken_s

print(json.dumps(asyncio.run(spend())))
"""


def leased(limit_name: str, *, block_tokens: int = 50, lease_s: float = 60.0) -> LeasedBucket:
    local = TokenBucket(LIMITS)
    return LeasedBucket(local, limit_name=limit_name, block_tokens=block_tokens, lease_s=lease_s)


def create(
    orchestra: Orchestra, name: str, *, slots: int, decay_per_s: float, is_active: bool = True
) -> None:
    """Do what `prefect gcl create` does, without starting a process."""
    orchestra.create(
        "v2/concurrency_limits", name=name, limit=slots, slot_decay_per_second=decay_per_s, active=is_active
    )


def test_machines_together_spend_no_more_than_the_limit_gives(in_process: Orchestra) -> None:
    """Three of 600 tokens: at most 200 + 200 * t, and a block of 100 each, in any interval."""
    create(in_process, "three-machines", slots=200, decay_per_s=200)
    machines = [
        subprocess.Popen(
            [sys.executable, "-c", MACHINE],
            cwd=ROOT,
            env=dict(in_process.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [machine.communicate(timeout=180) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0, 0], told
    taken_s = sorted(at_s for out, _ in told for at_s in json.loads(out))
    assert len(taken_s) == 180
    for first, start_s in enumerate(taken_s):
        for last in range(first, len(taken_s)):
            spent_tokens = 10 * (last - first + 1)
            # The server counts whole slots by its own clock: half a second of them for what that is apart.
            assert spent_tokens <= 200 + 200 * (taken_s[last] - start_s) + 3 * 100 + 100


def test_a_block_is_leased_once_and_what_a_request_gives_back_is_used_by_the_next(
    in_process: Orchestra,
) -> None:
    """One lease of 50 for five requests of 10; a cancelled one leaves its tokens to others."""
    create(in_process, "one-block", slots=100, decay_per_s=0.001)
    bucket = leased("one-block")

    async def story() -> tuple[int, int]:
        for _ in range(5):
            await spend(bucket, 10)
        first = bucket.leased_tokens
        await spend(bucket, 45)
        await spend(bucket._local, 400)  # noqa: SLF001
        waiting = asyncio.ensure_future(bucket.acquire(5))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return first, bucket.leased_tokens

    assert asyncio.run(story()) == (0, 5)
    (limit,) = [each for each in in_process.find("v2/concurrency_limits") if each["name"] == "one-block"]
    assert limit["active_slots"] == 100


def test_what_was_leased_is_under_way_until_its_answer_is_there(
    in_process: Orchestra, tmp_path: Path
) -> None:
    create(in_process, "under-way", slots=100, decay_per_s=100)
    keeper = SharedKeeper(tmp_path, "a key", LIMITS, time.monotonic_ns)
    bucket = LeasedBucket(TokenBucket(LIMITS, keeper=keeper), limit_name="under-way", block_tokens=50)
    flight = asyncio.run(bucket.acquire(10))
    bucket.landed(flight, is_accepted=True)
    with keeper.held() as ledger:
        assert (ledger.under_way_tokens + ledger.under_way_before_tokens, ledger.n_accepted) == (0, 1)


def test_a_refusal_makes_what_was_leased_worthless(in_process: Orchestra) -> None:
    create(in_process, "refused", slots=100, decay_per_s=100)
    bucket = leased("refused")
    asyncio.run(bucket.acquire(10))
    assert bucket.leased_tokens == 40
    bucket.drain()
    assert (bucket.leased_tokens, bucket.usage().n_refused) == (0, 1)


def test_a_limit_that_gives_nothing_ends_in_a_clear_error(in_process: Orchestra) -> None:
    create(in_process, "exhausted", slots=50, decay_per_s=0.001)
    bucket = leased("exhausted", lease_s=1.0)
    asyncio.run(bucket.acquire(50))
    with pytest.raises(NoLease, match="gave no 50 tokens in 1 s"):
        asyncio.run(bucket.acquire(10))


def test_limits_that_would_let_everything_through_are_refused(in_process: Orchestra) -> None:
    """Prefect itself lets everybody pass where a limit is missing or switched off."""
    create(in_process, "too-small", slots=20, decay_per_s=1)
    create(in_process, "off", slots=100, decay_per_s=1, is_active=False)
    create(in_process, "never-refills", slots=100, decay_per_s=0)
    for name, told in (
        ("missing", "`prefect gcl create missing --limit 400 --slot-decay-per-second 400`"),
        ("off", "`prefect gcl enable off`"),
        ("never-refills", "`prefect gcl update never-refills --slot-decay-per-second 400`"),
        ("too-small", "has 20 slots, a lease takes 50"),
    ):
        with pytest.raises(SettingsError, match=told):
            asyncio.run(leased(name).acquire(10))


def test_without_a_server_nothing_is_asked_of_the_exchange(tmp_path: Path) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    budget = Budget.shared("basic", "a key", tmp_path)
    both = across_machines(budget, read_limit="kalshi-read", write_limit="kalshi-write")
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(NoLease, match="check PREFECT_API_URL"),
    ):
        asyncio.run(both.acquire("GET", "/markets"))
    assert budget.read.usage().spent_tokens == 0


def test_a_flow_leases_where_two_limits_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_BASE_URL", "http://127.0.0.1:1/trade-api/v2")
    plain, leasing = client_of_flow({}), client_of_flow({LIMITS_VARIABLE: "kalshi-read, kalshi-write"})
    assert not isinstance(plain.budget.read, LeasedBucket)
    assert isinstance(leasing.budget.read, LeasedBucket)
    assert isinstance(leasing.budget.write, LeasedBucket)
    assert leasing.budget.read.limits == plain.budget.read.limits
    with pytest.raises(SettingsError, match="write two names of Prefect limits"):
        client_of_flow({LIMITS_VARIABLE: "kalshi-read"})
