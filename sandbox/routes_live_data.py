"""What happens right now: scores, charts, weather, and the forecasts that prices imply.

Source: KALSHI.md §5.8 (OpenAPI 3.28.0, August 2026; changelog 2026-08-20 to 2026-09-10); limits and fields as
in the official SDK 3.34.0.
"""

import re
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.markets import Event
from exchange.units import from_us, to_us
from sandbox import weather
from sandbox.catalog import Catalog
from sandbox.encoding import Json, dollars
from sandbox.forecasts import forecast, ladder
from sandbox.milestones import milestones
from sandbox.queries import Query
from sandbox.replies import invalid, not_found, reply, unauthorized
from sandbox.routes_listings import SECOND_US, catalog_of
from sandbox.routes_metadata import milestone_of

MS_US: Final = 1_000
MAX_MILESTONES: Final = 100
MAX_PERCENTILES: Final = 10
MAX_POINTS: Final = 5_000
PERCENTILE: Final = re.compile("0*[0-9]{1,4}")
END_OF_TIME_MS: Final = 253_402_300_799_999  # the year 9999
PERIODS: Final = {"0": 5, "1": 60, "60": 3_600, "1440": 86_400}  # as asked for, in seconds
RANGES: Final = {"15min": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
CHART_POINTS: Final = 60


async def batch(request: Request) -> Response:
    """`GET /live_data/batch?milestone_ids=A&milestone_ids=B`: unknown ones are left out."""
    catalog, query = catalog_of(request), Query(request)
    wanted = query.repeated("milestone_ids")
    query.flag("include_player_stats")
    if not 1 <= len(wanted) <= MAX_MILESTONES:
        raise invalid(f"milestone_ids must be given 1 to {MAX_MILESTONES} times")
    by_id = {each.id: each for each in milestones(catalog)}
    told = [by_id[each].live_json(catalog.now_ts) for each in dict.fromkeys(wanted) if each in by_id]
    return reply({"live_datas": told})


async def of_milestone(request: Request) -> Response:
    """`GET /live_data/milestone/{milestone_id}`, and the older path with the type in it."""
    Query(request).flag("include_player_stats")
    milestone = milestone_of(request)
    if request.path_params.get("type", milestone.type) != milestone.type:
        raise not_found(f"live data of type {request.path_params['type']}")
    return reply({"live_data": milestone.live_json(catalog_of(request).now_ts)})


async def game_stats(request: Request) -> Response:
    """`GET /live_data/milestone/{milestone_id}/game_stats`: null for what is no game."""
    return reply({"pbp": milestone_of(request).play_by_play(catalog_of(request).now_ts)})


async def of_event(request: Request) -> Response:
    """`GET /live_data/events/{event_ticker}`: a chart of prices, or the score of a game."""
    catalog, ticker = catalog_of(request), request.path_params["event_ticker"]
    event = catalog.events.get(ticker)
    asked = Query(request).text("range")
    if event is not None and event.category == "Crypto" and catalog.of_event(ticker):
        return reply({"live_data": _chart(catalog, event, asked)})
    for each in milestones(catalog):
        if each.event.ticker == ticker:
            told = each.live_json(catalog.now_ts)
            return reply({"live_data": {"type": told["type"], "details": told["details"]}})
    raise not_found(f"live data of event {ticker}")


def _chart(catalog: Catalog, event: Event, asked: str | None) -> Json:
    """Return the prices of an event's first market, up to its close; an unknown range is no hint at all."""
    market = catalog.of_event(event.ticker)[0]
    end_ts = catalog.now_ts if market.close_ts is None else min(market.close_ts, catalog.now_ts)
    span = RANGES.get(asked or "", RANGES["15min"])
    points = []
    for number in range(CHART_POINTS + 1):
        at_ts = end_ts - span * (CHART_POINTS - number) / CHART_POINTS
        _, _, last_cc = catalog.source.quote_at(market.ticker, at_ts)
        if last_cc is not None:
            points.append({"t": to_us(at_ts) // MS_US, "v": dollars(last_cc)})
    return {
        "type": "crypto",
        "details": {"market_ticker": market.ticker, "timeseries": points},
        "is_historical": market.status not in {"initialized", "active", "inactive"},
        "default_range": "15min",
        "range_options": list(RANGES),
    }


async def weather_index(request: Request) -> Response:
    """`GET /live_data/weather/{city}`: both ends of the window are included."""
    catalog, query = catalog_of(request), Query(request)
    city, now_ms = _city(request), to_us(catalog.now_ts) // MS_US
    from_ms = query.number("from", low=0, high=END_OF_TIME_MS)
    to_ms = query.number("to", low=0, high=END_OF_TIME_MS)
    last_s = query.number("last_sec", low=1, high=END_OF_TIME_MS // 1_000)
    if last_s is not None:
        if from_ms is not None or to_ms is not None:
            raise invalid("last_sec and from/to are mutually exclusive")
        from_ms, to_ms = max(0, now_ms - last_s * 1_000), now_ms
    if from_ms is not None and to_ms is None:
        raise invalid("from must be paired with to")
    to_ms = now_ms if to_ms is None else to_ms
    from_ms = to_ms - weather.DAY_MS if from_ms is None else from_ms
    if from_ms > to_ms:
        raise invalid("from must not be after to")
    first_ms, live_ms = _seasons(catalog)
    told = weather.points(
        city, from_ms=from_ms, to_ms=min(to_ms, now_ms), live_ms=live_ms, first_ms=first_ms,
        is_detailed=bool(query.flag("detailed")),
    )  # fmt: skip
    version = weather.version(city, told[-1]["t"], live_ms) if told else ""
    return reply({"city": city, "config_version": version, "units": "fahrenheit", "timeseries": told})


async def weather_calibrations(request: Request) -> Response:
    """`GET /live_data/weather/{city}/calibrations`."""
    city = _city(request)
    first_ms, live_ms = _seasons(catalog_of(request))
    told = weather.calibrations(city, live_ms=live_ms, first_ms=first_ms)
    return reply({"city": city, "units": "celsius", "calibrations": told})


def _city(request: Request) -> str:
    city: str = request.path_params["city"]
    if city not in weather.CITIES:
        raise not_found(f"city {city}")
    return city


def _seasons(catalog: Catalog) -> tuple[int, int]:
    """Return where the backfill begins (the cutoff between tiers) and where a city went live (a day on)."""
    first_ms = to_us(catalog.source.trade_cutoff_ts) // MS_US
    return first_ms, first_ms + weather.DAY_MS


async def forecast_history(request: Request) -> Response:
    """`GET /series/{series_ticker}/events/{event_ticker}/forecast_percentile_history` (signed).

    An event whose markets are no ladder of thresholds has no forecast, and an empty history.
    """
    if not request.state.caller.key_id:
        return unauthorized()
    catalog, ticker = catalog_of(request), request.path_params["event_ticker"]
    event = catalog.events.get(ticker)
    if event is None or event.series_ticker != request.path_params["series_ticker"]:
        raise not_found(f"event {ticker}")
    percentiles, ends_s, minutes = _asked(Query(request))
    rungs = ladder(catalog.of_event(ticker))
    told = []
    for end_s in ends_s if rungs else ():
        at_ts = from_us(end_s * SECOND_US)
        points = forecast(catalog.source, rungs, at_ts, percentiles) if at_ts <= catalog.now_ts else []
        if points:
            told.append(
                {
                    "event_ticker": ticker,
                    "end_period_ts": end_s,
                    "period_interval": minutes,
                    "percentile_points": points,
                }
            )
    return reply({"forecast_history": told})


def _asked(query: Query) -> tuple[list[int], range, int]:
    """Return the percentiles, the ends of periods in `[start_ts, end_ts]`, and their length in minutes."""
    given = query.repeated("percentiles")
    if not 1 <= len(given) <= MAX_PERCENTILES:
        raise invalid(f"percentiles must be given 1 to {MAX_PERCENTILES} times")
    if not all(PERCENTILE.fullmatch(each) for each in given):
        raise invalid("percentiles must be between 0 and 9999")
    for name in ("start_ts", "end_ts", "period_interval"):
        query.required(name)
    start_s, end_s = query.seconds("start_ts") or 0, query.seconds("end_ts") or 0
    minutes = query.text("period_interval") or ""
    if minutes not in PERIODS:
        raise invalid(f"period_interval must be one of {', '.join(PERIODS)}")
    if end_s < start_s:
        raise invalid("end_ts must not be before start_ts")
    period_s = PERIODS[minutes]
    ends_s = range(-(-start_s // period_s) * period_s, end_s + 1, period_s)
    if len(ends_s) > MAX_POINTS:
        raise invalid(f"{len(ends_s)} periods asked for, at most {MAX_POINTS} are allowed")
    return [int(each) for each in given], ends_s, int(minutes)


ROUTES: Final = [
    Route("/live_data/batch", batch),
    Route("/live_data/events/{event_ticker}", of_event),
    Route("/live_data/weather/{city}", weather_index),
    Route("/live_data/weather/{city}/calibrations", weather_calibrations),
    Route("/live_data/milestone/{milestone_id}", of_milestone),
    Route("/live_data/milestone/{milestone_id}/game_stats", game_stats),
    Route("/live_data/{type}/milestone/{milestone_id}", of_milestone),
    Route("/series/{series_ticker}/events/{event_ticker}/forecast_percentile_history", forecast_history),
]
