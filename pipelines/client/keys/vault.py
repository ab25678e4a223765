"""The key in HashiCorp Vault's key-value store; VAULT_ADDR, VAULT_TOKEN and the like say where and who.

Version 2 of the store keeps versions and their dates, version 1 neither. Which one a mount is cannot be asked
with a narrow policy, so version 2 is tried first; a token that may read only one of the two forms gets 403
or 404 for the other.

Source: Vault's API documentation, "KV secrets engine" versions 1 and 2 (read 2026-10-01).
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.hosts import is_loopback
from pipelines.client.keys.found import Found

_TIMEOUT_S: Final = 10
_DEFAULT_ADDRESS: Final = "http://localhost:8200"  # hvac's own


def read(reference: str, where: str) -> Found:
    """Return the secret at `mount/path` and, from version 2, the date of its current version.

    Raises:
        SettingsError: hvac is not installed, no such secret, denied, sealed, or no answer.
    """
    mount, _, path = reference.strip("/").partition("/")
    address = os.environ.get("VAULT_ADDR") or _DEFAULT_ADDRESS
    if not mount or not path:
        raise SettingsError(f"{where}: write mount/path, for example secret/kalshi")
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise SettingsError(
            f"{where}: VAULT_ADDR http://{host} would send the key in the clear; use https://"
        )
    try:
        import hvac  # type: ignore[import-untyped]
        from hvac.exceptions import Forbidden, InvalidPath, VaultDown, VaultError  # type: ignore[import-untyped]
        from requests import RequestException
    except ImportError:
        raise SettingsError(f"{where}: needs hvac; run: pip install 'tapehouse[vault]'") from None
    is_missing = False
    try:
        client = hvac.Client(
            url=address, timeout=_TIMEOUT_S, namespace=os.environ.get("VAULT_NAMESPACE") or None
        )
        try:
            return _version_2(client, mount, path)
        except (InvalidPath, Forbidden) as error:
            is_missing = isinstance(error, InvalidPath)
            return _version_1(client, mount, path)
        finally:
            client.adapter.close()
    except (InvalidPath, Forbidden) as error:
        is_missing = is_missing or isinstance(error, InvalidPath)
        refusal = (
            f"Vault has no such secret, or it was deleted; look: vault kv get -mount={mount} {path}"
            if is_missing
            else f"Vault denied it; renew VAULT_TOKEN, or let its policy read {mount}/data/{path}"
        )
    except VaultDown:
        refusal = f"the Vault at {host} is sealed or in maintenance; unseal it, then start again"
    except VaultError as error:
        refusal = f"the Vault at {host} refused ({type(error).__name__}); see Vault's audit log"
    except RequestException as error:
        refusal = f"the Vault at {host} does not answer ({type(error).__name__}); check VAULT_ADDR"
    except (TypeError, LookupError, ValueError):
        refusal = f"the Vault at {host} answered without a secret; check that {mount} is a key-value store"
    raise SettingsError(f"{where}: {refusal}")


def _version_2(client: Any, mount: str, path: str) -> Found:  # noqa: ANN401  hvac ships no types
    return _found_2(
        client.secrets.kv.v2.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True)[
            "data"
        ]
    )


def _found_2(data: Mapping[str, Any]) -> Found:
    return Found(
        text=SecretStr(json.dumps(dict(data["data"]))),
        stored_ts=datetime.fromisoformat(data["metadata"]["created_time"]),
        dated_by="Vault's date of this version",
    )


def _version_1(client: Any, mount: str, path: str) -> Found:  # noqa: ANN401  hvac ships no types
    answer = client.secrets.kv.v1.read_secret(path=path, mount_point=mount)
    return Found(text=SecretStr(json.dumps(dict(answer["data"]))))
