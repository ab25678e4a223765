"""What every request passes before a route sees it: signature, then tokens, then scopes."""

import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.access import Access, Caller
from sandbox.bodies import collect, n_items, replayed
from sandbox.bucket import ANONYMOUS, BATCHED, Budgets, Meter, Prices
from sandbox.replies import Refused, forbidden, refusal, too_many, unauthorized
from sandbox.signature import Keyring

PREFIX: Final = "/trade-api/v2"
NEEDS_KEY: Final = (
    "/portfolio",
    "/account/limits",
    "/account/api_usage_level",
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
        access: Access,
        budgets: Budgets,
        prices: Prices,
        meter: Meter,
        clock_ms: Callable[[], int],
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._access = access
        self._budgets = budgets
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
        caller = self._caller(scope, path)
        cost = self._prices.of(method, path)
        if path == BATCHED and method != "GET":
            try:
                body = await collect(receive)
            except Refused as error:
                await refusal(error)(scope, receive, send)
                return
            receive, cost = replayed(body, receive), cost * n_items(body)
        if not self._budgets.of(method).spend(caller.account if caller else ANONYMOUS, cost):
            self._meter.refused += 1
            await too_many()(scope, receive, send)
            return
        self._meter.tokens_spent += cost
        if caller is None:
            self._meter.unauthorized += 1
            await unauthorized()(scope, receive, send)
            return
        if path.startswith(NEEDS_KEY) and not self._access.may(caller.key_id, method, path):
            await forbidden("this key was not granted the scope that the request needs")(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope, path: str) -> Caller | None:
        """Return who asks, nobody in particular without a signature, None for one who must not pass."""
        headers = Headers(scope=scope)
        if not self._keyring.is_signed(headers):
            return None if path.startswith(NEEDS_KEY) else Caller(ANONYMOUS, ANONYMOUS)
        # A fault of the exchange's clock, if any.
        now_ms = self._clock_ms() + scope.get("state", {}).get("skew_ms", 0)
        raw_path = scope.get("raw_path", b"").decode("ascii", "replace")
        key_id = self._keyring.account(
            headers, method=scope["method"], paths=(raw_path, scope["path"]), now_ms=now_ms
        )
        return None if key_id is None or self._access.is_revoked(key_id) else self._access.caller(key_id)
