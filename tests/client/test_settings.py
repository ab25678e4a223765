"""Settings: every wrong value is refused before anything is sent, in words that say what to do."""

import os
from pathlib import Path

import pytest

from exchange.errors import BadInput
from pipelines.client import Client, Settings, SettingsError
from tests.client.keys import KEY_ID, key_file, pem


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KALSHI_"):
            monkeypatch.delenv(name)


def refusal(**settings: object) -> str:
    """Return what a client says when it refuses its settings."""
    with pytest.raises(SettingsError) as caught:
        Client(Settings(**settings))
    assert isinstance(caught.value, BadInput)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_nothing_set_means_production_without_a_key() -> None:
    settings = Settings()
    assert settings.base_url == "https://external-api.kalshi.com/trade-api/v2"
    assert settings.ws_url == "wss://external-api-ws.kalshi.com/trade-api/ws/v2"
    assert (settings.has_key, settings.tier) == (False, "basic")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ENV", "demo")
    monkeypatch.setenv("KALSHI_TIER", "Premier")
    monkeypatch.setenv("KALSHI_WS_URL", "ws://localhost:1/trade-api/ws/v2")
    settings = Settings()
    assert settings.base_url == "https://external-api.demo.kalshi.co/trade-api/v2"
    assert (settings.ws_url, settings.tier) == ("ws://localhost:1/trade-api/ws/v2", "premier")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.7.6", "[::1]", "LOCALHOST"])
def test_plain_http_is_allowed_to_this_machine(host: str) -> None:
    assert Settings(base_url=f"http://{host}:8000/trade-api/v2/").base_url.endswith("/trade-api/v2")


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.nip.io", "8.8.8.8", "[::2]"]
)
def test_plain_http_is_refused_to_any_other_host(host: str) -> None:
    """A signature in the clear could be replayed by whoever reads it."""
    said = refusal(base_url=f"http://{host}/trade-api/v2")
    assert "KALSHI_BASE_URL" in said
    assert "https://" in said
    assert "ws://" in refusal(ws_url=f"ws://{host}/trade-api/ws/v2")


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("ftp://example.com/x", "write https://HOST/PATH"),
        ("external-api.kalshi.com", "write https://HOST/PATH"),
        ("https://", "write https://HOST/PATH"),
        ("https://host/path?key=1", "without query"),
        ("https://me:secret@host/path", "holds a user or a password"),
        ("https://host:port/path", "no URL"),
        ("https://[::1/path", "no URL"),
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str, advice: str) -> None:
    said = refusal(base_url=url)
    assert advice in said
    assert "secret" not in said


def test_an_unknown_environment_or_tier_names_the_known_ones() -> None:
    assert refusal(env="production") == "KALSHI_ENV is 'production': write prod or demo"
    assert refusal(tier="gold") == (
        "KALSHI_TIER is 'gold': write one of basic, advanced, expert, premier, paragon, prime, prestige"
    )


def test_an_id_without_a_key_and_a_key_without_an_id_are_refused() -> None:
    assert "KALSHI_KEY_ID is set without a key" in refusal(key_id=KEY_ID)
    assert "without KALSHI_KEY_ID" in refusal(private_key=pem("ed25519"))


def test_two_keys_are_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem("ed25519"))
    said = refusal(key_id=KEY_ID, private_key=pem("ed25519"), private_key_path=path)
    assert "both set" in said


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    said = refusal(key_id=KEY_ID, private_key_path=tmp_path / "absent.pem")
    assert "absent.pem: no such file" in said


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    assert "not a file" in refusal(key_id=KEY_ID, private_key_path=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_key_file_is_named(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem("ed25519"), mode=0o000)
    assert "cannot be read (Permission denied)" in refusal(key_id=KEY_ID, private_key_path=path)


def test_a_key_file_behind_a_file_cannot_be_read(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem("ed25519")) / "deeper.pem"
    assert "cannot be read (Not a directory)" in refusal(key_id=KEY_ID, private_key_path=path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_open_to_others_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, mode: int
) -> None:
    path = key_file(tmp_path, pem("ed25519"), mode=mode)
    assert f"chmod 600 {path}" in refusal(key_id=KEY_ID, private_key_path=path)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a PEM text" in refusal(key_id=KEY_ID, private_key_path=path)
    path.write_bytes(b"-" * 64_001)
    assert "64001 bytes is no key" in refusal(key_id=KEY_ID, private_key_path=path)


def test_an_encrypted_key_is_refused_with_the_command_that_decrypts_it() -> None:
    for kind in ("rsa", "ed25519"):
        said = refusal(key_id=KEY_ID, private_key=pem(kind, password=b"swordfish"))
        assert "encrypted with a password" in said
        assert "openssl pkey" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<your private key>",
        pem("rsa")[:300],
        pem("rsa").replace("M", "!", 1),
        "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n".format("PRIVATE " + "KEY"),
    ],
)
def test_a_malformed_key_is_refused(text: str) -> None:
    assert "not a PEM private key, or it is damaged" in refusal(key_id=KEY_ID, private_key=text or " ")


def test_a_key_of_the_wrong_kind_is_named() -> None:
    said = refusal(key_id=KEY_ID, private_key=pem("ec"))
    assert said.startswith("KALSHI_PRIVATE_KEY: the private key is EC: Kalshi takes RSA and Ed25519 keys")


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_from_text_with_literal_backslash_n_works(kind: str) -> None:
    """Env files and CI secrets often hold the two characters backslash-n instead of new lines."""
    settings = Settings(key_id=KEY_ID, private_key=pem(kind).replace("\n", "\\n"))
    assert Client(settings).key_kind == {"rsa": "RSA-2048", "ed25519": "Ed25519"}[kind]


@pytest.mark.parametrize("is_pkcs1", [True, False])
def test_both_layouts_of_rsa_keys_are_read_from_a_file(tmp_path: Path, *, is_pkcs1: bool) -> None:
    path = key_file(tmp_path, pem("rsa", is_pkcs1=is_pkcs1))
    assert Client(Settings(key_id=KEY_ID, private_key_path=path)).key_kind == "RSA-2048"
