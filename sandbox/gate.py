"""What every request passes before a route sees it: signature, then tokens."""

import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.bucket import ANONYMOUS, Buckets, Meter, Prices
from sandbox.replies import too_many, unauthorized
from sandbox.signature import Keyring

PREFIX: Final = "/trade-api/v2"
NEEDS_KEY: Final = (
    "/portfolio",
    "/account/limits",
    "/api_keys",
    "/communications",
    "/historical/fills",
    "/historical/orders",
    "/historical/positions",
)


def wall_ms() -> int:
    """Return the time of day in milliseconds, which is what signatures carry."""
    return time.time_ns() // 1_000_000


class Gate:
    """Answers 401 and 429 itself and lets everything else through.

    A signature is checked wherever one is sent, also on public routes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keyring: Keyring,
        buckets: Buckets,
        prices: Prices,
        meter: Meter,
        clock_ms: Callable[[], int],
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._buckets = buckets
        self._prices = prices
        self._meter = meter
        self._clock_ms = clock_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"].removeprefix(PREFIX), scope["method"]
        self._meter.requests += 1
        self._meter.by_path[path] += 1
        key_id = self._caller(scope, path)
        cost = self._prices.of(method, path)
        if not self._buckets.spend(key_id or ANONYMOUS, cost):
            self._meter.refused += 1
            await too_many()(scope, receive, send)
            return
        self._meter.tokens_spent += cost
        if key_id is None:
            self._meter.unauthorized += 1
            await unauthorized()(scope, receive, send)
            return
        scope.setdefault("state", {})["key_id"] = key_id
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope, path: str) -> str | None:
        """Return the key id, "" for nobody in particular, None for a caller who must not pass."""
        headers = Headers(scope=scope)
        if not self._keyring.is_signed(headers):
            return None if path.startswith(NEEDS_KEY) else ANONYMOUS
        raw_path = scope.get("raw_path", b"").decode("ascii", "replace")
        return self._keyring.account(
            headers, method=scope["method"], paths=(raw_path, scope["path"]), now_ms=self._clock_ms()
        )
