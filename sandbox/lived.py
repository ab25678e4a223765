"""Lets the exchange catch up with its clock before a route looks at it."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Lived:
    """Brings the catalog up to the clock for every request; a source that stands still costs nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refresh, then let the request through."""
        if scope["type"] in {"http", "websocket"}:
            scope["app"].state.catalog.refresh()
        await self._app(scope, receive, send)
