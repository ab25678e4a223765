"""A WebSocket reader for tests: signs with code of its own, and follows books the obvious way."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from sandbox.serve import Running, running
from sandbox.source import Source

Json = dict[str, Any]
KEY_ID = "reader"


class Reader:
    """One connection: commands out, frames in, in order."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self.frames: list[Json] = []

    def say(self, cmd: str, command_id: int = 1, **params: Any) -> None:  # noqa: ANN401  JSON
        self.say_text(json.dumps({"id": command_id, "cmd": cmd, "params": params}))

    def say_text(self, text: str) -> None:
        self._socket.send(text)

    def next(self, *, within_s: float = 10.0) -> Json:
        """Return the next frame."""
        frame: Json = json.loads(self._socket.recv(timeout=within_s))
        self.frames.append(frame)
        return frame

    def first(self, kind: str, **said: object) -> Json:
        """Return the first message of a type, read already or still to come, that says these things."""
        at = 0
        while True:
            frame = self.frames[at] if at < len(self.frames) else self.next()
            if frame["type"] == kind and said.items() <= frame["msg"].items():
                msg: Json = frame["msg"]
                return msg
            at += 1

    def until(self, kind: str, n: int = 1) -> list[Json]:
        """Read until `n` frames of a type came; returns those."""
        found: list[Json] = []
        while len(found) < n:
            frame = self.next()
            if frame["type"] == kind:
                found.append(frame)
        return found


def signed(key: Ed25519PrivateKey, *, key_id: str = KEY_ID, path: str = "/trade-api/ws/v2") -> dict[str, str]:
    stamp = str(time.time_ns() // 1_000_000)
    signature = base64.b64encode(key.sign(f"{stamp}GET{path}".encode())).decode()
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": signature,
    }


def ws_url(server: Running) -> str:
    return f"ws://127.0.0.1:{server.port}/trade-api/ws/v2"


@contextmanager
def a_reader(source: Source, **options: Any) -> Iterator[tuple[Reader, Running]]:  # noqa: ANN401  running's own
    """Serve a source and connect to its WebSocket."""
    key = Ed25519PrivateKey.generate()
    with (
        running(source, tier="prestige", keys={KEY_ID: key.public_key()}, **options) as server,
        connect(ws_url(server), additional_headers=signed(key)) as socket,
    ):
        yield Reader(socket), server
