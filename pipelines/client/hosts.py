"""Where the exchange lives, and which hosts are this machine.

Source: KALSHI.md §1 (API environments page, 2026-08-20).
"""

import ipaddress
from typing import Final, Literal
from urllib.parse import urlsplit

from pipelines.client.errors import SettingsError

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

# Every demo host of Kalshi is below this domain, and no other host is.
_DEMO_DOMAIN: Final = "kalshi.co"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def money_at(host: str) -> Literal["none", "demo", "prod"]:
    """Return whose money an order at `host` moves: nobody's, play money, or real money.

    A host that is neither this machine nor Kalshi's demo counts as real: it may lead there.
    """
    if is_loopback(host):
        return "none"
    is_demo = host.lower() == _DEMO_DOMAIN or host.lower().endswith(f".{_DEMO_DOMAIN}")
    return "demo" if is_demo else "prod"


def ws_beside(base_url: str) -> str:
    """Return the WebSocket of the exchange at `base_url`: a signature must not go to another one.

    Kalshi's newer hosts have a host of its own for it; elsewhere it is the same host, under `/ws`.
    """
    for base, ws in HOSTS.values():
        if base_url == base:
            return ws
    parts = urlsplit(base_url)
    scheme = "ws" if parts.scheme == "http" else "wss"
    root, _, version = parts.path.rpartition("/")
    return f"{scheme}://{parts.netloc}{root}/ws/{version}"


def checked_url(name: str, url: str, plain: str) -> str:
    """Return `url` without a slash at its end.

    Args:
        name: the variable that holds it, for messages.
        url: the root of the API.
        plain: `http` or `ws`, the scheme without encryption, which is for this machine only.

    Raises:
        SettingsError: no URL of that kind, or one that would show signatures or passwords to others.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{name} is {url!r}, which is no URL: {error}") from error
    if parts.username or parts.password:
        raise SettingsError(f"{name} holds a user or a password: write {plain}s://HOST/PATH only")
    if parts.scheme not in {plain, f"{plain}s"} or not host or parts.query or parts.fragment:
        raise SettingsError(
            f"{name} is {url!r}: write {plain}s://HOST/PATH, without query "
            f"(for example {HOSTS['prod'][0 if plain == 'http' else 1]})"
        )
    if parts.scheme == plain and not is_loopback(host):
        raise SettingsError(
            f"{name} is {url!r}: {plain}:// would send signatures in the clear; use {plain}s:// "
            "(plain text is allowed to this machine only: localhost, 127.0.0.1, ::1)"
        )
    return url.rstrip("/")
