"""The exchange itself, and what needs a signature.

Source: KALSHI.md §3, §5.1 and §6 (OpenAPI 3.28.0, August 2026; page rate_limits, 2026-09-22).
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.units import to_us
from sandbox.bucket import COSTS, DEFAULT_COST, Allowance, read_allowance, write_allowance
from sandbox.encoding import Json, moment
from sandbox.replies import reply
from sandbox.routes_listings import SECOND_US, catalog_of

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CASH_CENTS: Final = 1_000_000


async def status(_request: Request) -> Response:
    """`GET /exchange/status`."""
    active: Json = {"exchange_active": True, "trading_active": True, "intra_exchange_transfers_active": True}
    shard = {"exchange_index": 0, "description": "sandbox"} | active
    return reply(active | {"exchange_index_statuses": [shard]})


async def schedule(request: Request) -> Response:
    """`GET /exchange/schedule`: open around the clock, times in US Eastern."""
    hours = [{"open_time": "00:00", "close_time": "24:00"}]
    since = moment(catalog_of(request).source.trade_cutoff_ts)
    week: Json = {"start_time": since, "end_time": "2099-12-31T00:00:00Z"} | dict.fromkeys(DAYS, hours)
    return reply({"schedule": {"standard_hours": [week], "maintenance_windows": []}})


async def user_data_timestamp(request: Request) -> Response:
    """`GET /exchange/user_data_timestamp`."""
    return reply({"as_of_time": moment(catalog_of(request).now_ts)})


async def endpoint_costs(_request: Request) -> Response:
    """`GET /account/endpoint_costs`: only what does not cost the default."""
    told = [{"method": method, "path": path, "cost": cost} for (method, path), cost in COSTS.items()]
    return reply({"default_cost": DEFAULT_COST, "endpoint_costs": told})


async def limits(request: Request) -> Response:
    """`GET /account/limits` (signed)."""
    tier: str = request.app.state.tier
    return reply(
        {
            "usage_tier": tier,
            "read": _allowance(read_allowance(tier)),
            "write": _allowance(write_allowance(tier)),
            "grants": [],
        }
    )


async def balance(request: Request) -> Response:
    """`GET /portfolio/balance` (signed): ten thousand dollars that nobody can spend yet."""
    return reply(
        {
            "balance": CASH_CENTS,
            "balance_dollars": f"{CASH_CENTS // 100}.{CASH_CENTS % 100:02d}0000",
            "portfolio_value": 0,
            "updated_ts": to_us(catalog_of(request).now_ts) // SECOND_US,
            "balance_breakdown": [{"exchange_index": 0, "balance": CASH_CENTS}],
        }
    )


def _allowance(allowance: Allowance) -> Json:
    return {"refill_rate": allowance.refill_per_s, "bucket_capacity": allowance.capacity}


ROUTES: Final = [
    Route("/exchange/status", status),
    Route("/exchange/schedule", schedule),
    Route("/exchange/user_data_timestamp", user_data_timestamp),
    Route("/account/endpoint_costs", endpoint_costs),
    Route("/account/limits", limits),
    Route("/portfolio/balance", balance),
]
