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


def test_two_sources_of_a_key_are_refused_by_their_names(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem("ed25519"))
    assert refusal(private_key_path=path, vault_secret="secret/kalshi") == (  # noqa: S106  a path
        "KALSHI_PRIVATE_KEY_PATH and KALSHI_VAULT_SECRET are both set: keep one of them"
    )
    assert refusal(private_key=pem("rsa"), next_keyring="a", next_aws_secret="b") == (  # noqa: S106  a name
        "KALSHI_NEXT_KEYRING and KALSHI_NEXT_AWS_SECRET are both set: keep one of them"
    )


def test_a_next_key_needs_a_current_one_and_its_id_a_key() -> None:
    assert "without a current one" in refusal(next_private_key=pem("rsa"), next_key_id=KEY_ID)
    assert refusal(private_key=pem("rsa"), key_id=KEY_ID, next_key_id="b").startswith(
        "KALSHI_NEXT_KEY_ID is set without a key: set KALSHI_NEXT_PRIVATE_KEY_PATH"
    )


def test_a_key_in_the_place_of_its_id_is_refused_and_not_quoted() -> None:
    said = refusal(key_id=pem("ed25519"), private_key=pem("ed25519"))
    assert said == "KALSHI_KEY_ID (or KALSHI_NEXT_KEY_ID) is no key id: copy the id alone"


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "01.08.2026", "1785542400"])
def test_a_date_is_written_in_one_way_only(day: str) -> None:
    said = refusal(key_id=KEY_ID, private_key=pem("ed25519"), key_created=day)
    assert said == f"KALSHI_KEY_CREATED (or KALSHI_NEXT_KEY_CREATED) is {day!r}: write YYYY-MM-DD"


def test_every_source_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEYRING", "PREFECT_SECRET", "AWS_SECRET", "VAULT_SECRET"):
        with monkeypatch.context() as patch:
            patch.setenv(f"KALSHI_{name}", "tape/kalshi")
            patch.setenv(f"KALSHI_NEXT_{name}", "tape/next")
            settings = Settings()
        assert (settings.has_key, settings.has_next_key) == (True, True)
        assert settings.summary()["key_from"] == f"KALSHI_{name} tape/kalshi"
        assert settings.summary()["next_key_from"] == f"KALSHI_NEXT_{name} tape/next"
        assert not settings.without_key().has_key


def test_programs_share_a_budget_by_exchange_and_key() -> None:
    """The name is a digest: it says nothing about the key, not even its id."""
    key = {"private_key": pem("ed25519")}
    mine = Settings(key_id=KEY_ID, **key).budget_name
    assert mine == Settings(key_id=KEY_ID.upper(), **key).budget_name
    assert mine == Settings(private_key=f"{KEY_ID}\n{pem('ed25519')}").budget_name
    assert KEY_ID[:8] not in mine
    others = [
        Settings(key_id="another", **key).budget_name,
        Settings(key_id=KEY_ID, env="demo", **key).budget_name,
        Settings(key_id=KEY_ID, base_url="http://localhost:1/trade-api/v2", **key).budget_name,
        Settings().budget_name,
        Settings(env="demo").budget_name,
    ]
    assert len({mine, *others}) == 6
    assert Settings().budget_name.startswith("anonymous-")


def test_a_named_budget_is_shared_by_two_keys_of_one_exchange_only() -> None:
    key = {"private_key": pem("ed25519"), "budget": "main"}
    assert Settings(key_id="one", **key).budget_name == Settings(key_id="two", **key).budget_name
    assert Settings(key_id="one", **key).budget_name != Settings(key_id="one", env="demo", **key).budget_name
    assert Settings(key_id="one", **key).budget_name.startswith("main-")
    assert "KALSHI_BUDGET is '../main'" in refusal(budget="../main")


KEY = {"key_id": KEY_ID, "private_key": pem("ed25519")}
LOCAL = "http://127.0.0.1:1/trade-api/v2"
ELSEWHERE = "https://gateway.example.com/trade-api/v2"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (KEY, "trading is off: to send orders to external-api.kalshi.com, set KALSHI_TRADING=prod"),
        (KEY | {"env": "demo"}, "set KALSHI_TRADING=demo"),
        (KEY | {"base_url": LOCAL}, "trading is off"),
        ({"base_url": LOCAL, "trading": "demo"}, "orders are signed"),
        (KEY | {"trading": "demo"}, "KALSHI_TRADING is demo, and external-api.kalshi.com is real money"),
        (KEY | {"trading": "demo", "base_url": ELSEWHERE}, "is real money"),
        (KEY | {"trading": "prod", "env": "demo"}, "KALSHI_TRADING is prod, and external-api.demo.kalshi.co"),
        (KEY | {"trading": "demo", "base_url": "https://notkalshi.co/x"}, "is real money"),
        (KEY | {"trading": "prod"}, ""),
        (KEY | {"trading": "PROD", "base_url": ELSEWHERE}, ""),
        (KEY | {"trading": "demo", "env": "demo"}, ""),
        (KEY | {"trading": "demo", "base_url": LOCAL}, ""),
        (KEY | {"trading": "prod", "base_url": LOCAL}, ""),
    ],
)
def test_nobody_trades_without_the_word_that_fits_the_host(settings: dict[str, object], words: str) -> None:
    """The host decides whose money it is: a base URL beats KALSHI_ENV, and an unknown host is real money."""
    said = Settings(**settings).trading_refusal()
    assert words in said
    assert bool(said) == bool(words)


def test_trading_and_subaccount_take_only_what_exists() -> None:
    assert refusal(trading="yes") == "KALSHI_TRADING is 'yes': write one of off, demo, prod"
    assert "KALSHI_SUBACCOUNT" in refusal(subaccount=64)
    assert "KALSHI_SUBACCOUNT" in refusal(subaccount="first")
    assert Settings(subaccount="63").subaccount == 63
    assert Settings().subaccount is None
