"""`tapehouse doctor`: everything in order, or what is not, for people and for programs."""

import json
import os

import pytest
import typer
from typer.testing import CliRunner, Result

from pipelines.client.cli import doctor
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange
from tests.client.payloads import a_market, a_trade, an_event

PAGES = {
    "/markets": {"markets": [a_market(brand_new=7)], "cursor": ""},
    "/markets/trades": {"trades": [a_trade()], "cursor": ""},
    "/events": {"events": [an_event(markets=[a_market()])], "cursor": ""},
    "/exchange/status": {"exchange_active": True, "trading_active": False},
    "/account/endpoint_costs": {"default_cost": 10, "endpoint_costs": []},
    "/account/limits": {
        "usage_tier": "advanced",
        "read": {"refill_rate": 300, "bucket_capacity": 900},
        "write": {"refill_rate": 300, "bucket_capacity": 900},
        "grants": [],
    },
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KALSHI_"):
            monkeypatch.delenv(name)


def see_doctor(*arguments: str, **environment: str) -> Result:
    """Run the command as the command line does."""
    app = typer.Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, list(arguments), env=environment)


def healthy(asked: Asked) -> Reply:
    return Reply(body=PAGES[asked.path]) if asked.path in PAGES else Reply(status=404)


def test_a_healthy_exchange_is_described_for_people() -> None:
    with exchange(healthy) as running:
        seen = see_doctor(KALSHI_BASE_URL=running.base_url)
    lines = {line.split("  ")[0].strip(): line for line in seen.stdout.splitlines()}
    assert seen.exit_code == 0
    assert "reachable  yes, " in lines["reachable"]
    assert lines["active"] == "active     exchange yes, trading no"
    assert lines["key"] == "key        none (public data)"
    assert lines["tier"] == "tier       basic (limits from published tiers)"
    assert lines["websocket"] == "websocket  not tried: it needs a key"
    assert lines["read"] == "read       200 tokens/s, 550 at once, 20 requests/s"
    assert lines["drift"] == "drift      field Market.brand_new 1x, for example 7"


def test_json_is_one_object_with_the_limits_of_the_key() -> None:
    with exchange(healthy) as running:
        seen = see_doctor(
            "--json",
            KALSHI_BASE_URL=running.base_url,
            KALSHI_KEY_ID=KEY_ID,
            KALSHI_PRIVATE_KEY=pem("ed25519").replace("\n", "\\n"),
        )
    found = json.loads(seen.stdout)
    assert seen.exit_code == 0
    assert (found["key"], found["tier"], found["limits_from"]) == ("Ed25519", "advanced", "exchange")
    assert found["budgets"]["read"] == {
        "tokens_per_s": 300, "capacity_tokens": 825, "requests_per_s": 30, "pace_tokens_per_s": 300,
    }  # fmt: skip
    assert (found["is_reachable"], found["exchange_active"], found["trading_active"]) == (True, True, False)
    assert abs(found["clock_skew_ms"]) < 2_000
    assert [problem[:24] for problem in found["problems"]] == [
        "KALSHI_TIER says basic a",
        "WebSocket /trade-api/ws/",
    ]
    (drift,) = found["drift"]
    assert drift.pop("first_seen_ts").endswith("+00:00")
    assert drift == {"kind": "field", "where": "Market.brand_new", "word": "", "example": "7", "n_seen": 1}


def test_a_clock_that_is_wrong_is_a_problem() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body=PAGES[asked.path], clock_ahead_s=60)

    with exchange(answer) as running:
        seen = see_doctor("--json", KALSHI_BASE_URL=running.base_url)
    assert "run a time service (NTP)" in json.loads(seen.stdout)["problems"][0]


@pytest.mark.parametrize("is_refused_everywhere", [False, True])
def test_a_refused_key_is_told_beside_what_is_public(is_refused_everywhere: bool) -> None:  # noqa: FBT001 -- a case
    """Kalshi refuses a bad signature on public routes too; reachable, latency and clock are known anyway."""

    def answer(asked: Asked) -> Reply:
        is_signed = any(name.startswith("kalshi-access") for name in asked.headers)
        is_refused = asked.path == "/account/limits" or (is_refused_everywhere and is_signed)
        return Reply(status=401) if is_refused else healthy(asked)

    with exchange(answer) as running:
        seen = see_doctor(
            "--json",
            KALSHI_BASE_URL=running.base_url,
            KALSHI_KEY_ID=KEY_ID,
            KALSHI_PRIVATE_KEY=pem("ed25519"),
        )
    found = json.loads(seen.stdout)
    assert seen.exit_code == 1
    assert (found["is_reachable"], found["is_key_refused"], found["exchange_active"]) == (True, True, True)
    assert found["latency_ms"] >= 0
    assert abs(found["clock_skew_ms"]) < 2_000
    assert found["problems"][0].startswith("key refused (401): ")
    assert "look for a952bcbe… under API keys" in found["problems"][0]
    assert "error: key refused (401): " in seen.stderr


def test_an_exchange_that_cannot_be_reached_is_exit_code_1() -> None:
    with exchange(healthy) as running:
        gone = running.base_url
    seen = see_doctor("--json", KALSHI_BASE_URL=gone)
    assert seen.exit_code == 1
    assert json.loads(seen.stdout)["is_reachable"] is False
    assert "error: GET /exchange/status: no usable answer" in seen.stderr
