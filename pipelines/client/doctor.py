"""What `tapehouse doctor` finds out: a dozen harmless questions, and what each answer asks of an operator."""

import asyncio
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.client.budget import Budget
from pipelines.client.client import Client
from pipelines.client.errors import KalshiError, StreamError, Unauthorized, WireError
from pipelines.client.keys.age import key_age
from pipelines.client.keys.found import shortened
from pipelines.client.retry import Retry
from pipelines.client.settings import Settings

_TOLERABLE_SKEW_MS: Final = 2_000
_SAMPLE: Final = 100
_STREAM_S: Final = 15.0
_READ: Final = "read"


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What the doctor found; nothing in it is secret.

    `problems` say what is wrong and what to do; those in `failures` keep the client from working.
    """

    settings: dict[str, Any]
    key: str | None
    is_reachable: bool = False
    is_key_refused: bool = False
    latency_ms: int | None = None
    clock_skew_ms: int | None = None
    exchange_active: bool | None = None
    trading_active: bool | None = None
    stream: str = "not tried: it needs a key"
    tier: str | None = None
    limits_from: str = "published tiers"
    scopes: list[str] | None = None
    key_ages: list[dict[str, Any]] = field(default_factory=list)
    budgets: dict[str, dict[str, int]] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def fail(self, problem: str) -> None:
        """Note something that keeps the client from working."""
        self.problems.append(problem)
        self.failures.append(problem)


async def examine(
    settings: Settings, *, retry: Retry | None = None, now_ts: datetime | None = None
) -> Diagnosis:
    """Ask the exchange and the key's source, and note what they say; sends at most twenty requests.

    Raises:
        SettingsError: the key cannot be used.
    """
    retry = retry or Retry(max_tries=2, total_s=15.0)
    async with Client(settings, retry=retry) as client:
        found = Diagnosis(settings=settings.summary(), key=client.key_kind, tier=settings.tier)
        found.settings["key_id"] = None if client.key_id is None else shortened(client.key_id)
        await _ages(settings, found, now_ts or datetime.now(UTC))
        await _reach(client, found)
        if found.is_key_refused:
            await _look_without_key(settings, found, retry)
        elif found.is_reachable:
            await _adopt(client, found)
            await _sample(client, found)
            if settings.has_key and not found.is_key_refused:
                await _scopes(client, found)
                await _listen(client, found, retry)
        _notice_rotation(client, found)
        found.budgets = _budgets(client.budget, found)
        found.drift = [asdict(sighting) for sighting in client.drift.report()]
        return found


async def _ages(settings: Settings, found: Diagnosis, now_ts: datetime) -> None:
    """Note how old the keys are; 90 days is a failure, before the exchange or an auditor makes it one."""
    for is_next in (False, True):
        # The source of a key may be a store on the network.
        age = await asyncio.to_thread(key_age, settings, now_ts, is_next=is_next)
        if age is None:
            continue
        found.key_ages.append(asdict(age) | {"is_next": is_next})
        if age.verdict == "expired" and not is_next:
            found.fail(age.sentence)
        elif age.verdict in {"warn", "expired"}:
            found.problems.append(age.sentence)


async def _reach(client: Client, found: Diagnosis) -> None:
    began_s = time.monotonic()
    try:
        status = await client.exchange_status()
    except WireError as error:
        found.problems.append(str(error))
        found.is_reachable = True
    except Unauthorized as error:
        # Signed, even a public question is refused; but somebody was there to refuse it.
        found.is_reachable = True
        found.clock_skew_ms = client.clock_skew_ms
        _refuse(error, found)
    except KalshiError as error:
        found.fail(str(error))
        return
    else:
        found.is_reachable = True
        found.exchange_active, found.trading_active = status.exchange_active, status.trading_active
    found.latency_ms = round((time.monotonic() - began_s) * 1_000)
    found.clock_skew_ms = client.clock_skew_ms
    if abs(found.clock_skew_ms or 0) > _TOLERABLE_SKEW_MS:
        found.problems.append(
            f"this clock is {_behind(found.clock_skew_ms)} the exchange's: run a time service (NTP); until "
            "then signatures follow the exchange's clock"
        )


def _refuse(error: Unauthorized, found: Diagnosis) -> None:
    """Say what is left when a key is refused: the exchange never tells what was wrong."""
    found.is_key_refused = True
    env = found.settings["env"]
    if found.clock_skew_ms is None:
        clock = "the exchange told no time, so the clock is unchecked"
    elif abs(found.clock_skew_ms) > _TOLERABLE_SKEW_MS:
        clock = f"not for the clock: with its {_behind(found.clock_skew_ms)} corrected it is refused as well"
    else:
        clock = "the clock is right"
    found.fail(
        f"key refused (401): {clock}; so this key was revoked, belongs to another environment than {env} "
        f"(prod and demo share no keys), or its id and its private key do not belong together; look for "
        f"{found.settings['key_id']} under API keys in Kalshi's web interface of {env} (the exchange said: "
        f"{error.detail or 'nothing'})"
    )


async def _look_without_key(settings: Settings, found: Diagnosis, retry: Retry) -> None:
    """Note what is public: whether the exchange is open."""
    async with Client(settings.without_key(), retry=retry) as client:
        try:
            status = await client.exchange_status()
        except KalshiError as error:
            found.problems.append(str(error))
        else:
            found.exchange_active, found.trading_active = status.exchange_active, status.trading_active


async def _adopt(client: Client, found: Diagnosis) -> None:
    try:
        limits = await client.adopt_limits()
        if limits is not None:
            found.tier = limits.usage_tier
            found.limits_from = "exchange"
    except Unauthorized as error:
        _refuse(error, found)
    except KalshiError as error:
        found.problems.append(str(error))
    told = found.settings["tier"]
    if found.limits_from == "exchange" and found.tier != told:
        found.problems.append(
            f"KALSHI_TIER says {told} and the exchange says {found.tier}: set KALSHI_TIER={found.tier}, "
            "which holds until the exchange has been asked"
        )


async def _sample(client: Client, found: Diagnosis) -> None:
    samples = (
        client.markets(mve_filter="exclude", status="open", page_size=_SAMPLE),
        client.trades(page_size=_SAMPLE),
        client.events(with_nested_markets=True, status="open", page_size=10),
    )
    for pages in samples:
        try:
            await anext(pages, None)
        except KalshiError as error:
            found.problems.append(str(error))
        finally:
            await pages.aclose()


async def _scopes(client: Client, found: Diagnosis) -> None:
    try:
        keys = (await client.api_keys()).api_keys or []
    except KalshiError:
        return  # a key without this right works all the same
    mine = next((each for each in keys if each.api_key_id == client.key_id), None)
    found.scopes = None if mine is None else list(mine.scopes or [])
    if found.scopes is not None and _READ not in found.scopes:
        found.problems.append(
            f"the key has the scopes {', '.join(found.scopes) or 'none'} and cannot read: give it `read`"
        )


async def _listen(client: Client, found: Diagnosis, retry: Retry) -> None:
    """Note whether the WebSocket lets us in: its host and its handshake are others than REST's."""
    try:
        async with asyncio.timeout(_STREAM_S), client.stream(retry=retry):
            found.stream = "yes"
    except StreamError as error:
        found.stream = "no"
        found.problems.append(str(error))
    except TimeoutError:
        found.stream = "no"
        found.problems.append(
            f"no WebSocket handshake with {found.settings['ws_url']} within {_STREAM_S:.0f} s; check "
            "KALSHI_WS_URL, and that nothing in between blocks WebSockets"
        )


