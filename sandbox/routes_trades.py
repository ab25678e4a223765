"""The tape of both tiers.

Whether `min_ts` and `max_ts` are included is not documented; the sandbox takes "after" and "before" at their
word and excludes both, so only a reader that overlaps its windows loses nothing.
Source: KALSHI.md §5.5 and §12.12 (OpenAPI 3.34.0, read 2026-10-09).
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.units import to_us
from sandbox.catalog import OVERLAP
from sandbox.encoding import trade_text
from sandbox.paging import Cursor
from sandbox.queries import Query
from sandbox.replies import reply_text
from sandbox.routes_listings import SECOND_US, catalog_of

END_OF_TIME_US: Final = 253_402_300_800_000_000  # the year 10000


async def live_trades(request: Request) -> Response:
    """`GET /markets/trades`: from the cutoff on."""
    cutoff_us = to_us(catalog_of(request).source.trade_cutoff_ts)
    return _trades(request, "markets/trades", cutoff_us, END_OF_TIME_US)


async def archived_trades(request: Request) -> Response:
    """`GET /historical/trades`: up to a little after the cutoff."""
    end_us = to_us(catalog_of(request).source.trade_cutoff_ts + OVERLAP)
    return _trades(request, "historical/trades", 0, end_us)


def _trades(request: Request, route: str, start_us: int, end_us: int) -> Response:
    source, query = catalog_of(request).source, Query(request)
    limit = query.limit(default=100, low=0, high=1_000)
    min_s, max_s = query.seconds("min_ts"), query.seconds("max_ts")
    if min_s is not None:
        start_us = max(start_us, min_s * SECOND_US + 1)
    if max_s is not None:
        end_us = min(end_us, max_s * SECOND_US)
    tape = source.tape(query.text("ticker"), is_block_trade=query.flag("is_block_trade"))
    first, end = tape.span(start_us, end_us)
    cursor = Cursor(route, query)
    end = cursor.rank(end=end)
    start = max(first, end - limit)
    found = tape.rows(start, end) if start < end else ()
    told = ",".join([trade_text(trade) for trade in reversed(found)])
    left = cursor.text(start if start > first else None)
    return reply_text(f'{{"trades":[{told}],"cursor":"{left}"}}')


ROUTES: Final = [Route("/markets/trades", live_trades), Route("/historical/trades", archived_trades)]
