"""Who a key speaks for and what it may do: accounts, scopes, one subaccount only, revoked keys.

Which code a 403 carries is not published; the sandbox says `insufficient_scope`.
Source: KALSHI.md §2 (changelog, 2025-12-18 to 2026-07-02); `ApiKeyScope` (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sandbox.errors import BadKey

READ: Final = "read"
WRITE: Final = "write"
SCOPES: Final = (
    READ,
    WRITE,
    "read::block_trade_accept",
    "read::portfolio_balance",
    "write::trade",
    "write::transfer",
    "write::fcm_risk",
    "write::block_trade_accept",
)
MAX_SUBACCOUNT: Final = 63
# A child scope opens these alone; its parent opens them too, and everything else of its kind.
_CHILDREN: Final = (
    ("GET", "/portfolio/balance", "read::portfolio_balance"),
    ("", "/portfolio/events/orders", "write::trade"),
    ("", "/portfolio/orders", "write::trade"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What the exchange keeps about a key; an empty `account` makes the key an account of its own.

    Raises:
        BadKey: a scope or subaccount that does not exist, or `write` without `read`.
    """

    account: str = ""
    name: str = ""
    scopes: tuple[str, ...] = (READ, WRITE)
    subaccount: int | None = None
    is_revoked: bool = False

    def __post_init__(self) -> None:
        """Refuse what Kalshi would not grant."""
        unknown = [scope for scope in self.scopes if scope not in SCOPES]
        if unknown or not self.scopes:
            raise BadKey(f"scopes {self.scopes}: each must be one of {', '.join(SCOPES)}")
        if WRITE in self.scopes and READ not in self.scopes:
            raise BadKey(f"scopes {self.scopes}: {WRITE!r} is only granted together with {READ!r}")
        if self.subaccount is not None and not 0 <= self.subaccount <= MAX_SUBACCOUNT:
            raise BadKey(f"subaccount {self.subaccount}: there are 0 to {MAX_SUBACCOUNT}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request; `subaccount` is the only one a restricted key may touch."""

    key_id: str
    account: str
    subaccount: int | None = None


class Access:
    """The facts of every key, which may change while the sandbox runs."""

    def __init__(self, key_ids: Iterable[str], facts: Mapping[str, KeyFacts] | None = None) -> None:
        given = dict(facts or {})
        self._facts = {key_id: given.pop(key_id, KeyFacts()) for key_id in key_ids}
        if given:
            raise BadKey(f"facts about {', '.join(sorted(given))}: no public key of that id was given")

    def caller(self, key_id: str) -> Caller:
        """Return who a key speaks for."""
        facts = self._facts[key_id]
        return Caller(key_id, facts.account or key_id, facts.subaccount)

    def is_revoked(self, key_id: str) -> bool:
        """Tell whether a key must not be let in any more."""
        return self._facts[key_id].is_revoked

    def revoke(self, key_id: str) -> None:
        """Withdraw a key: its next request is a 401 like that of a key which never was."""
        self._facts[key_id] = replace(self._facts[key_id], is_revoked=True)

    def keys_of(self, account: str) -> list[tuple[str, KeyFacts]]:
        """Return the keys of an account that are not revoked, with their facts."""
        return [
            (key_id, facts)
            for key_id, facts in self._facts.items()
            if (facts.account or key_id) == account and not facts.is_revoked
        ]

    def may(self, key_id: str, method: str, path: str) -> bool:
        """Tell whether the scopes of a key cover a request."""
        granted = self._facts[key_id].scopes
        parent = READ if method in {"GET", "HEAD"} else WRITE
        return parent in granted or any(
            child in granted
            for only, prefix, child in _CHILDREN
            if child.startswith(parent) and only in {"", method} and path.startswith(prefix)
        )
