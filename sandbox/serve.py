"""Serving a source on a loopback port: for ever, or for the length of a `with` block."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from signal import SIGINT, SIGTERM, signal
from threading import Thread
from time import monotonic, sleep
from typing import Final

import uvicorn
from starlette.applications import Starlette

from sandbox.access import KeyFacts
from sandbox.app import Keys, create_app
from sandbox.connections import Known
from sandbox.errors import PortTaken, SandboxError
from sandbox.faults import CALM, Faults
from sandbox.gate import PREFIX
from sandbox.source import Source

HOST: Final = "127.0.0.1"
START_S: Final = 20.0
BACKLOG: Final = 512


class Running:
    """A sandbox that answers: where it is, what it has seen, and how to end it."""

    def __init__(self, app: Starlette, port: int) -> None:
        self._socket = _bind(port)
        self._server = _server(app)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)
        self.port: int = self._socket.getsockname()[1]
        self.base_url = f"http://{HOST}:{self.port}{PREFIX}"
        self.state = app.state
        self.meter = app.state.meter
        self.faults = app.state.faults

    def start(self) -> None:
        """Answer from now on.

        Raises:
            SandboxError: the server did not come up.
        """
        self._thread.start()
        deadline_s = monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or monotonic() > deadline_s:
                self._socket.close()
                raise SandboxError(f"{self.base_url}: the server did not start within {START_S:.0f} s")
            sleep(0.005)

    def stop(self) -> None:
        """Finish what is being answered and close the port; stopping twice is no error."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(START_S)
        self._socket.close()


@contextmanager
def running(
    source: Source,
    *,
    tier: str = "basic",
    keys: Keys | None = None,
    key_facts: Mapping[str, KeyFacts] | None = None,
    port: int = 0,
    faults: Faults = CALM,
) -> Iterator[Running]:
    """Serve a source from a thread while the block runs; port 0 takes a free one."""
    server = Running(create_app(source, tier=tier, keys=keys, key_facts=key_facts, faults=faults), port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def serve(
    source: Source,
    *,
    port: int = 0,
    tier: str = "basic",
    keys: Keys | None = None,
    on_ready: Callable[[str], None] | None = None,
    faults: Faults = CALM,
) -> None:
    """Serve a source from the main thread until SIGINT or SIGTERM; `on_ready` gets the base URL once bound.

    Raises:
        PortTaken: the port cannot be bound.
    """
    app = create_app(source, tier=tier, keys=keys, faults=faults)
    bound = _bind(port)
    server = _server(app)

    def end(_signal: int, _frame: object) -> None:
        # Also heard once more after the server has obeyed: uvicorn repeats what it caught.
        server.should_exit = True

    before = {each: signal(each, end) for each in (SIGINT, SIGTERM)}
    try:
        if on_ready is not None:
            on_ready(f"http://{HOST}:{bound.getsockname()[1]}{PREFIX}")
        server.run([bound])
    finally:
        bound.close()
        for each, handler in before.items():
            signal(each, handler)


def _bind(port: int) -> socket.socket:
    # The protocol must be named: asyncio switches Nagle's delay off (40 ms an answer) only where it sees TCP.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        bound.close()
        raise PortTaken(f"port {port}: {error}; choose another with --port, or 0 for a free one") from error
    return bound


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Known,
            date_header=False,  # the app has a clock of its own
            ws="websockets-sansio",
            ws_ping_interval=10.0,
            ws_max_size=1 << 20,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
