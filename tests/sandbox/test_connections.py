"""Connections that are cut on purpose, also when their client has left already."""

import asyncio

from sandbox import connections


async def an_aborted_connection() -> tuple[asyncio.Transport, dict[str, tuple[str, int]]]:
    """Return the server's end of a connection that is gone, and the scope of a request that came on it."""
    accepted: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    class Noted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            accepted.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Noted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    transport = await accepted
    scope = {
        name: transport.get_extra_info(end) for name, end in (("server", "sockname"), ("client", "peername"))
    }
    transport.abort()
    writer.close()
    await asyncio.sleep(0.01)
    server.close()
    return transport, scope


def test_a_connection_that_is_gone_already_can_be_cut_again() -> None:
    """A client that was killed leaves a transport whose socket is closed."""

    async def story() -> None:
        transport, scope = await an_aborted_connection()
        connections._open[scope["server"], scope["client"]] = transport  # noqa: SLF001 - as Known does
        connections.cut(scope)
        assert transport.is_closing()

    asyncio.run(story())
