"""`tapehouse doctor` before a real exchange in good and in bad health: its words are what to do next."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.access import KeyFacts
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import Running, running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem
from tests.client.test_doctor import see_doctor

NEXT_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KALSHI_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, activity=0.1)


def made_days_ago(n_days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=n_days):%Y-%m-%d}"


@contextmanager
def an_exchange(
    world: World, *faults: object, key_ids: tuple[str, ...] = (KEY_ID,), facts: KeyFacts | None = None
) -> Iterator[tuple[Running, dict[str, str]]]:
    """Serve a world that knows our keys, and hand out the environment of somebody who has the first."""
    privates = [pem("ed25519"), pem("rsa")][: len(key_ids)]
    keys = {key_id: public_pem(private) for key_id, private in zip(key_ids, privates, strict=True)}
    with running(
        world,
        tier="advanced",
        keys=keys,
        key_facts={key_ids[0]: facts} if facts else None,
        faults=Faults(tuple(faults)),  # type: ignore[arg-type]  # faults, made in the tests
    ) as server:
        yield (
            server,
            {
                "KALSHI_BASE_URL": server.base_url,
                "KALSHI_TIER": "advanced",
                "KALSHI_KEY_ID": key_ids[0],
                "KALSHI_PRIVATE_KEY": privates[0],
                "KALSHI_KEY_CREATED": made_days_ago(10),
                "KALSHI_NEXT_PRIVATE_KEY": privates[-1] if len(privates) > 1 else "",
            },
        )


def spoken(stdout: str) -> dict[str, str]:
    """Return the lines by their first words; of several problems all, one below the other."""
    said: dict[str, str] = {}
    for line in stdout.splitlines():
        word, text = line[:11].strip(), line[11:]
        said[word] = f"{said[word]}\n{text}" if word in said else text
    return said


def test_good_health_has_no_problem(world: World) -> None:
    with an_exchange(world) as (_, environment):
        seen = see_doctor(**environment)
    said = spoken(seen.stdout)
    assert seen.exit_code == 0
    assert "problem" not in said
    assert said["key"] == f"Ed25519 {KEY_ID[:8]}… from KALSHI_PRIVATE_KEY, scopes read, write"
    assert said["key age"] == f"10 days (since {made_days_ago(10)}, KALSHI_KEY_CREATED)"
    assert said["websocket"] == "yes"
    assert said["tier"] == "advanced (limits from exchange)"
    assert said["read"] == "300 tokens/s, 825 at once, 30 requests/s"
    assert said["drift"] == "none in the sample"


def test_a_skewed_exchange_is_followed_and_said(world: World) -> None:
    """Its clock is 90 s ahead and its tolerance 5 s: the first signature fails, all others are right."""
    with an_exchange(world, fault("skew", skew_s=90.0)) as (_, environment):
        seen = see_doctor(**environment)
    said = spoken(seen.stdout)
    assert seen.exit_code == 0
    assert said["reachable"].startswith("yes")
    assert "s behind the exchange's: run a time service (NTP)" in said["problem"]
    assert said["problem"].startswith(("this clock is 90.", "this clock is 89."))


def test_a_revoked_key_is_a_failure_that_names_what_is_left(world: World) -> None:
    with an_exchange(world) as (server, environment):
        server.state.access.revoke(KEY_ID)
        seen = see_doctor(**environment)
    assert seen.exit_code == 1
    assert "error: key refused (401): the clock is right; so this key was revoked, belongs to" in seen.stderr
    assert f"look for {KEY_ID[:8]}… under API keys in Kalshi's web interface of prod" in seen.stderr
    assert spoken(seen.stdout)["active"] == "exchange yes, trading yes"  # public, asked without the key


def test_a_key_of_another_environment_is_told_as_that(world: World) -> None:
    with an_exchange(world, key_ids=(NEXT_ID,)) as (_, environment):
        seen = see_doctor(**(environment | {"KALSHI_KEY_ID": KEY_ID, "KALSHI_ENV": "demo"}))
    assert seen.exit_code == 1
    assert "belongs to another environment than demo (prod and demo share no keys)" in seen.stderr


@pytest.mark.parametrize(
    ("n_days", "code", "words"),
    [
        (75, 0, "rotate it within 15 days: make a new one in Kalshi's web interface"),
        (95, 1, "a key lives 90 days at most; rotate it now"),
    ],
)
def test_an_old_key_is_a_warning_and_then_a_failure(world: World, n_days: int, code: int, words: str) -> None:
    with an_exchange(world) as (_, environment):
        seen = see_doctor(**(environment | {"KALSHI_KEY_CREATED": made_days_ago(n_days)}))
    assert seen.exit_code == code
    assert words in spoken(seen.stdout)["problem"]
    assert (words in seen.stderr) == (code == 1)


def test_a_rotation_under_way_says_how_to_finish_it(world: World) -> None:
    with an_exchange(world, key_ids=(KEY_ID, NEXT_ID)) as (server, environment):
        server.state.access.revoke(KEY_ID)
        rotating = environment | {"KALSHI_NEXT_KEY_ID": NEXT_ID}
        seen = see_doctor(**rotating)
    said = spoken(seen.stdout)
    assert seen.exit_code == 0
    assert said["key"].startswith(f"RSA-2048 {NEXT_ID[:8]}…")
    assert f"refuses the current key {KEY_ID[:8]}…, and the next one took over" in said["problem"]


def test_novelties_are_listed_with_an_example(world: World) -> None:
    with an_exchange(world, fault("new_field", field="mood")) as (_, environment):
        seen = see_doctor(**environment)
    assert "field Market.mood " in spoken(seen.stdout)["drift"]
    assert seen.exit_code == 0


def test_a_key_that_may_not_read_is_told_which_right_it_lacks(world: World) -> None:
    facts = KeyFacts(scopes=("read::portfolio_balance",))
    with an_exchange(world, facts=facts) as (_, environment):
        seen = see_doctor(**environment)
    said = spoken(seen.stdout)
    assert "give the key the `read` scope" in said["problem"]


def test_a_lower_tier_than_believed_is_said(world: World) -> None:
    with an_exchange(world) as (_, environment):
        seen = see_doctor(**(environment | {"KALSHI_TIER": "prime"}))
    assert "set KALSHI_TIER=advanced" in spoken(seen.stdout)["problem"]
