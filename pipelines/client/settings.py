"""Where the exchange is and who we are there, read from the environment.

| variable | meaning |
|---|---|
| KALSHI_ENV | prod (default) or demo |
| KALSHI_BASE_URL, KALSHI_WS_URL | override both hosts, for a sandbox; plain http/ws only to the own machine |
| KALSHI_KEY_ID | id of the API key; without a key only public data is asked for |
| KALSHI_PRIVATE_KEY | its PEM text; a literal backslash-n counts as a new line |
| KALSHI_PRIVATE_KEY_PATH | or the file that holds it, readable by its owner only |
| KALSHI_TIER | basic (default) … prestige: how much we may ask per second until the exchange tells |

The key is held as a SecretStr and is never part of a message, a repr, a log line or a traceback.
Source of hosts: KALSHI.md §1 (API environments page, 2026-08-20).
"""

import ipaddress
import os
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.client.errors import SettingsError
from pipelines.client.tiers import TIERS

HOSTS: Final = {
    "prod": (
        "https://external-api.kalshi.com/trade-api/v2",
        "wss://external-api-ws.kalshi.com/trade-api/ws/v2",
    ),
    "demo": (
        "https://external-api.demo.kalshi.co/trade-api/v2",
        "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2",
    ),
}

_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_KEY_BYTES: Final = 64_000


class Settings(BaseSettings):
    """Settings of one client; arguments beat the environment.

    Raises:
        SettingsError: a value cannot be used; the message says which variable and what to write.
    """

    model_config = SettingsConfigDict(
        env_prefix="KALSHI_", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    env: str = "prod"
    base_url: str = ""
    ws_url: str = ""
    key_id: str | None = None
    private_key: SecretStr | None = None
    private_key_path: Path | None = None
    tier: str = "basic"

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  pydantic checks them
        if isinstance(values.get("private_key"), str):
            values["private_key"] = SecretStr(values["private_key"])
        refusal = ""
        try:
            super().__init__(**values)
        except SettingsError as error:
            refusal = str(error)
        except ValidationError as error:
            refusal = "; ".join(
                f"KALSHI_{str(one['loc'][0]).upper()}: {one['msg']}"
                for one in error.errors(include_input=False)
            )
        # Raised out here, without the frames of pydantic, whose variables hold the key as it was typed.
        if refusal:
            raise SettingsError(refusal)

    @field_validator("env")
    @classmethod
    def _known_environment(cls, env: str) -> str:
        if env not in HOSTS:
            raise SettingsError(f"KALSHI_ENV is {env!r}: write prod or demo")
        return env

    @field_validator("tier")
    @classmethod
    def _known_tier(cls, tier: str) -> str:
        if tier.lower() not in TIERS:
            raise SettingsError(f"KALSHI_TIER is {tier!r}: write one of {', '.join(TIERS)}")
        return tier.lower()

    @field_validator("private_key", mode="before")
    @classmethod
    def _real_new_lines(cls, key: Any) -> Any:  # noqa: ANN401  what pydantic hands over before validation
        return _respelled(key) if isinstance(key, (str, SecretStr)) else key

    @model_validator(mode="before")
    @classmethod
    def _hosts_of_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        env = values.get("env", "prod")
        if env in HOSTS:
            base_url, ws_url = HOSTS[env]
            values["base_url"] = _checked_url("KALSHI_BASE_URL", values.get("base_url") or base_url, "http")
            values["ws_url"] = _checked_url("KALSHI_WS_URL", values.get("ws_url") or ws_url, "ws")
        return values

    @model_validator(mode="after")
    def _whole_key(self) -> "Settings":
        if self.private_key is not None and self.private_key_path is not None:
            raise SettingsError(
                "KALSHI_PRIVATE_KEY and KALSHI_PRIVATE_KEY_PATH are both set: keep one of them"
            )
        has_key = self.private_key is not None or self.private_key_path is not None
        if self.key_id and not has_key:
            raise SettingsError(
                "KALSHI_KEY_ID is set without a key: set KALSHI_PRIVATE_KEY_PATH (or KALSHI_PRIVATE_KEY), "
                "or unset the id to use public data only"
            )
        if has_key and not self.key_id:
            raise SettingsError(
                "a private key is set without KALSHI_KEY_ID: copy the id that Kalshi showed beside the key"
            )
        return self

    @property
    def has_key(self) -> bool:
        """Whether requests can be signed."""
        return self.key_id is not None

    def key_text(self) -> SecretStr | None:
        """Return the PEM text of the key, read now; None without a key.

        Raises:
            SettingsError: the file is missing, unreadable, too large or open to others.
        """
        if self.private_key_path is not None:
            return _key_file(self.private_key_path)
        return self.private_key

    def summary(self) -> dict[str, str | None]:
        """Return what may be shown to anybody: no key, and only the head of its id."""
        where = "KALSHI_PRIVATE_KEY" if self.private_key else str(self.private_key_path or "") or None
        return {
            "env": self.env,
            "base_url": self.base_url,
            "ws_url": self.ws_url,
            "tier": self.tier,
            "key_id": f"{self.key_id[:8]}…" if self.key_id else None,
            "key_from": where,
        }


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_url(variable: str, url: str, plain: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{variable} is {url!r}, which is no URL: {error}") from error
    if parts.username or parts.password:
        raise SettingsError(f"{variable} holds a user or a password: write {plain}s://HOST/PATH only")
    if parts.scheme not in {plain, f"{plain}s"} or not host or parts.query or parts.fragment:
        raise SettingsError(
            f"{variable} is {url!r}: write {plain}s://HOST/PATH, without query "
            f"(for example {HOSTS['prod'][0 if plain == 'http' else 1]})"
        )
    if parts.scheme == plain and not is_loopback(host):
        raise SettingsError(
            f"{variable} is {url!r}: {plain}:// would send signatures in the clear; use {plain}s:// "
            "(plain text is allowed to this machine only: localhost, 127.0.0.1, ::1)"
        )
    return url.rstrip("/")


def _key_file(path: Path) -> SecretStr:
    where = f"KALSHI_PRIVATE_KEY_PATH {path}"
    try:
        status = path.expanduser().stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(
                f"{where}: not a file; give the path of the PEM file that Kalshi let you save"
            )
        if os.name != "nt" and status.st_mode & _OPEN_TO_OTHERS:
            raise SettingsError(f"{where}: others can read this key; run: chmod 600 {path}")
        if status.st_size > _MAX_KEY_BYTES:
            raise SettingsError(f"{where}: {status.st_size} bytes is no key; give the PEM file of the key")
        return _respelled(SecretStr(path.expanduser().read_text(encoding="ascii")))
    except FileNotFoundError as error:
        raise SettingsError(f"{where}: no such file; correct the path, or save the key there") from error
    except UnicodeDecodeError:
        # The error would quote the file, hence no chain.
        raise SettingsError(f"{where}: not a PEM text; give the file that Kalshi let you save") from None
    except OSError as error:
        raise SettingsError(
            f"{where}: cannot be read ({error.strerror}); make it yours and chmod 600"
        ) from error


def _respelled(key: str | SecretStr) -> SecretStr:
    """Turn the two characters backslash-n, which many env files produce, into new lines."""
    held = key if isinstance(key, SecretStr) else SecretStr(key)
    return SecretStr(held.get_secret_value().replace("\\r", "").replace("\\n", "\n").strip() + "\n")
