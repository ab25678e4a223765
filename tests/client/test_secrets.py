"""The private key appears nowhere: not in reprs, messages, logs, tracebacks, pickles, nor telemetry."""

import asyncio
import io
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pydantic import SecretStr
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from pipelines.client import Client, KalshiError, Settings, SettingsError
from pipelines.client.doctor import examine
from pipelines.client.keys.age import key_age
from pipelines.client.keys.found import Found
from pipelines.client.signing import ExchangeClock, KalshiAuth, signers_of
from pipelines.client.telemetry import Telemetry
from tests.client.keys import KEY_ID, NEXT_ID, key_file, pem
from tests.client.loopback import Reply, exchange, patient
from tests.client.stores import SOURCES, key_in

DAMAGED = {
    "encrypted": pem("rsa", password=b"swordfish"),
    "cut": pem("rsa")[:-200],
    "garbled": pem("rsa").replace("A", "!", 1),
    "ec": pem("ec"),
    "two": pem("rsa") + pem("ed25519"),
    "not ascii": pem("rsa").replace("A", "é", 1),
    "json": json.dumps({"one": pem("rsa"), "other": pem("ed25519")}),
}
EVERY_LOGGER = ("", "botocore", "botocore.parsers", "urllib3", "httpx", "httpcore", "asyncio", "pipelines")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KALSHI_", "AWS_", "VAULT_")):
            monkeypatch.delenv(name)


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Let every library say all it has to say."""
    for name in EVERY_LOGGER:
        caplog.set_level(logging.DEBUG, logger=name or None)
    return caplog


def pieces_of(key: str) -> list[str]:
    """Return what would give a key away: its lines, and the same without line breaks, cut elsewhere."""
    found = []
    for block in key.replace("\\n", "\n").split("-----BEGIN ")[1:]:
        lines = block.split("-----END")[0].split("\n")[1:]
        bare = "".join(lines)
        found += [line for line in lines if len(line) > 8]
        found += [bare[at : at + 40] for at in range(0, len(bare) - 40, 24)]
    assert found
    return found


def assert_no_piece(text: str, key: str) -> None:
    assert text
    assert "swordfish" not in text
    for piece in pieces_of(key):
        assert piece not in text


def with_locals(error: BaseException) -> str:
    """Print an error the way the most talkative tools do: every local variable of every frame.

    Also of the errors that it hides behind `from None`, which error trackers send home all the same.
    """
    console = Console(file=io.StringIO(), width=10_000)
    seen: list[str] = []
    queue: list[BaseException | None] = [error]
    known: set[int] = set()
    while queue:
        one = queue.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        queue += [one.__cause__, one.__context__]
        trace = Traceback.from_exception(
            type(one),
            one,
            one.__traceback__,
            show_locals=True,
            locals_max_string=100_000,
            locals_max_length=100_000,
        )
        del trace.trace.stacks[1:]  # what it came from has a turn of its own
        console.print(trace)
        seen += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        seen += [repr(one), str(one.args), str(vars(one))]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue() + "".join(seen)


def failure(ask: Callable[[], object]) -> SettingsError:
    """Return the refusal of `ask` without this frame and the caller's, which may hold the key."""
    with pytest.raises(SettingsError) as caught:
        ask()
    assert caught.value.__traceback__ is not None
    return caught.value.with_traceback(caught.value.__traceback__.tb_next)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_nothing_that_is_made_of_a_key_shows_it(
    tmp_path: Path, all_logs: pytest.LogCaptureFixture, source: str, kind: str
) -> None:
    """Settings, what a source gave, signers, client, requests: printed in every way Python and rich know."""
    with key_in(source, f"{KEY_ID}\n{pem(kind)}", tmp_path):
        all_logs.clear()  # of how the key got there
        settings = Settings(base_url="http://127.0.0.1:1/trade-api/v2")
        client, held, signers = Client(settings), settings.read_key(), signers_of(settings)
        assert signers is not None
        age = key_age(settings, datetime.now(UTC))
        name = settings.budget_name
    things = (settings, client, held, signers, signers.current, age, name, settings.summary())
    seen = [show(thing) for thing in things for show in (repr, str, pretty_repr)]
    seen += [settings.model_dump_json(), str(settings.model_dump()), str(vars(settings)), str(vars(client))]
    assert signers.key_id == KEY_ID
    assert_no_piece("\n".join(seen) + all_logs.text, pem(kind))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("how", DAMAGED)
def test_no_refusal_shows_the_key_even_with_local_variables(
    tmp_path: Path, all_logs: pytest.LogCaptureFixture, source: str, how: str
) -> None:
    """The key comes from the environment or a store, as it does in life: this test's frame is cut off."""
    with key_in(source, DAMAGED[how], tmp_path):
        all_logs.clear()  # of how the key got there
        error = failure(lambda: Client(Settings(key_id=KEY_ID)))
        told = all_logs.text
    assert_no_piece(with_locals(error) + told, DAMAGED[how])


