"""`/trade-api/ws/v2`: the handshake must be signed, also for public channels.

Source: KALSHI.md §1, §2 and §10.1 (asyncapi.yaml, 2026-09-29; quick_start_websockets, 2026-05-31).
"""

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from sandbox.access import Caller
from sandbox.connections import cut
from sandbox.replies import unauthorized
from sandbox.stream_session import Session

if TYPE_CHECKING:
    from sandbox.stream_hub import Hub

WS_PATH: Final = "/trade-api/ws/v2"

_numbers: Final = count(1)


async def stream(websocket: WebSocket) -> None:
    """Serve one client until it goes, or is dropped."""
    caller = await let_in(websocket)
    hub: Hub = websocket.app.state.hub
    session = Session(
        f"ws{next(_numbers)}",
        caller,
        first=hub.first,
        drop=lambda: cut(websocket.scope),
        misfortune=websocket.app.state.faults,
    )
    hub.join(session)
    writer = asyncio.get_running_loop().create_task(_write(websocket, session))
    try:
        while True:
            told = await websocket.receive()
            if told["type"] == "websocket.disconnect":
                break
            session.hear(told.get("text") or told.get("bytes") or "")
    finally:
        hub.leave(session)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def let_in(websocket: WebSocket) -> Caller:
    """Carry out the handshake and return who comes.

    Raises:
        ClientDisconnected: somebody without a good signature, who was sent away.
    """
    state = websocket.app.state
    key_id = state.keyring.account(websocket.headers, method="GET", paths=(WS_PATH,), now_ms=state.clock_ms())
    if key_id is None or state.access.is_revoked(key_id):
        state.meter.unauthorized += 1
        await websocket.send_denial_response(unauthorized())
        # uvicorn takes a return without a handshake for an error of ours, and says so on stderr.
        raise ClientDisconnected
    await websocket.accept()
    caller: Caller = state.access.caller(key_id)
    return caller


async def _write(websocket: WebSocket, session: Session) -> None:
    try:
        while True:
            for frame in await session.frames():
                await websocket.send_text(frame)
    except (WebSocketDisconnect, RuntimeError):
        return  # the client is gone: its reader ends the session


ROUTES: Final = [WebSocketRoute(WS_PATH, stream)]
