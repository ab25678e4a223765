"""The connections that are open, so that one can be dropped under an answer."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, cast
from weakref import WeakValueDictionary

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

Ends = tuple[tuple[str, int], tuple[str, int]]
_open: Final[WeakValueDictionary[Ends, asyncio.Transport]] = WeakValueDictionary()
NO_LINGER: Final = struct.pack("ii", 1, 0)  # closing sends RST and forgets what was not sent yet


class Known(H11Protocol):
    """The server's HTTP, which notes each connection by its two ends."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note a new connection."""
        super().connection_made(transport)
        ends = (transport.get_extra_info("sockname"), transport.get_extra_info("peername"))
        _open[cast("Ends", ends)] = transport


def cut(scope: Scope) -> None:
    """Reset the connection of a request (RST); an app without a server has none."""
    transport = transport_of(scope)
    if transport is None:
        return
    bound = transport.get_extra_info("socket")
    if bound is not None:
        with suppress(OSError):  # a client that was killed has closed it already
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()


def end(scope: Scope) -> None:
    """Close the connection of a request after what is under way has been sent (FIN)."""
    transport = transport_of(scope)
    if transport is not None:
        transport.close()


def transport_of(scope: Scope) -> asyncio.Transport | None:
    """Return the connection of a request; an app without a server has none."""
    server, client = scope.get("server"), scope.get("client")
    return _open.get((tuple(server), tuple(client))) if server and client else None