@pytest.mark.parametrize(
    "wrong",
    [
        {"private_key_path": "/nowhere"},
        {"key_id": "a key"},
        {"key_id": KEY_ID, "tier": "gold"},
        {"key_id": KEY_ID, "base_url": "http://example.com"},
        {"key_id": KEY_ID, "subaccount": "first"},
        {"key_id": KEY_ID, "key_created": "yesterday"},
        {"key_id": KEY_ID, "next_keyring": "tape"},
        {},
    ],
    ids=str,
)
def test_no_wrong_setting_beside_a_key_shows_it(wrong: dict[str, object]) -> None:
    """Pydantic's own errors would quote the whole input."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KALSHI_PRIVATE_KEY", pem("rsa").replace("\n", "\\n"))
        patch.setenv("KALSHI_NEXT_PRIVATE_KEY", pem("ed25519"))
        error = failure(lambda: signers_of(Settings(**wrong)))
    said = with_locals(error)
    assert_no_piece(said, pem("rsa"))
    assert_no_piece(said, pem("ed25519"))


def test_a_key_in_a_file_that_is_no_text_is_not_in_the_error(tmp_path: Path) -> None:
    """The decoder's own error holds every byte it was given."""
    path = key_file(tmp_path, pem("rsa"))
    path.write_bytes(pem("rsa").encode() + b"\xff")
    error = failure(lambda: Settings(key_id=KEY_ID, private_key_path=path).read_key())
    assert_no_piece(with_locals(error), pem("rsa"))


def test_nothing_that_holds_a_key_is_pickled() -> None:
    settings = Settings(key_id=KEY_ID, private_key=pem("ed25519"))
    following = Settings(
        key_id=KEY_ID, private_key_path="/nowhere", next_key_id=NEXT_ID, next_private_key=pem("ed25519")
    )
    signers = signers_of(settings)
    assert signers is not None
    found = Found(text=SecretStr(pem("ed25519")))
    for thing in (settings, following, settings.read_key(), found, signers.current):
        with pytest.raises(TypeError, match=r"private key and (is|are) not pickled"):
            pickle.dumps(thing)
    with pytest.raises(TypeError):
        pickle.dumps(signers)


def test_settings_that_only_name_a_source_are_pickled_whole() -> None:
    """They hold no secret, and other processes may need them."""
    settings = Settings(key_id=KEY_ID, vault_secret="secret/kalshi")  # noqa: S106  a path
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301  our own


def test_logs_errors_and_telemetry_of_requests_show_no_key_and_no_signature(
    all_logs: pytest.LogCaptureFixture,
) -> None:
    """Whatever httpx, httpcore, OpenTelemetry and we have to say about signed requests that fail."""
    reader = InMemoryMetricReader()
    said: list[str] = []
    replies = [Reply(status=status) for status in (401, 500, 404, 429)]
    replies += [Reply(fault="reset"), Reply(fault="half_body", body={"a": "b"}), Reply(body={"market": 1})]
    now: list[Reply] = []

    async def story(settings: Settings) -> None:
        provider = MeterProvider(metric_readers=[reader])
        async with Client(settings, retry=patient(max_tries=2), telemetry=Telemetry(provider)) as client:
            for reply in replies:
                now[:] = [reply]
                with pytest.raises(KalshiError) as caught:
                    await client.market("KX-1")
                # Without this frame, whose locals are what was said before: that doubles every time.
                said.append(with_locals(caught.value.with_traceback(caught.tb.tb_next)))
            said.append(json.dumps(client.telemetry.summary()))

    with exchange(lambda _asked: now[0]) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KALSHI_PRIVATE_KEY", pem("rsa"))
        patch.setenv("KALSHI_KEY_ID", KEY_ID)
        patch.setenv("KALSHI_NEXT_PRIVATE_KEY", pem("ed25519"))
        patch.setenv("KALSHI_NEXT_KEY_ID", NEXT_ID)
        asyncio.run(story(running.settings()))
        sent = [one.headers for one in running.asked]
    metrics = reader.get_metrics_data()
    assert metrics is not None
    told = metrics.to_json()
    assert "tapehouse.client.requests" in told
    everything = all_logs.text + "\n".join(said) + told
    assert len(said) == len(replies) + 1
    assert "HTTP/1.1 401" in all_logs.text
    for key in (pem("rsa"), pem("ed25519")):
        assert_no_piece(everything, key)
    for key_id in (KEY_ID, NEXT_ID):
        assert key_id in {headers["kalshi-access-key"] for headers in sent}
        assert key_id not in everything
    for headers in sent:
        assert headers["kalshi-access-signature"] not in everything


def test_a_signed_request_does_not_show_how_it_is_signed() -> None:
    signers = signers_of(Settings(key_id=KEY_ID, private_key=pem("ed25519")))
    auth = KalshiAuth(signers, ExchangeClock())
    request = next(auth.auth_flow(httpx.Request("GET", "https://host/trade-api/v2/markets")))
    shown = repr(request) + str(request) + repr(auth) + repr(signers)
    assert request.headers["kalshi-access-signature"] not in shown
    assert KEY_ID not in shown


def test_the_doctor_shows_no_key() -> None:
    key = pem("ed25519")
    with exchange(lambda _asked: Reply(status=500)) as running:
        settings = running.settings(key_id=KEY_ID, private_key=key)
        found = asyncio.run(examine(settings, retry=patient(max_tries=1)))
    assert_no_piece(repr(found), key)
    assert KEY_ID not in repr(found), "the id is shortened as well"
