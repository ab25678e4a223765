"""`tapehouse doctor`: is everything in order between us and the exchange?"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from pipelines.client.budget import Budget
from pipelines.client.client import Client
from pipelines.client.errors import KalshiError, Unauthorized, WireError
from pipelines.client.retry import Retry
from pipelines.client.settings import Settings

_TOLERABLE_SKEW_MS = 2_000
_SAMPLE = 100


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What the doctor found; nothing in it is secret."""

    settings: dict[str, str | None]
    key: str | None
    is_reachable: bool = False
    is_key_refused: bool = False
    latency_ms: int | None = None
    clock_skew_ms: int | None = None
    exchange_active: bool | None = None
    trading_active: bool | None = None
    tier: str | None = None
    limits_from: str = "published tiers"
    budgets: dict[str, dict[str, int]] = field(default_factory=dict)
    drift: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check key, clock, connection, budgets and drift; exit 1 where exchange or key cannot be used."""
    found = asyncio.run(examine(Settings()))
    print(json.dumps(asdict(found), default=str) if as_json else "\n".join(_lines(found)))  # noqa: T201  the command's answer
    if not found.is_reachable or found.is_key_refused:
        for problem in found.problems:
            print(f"error: {problem}", file=sys.stderr)  # noqa: T201  for people, beside the answer
        raise typer.Exit(1)


async def examine(settings: Settings, *, retry: Retry | None = None) -> Diagnosis:
    """Ask the exchange a handful of harmless questions (six at most) and note the answers.

    Raises:
        SettingsError: the key cannot be used.
    """
    async with Client(settings, retry=retry or Retry(max_tries=2, total_s=15.0)) as client:
        found = Diagnosis(settings=settings.summary(), key=client.key_kind, tier=settings.tier)
        await _reach(client, found)
        if found.is_key_refused:
            await _look_without_key(settings, found, retry)
        elif found.is_reachable:
            await _adopt(client, found)
            await _sample(client, found)
        found.budgets = _budgets(client.budget)
        found.drift = [asdict(sighting) for sighting in client.drift.report()]
        return found


async def _reach(client: Client, found: Diagnosis) -> None:
    began_s = time.monotonic()
    try:
        status = await client.exchange_status()
    except WireError as error:
        found.problems.append(str(error))
        found.is_reachable = True
    except Unauthorized as error:
        # Signed, even a public question is refused; but somebody was there to refuse it.
        found.problems.append(_refused(error))
        found.is_reachable = found.is_key_refused = True
    except KalshiError as error:
        found.problems.append(str(error))
        return
    else:
        found.is_reachable = True
        found.exchange_active, found.trading_active = status.exchange_active, status.trading_active
    found.latency_ms = round((time.monotonic() - began_s) * 1_000)
    found.clock_skew_ms = client.clock_skew_ms
    if abs(found.clock_skew_ms or 0) > _TOLERABLE_SKEW_MS:
        found.problems.append(
            f"this clock is {found.clock_skew_ms} ms behind the exchange's: signatures may be refused; "
            "run a time service (NTP)"
        )


async def _look_without_key(settings: Settings, found: Diagnosis, retry: Retry | None) -> None:
    """Note what is public: whether the exchange is open."""
    keyless = settings.without_key()
    async with Client(keyless, retry=retry or Retry(max_tries=2, total_s=15.0)) as client:
        try:
            status = await client.exchange_status()
        except KalshiError as error:
            found.problems.append(str(error))
        else:
            found.exchange_active, found.trading_active = status.exchange_active, status.trading_active


def _refused(error: Unauthorized) -> str:
    return f"key refused (401): {error}"


async def _adopt(client: Client, found: Diagnosis) -> None:
    try:
        limits = await client.adopt_limits()
        if limits is not None:
            found.tier = limits.usage_tier
            found.limits_from = "exchange"
    except Unauthorized as error:
        found.problems.append(_refused(error))
        found.is_key_refused = True
    except KalshiError as error:
        found.problems.append(str(error))


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


def _budgets(budget: Budget) -> dict[str, dict[str, int]]:
    return {
        name: {
            "tokens_per_s": bucket.limits.tokens_per_s,
            "capacity_tokens": bucket.limits.capacity_tokens,
            "requests_per_s": bucket.limits.tokens_per_s // budget.costs.default_tokens,
        }
        for name, bucket in (("read", budget.read), ("write", budget.write))
    }


def _lines(found: Diagnosis) -> list[str]:
    settings = found.settings
    refused = ", refused (401)" if found.is_key_refused else ""
    key = (
        f"{found.key} {settings['key_id']} from {settings['key_from']}{refused}"
        if found.key
        else "none (public data)"
    )
    skew = "unknown" if found.clock_skew_ms is None else f"{found.clock_skew_ms} ms behind (±500)"
    reached = f"yes, {found.latency_ms} ms" if found.is_reachable else "no"
    lines = [
        f"exchange   {settings['env']}, {settings['base_url']}",
        f"reachable  {reached}",
        f"active     exchange {_word(found.exchange_active)}, trading {_word(found.trading_active)}",
        f"key        {key}",
        f"clock      {skew}",
        f"tier       {found.tier} (limits from {found.limits_from})",
    ]
    lines += [
        f"{name:<10} {one['tokens_per_s']} tokens/s, {one['capacity_tokens']} at once, "
        f"{one['requests_per_s']} requests/s"
        for name, one in found.budgets.items()
    ]
    lines += [
        f"drift      {one['kind']} {one['where']} {one['n_seen']}x, for example {one['example']}"
        for one in found.drift
    ] or [f"drift      {'none in the sample' if found.is_reachable else 'unknown'}"]
    return lines + [f"problem    {problem}" for problem in found.problems]


def _word(is_so: bool | None) -> str:  # noqa: FBT001  the only argument
    return {True: "yes", False: "no", None: "unknown"}[is_so]
