"""Series, events and their fees.

Source: KALSHI.md §5.2 and §5.3 (OpenAPI 3.34.0, read 2026-10-09; OpenAPI 3.28.0, August 2026).
"""

from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.markets import Event, Market, Series
from exchange.units import from_us
from sandbox.catalog import Catalog, is_combo
from sandbox.encoding import Json, event_fee_change_json, event_json, series_fee_change_json, series_json
from sandbox.milestones import milestones
from sandbox.paging import Cursor, page
from sandbox.queries import Query
from sandbox.replies import invalid, not_found, reply
from sandbox.statuses import FILTER_WORDS, is_in_status

SECOND_US: Final = 1_000_000
MAX_EVENTS: Final = 200


def catalog_of(request: Request) -> Catalog:
    """Return the catalog that the app serves."""
    catalog: Catalog = request.app.state.catalog
    return catalog


def at_second(seconds: int | None) -> datetime | None:
    """Return the moment of a Unix time in seconds."""
    return None if seconds is None else from_us(seconds * SECOND_US)


async def list_series(request: Request) -> Response:
    """`GET /series`: the whole list in one answer."""
    catalog, query = catalog_of(request), Query(request)
    category, tags = query.text("category"), frozenset(query.words("tags"))
    since_ts = at_second(query.seconds("min_updated_ts"))

    def keep(series: Series) -> bool:
        return (
            (category is None or category == series.category or category in series.categories)
            and (not tags or not tags.isdisjoint(series.tags))
            and (
                since_ts is None or (series.last_updated_ts is not None and series.last_updated_ts > since_ts)
            )
        )

    kept = [each for each in catalog.series.values() if keep(each)]
    return reply({"series": [_tell_series(catalog, each, query) for each in kept]})


async def one_series(request: Request) -> Response:
    """`GET /series/{series_ticker}`."""
    catalog, ticker = catalog_of(request), request.path_params["series_ticker"]
    series = catalog.series.get(ticker)
    if series is None:
        raise not_found(f"series {ticker}")
    return reply({"series": _tell_series(catalog, series, Query(request))})


def _tell_series(catalog: Catalog, series: Series, query: Query) -> Json:
    if not query.flag("include_volume"):
        return series_json(series, volume_centi=None)
    return series_json(series, volume_centi=catalog.volume_centi(series.ticker))


async def series_fee_changes(request: Request) -> Response:
    """`GET /series/fee_changes`: without `show_historical` only what is still to come."""
    catalog, query = catalog_of(request), Query(request)
    ticker, is_whole = query.text("series_ticker"), query.flag("show_historical")
    kept = [
        change
        for change in catalog.source.fee_changes()
        if change.scope == "series"
        and ticker in {None, change.ticker}
        and (is_whole or change.effective_ts > catalog.now_ts)
    ]
    return reply({"series_fee_change_arr": [series_fee_change_json(change) for change in kept]})


async def event_fee_changes(request: Request) -> Response:
    """`GET /events/fee_changes`: paged, newest first."""
    catalog, query = catalog_of(request), Query(request)
    ticker, limit = query.text("event_ticker"), query.limit(default=100, low=1, high=1_000)
    rows = [change for change in catalog.source.fee_changes() if change.scope == "event"]
    cursor = Cursor("events/fee_changes", query)
    found, left = page(
        rows, end=cursor.rank(end=len(rows)), limit=limit, keep=lambda change: ticker in {None, change.ticker}
    )
    told = []
    for change in found:
        event = catalog.event(change.ticker)
        told.append(event_fee_change_json(change, event.series_ticker if event else ""))
    return reply({"event_fee_changes": told, "cursor": cursor.text(left)})


