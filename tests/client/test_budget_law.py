"""The law of a shared bucket, for any mix of programs: no interval holds more than capacity + rate * t."""

import asyncio
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.client.buckets import SharedKeeper, TokenBucket
from pipelines.client.tiers import Limits
from tests.client.virtual import SECOND_NS, VirtualLoop, spend


@dataclass(frozen=True)
class Ask:
    """What one caller does next: pause, then ask, perhaps lose patience, perhaps hear a 429."""

    pause_ms: int
    cost_tokens: int
    patience_ms: int | None
    is_refused: bool


@dataclass(frozen=True)
class Plan:
    """What one program does: how late its timers are, and whether it dies while it waits."""

    asks: list[Ask]
    late_ms: int
    is_killed: bool


ASKS = st.builds(
    Ask,
    pause_ms=st.sampled_from([0, 0, 1, 30, 700]),
    cost_tokens=st.sampled_from([2, 10, 10, 10, 50]),
    patience_ms=st.sampled_from([None, None, None, 0, 20, 400]),
    is_refused=st.sampled_from([False] * 9 + [True]),
)
PLANS = st.builds(
    Plan,
    asks=st.lists(ASKS, min_size=1, max_size=12),
    late_ms=st.sampled_from([0, 1, 60, 900]),
    is_killed=st.booleans(),
)


def _calm(*costs_tokens: int, late_ms: int = 0) -> Plan:
    asks = [Ask(pause_ms=0, cost_tokens=cost, patience_ms=None, is_refused=False) for cost in costs_tokens]
    return Plan(asks=asks, late_ms=late_ms, is_killed=False)


@example(  # a line that takes twelve seconds to serve was once taken for one of the dead
    plans=[_calm(2), _calm(2, 2), _calm(2, 2, 2), _calm(2, 50, late_ms=1)], tokens_per_s=1, capacity_tokens=50
)
@given(
    plans=st.lists(PLANS, min_size=1, max_size=5),
    tokens_per_s=st.integers(1, 12_000),
    capacity_tokens=st.integers(50, 400),
)
def test_programs_that_share_a_bucket_never_take_more_than_it_gives(
    plans: list[Plan], tokens_per_s: int, capacity_tokens: int
) -> None:
    """Late timers, impatient callers, refusals and deaths take nothing from it, and all are served."""
    limits = Limits(tokens_per_s=tokens_per_s, capacity_tokens=capacity_tokens)
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory() as folder:
        taken = loop.play(_run_all(plans, limits, Path(folder), loop))
    for first, last in itertools.combinations_with_replacement(range(len(taken)), 2):
        spent = sum(cost for _, cost in taken[first : last + 1])
        t_ns = taken[last][0] - taken[first][0]
        assert spent * SECOND_NS <= capacity_tokens * SECOND_NS + tokens_per_s * t_ns


async def _run_all(
    plans: list[Plan], limits: Limits, folder: Path, loop: VirtualLoop
) -> list[tuple[int, int]]:
    """Return when how many tokens were taken, in order; every impatient caller was served or left."""
    taken: list[tuple[int, int]] = []

    async def program(plan: Plan) -> int:
        async def sleep_late(seconds: float) -> None:
            await asyncio.sleep(seconds + plan.late_ms / 1_000)

        keeper = SharedKeeper(folder, "a key", limits, loop.now_ns)
        bucket = TokenBucket(limits, now_ns=loop.now_ns, sleep=sleep_late, keeper=keeper)
        n_done = 0
        for ask in plan.asks:
            await asyncio.sleep(ask.pause_ms / 1_000)
            patience_s = None if ask.patience_ms is None else ask.patience_ms / 1_000
            try:
                async with asyncio.timeout(patience_s):
                    await spend(bucket, ask.cost_tokens)
                    taken.append((loop.now_ns(), ask.cost_tokens))
            except TimeoutError:
                pass
            if ask.is_refused:
                bucket.drain()
            n_done += 1
        if plan.is_killed:
            with keeper.held() as ledger:
                ledger.reserve(10, loop.now_ns())
        keeper.close()
        return n_done

    n_done = await asyncio.gather(*map(program, plans))
    assert n_done == [len(plan.asks) for plan in plans]
    return taken
