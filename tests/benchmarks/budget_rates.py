"""Whether programs on one key use all of its budget, fairly, and what they do when it silently shrinks.

Four client processes share a key's budget through a file; the sandbox runs in a process of its own and counts
what it took and refused. All of them share this machine's cores. Tokens allowed are the full bucket and its
refill from the first request on; the halving says nothing to the clients, they learn it from refusals.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from pipelines.client import Budget, Client, Settings
from pipelines.client.buckets import SharedKeeper, TokenBucket
from pipelines.client.errors import RateLimited
from pipelines.client.tiers import TIERS, Limits
from sandbox import World, running
from tests.benchmarks.figures import Figure, timed

SEED: Final = 7
N_PROGRAMS: Final = 4
N_CALLERS: Final = 12
FULL_S: Final = 60
LEARNING_S: Final = 10
LEARNED_S: Final = 20
N_ACQUIRES: Final = 20_000
START_S: Final = 120

_PROCESSES: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sandbox had seen at a moment of the monotonic clock."""

    at_s: float
    tokens_spent: int
    requests: int
    refused: int


def figures(work: Path) -> Iterator[Figure]:
    """Yield shares of the budget, refusals and fairness by tier, also after the halving; then the cost."""
    for tier in ("basic", "premier"):
        yield from _shared_by_four(tier, work / f"budget-{tier}")
    yield from _cost_of_a_turn(work / "budget-cost")


def _shared_by_four(tier: str, folder: Path) -> Iterator[Figure]:
    limits = TIERS[tier].read
    asked = f"{N_PROGRAMS} processes, one key, tier {tier}"
    with ExitStack() as stack:
        exchange, base_url = stack.enter_context(_exchange(tier))
        programs = [stack.enter_context(_program(tier, base_url, folder)) for _ in range(N_PROGRAMS)]
        start = _seen(exchange)
        for one in programs:
            one.send("go")
        time.sleep(FULL_S)
        full, answers = _seen(exchange), [_ask(one, "count") for one in programs]
        exchange.send("halve")
        halved = _seen(exchange)
        time.sleep(LEARNING_S)
        learning = _seen(exchange)
        time.sleep(LEARNED_S)
        learned = _seen(exchange)
    allowed = limits.capacity_tokens + limits.tokens_per_s * (full.at_s - start.at_s)
    share = 100 * (full.tokens_spent - start.tokens_spent) / allowed
    work = f"{asked}, {FULL_S} s"
    yield Figure(what="share of the budget", value=share, unit="%", work=work, at_least=97.0)
    n_refused = full.refused - start.refused
    yield Figure(what="answers 429", value=n_refused, unit="requests", work=work, at_most=0.0)
    slowest = 100 * min(answers) / sum(answers)
    yield Figure(what="share of the slowest", value=slowest, unit="%", work=work, at_least=20.0)
    allowed = limits.tokens_per_s / 2 * (learned.at_s - learning.at_s)
    share = 100 * (learned.tokens_spent - learning.tokens_spent) / allowed
    work = f"{asked}, second {LEARNING_S} to {LEARNING_S + LEARNED_S} after a silent halving"
    yield Figure(what="share of what is left", value=share, unit="%", work=work, at_least=90.0)
    refused = 100 * (learned.refused - halved.refused) / (learned.requests - halved.requests)
    work = f"{asked}, {LEARNING_S + LEARNED_S} s after a silent halving"
    yield Figure(what="answers 429", value=refused, unit="% of requests", work=work, at_most=2.0)


def _cost_of_a_turn(folder: Path) -> Iterator[Figure]:
    limits = Limits(tokens_per_s=1_000_000, capacity_tokens=1_000_000)
    keeper = SharedKeeper(folder, "cost", limits, time.monotonic_ns)
    for what, bucket in (
        ("in memory", TokenBucket(limits)),
        ("in a file, nobody else asks", TokenBucket(limits, keeper=keeper)),
    ):
        took_s = timed(partial(_run_often, bucket), n_times=3).cpu_s
        yield Figure(
            what="CPU of acquire and landed",
            value=1e6 * took_s / N_ACQUIRES,
            unit="µs",
            work=f"bucket {what}, tokens there",
            at_most=50.0,
        )


def _run_often(bucket: TokenBucket) -> None:
    async def often() -> None:
        for _ in range(N_ACQUIRES):
            bucket.landed(await bucket.acquire(1), is_accepted=True)

    asyncio.run(often())


def _ask(link: Connection, what: str) -> int:
    link.send(what)
    answer: int = link.recv()
    return answer


def _seen(exchange: Connection) -> Seen:
    exchange.send("tell")
    seen: Seen = exchange.recv()
    return seen


@contextmanager
def _exchange(tier: str) -> Iterator[tuple[Connection, str]]:
    """Run a sandbox in a process; yield the line to it and its base URL."""
    with _process(_serve, tier) as link:
        yield link, link.recv()


@contextmanager
def _program(tier: str, base_url: str, folder: Path) -> Iterator[Connection]:
    """Run a client in a process that waits for "go"."""
    with _process(_ask_for_ever, tier, base_url, folder) as link:
        link.recv()
        yield link


@contextmanager
def _process(target: object, *arguments: object) -> Iterator[Connection]:
    ours, theirs = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=target, args=(theirs, *arguments), daemon=True)  # type: ignore[arg-type]
    process.start()
    theirs.close()  # so that a process that dies is an end of file here, not a wait for ever
    try:
        if not ours.poll(START_S):
            raise TimeoutError(f"{target} did not come up within {START_S} s")
        yield ours
    finally:
        process.terminate()
        process.join(10)


def _serve(link: Connection, tier: str) -> None:
    with running(World(SEED), tier=tier) as sandbox:
        link.send(sandbox.base_url)
        while True:
            if link.recv() == "halve":
                sandbox.state.buckets.scale(0.5)
                continue
            meter = sandbox.meter
            link.send(Seen(time.monotonic(), meter.tokens_spent, meter.requests, meter.refused))


def _ask_for_ever(link: Connection, tier: str, base_url: str, folder: Path) -> None:
    budget = Budget.shared(tier, base_url, folder)
    asyncio.run(_program_of(link, Client(Settings(base_url=base_url, tier=tier), budget=budget)))


async def _program_of(link: Connection, client: Client) -> None:
    n_answers = 0

    async def caller() -> None:
        nonlocal n_answers
        while True:
            try:
                await client.exchange_status()
            except RateLimited:  # refused in every try: the sandbox counts those
                continue
            n_answers += 1

    async with client:
        link.send("ready")
        await asyncio.to_thread(link.recv)
        async with asyncio.TaskGroup() as group:
            for _ in range(N_CALLERS):
                group.create_task(caller())
            while True:
                await asyncio.to_thread(link.recv)
                link.send(n_answers)
