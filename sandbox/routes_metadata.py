"""What surrounds markets: milestones, teams, collections of combos, incentives, and the words of searches.

Source: KALSHI.md §5.8 (OpenAPI 3.28.0, August 2026); limits and fields as in the official SDK 3.34.0.
"""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.encoding import Json
from sandbox.incentives import PROGRAM_TYPES, combo_collections, program_status, programs
from sandbox.milestones import COMPETITION, SCOPES, SPORT, Milestone, milestones, targets
from sandbox.paging import Cursor, page
from sandbox.queries import Query
from sandbox.replies import invalid, not_found, reply
from sandbox.routes_listings import at_second, catalog_of

MAX_IDS: Final = 2_000
PROGRAM_STATUSES: Final = ("all", "active", "upcoming", "closed", "paid_out")
PROGRAM_FILTERS: Final = ("all", *PROGRAM_TYPES, "margin_maker_volume", "margin_taker_volume")


async def list_milestones(request: Request) -> Response:
    """`GET /milestones`: the one list whose limit must be given."""
    catalog, query = catalog_of(request), Query(request)
    query.required("limit")
    limit = query.limit(default=0, low=1, high=500)
    start_ts = _moment(query, "minimum_start_date")
    since_ts = at_second(query.seconds("min_updated_ts"))
    category, kind, source = query.text("category"), query.text("type"), query.text("source_id")
    competition, event_ticker = query.text("competition"), query.text("related_event_ticker")

    def keep(each: Milestone) -> bool:
        return (
            category in {None, each.category}
            and kind in {None, each.type}
            and source in {None, f"sim-{each.event.ticker}"}
            and event_ticker in {None, each.event.ticker}
            and (competition is None or (each.is_game and competition == COMPETITION))
            and (start_ts is None or (each.start_ts is not None and each.start_ts >= start_ts))
            and (since_ts is None or (each.updated_ts is not None and each.updated_ts > since_ts))
        )

    rows = milestones(catalog)
    cursor = Cursor("milestones", query)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep)
    return reply({"milestones": [each.json() for each in found], "cursor": cursor.text(left)})


async def one_milestone(request: Request) -> Response:
    """`GET /milestones/{milestone_id}`."""
    return reply({"milestone": milestone_of(request).json()})


def milestone_of(request: Request) -> Milestone:
    """Return the milestone of the path."""
    wanted = request.path_params["milestone_id"]
    for each in milestones(catalog_of(request)):
        if each.id == wanted:
            return each
    raise not_found(f"milestone {wanted}")


async def list_targets(request: Request) -> Response:
    """`GET /structured_targets`: its page size is called so."""
    query = Query(request)
    size = query.number("page_size", low=1, high=2_000) or 100
    ids = frozenset(query.repeated("ids"))
    if len(ids) > MAX_IDS:
        raise invalid(f"at most {MAX_IDS} ids are allowed")
    kind, competition = query.text("type"), query.text("competition")

    def keep(target: Json) -> bool:
        return (
            (not ids or target["id"] in ids)
            and kind in {None, target["type"]}
            and competition in {None, target["details"]["league"]}
        )

    rows = targets(catalog_of(request))
    cursor = Cursor("structured_targets", query)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=size, keep=keep)
    return reply({"structured_targets": found, "cursor": cursor.text(left)})


async def one_target(request: Request) -> Response:
    """`GET /structured_targets/{structured_target_id}`."""
    wanted = request.path_params["structured_target_id"]
    for each in targets(catalog_of(request)):
        if each["id"] == wanted:
            return reply({"structured_target": each})
    raise not_found(f"structured target {wanted}")


async def list_collections(request: Request) -> Response:
    """`GET /multivariate_event_collections`: the key says contracts, and so do readers who know."""
    query = Query(request)
    limit = query.limit(default=100, low=1, high=200)
    status = query.one_of("status", ("unopened", "open", "closed"))
    event_ticker, series_ticker = query.text("associated_event_ticker"), query.text("series_ticker")
    now_ts = catalog_of(request).now_ts

    def keep(each: Json) -> bool:
        return (
            series_ticker in {None, each["series_ticker"]}
            and (event_ticker is None or event_ticker in each["associated_event_tickers"])
            and status in {None, _stands(each, now_ts)}
        )

    rows = combo_collections(catalog_of(request))
    cursor = Cursor("multivariate_event_collections", query)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep)
    return reply({"multivariate_contracts": found, "cursor": cursor.text(left)})


async def one_collection(request: Request) -> Response:
    """`GET /multivariate_event_collections/{collection_ticker}`."""
    wanted = request.path_params["collection_ticker"]
    for each in combo_collections(catalog_of(request)):
        if each["collection_ticker"] == wanted:
            return reply({"multivariate_contract": each})
    raise not_found(f"collection {wanted}")


async def list_programs(request: Request) -> Response:
    """`GET /incentive_programs`: the one list whose cursor is called `next_cursor`."""
    query, now_ts = Query(request), catalog_of(request).now_ts
    limit = query.limit(default=100, low=1, high=10_000)
    status = query.one_of("status", PROGRAM_STATUSES)
    kind = query.one_of("type", PROGRAM_FILTERS)
    description = query.text("incentive_description")

    def keep(each: Json) -> bool:
        return (
            status in {None, "all", program_status(each, now_ts)}
            and kind in {None, "all", each["incentive_type"]}
            and description in {None, each["incentive_description"]}
        )

    rows = programs(catalog_of(request))
    cursor = Cursor("incentive_programs", query)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep)
    return reply({"incentive_programs": found, "next_cursor": cursor.text(left)})


async def tags_by_categories(request: Request) -> Response:
    """`GET /search/tags_by_categories`: each category with the tags of its series."""
    found: dict[str, set[str]] = {}
    for series in catalog_of(request).series.values():
        for category in series.categories or (series.category,):
            found.setdefault(category, set()).update(series.tags)
    told = {category: sorted(tags) for category, tags in sorted(found.items())}
    return reply({"tags_by_categories": told})


async def filters_by_sport(request: Request) -> Response:
    """`GET /search/filters_by_sport`: nothing where no sport is played."""
    is_played = any(each.is_game for each in milestones(catalog_of(request)))
    scopes = {"scopes": list(SCOPES)}
    filters = {SPORT: scopes | {"competitions": {COMPETITION: scopes}}} if is_played else {}
    return reply({"filters_by_sports": filters, "sport_ordering": list(filters)})


def _moment(query: Query, name: str) -> datetime | None:
    found = query.text(name)
    if found is None:
        return None
    try:
        at_ts = datetime.fromisoformat(found)
        # A time near the year 1 or 10000 may not exist in UTC.
        return at_ts.astimezone(UTC) if at_ts.tzinfo else at_ts.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(f"{name} must be an RFC 3339 timestamp") from error


def _stands(collection: Json, now_ts: datetime) -> str:
    if now_ts < datetime.fromisoformat(collection["open_date"]):
        return "unopened"
    return "open" if now_ts < datetime.fromisoformat(collection["close_date"]) else "closed"


ROUTES: Final = [
    Route("/milestones", list_milestones),
    Route("/milestones/{milestone_id}", one_milestone),
    Route("/structured_targets", list_targets),
    Route("/structured_targets/{structured_target_id}", one_target),
    Route("/multivariate_event_collections", list_collections),
    Route("/multivariate_event_collections/{collection_ticker}", one_collection),
    Route("/incentive_programs", list_programs),
    Route("/search/tags_by_categories", tags_by_categories),
    Route("/search/filters_by_sport", filters_by_sport),
]
