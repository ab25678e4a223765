"""The connection pool below the session: httpx's own transport, or a leaner one in its place.

`KALSHI_TRANSPORT=pyreqwest` (extra `fast`) keeps httpx's face and does the work in Rust: some 0.6 of the CPU
of the transport, which is little over the whole path of a page (docs/decisions/0011). Neither repeats a
request by itself, follows a redirect, or reports a lost answer as a failed connection: an order may depend on
it.
"""

from datetime import timedelta
from typing import Final

import httpx

from pipelines.client.errors import SettingsError

TRANSPORTS: Final = ("httpx", "pyreqwest")

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
_NO_CONNECTION: Final = "client error (Connect)"


def pool(base_url: str, *, n_concurrent: int, transport: str = "httpx") -> httpx.AsyncClient:
    """Return connections to one exchange, at most `n_concurrent` at once.

    Raises:
        SettingsError: the transport's library is not installed.
    """
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
        transport=_reqwest(n_concurrent, is_plain=is_plain) if transport == "pyreqwest" else None,
    )


def _reqwest(n_concurrent: int, *, is_plain: bool) -> httpx.AsyncBaseTransport:
    try:
        from pyreqwest.client import ClientBuilder
        from pyreqwest.compatibility.httpx import HttpxTransport
    except ImportError as error:
        raise SettingsError(
            "KALSHI_TRANSPORT=pyreqwest needs a library more: pip install 'tapehouse[fast]', or unset it"
        ) from error
    builder = (
        ClientBuilder()
        .http1_only()
        .follow_redirects(enable=False)
        .gzip(enable=False)  # httpx unpacks
        .max_connections(n_concurrent)
        .connect_timeout(timedelta(seconds=_CONNECT_S))
        .read_timeout(timedelta(seconds=_SILENCE_S))
        .pool_idle_timeout(timedelta(seconds=_IDLE_S))
    )
    return _SureOfConnecting(HttpxTransport((builder.no_proxy() if is_plain else builder).build()))


class _SureOfConnecting(httpx.AsyncBaseTransport):
    """Calls nothing a failed connection but that.

    pyreqwest 0.15 raises ConnectError also when an open connection breaks, after the request may have been
    carried out. What it does not say in so many words is taken for a lost answer: then nothing is sent twice.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        try:
            return await self._transport.handle_async_request(request)
        except httpx.ConnectError as error:
            causes = getattr(error.__cause__, "details", {}).get("causes", ())
            if any(_NO_CONNECTION in cause["message"] for cause in causes):
                raise
            raise httpx.ReadError(str(error), request=request) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
