"""The way in: a signed upgrade, tried anew when only the clock or a rotated key stood in the way.

Source: KALSHI.md §2 and §10.1: the same headers as any request, over `GET` and the path; the connection
needs them even for public channels.
"""

import logging
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.protocol import Event

from pipelines.client.errors import StreamError, StreamRefused
from pipelines.client.signing import ExchangeClock, Signers

MAX_MESSAGE_BYTES: Final = 64 * 2**20
"""The exchange sends no larger ones [KALSHI.md §10.1; asyncapi.yaml, 2026-09-29]."""

_LOG: Final = logging.getLogger(__name__)
# At DEBUG the library prints every header, signatures among them.
_LIBRARY_LOG: Final = logging.getLogger(f"{__name__}.library")
_LIBRARY_LOG.setLevel(logging.INFO)

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_PASSING: Final = frozenset({408, 425, 429})
_SERVER: Final = 500
_FRAMES_AHEAD: Final = 64
_OPEN_S: Final = 20.0
_CLOSE_S: Final = 5.0
_PING: Final = 9


class NotNow(StreamError):
    """No connection this time: network, maintenance or server; another try may help."""


class Connection(ClientConnection):
    """A connection that also tells of pings; the library answers them."""

    on_ping: Callable[[], None] | None = None

    def process_event(self, event: Event) -> None:
        """Hear one event of the library's protocol."""
        if not isinstance(event, Response) and getattr(event, "opcode", None) == _PING and self.on_ping:
            self.on_ping()
        super().process_event(event)


class _Straight(connect):
    """Follows no redirect: the signature is good for one path, and the key's id for one host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def opened(
    url: str, *, signer: Signers | None, clock: ExchangeClock, is_compressed: bool, open_s: float = _OPEN_S
) -> Connection:
    """Return a new connection.

    Raises:
        StreamRefused: the exchange does not let us in, and would not the next time either.
        NotNow: it may, a little later.
    """
    is_clock_corrected = False
    while True:
        signed_by = None if signer is None else signer.current
        try:
            return await _try(url, signer=signer, clock=clock, is_compressed=is_compressed, open_s=open_s)
        except InvalidStatus as error:
            status, date_s = error.response.status_code, _date_s(error.response.headers)
            if status == _UNAUTHORIZED and signer is not None:
                if not is_clock_corrected and date_s is not None:
                    clock.correct(date_s)
                    is_clock_corrected = True
                    _LOG.warning("WebSocket: 401; signing once more with the exchange's clock (%+d ms)",
                                 clock.offset_ms)  # fmt: skip
                    continue
                if signer.advance(signed_by):
                    continue
            if status >= _SERVER or status in _PASSING:
                raise NotNow(f"the exchange answered the handshake with {status}") from error
            raise _refused(url, status, has_key=signer is not None) from error
        except (WebSocketException, OSError, EOFError) as error:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise NotNow(f"no handshake with {urlsplit(url).netloc} ({said})") from error


async def _try(
    url: str, *, signer: Signers | None, clock: ExchangeClock, is_compressed: bool, open_s: float
) -> Connection:
    is_plain = url.startswith("ws://")  # loopback only, see Settings
    path = urlsplit(url).path
    headers = {} if signer is None else signer.headers("GET", path, timestamp_ms=clock.now_ms())
    connection = await _Straight(
        url,
        additional_headers=headers,
        user_agent_header="tapehouse",
        compression="deflate" if is_compressed else None,
        proxy=None if is_plain else True,
        open_timeout=open_s,
        close_timeout=_CLOSE_S,
        ping_interval=None,
        max_size=MAX_MESSAGE_BYTES,
        max_queue=_FRAMES_AHEAD,
        logger=_LIBRARY_LOG,
        create_connection=Connection,
    )
    assert isinstance(connection, Connection)
    seen_s = None if connection.response is None else _date_s(connection.response.headers)
    if seen_s is not None:
        clock.observe(seen_s)
    return connection


def _refused(url: str, status: int, *, has_key: bool) -> StreamRefused:
    where = f"WebSocket {urlsplit(url).path} at {urlsplit(url).netloc}: refused with {status}; "
    if status == _UNAUTHORIZED and not has_key:
        what = "it needs a key even for public channels: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH"
    elif status == _UNAUTHORIZED:
        what = (
            "check KALSHI_KEY_ID and its private key, and that both belong to this KALSHI_ENV "
            "(demo and prod share no keys); `tapehouse doctor` shows the clock"
        )
    elif status == _FORBIDDEN:
        what = "give the key the `read` scope in Kalshi's web interface, or close other connections of it"
    else:
        what = "check KALSHI_WS_URL: redirects are not followed, and the path is part of the signature"
    return StreamRefused(where + what, status=status)


def _date_s(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp())
    except (LookupError, ValueError, TypeError):
        return None
