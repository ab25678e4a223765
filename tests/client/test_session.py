"""Requests: what is tried again, how often, for how long, and when a host is left alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pipelines.client import (
    BreakerOpen,
    Client,
    Forbidden,
    HttpError,
    NotFound,
    RateLimited,
    Retry,
    ServerFault,
    Settings,
    Unreachable,
)
from pipelines.client.breaker import Breaker
from pipelines.client.buckets import SharedKeeper
from pipelines.client.budget import Budget, Costs, TokenBucket
from pipelines.client.tiers import Limits
from tests.client.loopback import Reply, exchange, patient, script
from tests.client.payloads import a_market

T = TypeVar("T")
GOOD = Reply(body={"market": a_market("KX-1")})


def run(settings: Settings, ask: Callable[[Client], Awaitable[T]], **options: Any) -> T:  # noqa: ANN401  Client's
    """Ask one question with a fresh client that never pauses."""

    async def story() -> T:
        async with Client(settings, **({"retry": patient()} | options)) as client:
            return await ask(client)

    return asyncio.run(story())


async def one_market(client: Client) -> str:
    return (await client.market("KX-1")).ticker


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=429, body={"error": "too many requests"}),
        Reply(status=500, body={"code": "internal", "message": "oops"}),
        Reply(status=502, body=b"<html>bad gateway</html>"),
        Reply(status=503),
        Reply(status=504, body=b""),
        Reply(fault="reset"),
        Reply(body={"market": a_market()}, fault="half_body"),
        Reply(body={"market": a_market()}, fault="half_json"),
        Reply(body=b""),
        Reply(body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
    ],
    ids=lambda reply: f"{reply.status}-{reply.fault}-{str(reply.body)[:9]}",
)
def test_passing_trouble_is_tried_again(trouble: Reply) -> None:
    """Two troubles and a good answer: three sends, one result."""
    with exchange(script(trouble, trouble, GOOD)) as running:
        assert run(running.settings(), one_market) == "KX-1"
        assert running.paths == ["/markets/KX-1"] * 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, HttpError), (403, Forbidden), (404, NotFound), (409, HttpError), (301, HttpError)],
)
def test_a_refusal_is_never_tried_again(status: int, kind: type[HttpError]) -> None:
    said = Reply(status=status, body={"code": "some_code", "message": "some words", "details": "more"})
    with exchange(script(said)) as running:
        with pytest.raises(kind) as caught:
            run(running.settings(), one_market)
        assert len(running.asked) == 1
    error = caught.value
    assert (error.status, error.code, error.path) == (status, "some_code", "/markets/KX-1")
    assert f"GET /markets/KX-1: {status} (some_code: some words: more); " in str(error)


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (
            Reply(status=503, body={"code": "down"}),
            ServerFault,
            "503 after 6 tries (down); the exchange is in",
        ),
        (
            Reply(status=429, body={"error": "too many"}),
            RateLimited,
            "429 after 6 tries (too many); others spend",
        ),
        (Reply(fault="reset"), Unreachable, "after 6 tries (ReadError"),
        (Reply(body=b"{"), Unreachable, "after 6 tries (BrokenBody: body of 1 bytes is not whole JSON"),
    ],
)
def test_lasting_trouble_is_an_error_after_six_tries(
    trouble: Reply, kind: type[Exception], words: str
) -> None:
    with exchange(script(trouble)) as running:
        with pytest.raises(kind) as caught:
            run(running.settings(), one_market)
        assert len(running.asked) == 6
        assert words in str(caught.value)


def test_a_silent_exchange_times_out() -> None:
    with exchange(script(Reply(fault="silence"))) as running:
        with pytest.raises(Unreachable, match="after 2 tries \\(TimeoutError"):
            run(running.settings(), one_market, retry=patient(try_s=0.05, max_tries=2))
        assert len(running.asked) == 2


def test_nobody_listening_is_said_plainly() -> None:
    with exchange(script(GOOD)) as running:
        settings = running.settings()
    with pytest.raises(
        Unreachable, match=r"no usable answer from 127\.0\.0\.1:.*check the network and KALSHI_BASE_URL"
    ):
        run(settings, one_market)


def test_pauses_grow_are_jittered_from_zero_and_capped() -> None:
    """With every draw at its top: 0.5, 1, 2, 4, 8, 10, 10 s; with every draw at the bottom: none at all."""
    top = Retry(draw=lambda: 1.0)
    assert [top.pause_s(n) for n in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert Retry(draw=lambda: 0.0).pause_s(5) == 0.0


def test_retrying_ends_when_its_time_is_up() -> None:
    """Draws at the top make pauses of 0.5, 1, 2, 4 s: the fourth would pass the 5 s that are allowed."""
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)
        await asyncio.sleep(0)

    retry = Retry(draw=lambda: 1.0, sleep=sleep, max_tries=50, total_s=5.0)
    with (
        exchange(script(Reply(status=500))) as running,
        pytest.raises(ServerFault, match="500 after 4 tries"),
    ):
        run(running.settings(), one_market, retry=retry)
    assert paused == [0.5, 1.0, 2.0]


def test_every_try_pays_and_a_429_drains_the_budget() -> None:
    bucket = TokenBucket(Limits(tokens_per_s=1_000, capacity_tokens=1_000))
    budget = Budget(read=bucket, write=bucket, costs=Costs(10, {}))
    with exchange(script(Reply(status=429), Reply(status=500), GOOD)) as running:
        run(running.settings(), one_market, budget=budget)
    usage = bucket.usage()
    assert (usage.spent_tokens, usage.n_requests, usage.n_refused) == (30, 3, 1)
    assert usage.waited_s > 0.009, "after the 429 ten tokens had to come back at 1,000 a second"


@pytest.mark.parametrize(
    ("replies", "under_way", "n_accepted"),
    [
        ([GOOD], 0, 1),
        ([Reply(status=500), GOOD], 0, 2),
        ([Reply(status=404, body={"error": {"code": "not_found"}})], 0, 1),
        ([Reply(status=429), GOOD], 0, 1),  # counted anew from the refusal on
        ([Reply(body=b"")] * 2 + [GOOD], 0, 3),
        ([Reply(fault="reset"), GOOD], 10, 1),  # it may have arrived, or still arrive
    ],
    ids=["good", "500", "404", "429", "empty", "reset"],
)
def test_a_request_is_under_way_until_its_answer_is_there(
    replies: list[Reply], under_way: int, n_accepted: int, tmp_path: Path
) -> None:
    budget, keeper = kept_in(tmp_path)
    with exchange(script(*replies)) as running, suppress(NotFound):
        run(running.settings(), one_market, budget=budget)
    with keeper.held() as ledger:
        assert ledger.under_way_tokens + ledger.under_way_before_tokens == under_way
        assert ledger.n_accepted == n_accepted


def test_a_request_that_never_left_is_not_under_way(tmp_path: Path) -> None:
    budget, keeper = kept_in(tmp_path)
    with pytest.raises(Unreachable):
        run(Settings(base_url="http://127.0.0.1:9/trade-api/v2"), one_market, budget=budget)
    with keeper.held() as ledger:
        assert (ledger.under_way_tokens + ledger.under_way_before_tokens, ledger.n_accepted) == (0, 0)


def kept_in(folder: Path) -> tuple[Budget, SharedKeeper]:
    """Return a budget of 1,000 tokens, and where its ledger is kept."""
    limits = Limits(tokens_per_s=1_000, capacity_tokens=1_000)
    keeper = SharedKeeper(folder, "a key", limits, time.monotonic_ns)
    bucket = TokenBucket(limits, keeper=keeper)
    return Budget(read=bucket, write=bucket, costs=Costs(10, {})), keeper


def test_the_clients_pace_is_the_budgets_pace() -> None:
    """12 requests of 10 tokens, 20 at once and 200/s: 100 tokens must refill, half a second."""
    bucket = TokenBucket(Limits(tokens_per_s=200, capacity_tokens=20))
    budget = Budget(read=bucket, write=bucket, costs=Costs(10, {}))

    async def many(client: Client) -> float:
        began_s = asyncio.get_running_loop().time()
        await asyncio.gather(*(client.market("KX-1") for _ in range(12)))
        assert client.n_requests == 12
        return asyncio.get_running_loop().time() - began_s

    with exchange(script(GOOD)) as running:
        took_s = run(running.settings(), many, budget=budget)
    assert took_s >= 0.5


def test_the_breaker_opens_after_repeated_failures_and_says_so() -> None:
    """Three failed requests open it; the fourth is not sent; after the pause one probe is, and closes it."""
    now_s = [0.0]
    breaker = Breaker("127.0.0.1", failures_to_open=3, cooldown_s=30.0, now_s=lambda: now_s[0])

    async def story(client: Client) -> None:
        for _ in range(3):
            with pytest.raises(ServerFault):
                await client.market("KX-1")
        now_s[0] = 10.0
        with pytest.raises(BreakerOpen) as caught:
            await client.market("KX-1")
        assert str(caught.value) == (
            "GET /markets/KX-1: not sent, 127.0.0.1 failed 3 requests in a row (last: 503); "
            "the next probe goes out in 20.0 s"
        )
        assert caught.value.retry_after_s == 20.0
        assert len(running.asked) == 6
        now_s[0] = 30.0
        assert breaker.state == "half_open"
        with pytest.raises(ServerFault):
            await client.market("KX-1")
        assert len(running.asked) == 7, "a probe gets one try"
        now_s[0] = 59.0
        with pytest.raises(BreakerOpen):
            await client.market("KX-1")
        now_s[0] = 61.0
        assert (await client.market("KX-1")).ticker == "KX-1"
        assert breaker.state == "closed"

    replies = [Reply(status=503)] * 7 + [GOOD]
    with exchange(script(*replies)) as running:
        run(running.settings(), story, retry=patient(max_tries=2), breaker=breaker)


def test_only_one_probe_goes_out_at_a_time() -> None:
    breaker = Breaker("host", failures_to_open=1, cooldown_s=0.0)
    breaker.failed("503", is_probe=False)
    assert breaker.enter("/a") is True
    with pytest.raises(BreakerOpen, match="a probe is under way"):
        breaker.enter("/b")
    breaker.abandoned(is_probe=False)
    with pytest.raises(BreakerOpen):
        breaker.enter("/b")
    breaker.abandoned(is_probe=True)
    assert breaker.enter("/b") is True


def test_refusals_show_that_the_host_is_alive() -> None:
    """Two failures, a 404, two failures: never three in a row."""
    down, lost = Reply(status=503), Reply(status=404, body={"code": "not_found"})
    breaker = Breaker("host", failures_to_open=3)

    async def story(client: Client) -> str:
        for _ in range(5):
            with pytest.raises(HttpError):
                await client.market("KX-1")
        return breaker.state

    with exchange(script(down, down, lost, down, down)) as running:
        assert run(running.settings(), story, retry=patient(max_tries=1), breaker=breaker) == "closed"


@pytest.mark.parametrize("status", [200, 500, 503, 504])
def test_the_exchanges_own_status_is_an_answer_whatever_the_http_status(status: int) -> None:
    body = {"exchange_active": False, "trading_active": False, "exchange_estimated_resume_time": None}
    with exchange(script(Reply(status=status, body=body))) as running:
        said = run(running.settings(), lambda client: client.exchange_status())
        assert (said.exchange_active, said.trading_active, len(running.asked)) == (False, False, 1)


def test_a_503_without_a_status_body_is_still_trouble() -> None:
    with exchange(script(Reply(status=503, body={"code": "down"}))) as running, pytest.raises(ServerFault):
        run(running.settings(), lambda client: client.exchange_status())
    assert len(running.asked) == 6


def test_tries_are_logged_with_their_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pipelines.client")
    with exchange(script(Reply(status=502), GOOD)) as running:
        run(running.settings(), one_market)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("pipelines.client")]
    assert len(said) == 1
    assert said[0].startswith("GET /markets/KX-1: 502; try 2 in ")
