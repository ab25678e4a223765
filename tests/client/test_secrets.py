"""The private key appears nowhere: not in reprs, messages, logs, tracebacks, nor from the doctor."""

import asyncio
import io
import logging
import traceback
from pathlib import Path

import pytest
from rich.console import Console
from rich.traceback import Traceback

from pipelines.client import Client, KalshiError, Settings, SettingsError
from pipelines.client.cli import examine
from pipelines.client.signing import signers_of
from tests.client.keys import KEY_ID, key_file, pem
from tests.client.loopback import Reply, exchange, patient


def pieces_of(key: str) -> list[str]:
    """Return the lines of a key that would give it away."""
    return [line for line in key.replace("\\n", "\n").splitlines() if line and not line.startswith("-----")]


def assert_no_piece(text: str, key: str) -> None:
    assert text
    for piece in pieces_of(key):
        assert piece not in text


def with_locals(error: BaseException) -> str:
    """Print a traceback the way the most talkative tools do: with every local variable of every frame."""
    console = Console(file=io.StringIO(), width=10_000)
    trace = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_string=100_000,
        locals_max_length=100_000,
    )
    console.print(trace)
    plain = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue() + plain + repr(error) + str(error.args)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_settings_signer_and_client_show_no_key(tmp_path: Path, kind: str) -> None:
    key = pem(kind)
    for given in ({"private_key": key}, {"private_key_path": key_file(tmp_path, key)}):
        settings = Settings(key_id=KEY_ID, **given)
        client = Client(settings)
        seen = [repr(settings), str(settings), settings.model_dump_json(), str(settings.summary())]
        seen += [repr(client), repr(signers_of(settings)), str(vars(client)), repr(settings.read_key())]
        assert_no_piece("\n".join(seen), key)


@pytest.mark.parametrize("how", ["encrypted", "cut", "garbled", "ec", "twice", "without id", "tier", "url"])
def test_no_refusal_shows_the_key_even_with_local_variables(tmp_path: Path, how: str) -> None:
    key = {
        "encrypted": pem("rsa", password=b"swordfish"),
        "cut": pem("rsa")[:-200],
        "garbled": pem("rsa").replace("A", "!", 1),
        "ec": pem("ec"),
    }.get(how, pem("rsa"))
    path = key_file(tmp_path, key)
    environments: dict[str, dict[str, object]] = {
        "twice": {"key_id": KEY_ID, "private_key_path": path},
        "without id": {},
        "tier": {"key_id": KEY_ID, "tier": "gold"},
        "url": {"key_id": KEY_ID, "base_url": "http://example.com"},
    }
    environment = environments.get(how, {"key_id": KEY_ID})

    # The key comes from the environment, as it does in life: this test's own frame must not hold it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KALSHI_PRIVATE_KEY", key.replace("\n", "\\n"))
        with pytest.raises(SettingsError) as caught:
            make_client(environment)
    assert_no_piece(without_this_frame(caught.value), key)

    if how in {"encrypted", "cut", "garbled", "ec"}:
        with pytest.raises(SettingsError) as caught:
            make_client({"key_id": KEY_ID, "private_key_path": path})
        assert_no_piece(without_this_frame(caught.value), key)


def make_client(settings: dict[str, object]) -> Client:
    return Client(Settings(**settings))


def without_this_frame(error: SettingsError) -> str:
    """Print the traceback from `make_client` on; the test's own variables do hold the key."""
    assert error.__traceback__ is not None
    return with_locals(error.with_traceback(error.__traceback__.tb_next))


def test_logs_at_every_level_show_no_key_and_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever httpx, httpcore and we have to say about failing signed requests."""
    caplog.set_level(logging.DEBUG)
    key = pem("rsa")

    async def story(settings: Settings) -> str:
        async with Client(settings, retry=patient(max_tries=2)) as client:
            for status in (401, 500, 404):
                statuses.append(status)
                with pytest.raises(KalshiError) as caught:
                    await client.market("KX-1")
                said.append(str(caught.value))
        return "\n".join(said)

    statuses: list[int] = []
    said: list[str] = []
    with exchange(lambda _asked: Reply(status=statuses[-1])) as running:
        asyncio.run(story(running.settings(key_id=KEY_ID, private_key=key)))
        signatures = [one.headers["kalshi-access-signature"] for one in running.asked]
    everything = caplog.text + "\n".join(said)
    assert_no_piece(everything, key)
    assert "HTTP/1.1 401" in everything or "401" in everything
    for signature in signatures:
        assert signature not in everything


def test_the_doctor_shows_no_key() -> None:
    key = pem("ed25519")
    with exchange(lambda _asked: Reply(status=500)) as running:
        settings = running.settings(key_id=KEY_ID, private_key=key)
        found = asyncio.run(examine(settings, retry=patient(max_tries=1)))
    assert_no_piece(repr(found), key)
    assert KEY_ID not in repr(found), "the id is shortened as well"
