"""`tapehouse doctor`: is everything in order between us and the exchange?"""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipelines.client.doctor import Diagnosis, examine
from pipelines.client.settings import Settings


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check key, key age, clock, connections, budgets and drift; exit 1 where something must be done now."""
    found = asyncio.run(examine(Settings()))
    told = json.dumps(asdict(found), default=str) if as_json else "\n".join(_lines(found))
    print(told)  # noqa: T201  the command's answer
    if found.failures:
        for failure in found.failures:
            print(f"error: {failure}", file=sys.stderr)  # noqa: T201  for people, beside the answer
        raise typer.Exit(1)


def _lines(found: Diagnosis) -> list[str]:
    settings = found.settings
    reached = f"yes, {found.latency_ms} ms" if found.is_reachable else "no"
    lines = [
        f"exchange   {settings['env']}, {settings['base_url']}",
        f"reachable  {reached}",
        f"active     exchange {_word(found.exchange_active)}, trading {_word(found.trading_active)}",
        f"key        {_key(found)}",
        *(f"key age    {_age(age)}" for age in found.key_ages),
        f"clock      {_clock(found.clock_skew_ms)}",
        f"websocket  {found.stream}",
        f"tier       {found.tier} (limits from {found.limits_from})",
    ]
    for name, one in found.budgets.items():
        line = f"{name:<10} {one['tokens_per_s']} tokens/s, {one['capacity_tokens']} at once, "
        lines.append(f"{line}{one['requests_per_s']} requests/s")
    lines += [_novelty(one) for one in found.drift] or [
        f"drift      {'none in the sample' if found.is_reachable else 'unknown'}"
    ]
    return lines + [f"problem    {problem}" for problem in found.problems]


def _key(found: Diagnosis) -> str:
    if not found.key:
        return "none (public data)"
    refused = ", refused (401)" if found.is_key_refused else ""
    scopes = "" if found.scopes is None else f", scopes {', '.join(found.scopes)}"
    return f"{found.key} {found.settings['key_id']} from {found.settings['key_from']}{scopes}{refused}"


def _age(age: dict[str, Any]) -> str:
    whose = "next key: " if age["is_next"] else ""
    if age["days"] is None:
        return f"{whose}{age['sentence']}"
    verdict = {"ok": "", "warn": ", rotate it soon", "expired": ", too old"}[age["verdict"]]
    return f"{whose}{age['days']} days (since {age['since_ts']:%Y-%m-%d}, {age['source']}){verdict}"


def _clock(skew_ms: int | None) -> str:
    if skew_ms is None:
        return "unknown"
    return f"{abs(skew_ms)} ms {'behind' if skew_ms >= 0 else 'ahead'} (±500)"


def _novelty(one: dict[str, object]) -> str:
    word = f" = {one['word']}" if one["word"] else ""
    return f"drift      {one['kind']} {one['where']}{word} {one['n_seen']}x, for example {one['example']}"


def _word(is_so: bool | None) -> str:  # noqa: FBT001  the only argument
    return {True: "yes", False: "no", None: "unknown"}[is_so]
