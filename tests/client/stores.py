"""Every place that a key can come from, set up for a test: a keyring in memory, stores on loopback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from keyring import get_keyring, set_keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from pipelines.client.keys import block
from pipelines.client.keys.found import Found
from tests.client.keys import key_file
from tests.client.vaults import TOKEN, vault

SOURCES = ("text", "file", "keyring", "block", "aws", "vault")


class Ring(KeyringBackend):
    """A keyring in memory; a locked one tells what it must not."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked(f"locked, and inside is {self.held}")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


@contextmanager
def a_ring() -> Iterator[Ring]:
    """Use a keyring in memory until the block ends."""
    before, made = get_keyring(), Ring()
    set_keyring(made)
    try:
        yield made
    finally:
        set_keyring(before)


@contextmanager
def a_secrets_manager() -> Iterator[Any]:
    """Run AWS's Secrets Manager, as moto knows it, and point the environment at it; yield a client of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        _, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        client = boto3.client("secretsmanager")
        try:
            yield client
        finally:
            for each in client.list_secrets()["SecretList"]:
                client.delete_secret(SecretId=each["ARN"], ForceDeleteWithoutRecovery=True)
            client.close()
            server.stop()


@contextmanager
def key_in(source: str, text: str, folder: Path) -> Iterator[None]:
    """Keep `text` in one of `SOURCES` and let the environment say so until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        if source == "text":
            patch.setenv("KALSHI_PRIVATE_KEY", text)
            yield
        elif source == "file":
            patch.setenv("KALSHI_PRIVATE_KEY_PATH", str(key_file(folder, text)))
            yield
        elif source == "keyring":
            patch.setenv("KALSHI_KEYRING", "tape")
            with a_ring() as ring:
                ring.set_password("tape", "kalshi", text)
                yield
        elif source == "block":
            patch.setenv("KALSHI_PREFECT_SECRET", "tape")
            patch.setattr(block, "_readers", [lambda _name, _where: Found(text=SecretStr(text))])
            yield
        elif source == "aws":
            patch.setenv("KALSHI_AWS_SECRET", "tape")
            with a_secrets_manager() as manager:
                manager.create_secret(Name="tape", SecretString=text)
                yield
        else:
            patch.setenv("KALSHI_VAULT_SECRET", "secret/tape")
            with vault(secrets={"secret/data/tape": {"private_key": text}}) as running:
                patch.setenv("VAULT_ADDR", running.address)
                patch.setenv("VAULT_TOKEN", TOKEN)
                yield
