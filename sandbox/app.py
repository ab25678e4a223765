"""The exchange's REST API over any source, as a starlette application."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from sandbox import (
    flood_stream,
    openapi,
    routes_account,
    routes_candles,
    routes_listings,
    routes_live_data,
    routes_markets,
    routes_metadata,
    routes_orders,
    routes_portfolio,
    routes_stream,
    routes_trades,
)
from sandbox.access import Access, KeyFacts
from sandbox.bucket import COSTS, Budgets, Meter, Prices
from sandbox.catalog import Catalog
from sandbox.desk import Desk
from sandbox.fault_layer import FaultLayer
from sandbox.faults import CALM, Faults, Misfortune
from sandbox.flood import Flood
from sandbox.gate import PREFIX, Gate, wall_ms
from sandbox.lived import Lived
from sandbox.replies import Refused, on_missing, on_refused
from sandbox.signature import TOLERANCE_MS, Keyring, PublicKey
from sandbox.source import Source
from sandbox.stream_hub import Hub

Keys = Mapping[str, PublicKey | str | bytes]

# Fixed paths first: /markets/trades must not be taken for a market called "trades".
_REST: Final = [
    *openapi.ROUTES,
    *routes_trades.ROUTES,
    *routes_candles.ROUTES,
    *routes_listings.ROUTES,
    *routes_markets.ROUTES,
    *routes_account.ROUTES,
    *routes_metadata.ROUTES,
    *routes_live_data.ROUTES,
    *routes_orders.ROUTES,
    *routes_portfolio.ROUTES,
]


def create_app(
    source: Source,
    *,
    tier: str = "basic",
    keys: Keys | None = None,
    key_facts: Mapping[str, KeyFacts] | None = None,
    tolerance_ms: int = TOLERANCE_MS,
    clock_ms: Callable[[], int] = wall_ms,
    monotonic_s: Callable[[], float] = time.monotonic,
    faults: Faults = CALM,
) -> Starlette:
    """Return an application that serves `source` under /trade-api/v2.

    `keys` maps key ids to public keys (objects, or PEM text); without keys every signed request is a 401.
    `key_facts` says of some whose they are and what they may do; a key alone is an account of its own.
    `clock_ms` is the time of day that signatures are held against, `monotonic_s` refills the token buckets.
    `app.state.meter` counts what happened. `faults` is a script of misfortunes; `app.state.faults.injected`
    counts what it did. `app.state.access` revokes keys and `app.state.buckets` shrinks while it runs.

    Raises:
        BadWorld: unknown tier.
        BadKey: a key that is neither RSA nor Ed25519, or facts that cannot be.
    """
    meter, buckets = Meter(), Budgets(tier, monotonic_s)
    keyring = Keyring(keys or {}, tolerance_ms=tolerance_ms)
    access = Access(keyring.key_ids, key_facts)
    misfortune = Misfortune(faults, monotonic_s)
    fault_layer = Middleware(
        FaultLayer, misfortune=misfortune, source=source, buckets=buckets, clock_ms=clock_ms, prefix=PREFIX
    )
    gate = Middleware(
        Gate,
        keyring=keyring,
        access=access,
        budgets=buckets,
        prices=Prices(COSTS),
        meter=meter,
        clock_ms=clock_ms,
    )
    app = Starlette(
        # The WebSocket's path lies below the prefix too: first come, first served.
        routes=[
            *(flood_stream if isinstance(source, Flood) else routes_stream).ROUTES,
            Mount(PREFIX, routes=_REST),
        ],
        middleware=[fault_layer, gate, Middleware(Lived)],
        exception_handlers={Refused: on_refused, HTTPException: on_missing},
    )
    app.state.catalog = Catalog(source)
    app.state.floor = app.state.catalog.floor
    app.state.desk = Desk(app.state.catalog)
    app.state.promoted = set()
    app.state.hub = (
        flood_stream.FloodHub(source, faults, misfortune)
        if isinstance(source, Flood)
        else Hub(app.state.catalog, app.state.catalog.floor, app.state.desk)
    )
    app.state.clock_ms = clock_ms
    app.state.meter = meter
    app.state.keyring = keyring
    app.state.access = access
    app.state.buckets = buckets
    app.state.faults = misfortune
    app.state.tier = tier
    return app
