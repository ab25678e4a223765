"""Where the exchange is and who we are there, read from the environment.

| variable | meaning |
|---|---|
| KALSHI_ENV | prod (default) or demo |
| KALSHI_BASE_URL | overrides the host, for a sandbox; plain http only to the own machine |
| KALSHI_WS_URL | overrides where streams come from; by default they are of the same exchange as the rest |
| KALSHI_TIER | basic (default) … prestige: how much we may ask per second until the exchange tells |
| KALSHI_BUDGET | a name; programs with the same one share one request budget, also with different keys |
| KALSHI_TRADING | off (default), demo or prod: whose money orders may move; a sandbox takes either word |
| KALSHI_SUBACCOUNT | 0 (the primary one) to 63: whose orders are sent; unset leaves it to Kalshi |

Without a key only public data is asked for. A key comes from one source, and its id from KALSHI_KEY_ID, which
may stay unset where the source holds the id beside the key:

| variable | the key is |
|---|---|
| KALSHI_PRIVATE_KEY | its own text; a literal backslash-n counts as a new line |
| KALSHI_PRIVATE_KEY_PATH | in this file, readable by its owner only |
| KALSHI_KEYRING | in the keyring of the operating system, under service or service/user (user: kalshi) |
| KALSHI_PREFECT_SECRET | in the Secret block of this name; flows only |
| KALSHI_AWS_SECRET | in AWS Secrets Manager, under this name or ARN |
| KALSHI_VAULT_SECRET | in HashiCorp Vault, at mount/path |
| KALSHI_KEY_CREATED | day it was made, YYYY-MM-DD, where the source's own date is not good enough |

Each of these with NEXT_ in it (KALSHI_NEXT_KEY_ID, …) is for the key that takes over once the exchange
refuses this one: during a rotation both are set, and nothing has to be restarted.

The key is held as a SecretStr and is never part of a message, a repr, a log line, a pickle or a traceback.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final, Self, SupportsIndex
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.client.errors import SettingsError
from pipelines.client.hosts import HOSTS, checked_url, money_at, ws_beside
from pipelines.client.keys import sources
from pipelines.client.keys.found import Held, shortened
from pipelines.client.keys.sources import variable
from pipelines.client.tiers import TIERS

_TRADING: Final = ("off", "demo", "prod")
_KEY_TEXTS: Final = (sources.TEXT, f"next_{sources.TEXT}")
_KEY_ID: Final = re.compile(r"[!-,.-~][!-~]{0,127}")  # what a header may hold; a PEM begins with a dash
_BUDGET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST_CHARACTERS: Final = 16


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
    tier: str = "basic"
    budget: str | None = None
    trading: str = "off"
    subaccount: int | None = Field(default=None, ge=0, le=63)

    key_id: str | None = None
    private_key: SecretStr | None = None
    private_key_path: Path | None = None
    keyring: str | None = None
    prefect_secret: str | None = None
    aws_secret: str | None = None
    vault_secret: str | None = None
    key_created: date | None = None

    next_key_id: str | None = None
    next_private_key: SecretStr | None = None
    next_private_key_path: Path | None = None
    next_keyring: str | None = None
    next_prefect_secret: str | None = None
    next_aws_secret: str | None = None
    next_vault_secret: str | None = None
    next_key_created: date | None = None

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  pydantic checks them
        for name in _KEY_TEXTS:
            if isinstance(values.get(name), str):
                values[name] = SecretStr(values[name])
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

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A traceback with variables also shows settings whose making failed half-way.
        yield from self.summary().items() if "env" in vars(self) else ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if self.private_key is not None or self.next_private_key is not None:
            raise TypeError("these Settings hold a private key and are not pickled; make them over there")
        return super().__reduce_ex__(protocol)

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

    @field_validator("trading")
    @classmethod
    def _known_trading(cls, trading: str) -> str:
        if trading.lower() not in _TRADING:
            raise SettingsError(f"KALSHI_TRADING is {trading!r}: write one of {', '.join(_TRADING)}")
        return trading.lower()

    @field_validator("budget")
    @classmethod
    def _usable_budget(cls, budget: str | None) -> str | None:
        if budget is not None and not _BUDGET.fullmatch(budget):
            raise SettingsError(
                f"KALSHI_BUDGET is {budget!r}: write up to 64 letters, digits, dots, dashes and underscores"
            )
        return budget

    @field_validator("key_id", "next_key_id")
    @classmethod
    def _usable_id(cls, key_id: str | None) -> str | None:
        stripped = (key_id or "").strip()
        if stripped and not _KEY_ID.fullmatch(stripped):
            # Not quoted: it may be a key in the wrong place.
            raise SettingsError("KALSHI_KEY_ID (or KALSHI_NEXT_KEY_ID) is no key id: copy the id alone")
        return stripped or None

    @field_validator("key_created", "next_key_created", mode="before")
    @classmethod
    def _plain_date(cls, day: Any) -> Any:  # noqa: ANN401  what pydantic hands over before validation
        if not isinstance(day, str):
            return day
        try:
            return date.fromisoformat(day.strip())
        except ValueError as error:
            raise SettingsError(
                f"KALSHI_KEY_CREATED (or KALSHI_NEXT_KEY_CREATED) is {day!r}: write YYYY-MM-DD"
            ) from error

    @model_validator(mode="before")
    @classmethod
    def _hosts_of_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        env = values.get("env", "prod")
        if env in HOSTS:
            base_url = checked_url("KALSHI_BASE_URL", values.get("base_url") or HOSTS[env][0], "http")
            values["base_url"] = base_url
            values["ws_url"] = checked_url("KALSHI_WS_URL", values.get("ws_url") or ws_beside(base_url), "ws")
        return values

    @model_validator(mode="after")
    def _whole_keys(self) -> Self:
        for is_next in (False, True):
            self._check_key(is_next=is_next)
        if self.has_next_key and not self.has_key:
            raise SettingsError(
                "a next key is set without a current one: unset NEXT_ in the names of its variables"
            )
        return self

    def _check_key(self, *, is_next: bool) -> None:
        given = self._given(is_next=is_next)
        id_variable = variable("key_id", is_next=is_next)
        if len(given) > 1:
            first, second = (variable(name, is_next=is_next) for name in given[:2])
            raise SettingsError(f"{first} and {second} are both set: keep one of them")
        if not given and (self.next_key_id if is_next else self.key_id):
            path, text = (variable(name, is_next=is_next) for name in ("private_key_path", "private_key"))
            raise SettingsError(
                f"{id_variable} is set without a key: set {path} (or {text}, or another source of "
                "docs/operate.md, Keys), or unset the id to use public data only"
            )

    def _given(self, *, is_next: bool) -> list[str]:
        prefix = "next_" if is_next else ""
        return [name for name in sources.NAMES if getattr(self, prefix + name) is not None]

    @property
    def has_key(self) -> bool:
        """Whether requests can be signed."""
        return bool(self._given(is_next=False))

    @property
    def has_next_key(self) -> bool:
        """Whether another key takes over when the exchange refuses this one."""
        return bool(self._given(is_next=True))

    def read_key(self, *, is_next: bool = False) -> Held:
        """Read the current or the next key from its source now, which may ask a network.

        Raises:
            SettingsError: no such key is set, or its source cannot be read or used.
        """
        given = self._given(is_next=is_next)
        if not given:
            raise SettingsError(f"no key is set: set {variable('private_key_path', is_next=is_next)}")
        prefix = "next_" if is_next else ""
        reference = getattr(self, prefix + given[0])
        return sources.read(
            given[0],
            reference if isinstance(reference, SecretStr) else str(reference),
            key_id=self.next_key_id if is_next else self.key_id,
            is_next=is_next,
        )

    def without_key(self) -> Self:
        """Return the same settings for public data only."""
        nothing = dict.fromkeys(("key_id", "key_created", *sources.NAMES))
        return self.model_copy(update=nothing | {f"next_{name}": None for name in nothing})

    @property
    def budget_name(self) -> str:
        """The request budget that this program shares with others: same exchange and key, same name.

        Holds no key id, only a digest. Reads the key's source if only that knows the id.

        Raises:
            SettingsError: that source cannot be read.
        """
        host = urlsplit(self.base_url).netloc.lower()
        if self.budget is not None:
            return f"{self.budget}-{_digest(host)}"
        if not self.has_key:
            return f"anonymous-{_digest(host)}"
        return _digest(f"{host} {(self.key_id or self.read_key().key_id).lower()}")

    def trading_refusal(self) -> str:
        """Return why no order may be sent with these settings, empty if it may.

        The host decides whose money it is, not KALSHI_ENV: a base URL may point elsewhere.
        """
        host = urlsplit(self.base_url).hostname or ""
        money = money_at(host)
        wanted = "demo" if money == "none" else money
        if self.trading == "off":
            return f"trading is off: to send orders to {host}, set KALSHI_TRADING={wanted}"
        if not self.has_key:
            return "orders are signed: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH"
        if money in {"none", self.trading}:
            return ""
        whose = "real money" if money == "prod" else "Kalshi's demo"
        return (
            f"KALSHI_TRADING is {self.trading}, and {host} is {whose}: "
            f"set KALSHI_TRADING={wanted}, or another KALSHI_ENV"
        )

    def summary(self) -> dict[str, str | None]:
        """Return what may be shown to anybody: no key, and only the heads of ids."""
        return {
            "env": self.env,
            "base_url": self.base_url,
            "ws_url": self.ws_url,
            "tier": self.tier,
            "trading": self.trading,
            "key_id": shortened(self.key_id) if self.key_id else None,
            "key_from": self._shown(is_next=False),
            "next_key_id": shortened(self.next_key_id) if self.next_key_id else None,
            "next_key_from": self._shown(is_next=True),
        }

    def _shown(self, *, is_next: bool) -> str | None:
        """Return the variable that a key comes from and what it names, None without such a key."""
        given = self._given(is_next=is_next)
        if not given:
            return None
        reference = getattr(self, f"next_{given[0]}" if is_next else given[0])
        shown = "" if isinstance(reference, SecretStr) else f" {reference}"
        return variable(given[0], is_next=is_next) + shown


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
