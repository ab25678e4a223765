"""What a page of 1,000 trades costs, from the socket to columns of the lake: by stage, and in one client.

A server in a process of its own writes the same page to whoever asks, so that the client is what is measured.
A core has 1,000 ms of CPU a second: Premier asks for 120 pages a second, Prime for 480.
"""

import asyncio
import json
import multiprocessing
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipelines.client import Budget, Client, Settings
from pipelines.client.budget import Costs, TokenBucket
from pipelines.client.decode import decode
from pipelines.client.drift import Drift
from pipelines.client.signing import signers_of
from pipelines.client.tiers import Limits
from pipelines.client.transport import pool
from pipelines.client.wire import TradesPage
from pipelines.ingest import columns
from tests.benchmarks.figures import Figure, timed

N_TRADES: Final = 1_000
N_READERS: Final = 8
N_PAGES: Final = 600
N_STAGE: Final = 200
PREMIER_PER_S: Final = 120
PRIME_PER_S: Final = 480
FETCHED_TS: Final = datetime(2026, 11, 1, tzinfo=UTC)


def figures(work: Path) -> Iterator[Figure]:  # noqa: ARG001 - every area takes the folder
    """Yield CPU milliseconds a page by stage; then all of it, and pages a second."""
    page = _page()
    size = f"{N_TRADES:,} trades, {len(page) / 1e3:.0f} KB"
    signer = signers_of(Settings(key_id="k" * 36, private_key=_key()))
    assert signer is not None
    yield _stage(
        "signature, RSA-2048", lambda: signer.headers("GET", "/markets", timestamp_ms=1), "one request"
    )
    yield _stage("decoding into structs", lambda: _decoded(page), size)
    trades = _decoded(page).trades or []
    yield _stage(
        "structs into columns", lambda: columns.trades(trades, source="live", fetched_ts=FETCHED_TS), size
    )
    with _pages(page) as base_url:
        cost = asyncio.run(_fetched(base_url, len(page)))
        yield Figure(what="transport", value=cost, unit="ms CPU/page", work=size)
        cost, pages_per_s = asyncio.run(_pulled(base_url))
        asked = f"signed, {size}, socket to columns, one process"
        for tier, per_s in (("Premier", PREMIER_PER_S), ("Prime", PRIME_PER_S)):
            yield Figure(
                what=f"all of it, share of a core at {tier}",
                value=100 * cost * per_s / 1e3,
                unit="% of a core",
                work=f"{asked}: {cost:.2f} ms a page, {per_s} pages/s",
                at_most=100.0,
            )
        yield Figure(
            what="as fast as it goes",
            value=pages_per_s,
            unit="pages/s",
            work=asked,
            at_least=float(PREMIER_PER_S),
        )


def _stage(what: str, call: object, work: str) -> Figure:
    assert callable(call)
    spent = timed(lambda: [call() for _ in range(N_STAGE)], n_times=3)
    return Figure(what=what, value=1e3 * spent.cpu_s / N_STAGE, unit="ms CPU/page", work=work)


def _decoded(page: bytes) -> TradesPage:
    return decode(page, TradesPage, path="/markets/trades", drift=Drift())


async def _fetched(base_url: str, n_bytes: int) -> float:
    """Return milliseconds of CPU a page for moving its bytes."""
    async with pool(base_url, n_concurrent=N_READERS) as http:

        async def read(n: int) -> None:
            for _ in range(n):
                assert len((await http.get(f"{base_url}/markets/trades")).content) == n_bytes

        await asyncio.gather(*(read(5) for _ in range(N_READERS)))
        began_s = time.process_time()
        await asyncio.gather(*(read(N_PAGES // N_READERS) for _ in range(N_READERS)))
        return 1e3 * (time.process_time() - began_s) / N_PAGES


async def _pulled(base_url: str) -> tuple[float, float]:
    """Return milliseconds of CPU a page, and pages a second, for all that a pull does before the lake."""
    plenty = Limits(tokens_per_s=10**6, capacity_tokens=10**6)
    budget = Budget(read=TokenBucket(plenty), write=TokenBucket(plenty), costs=Costs(10, {}))
    settings = Settings(base_url=base_url, key_id="k" * 36, private_key=_key())
    async with Client(settings, budget=budget) as client:

        async def read(n: int) -> None:
            for _ in range(n):
                async for page in client.trades(page_size=N_TRADES):
                    assert columns.trades(page, source="live", fetched_ts=FETCHED_TS).frame.height == N_TRADES

        await asyncio.gather(*(read(5) for _ in range(N_READERS)))
        began_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(read(N_PAGES // N_READERS) for _ in range(N_READERS)))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    return 1e3 * cpu_s / N_PAGES, N_PAGES / took_s


def _key() -> str:
    key = generate_private_key(65_537, 2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _page() -> bytes:
    rng = random.Random(1)
    trades = []
    for at in range(N_TRADES):
        price_cc = rng.randrange(1, 9_999)
        trades.append(
            {
                "trade_id": str(uuid.UUID(int=rng.getrandbits(128))),
                "ticker": f"KXSIM-26MAR{at % 28 + 1:02d}-T{rng.randrange(50, 99)}",
                "count_fp": f"{rng.randrange(1, 999)}.{rng.randrange(100):02d}",
                "yes_price_dollars": f"0.{price_cc:04d}",
                "no_price_dollars": f"0.{10_000 - price_cc:04d}",
                "taker_outcome_side": "yes",
                "taker_book_side": "bid",
                "taker_side": "yes",
                "created_time": f"2026-03-01T12:{at % 60:02d}:11.{rng.randrange(10**6):06d}Z",
                "is_block_trade": False,
            }
        )
    return json.dumps({"trades": trades, "cursor": ""}, separators=(",", ":")).encode()


@contextmanager
def _pages(page: bytes) -> Iterator[str]:
    """Run a server in another process that says the same page to every request."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_serve, args=(page, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise TimeoutError("the server of pages did not come up within 60 s")
        yield f"http://127.0.0.1:{ours.recv()}/trade-api/v2"
    finally:
        process.terminate()
        process.join(10)


def _serve(page: bytes, link: Connection) -> None:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head + page)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        link.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())