def _notice_rotation(client: Client, found: Diagnosis) -> None:
    if client.refused_key_ids and client.key_id is not None:
        found.key = client.key_kind
        found.settings |= {
            "key_id": shortened(client.key_id),
            "key_from": found.settings["next_key_from"],
        }
    for refused in client.refused_key_ids:
        found.problems.append(
            f"the exchange refuses the current key {refused}, and the next one took over: make it the "
            "current one (docs/operate.md, Keys)"
        )


def _budgets(budget: Budget, found: Diagnosis) -> dict[str, dict[str, int]]:
    told = {}
    for name, bucket in (("read", budget.read), ("write", budget.write)):
        pace = bucket.usage().pace_tokens_per_s
        told[name] = {
            "tokens_per_s": bucket.limits.tokens_per_s,
            "capacity_tokens": bucket.limits.capacity_tokens,
            "requests_per_s": bucket.limits.tokens_per_s // budget.costs.default_tokens,
            "pace_tokens_per_s": pace,
        }
        if pace < bucket.limits.tokens_per_s:
            found.problems.append(
                f"after refusals (429) {name}s are paced at {pace} of {bucket.limits.tokens_per_s} tokens/s: "
                "programs on other machines spend this budget too, or the tier is lower than believed"
            )
    return told


def _behind(skew_ms: int | None) -> str:
    assert skew_ms is not None
    return f"{abs(skew_ms) / 1_000:.1f} s {'behind' if skew_ms > 0 else 'ahead of'}"
