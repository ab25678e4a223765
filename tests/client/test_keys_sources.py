"""Sources of keys: each gives the same key, and each failure says what to do, without the secret."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from keyring import set_keyring
from keyring.backends.fail import Keyring as NoKeyring

from pipelines.client import Settings, SettingsError
from pipelines.client.keys import block
from pipelines.client.keys.found import Found
from pipelines.client.signing import signers_of
from tests.client.keys import KEY_ID, NEXT_ID, key_file, pem
from tests.client.stores import Ring, a_ring, a_secrets_manager
from tests.client.vaults import TOKEN, vault

ED = pem("ed25519")
BOTH = f"API Key ID: {KEY_ID}\n{ED}"
FIELDS = {"key_id": KEY_ID, "private_key": ED}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KALSHI_", "AWS_", "VAULT_")):
            monkeypatch.delenv(name)


@pytest.fixture
def ring() -> Iterator[Ring]:
    with a_ring() as made:
        yield made


@pytest.fixture
def aws() -> Iterator[Any]:
    """A client of a Secrets Manager on loopback that the environment points at as well."""
    with a_secrets_manager() as client:
        yield client


@pytest.fixture
def vault_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)


def refusal(**settings: object) -> str:
    """Return what is said when the signer cannot be made; never a line of the key."""
    with pytest.raises(SettingsError) as caught:
        signers_of(Settings(**settings))
    said = str(caught.value)
    assert not [line for line in ED.splitlines()[1:-1] if line in said]
    assert caught.value.__context__ is None, "an error tracker would find the secret in there"
    return said


def key_of(**settings: object) -> tuple[str, str]:
    """Return id and kind of the key that settings lead to."""
    found = signers_of(Settings(**settings))
    assert found is not None
    return found.key_id, found.kind


# --- file and text -------------------------------------------------------------------------------


def test_kalshis_text_file_needs_no_key_id(tmp_path: Path) -> None:
    path = key_file(tmp_path, BOTH)
    assert key_of(private_key_path=path) == (KEY_ID, "Ed25519")
    assert key_of(private_key=BOTH) == (KEY_ID, "Ed25519")
    assert key_of(private_key_path=path, key_id=KEY_ID.upper()) == (KEY_ID.upper(), "Ed25519")


def test_two_ids_that_differ_are_refused_by_their_heads(tmp_path: Path) -> None:
    said = refusal(key_id=NEXT_ID, private_key_path=key_file(tmp_path, BOTH))
    assert said.startswith(
        f"KALSHI_KEY_ID is {NEXT_ID[:8]}… and the id beside the key is {KEY_ID[:8]}… "
        f"(KALSHI_PRIVATE_KEY_PATH {tmp_path / 'kalshi.pem'}): unset KALSHI_KEY_ID"
    )


def test_a_pipe_is_no_key_file_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", mode=0o600)
    assert "not a file" in refusal(key_id=KEY_ID, private_key_path=tmp_path / "pipe")


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(tmp_path, BOTH)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_of(private_key_path="~/kalshi.pem") == (KEY_ID, "Ed25519")


def test_the_command_that_closes_a_file_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "my keys"
    folder.mkdir()
    path = key_file(folder, ED, mode=0o644)
    assert f"chmod 600 '{path}'" in refusal(key_id=KEY_ID, private_key_path=path)


# --- keyring -------------------------------------------------------------------------------------


def test_the_keyring_is_asked_for_service_and_user(ring: Ring) -> None:
    ring.set_password("tape", "kalshi", BOTH)
    ring.set_password("tape", "research", pem("rsa"))
    assert key_of(keyring="tape") == (KEY_ID, "Ed25519")
    assert key_of(keyring="tape/research", key_id=NEXT_ID) == (NEXT_ID, "RSA-2048")


def test_a_keyring_without_the_entry_says_how_to_store_it(ring: Ring) -> None:
    assert refusal(keyring="tape/me") == (
        "KALSHI_KEYRING tape/me: the keyring has no entry of me under tape; run: keyring set tape me < FILE"
    )
    assert ring.held == {}


def test_a_locked_and_a_missing_keyring_are_told_apart(ring: Ring) -> None:
    ring.set_password("tape", "kalshi", BOTH)
    ring.is_locked = True
    assert "cannot be read (KeyringLocked); unlock it" in refusal(keyring="tape")
    set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    assert "this machine has no keyring" in refusal(keyring="tape")


# --- AWS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BOTH, json.dumps(FIELDS)])
def test_aws_is_asked_by_name_or_arn_whatever_form_the_secret_has(aws: Any, text: str) -> None:  # noqa: ANN401
    arn = aws.create_secret(Name="kalshi/key", SecretString=text)["ARN"]
    assert key_of(aws_secret="kalshi/key") == (KEY_ID, "Ed25519")  # noqa: S106  a name
    assert key_of(aws_secret=arn) == (KEY_ID, "Ed25519")


def test_an_arn_brings_its_own_region(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    arn = aws.create_secret(Name="kalshi", SecretString=BOTH)["ARN"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert key_of(aws_secret=arn) == (KEY_ID, "Ed25519")
    assert "NoRegionError" in refusal(aws_secret="kalshi")  # noqa: S106  a name


def test_binary_secrets_and_bare_pems_are_read(aws: Any) -> None:  # noqa: ANN401
    aws.create_secret(Name="kalshi", SecretBinary=ED.encode())
    assert key_of(aws_secret="kalshi", key_id=KEY_ID) == (KEY_ID, "Ed25519")  # noqa: S106  a name


def test_the_newest_version_counts_and_its_date_is_known(aws: Any) -> None:  # noqa: ANN401
    aws.create_secret(Name="kalshi", SecretString=f"{NEXT_ID}\n{pem('rsa')}")
    aws.put_secret_value(SecretId="kalshi", SecretString=BOTH)
    held = Settings(aws_secret="kalshi").read_key()  # noqa: S106  a name
    assert held.key_id == KEY_ID
    assert held.stored_ts is not None
    assert abs((datetime.now(UTC) - held.stored_ts).total_seconds()) < 3_600
    assert held.dated_by == "AWS's date of this version"


def test_a_secret_that_is_missing_deleted_or_empty_of_keys_is_said_so(aws: Any) -> None:  # noqa: ANN401
    assert refusal(aws_secret="absent").startswith("KALSHI_AWS_SECRET absent: no such secret")  # noqa: S106
    aws.create_secret(Name="gone", SecretString=BOTH)
    aws.delete_secret(SecretId="gone")
    assert "marked for deletion" in refusal(aws_secret="gone")  # noqa: S106  a name
    aws.create_secret(Name="other", SecretString=json.dumps({"user": "a", "password": "b"}))
    assert "no text under `private_key`" in refusal(aws_secret="other")  # noqa: S106  a name


def test_aws_without_answer_is_told_without_the_secret(monkeypatch: pytest.MonkeyPatch, aws: Any) -> None:  # noqa: ANN401
    assert aws is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "AWS cannot be asked (EndpointConnectionError" in refusal(aws_secret="kalshi")  # noqa: S106


# --- Vault ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("vault_token")
@pytest.mark.parametrize("fields", [FIELDS, {"pem": BOTH}, {"private_key": BOTH}])
@pytest.mark.parametrize("path", ["secret/data/team/kalshi", "secret/team/kalshi"])
def test_vault_is_asked_in_both_versions_of_its_store(
    monkeypatch: pytest.MonkeyPatch, path: str, fields: dict[str, str]
) -> None:
    with vault(secrets={path: fields}) as running:
        monkeypatch.setenv("VAULT_ADDR", running.address)
        assert key_of(vault_secret="secret/team/kalshi") == (KEY_ID, "Ed25519")  # noqa: S106  a path


@pytest.mark.usefixtures("vault_token")
@pytest.mark.parametrize(("path", "has_date"), [("secret/data/kalshi", True), ("secret/kalshi", False)])
def test_a_narrow_policy_is_enough_and_only_version_2_has_dates(
    monkeypatch: pytest.MonkeyPatch, path: str, *, has_date: bool
) -> None:
    with vault(secrets={path: FIELDS}, allowed={path}) as running:
        monkeypatch.setenv("VAULT_ADDR", running.address)
        held = Settings(vault_secret="/secret/kalshi").read_key()  # noqa: S106  a path
    created_ts = datetime(2026, 8, 1, 10, 20, 30, 123_456, tzinfo=UTC)
    assert held.stored_ts == (created_ts if has_date else None)


@pytest.mark.usefixtures("vault_token")
@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({}, "Vault has no such secret, or it was deleted; look: vault kv get -mount=secret kalshi"),
        ({"secrets": {"secret/data/kalshi": None}}, "Vault has no such secret, or it was deleted"),
        ({"allowed": {"secret/data/kalshi"}}, "Vault has no such secret, or it was deleted"),
        ({"allowed": set()}, "Vault denied it; renew VAULT_TOKEN, or let its policy read secret/data/kalshi"),
        ({"status": 503}, "is sealed or in maintenance"),
        ({"status": 500}, "refused (InternalServerError)"),
        ({"secrets": {"secret/data/kalshi": {"user": "a", "pw": "b"}}}, "no text under `private_key`"),
    ],
)
def test_vaults_refusals_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], words: str
) -> None:
    with vault(**behaviour) as running:
        monkeypatch.setenv("VAULT_ADDR", running.address)
        said = refusal(vault_secret="secret/kalshi")  # noqa: S106  a path
    assert said.startswith("KALSHI_VAULT_SECRET secret/kalshi: ")
    assert words in said
    assert TOKEN not in said


def test_a_wrong_token_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    with vault(secrets={"secret/data/kalshi": FIELDS}) as running:
        monkeypatch.setenv("VAULT_ADDR", running.address)
        monkeypatch.setenv("VAULT_TOKEN", "another")
        assert "Vault denied it" in refusal(vault_secret="secret/kalshi")  # noqa: S106  a path


@pytest.mark.usefixtures("vault_token")
def test_a_vault_that_is_not_there_or_not_private_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{closed_port()}")
    assert "does not answer (ConnectionError); check VAULT_ADDR" in refusal(vault_secret="secret/kalshi")  # noqa: S106
    monkeypatch.setenv("VAULT_ADDR", "HTTP://me:password@vault.example.com:8200")
    said = refusal(vault_secret="secret/kalshi")  # noqa: S106  a path
    assert "VAULT_ADDR http://vault.example.com:8200 would send the key in the clear" in said
    assert "write mount/path" in refusal(vault_secret="kalshi")  # noqa: S106  a path


# --- Prefect, and all together -------------------------------------------------------------------


def test_a_prefect_block_is_read_by_whoever_knows_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "_readers", [])
    assert "only flows can read Prefect's blocks" in refusal(prefect_secret="kalshi")  # noqa: S106
    asked = []

    def read(name: str, where: str) -> Found:
        asked.append((name, where))
        return Found(text=Settings(private_key=BOTH).private_key or pytest.fail("no key"))

    block.read_with(read)
    assert key_of(prefect_secret="kalshi") == (KEY_ID, "Ed25519")  # noqa: S106  a name
    assert asked == [("kalshi", "KALSHI_PREFECT_SECRET kalshi")]


@pytest.mark.parametrize(
    ("setting", "module", "command"),
    [
        ({"keyring": "tape"}, "keyring", "pip install 'tapehouse[keyring]'"),
        ({"aws_secret": "kalshi"}, "boto3", "pip install 'tapehouse[aws]'"),
        ({"vault_secret": "secret/kalshi"}, "hvac", "pip install 'tapehouse[vault]'"),
    ],
)
def test_a_store_whose_library_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], module: str, command: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError) as caught:
        signers_of(Settings(**setting))
    assert str(caught.value).endswith(f"needs {module}; run: {command}")


def test_the_next_key_comes_from_any_source_too(tmp_path: Path, ring: Ring) -> None:
    ring.set_password("tape", "kalshi", f"{NEXT_ID}\n{pem('rsa')}")
    found = signers_of(Settings(private_key_path=key_file(tmp_path, BOTH), next_keyring="tape"))
    assert found is not None
    assert found.advance()
    assert (found.key_id, found.kind) == (NEXT_ID, "RSA-2048")
    assert refusal(private_key=BOTH, next_keyring="tape/x").startswith("KALSHI_NEXT_KEYRING tape/x: ")


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
