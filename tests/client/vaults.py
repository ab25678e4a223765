"""A loopback server that answers like HashiCorp Vault's key-value store, versions 1 and 2.

Source: Vault's API documentation, "KV secrets engine" and "HTTP status codes" (read 2026-10-01).
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-of-this-test"  # noqa: S105  it opens nothing
CREATED = "2026-08-01T10:20:30.123456789Z"
KEPT = {"created_time": CREATED, "deletion_time": "", "destroyed": False, "version": 1}
DELETED = {"created_time": CREATED, "deletion_time": "2026-09-01T00:00:00Z", "destroyed": False, "version": 3}


@dataclass(slots=True)
class Vault:
    """What the server holds, and how it behaves.

    Attributes:
        secrets: fields by path; a secret in version 2 has `data` in it, such as `secret/data/kalshi`.
        allowed: paths that the token's policy lets it read; None means all.
        status: what every request is answered with instead, such as 503 for a sealed Vault.
        asked: the paths that were asked for.
    """

    port: int = 0
    secrets: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    allowed: set[str] | None = None
    status: int = 200
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, token: str | None) -> tuple[int, dict[str, Any]]:
        """Return status and body of a read, as Vault gives them."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, {"errors": ["Vault is sealed" if self.status == 503 else "internal error"]}
        if token != TOKEN or (self.allowed is not None and path not in self.allowed):
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if path not in self.secrets:
            return 404, {"errors": []}
        fields = self.secrets[path]
        if "/data/" not in path:
            return 200, {"lease_duration": 2_764_800, "renewable": False, "data": fields}
        metadata = DELETED if fields is None else KEPT
        return 404 if fields is None else 200, {"data": {"data": fields, "metadata": metadata}}


@contextmanager
def vault(**behaviour: Any) -> Iterator[Vault]:  # noqa: ANN401  the fields of Vault
    """Run a Vault until the block ends."""
    held = Vault(**behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = held.answer(self.path.removeprefix("/v1/"), self.headers.get("X-Vault-Token"))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
