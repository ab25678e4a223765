"""How fast the client asks, what share of its budget it uses, and what that costs, against the sandbox.

The sandbox runs in a process of its own; CPU is the client's alone. Both share this machine's cores, so rates
near the sandbox's own speed say more about the sandbox.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from pipelines.client import Client, Settings
from pipelines.client.tiers import DEFAULT_COST_TOKENS, TIERS
from sandbox import World, running
from tests.benchmarks.figures import Figure

SEED: Final = 7
N_READERS: Final = 12
WARM_S: Final = 1.5
STEADY_S: Final = 4.0
PAGE_SIZE: Final = 1_000

# Reads until it is cancelled, adding up requests and rows.
Reader = Callable[[Client, "Seen"], Awaitable[None]]


@dataclass(slots=True)
class Seen:
    """Answers and rows so far."""

    answers: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Steady:
    """What a client did per second once the burst of a full bucket was over, and the CPU that it took."""

    answers_per_s: float
    rows_per_s: float
    cpu_share: float


def figures(work: Path) -> Iterator[Figure]:  # noqa: ARG001 - every area takes the folder
    """Yield requests per second by tier, their share of the budget, and the CPU of a page of 1,000 trades."""
    for tier, at_least in (("basic", 95.0), ("premier", 95.0), ("prestige", None)):
        allowed_per_s = TIERS[tier].read.tokens_per_s / DEFAULT_COST_TOKENS
        found = measure(tier, _ask_status)
        asked = f"GET /exchange/status, tier {tier}: {allowed_per_s:,.0f} requests/s allowed, no 429"
        yield Figure(what="small requests", value=found.answers_per_s, unit="requests/s", work=asked)
        share = 100 * found.answers_per_s / allowed_per_s
        yield Figure(what="share of the budget", value=share, unit="%", work=asked, at_least=at_least)
        yield Figure(what="client CPU", value=100 * found.cpu_share, unit="% of a core", work=asked)
    for tier in ("premier", "prestige"):
        found = measure(tier, _read_trades)
        asked = f"GET /markets/trades, pages of 1,000, decoded, tier {tier}, no 429"
        yield Figure(what="pages", value=found.answers_per_s, unit="requests/s", work=asked)
        yield Figure(what="trades", value=found.rows_per_s, unit="trades/s", work=asked)
        per_page_ms = 1e3 * found.cpu_share / found.answers_per_s
        at_most = 5.0 if tier == "premier" else None
        yield Figure(what="client CPU of a page", value=per_page_ms, unit="ms", work=asked, at_most=at_most)


def measure(tier: str, reader: Reader) -> Steady:
    """Run readers against a sandbox of a tier and return their steady rates; a 429 is a bug of our budget."""
    with _exchange(tier) as link:
        found = asyncio.run(_steadily(link.recv(), tier, reader))
        link.send("stop")
        n_refused = link.recv()
    if n_refused:
        raise AssertionError(
            f"tier {tier}: the sandbox refused {n_refused} requests of a client within its budget"
        )
    return found


@contextmanager
def _exchange(tier: str) -> Iterator[Connection]:
    """Run a sandbox in another process; it sends its base URL and, once told to stop, its count of 429s."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_serve, args=(tier, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise TimeoutError("the sandbox did not come up within 60 s")
        yield ours
    finally:
        process.terminate()
        process.join(10)


def _serve(tier: str, link: Connection) -> None:
    with running(World(SEED), tier=tier) as sandbox:
        link.send(sandbox.base_url)
        link.recv()
        link.send(sandbox.meter.refused)


async def _ask_status(client: Client, seen: Seen) -> None:
    while True:
        await client.exchange_status()
        seen.answers += 1


async def _read_trades(client: Client, seen: Seen) -> None:
    while True:
        async for page in client.trades(page_size=PAGE_SIZE):
            seen.answers += 1
            seen.rows += len(page)


async def _steadily(base_url: str, tier: str, reader: Reader) -> Steady:
    seen = Seen()
    async with Client(Settings(base_url=base_url, tier=tier)) as client:
        tasks = [asyncio.ensure_future(reader(client, seen)) for _ in range(N_READERS)]
        try:
            await asyncio.sleep(WARM_S)
            before = Seen(seen.answers, seen.rows)
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            await asyncio.sleep(STEADY_S)
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            return Steady(
                answers_per_s=(seen.answers - before.answers) / wall_s,
                rows_per_s=(seen.rows - before.rows) / wall_s,
                cpu_share=cpu_s / wall_s,
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