async def list_events(request: Request) -> Response:
    """`GET /events`: every event for ever, but nested markets only while they are live; no combos."""
    catalog, query = catalog_of(request), Query(request)
    limit = query.limit(default=MAX_EVENTS, low=1, high=MAX_EVENTS)
    series_ticker, tickers = query.text("series_ticker"), frozenset(query.words("tickers"))
    word = query.one_of("status", FILTER_WORDS["events"])
    close_ts = at_second(query.seconds("min_close_ts"))
    since_ts = at_second(query.seconds("min_updated_ts"))

    def keep(event: Event) -> bool:
        if is_combo(event) or (series_ticker or event.series_ticker) != event.series_ticker:
            return False
        if tickers and event.ticker not in tickers:
            return False
        updated_ts = None if since_ts is None else catalog.updated_ts(event)
        if since_ts is not None and (updated_ts is None or updated_ts <= since_ts):
            return False
        children = catalog.of_event(event.ticker)
        return (word is None or any(is_in_status(each, word) for each in children)) and (
            close_ts is None or any(each.close_ts and each.close_ts > close_ts for each in children)
        )

    cursor = Cursor("events", query)
    rows = catalog.event_rows
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep)
    is_nested = bool(query.flag("with_nested_markets"))
    told = [_tell_event(catalog, event, is_nested=is_nested) for event in found]
    listed = {event.ticker for event in found}
    about = milestones(catalog) if query.flag("with_milestones") else []
    beside = [each.json() for each in about if each.event.ticker in listed]
    return reply({"events": told, "cursor": cursor.text(left), "milestones": beside})


async def multivariate_events(request: Request) -> Response:
    """`GET /events/multivariate`: the events of combos, of one series or of one collection."""
    catalog, query = catalog_of(request), Query(request)
    limit = query.limit(default=100, low=1, high=MAX_EVENTS)
    series_ticker, collection = query.text("series_ticker"), query.text("collection_ticker")
    if series_ticker and collection:
        raise invalid("series_ticker and collection_ticker are mutually exclusive")

    def keep(market: Market) -> bool:
        return (
            is_combo(market)
            and series_ticker in {None, catalog.series_ticker(market)}
            and collection in {None, market.mve_collection_ticker}
            and catalog.of_event(market.event_ticker)[0].ticker == market.ticker  # an event is told once
        )

    cursor = Cursor("events/multivariate", query)
    rows = catalog.rows("only")
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep, is_worth=keep)
    is_nested = bool(query.flag("with_nested_markets"))
    events = [catalog.event(each.event_ticker) for each in found]
    told = [_tell_event(catalog, event, is_nested=is_nested) for event in events if event is not None]
    return reply({"events": told, "cursor": cursor.text(left)})


async def one_event(request: Request) -> Response:
    """`GET /events/{event_ticker}`: markets inside the event when asked, else in an old array beside it."""
    catalog, event = catalog_of(request), _event(request)
    is_nested = bool(Query(request).flag("with_nested_markets"))
    beside = [] if is_nested else _live_markets(catalog, event)
    return reply({"event": _tell_event(catalog, event, is_nested=is_nested), "markets": beside})


async def event_metadata(request: Request) -> Response:
    """`GET /events/{event_ticker}/metadata`."""
    catalog, event = catalog_of(request), _event(request)
    details = [
        {"market_ticker": each.ticker, "image_url": "", "color_code": ""}
        for each in catalog.of_event(event.ticker)
    ]
    return reply({"image_url": "", "market_details": details, "settlement_sources": []})


def _event(request: Request) -> Event:
    ticker = request.path_params["event_ticker"]
    event = catalog_of(request).event(ticker)
    if event is None:
        raise not_found(f"event {ticker}")
    return event


def _live_markets(catalog: Catalog, event: Event) -> list[Json]:
    return [catalog.tell(each) for each in catalog.of_event(event.ticker) if catalog.is_live(each)]


def _tell_event(catalog: Catalog, event: Event, *, is_nested: bool) -> Json:
    return event_json(event, markets=_live_markets(catalog, event) if is_nested else None)


ROUTES: Final = [
    Route("/series", list_series),
    Route("/series/fee_changes", series_fee_changes),
    Route("/series/{series_ticker}", one_series),
    Route("/events", list_events),
    Route("/events/fee_changes", event_fee_changes),
    Route("/events/multivariate", multivariate_events),
    Route("/events/{event_ticker}", one_event),
    Route("/events/{event_ticker}/metadata", event_metadata),
]
