"""The daily look at the key's age, and a key in a Secret block, on a real Prefect server."""

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta

import pytest
from prefect.blocks.system import Secret
from prefect.client.schemas.objects import State

from pipelines.client import Settings, SettingsError
from pipelines.client.signing import signers_of
from pipelines.flows.keys import check_key
from tests.client.keys import KEY_ID, NEXT_ID, pem
from tests.flows.orchestra import Orchestra, leftover_sockets

pytestmark = [pytest.mark.slow, leftover_sockets]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KALSHI_"):
            monkeypatch.delenv(name)


def run() -> State[str]:
    async def once() -> State[str]:
        return await check_key(return_state=True)

    return asyncio.run(once())


def save(name: str, value: object) -> None:
    """Save a Secret block as an operator does."""
    asyncio.run(Secret.model_validate({"value": value}).asave(name, overwrite=True))


def days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def artifact(server: Orchestra, state: State[str]) -> str:
    run_id = str(state.state_details.flow_run_id)
    wanted = {"flow_run_id": {"any_": [run_id]}, "key": {"any_": ["check-key"]}}
    (page,) = server.find("artifacts", artifacts=wanted)
    text: str = page["data"]
    return text


def test_a_young_key_passes_an_old_one_warns_and_a_too_old_one_fails_the_run(
    in_process: Orchestra, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """74 days and less pass silently, 75 warn, 90 fail; dates are whole days, hence the round numbers."""
    monkeypatch.setenv("KALSHI_KEY_ID", KEY_ID)
    monkeypatch.setenv("KALSHI_PRIVATE_KEY", pem("ed25519"))
    seen = {}
    for days in (10, 80, 95):
        monkeypatch.setenv("KALSHI_KEY_CREATED", days_ago(days))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            state = run()
        warned = [each.message for each in caplog.records if "days old" in each.message]
        seen[days] = (state.is_completed(), any(warned), artifact(in_process, state).split(":")[0])
        if state.is_failed():
            assert "a key lives 90 days at most; rotate it now: make a new one" in str(state.message)
            assert "KeyTooOld" in str(state.message)
    assert seen == {
        10: (True, False, "- **ok**"),
        80: (True, True, "- **warn**"),
        95: (False, True, "- **expired**"),
    }


def test_without_a_key_there_is_nothing_to_check(in_process: Orchestra) -> None:
    state = run()
    assert state.is_completed()
    assert artifact(in_process, state) == "No key is set: public data only."


def test_a_key_in_a_secret_block_signs_inside_and_outside_of_a_loop_and_has_the_blocks_date(
    in_process: Orchestra, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text and JSON; the next key comes from a block as well; the run's page holds no key."""
    save("kalshi", f"API Key ID: {KEY_ID}\n{pem('ed25519')}")
    save("kalshi-next", {"key_id": NEXT_ID, "private_key": pem("rsa")})
    monkeypatch.setenv("KALSHI_PREFECT_SECRET", "kalshi")
    monkeypatch.setenv("KALSHI_NEXT_PREFECT_SECRET", "kalshi-next")

    async def inside() -> tuple[str, str]:
        found = signers_of(Settings())
        assert found is not None
        kind = found.kind
        assert found.advance()
        return f"{found.key_id} {found.kind}", kind

    assert asyncio.run(inside()) == (f"{NEXT_ID} RSA-2048", "Ed25519")
    outside = signers_of(Settings())
    assert outside is not None
    assert outside.key_id == KEY_ID
    state = run()
    page = artifact(in_process, state)
    assert state.is_completed()
    assert "the key is 0 days old" in page
    assert "date of the Prefect block" in page
    assert not [line for line in pem("rsa").splitlines() + pem("ed25519").splitlines() if line in page]


def test_a_block_that_is_not_there_fails_with_what_to_do(
    in_process: Orchestra, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_process.api
    monkeypatch.setenv("KALSHI_PREFECT_SECRET", "absent")
    with pytest.raises(SettingsError) as caught:
        signers_of(Settings())
    assert str(caught.value).startswith(
        "KALSHI_PREFECT_SECRET absent: Prefect has no Secret block of this name"
    )
    assert caught.value.__context__ is None
    assert run().is_failed()


def test_a_server_that_is_gone_is_told_from_a_block_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("KALSHI_PREFECT_SECRET", "kalshi")
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(SettingsError) as caught,
    ):
        signers_of(Settings())
    assert "Prefect's server cannot be asked (ConnectError); check PREFECT_API_URL" in str(caught.value)
