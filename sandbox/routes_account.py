"""The exchange itself, and what needs a signature.

Source: KALSHI.md §3, §5.1 and §6 (OpenAPI 3.28.0, August 2026; page rate_limits, 2026-09-22).
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.access import Access
from sandbox.bucket import COSTS, DEFAULT_COST, Allowance, Budgets
from sandbox.encoding import Json, contracts, moment
from sandbox.portfolio_json import key_json
from sandbox.replies import FORBIDDEN, Refused, reply
from sandbox.routes_listings import SECOND_US, catalog_of
from sandbox.routes_orders import caller_of, desk_of

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CREATED: Final = 201
UPGRADED: Final = "advanced"
MONTH_US: Final = 30 * 86_400 * SECOND_US
PER_100_000: Final = 100_000
# Tiers earned by volume: the share of both sides' volume that earns one, and that keeps it, per 100,000.
SHARES: Final = (
    ("expert", 75, 50),
    ("premier", 125, 100),
    ("paragon", 250, 200),
    ("prime", 500, 400),
    ("prestige", 1_000, 800),
)


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
    """`GET /account/limits` (signed): what is promised, which is what a sandbox in trouble may not keep."""
    buckets, account = _buckets(request), caller_of(request).account
    grants = (
        []
        if account not in _promoted(request)
        else [{"exchange_instance": "event_contract", "level": UPGRADED, "source": "manual"}]
    )
    return reply(
        {
            "usage_tier": UPGRADED if grants else request.app.state.tier,
            "read": _allowance(buckets.read.allowance(account)),
            "write": _allowance(buckets.write.allowance(account)),
            "grants": grants,
        }
    )


async def upgrade(request: Request) -> Response:
    """`POST /account/api_usage_level/upgrade` (signed): to Advanced, for whoever has placed an order."""
    account = caller_of(request).account
    if not desk_of(request).account(account).orders:
        raise Refused(FORBIDDEN, "forbidden", "none of your latest 100 orders came through the API")
    if request.app.state.tier == "basic":
        _promoted(request).add(account)
        _buckets(request).promote(account, UPGRADED)
    return Response(status_code=CREATED)


async def volume_progress(request: Request) -> Response:
    """`GET /account/api_usage_level/volume_progress` (signed): contracts traded in 30 days, and the goals."""
    now_us, account = desk_of(request).now_us, desk_of(request).account(caller_of(request).account)
    own_centi = sum(each.count_centi for each in account.fills if each.created_us > now_us - MONTH_US)
    both_sides_centi = 2 * sum(market.volume_centi for market in catalog_of(request).market_rows)
    goals = [
        {
            "level": level,
            "earn_volume_goal_fp": contracts(both_sides_centi * earn // PER_100_000),
            "keep_volume_goal_fp": contracts(both_sides_centi * keep // PER_100_000),
        }
        for level, earn, keep in SHARES
    ]
    told = {
        "computed_ts": now_us // SECOND_US,
        "trailing_30d_volume_fp": contracts(own_centi),
        "goals": goals,
    }
    return reply({"volume_progress": [told]})


async def api_keys(request: Request) -> Response:
    """`GET /api_keys` (signed): the keys of the account; revoked ones are gone."""
    keys = _access(request).keys_of(caller_of(request).account)
    return reply({"api_keys": [key_json(key_id, facts) for key_id, facts in keys]})


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


def _buckets(request: Request) -> Budgets:
    buckets: Budgets = request.app.state.buckets
    return buckets


def _promoted(request: Request) -> set[str]:
    promoted: set[str] = request.app.state.promoted
    return promoted


def _allowance(allowance: Allowance) -> Json:
    return {"refill_rate": allowance.refill_per_s, "bucket_capacity": allowance.capacity}


ROUTES: Final = [
    Route("/exchange/status", status),
    Route("/exchange/schedule", schedule),
    Route("/exchange/user_data_timestamp", user_data_timestamp),
    Route("/account/endpoint_costs", endpoint_costs),
    Route("/account/limits", limits),
    Route("/account/api_usage_level/upgrade", upgrade, methods=["POST"]),
    Route("/account/api_usage_level/volume_progress", volume_progress),
    Route("/api_keys", api_keys),
]
