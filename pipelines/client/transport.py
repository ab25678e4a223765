"""The connection pool below the session.

It repeats no request by itself, follows no redirect, and reports no lost answer as a failed connection: an
order may depend on it. Why it is httpx alone: docs/decisions/0011.
"""

from typing import Final

import httpx

_HEADERS: Final = {
    "Accept": "application/json",
    # Other languages would translate titles and rules (changelog of 2026-08-27).
    "Accept-Language": "en",
    "Accept-Encoding": "gzip",
    "User-Agent": "tapehouse",
}
_CONNECT_S: Final = 10.0
_SILENCE_S: Final = 20.0
_IDLE_S: Final = 30.0


def pool(base_url: str, *, n_concurrent: int) -> httpx.AsyncClient:
    """Return connections to one exchange, at most `n_concurrent` at once."""
    is_plain = base_url.startswith("http://")  # loopback only, see Settings
    return httpx.AsyncClient(
        headers=_HEADERS,
        # Loading the CA bundle takes 40 ms; there is nothing to verify on plain loopback.
        verify=not is_plain,
        trust_env=not is_plain,
        http2=False,
        follow_redirects=False,
        timeout=httpx.Timeout(_SILENCE_S, connect=_CONNECT_S, pool=None),
        limits=httpx.Limits(
            max_connections=n_concurrent, max_keepalive_connections=n_concurrent, keepalive_expiry=_IDLE_S
        ),
    )
