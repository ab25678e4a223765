"""Markets of both tiers and their books.

Source: KALSHI.md §5.4 and §5.7 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.markets import Market
from sandbox.catalog import Catalog, is_combo
from sandbox.encoding import book_json, moment
from sandbox.paging import Cursor, page
from sandbox.queries import Query
from sandbox.replies import invalid, not_found, reply
from sandbox.routes_listings import at_second, catalog_of
from sandbox.rows import Rows
from sandbox.statuses import FILTER_WORDS, is_in_status

MAX_BOOKS: Final = 100
MAX_DEPTH: Final = 100
Test = Callable[[Market], bool]

# Which status words a family of time filters may be combined with; None is no status filter at all.
FAMILIES: Final[dict[str, tuple[str | None, ...]]] = {
    "created": ("unopened", "open", None),
    "close": ("closed", None),
    "settled": ("settled", None),
}
TIME_OF: Final[dict[str, Callable[[Market], datetime | None]]] = {
    "created": lambda market: market.created_ts,
    "close": lambda market: market.close_ts,
    "settled": lambda market: market.settlement_ts,
}


async def list_markets(request: Request) -> Response:
    """`GET /markets`: the live tier, newest first."""
    catalog, query = catalog_of(request), Query(request)
    limit = query.limit(default=100, low=0, high=1_000)
    word = query.one_of("status", FILTER_WORDS["markets"])
    combos = query.one_of("mve_filter", ("only", "exclude"))
    is_timely = _time_test(query, word)

    def is_worth(market: Market) -> bool:
        return (
            catalog.is_live(market)
            and (word is None or is_in_status(market, word))
            and (combos is None or is_combo(market) == (combos == "only"))
        )

    def keep(market: Market) -> bool:
        return is_worth(market) and is_timely(market)

    cursor = Cursor("markets", query)
    rows = _candidates(catalog, query, combos)
    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep, is_worth=is_worth)
    return reply({"markets": [catalog.tell(each) for each in found], "cursor": cursor.text(left)})


def _candidates(catalog: Catalog, query: Query, mve_filter: str | None) -> Rows[Market]:
    """Return the fewest rows that contain every match, in the catalog's order."""
    tickers, event, series = query.words("tickers"), query.text("event_ticker"), query.text("series_ticker")
    if tickers:
        wanted = frozenset(tickers)
        known = [market for market in map(catalog.market, wanted) if market is not None]
        rows: Sequence[Market] = sorted(
            known, key=lambda market: (market.created_ts is not None, market.created_ts, market.ticker)
        )
    elif event:
        rows = catalog.of_event(event)
    else:
        return catalog.of_series(series) if series else catalog.rows(mve_filter)
    return [
        each
        for each in rows
        if event in {None, each.event_ticker} and series in {None, catalog.series_ticker(each)}
    ]


def _time_test(query: Query, word: str | None) -> Test:
    """Return the test of the one family of time filters that a request may use."""
    given = {
        family: (query.seconds(f"min_{family}_ts"), query.seconds(f"max_{family}_ts"))
        for family in (*FAMILIES, "updated")
    }
    used = [family for family, bounds in given.items() if bounds != (None, None)]
    if not used:
        return lambda _market: True
    if len(used) > 1:
        raise invalid(f"only one family of timestamp filters is allowed, not {' and '.join(used)}")
    family = used[0]
    low_ts, high_ts = (at_second(bound) for bound in given[family])
    if family == "updated":
        _refuse_company_of_updated(query)
        return lambda market: _is_within(market.updated_ts, low_ts, high_ts, is_high_included=True)
    if word not in FAMILIES[family]:
        raise invalid(f"{family} timestamp filters cannot be combined with status {word}")
    time_of = TIME_OF[family]
    return lambda market: _is_within(time_of(market), low_ts, high_ts, is_high_included=False)


def _refuse_company_of_updated(query: Query) -> None:
    others = [name for name in ("status", "event_ticker", "tickers") if query.text(name)]
    if others:
        raise invalid(f"min_updated_ts and max_updated_ts cannot be combined with {others[0]}")
    if query.text("mve_filter") == "only":
        raise invalid("min_updated_ts and max_updated_ts can only be combined with mve_filter=exclude")
    if query.text("series_ticker") and query.text("mve_filter") != "exclude":
        raise invalid("min_updated_ts with series_ticker requires mve_filter=exclude")


def _is_within(
    at_ts: datetime | None, low_ts: datetime | None, high_ts: datetime | None, *, is_high_included: bool
) -> bool:
    """Take "after" and "before" at their word: the lower bound is never included."""
    if at_ts is None or (low_ts is not None and at_ts <= low_ts):
        return False
    return high_ts is None or at_ts < high_ts or (is_high_included and at_ts == high_ts)


async def one_market(request: Request) -> Response:
    """`GET /markets/{ticker}`: 404 once archived, and for a moment after it was created."""
    catalog, market = catalog_of(request), live_market(request)
    if not catalog.is_readable(market):
        raise not_found(f"market {market.ticker}")
    return reply({"market": catalog.tell(market)})


async def order_book(request: Request) -> Response:
    """`GET /markets/{ticker}/orderbook`: no time, no sequence."""
    market, query = live_market(request), Query(request)
    depth = query.number("depth", low=0, high=MAX_DEPTH) or 0
    return reply(book_json(catalog_of(request).source.book(market.ticker), depth=depth))


async def order_books(request: Request) -> Response:
    """`GET /markets/orderbooks?tickers=A&tickers=B`."""
    catalog, tickers = catalog_of(request), Query(request).repeated("tickers")
    if not 1 <= len(tickers) <= MAX_BOOKS:
        raise invalid(f"tickers must be given 1 to {MAX_BOOKS} times")
    live = [ticker for ticker in tickers if catalog.live(ticker)]
    return reply(
        {"orderbooks": [{"ticker": each} | book_json(catalog.source.book(each), depth=0) for each in live]}
    )


async def cutoff(request: Request) -> Response:
    """`GET /historical/cutoff`: each kind of data moves on its own."""
    source = catalog_of(request).source
    return reply(
        {
            "market_settled_ts": moment(source.market_cutoff_ts),
            "trades_created_ts": moment(source.trade_cutoff_ts),
            "orders_updated_ts": moment(source.trade_cutoff_ts),
        }
    )


async def list_archived(request: Request) -> Response:
    """`GET /historical/markets`: at most one filter; time filters are silently ignored."""
    catalog, query = catalog_of(request), Query(request)
    limit = query.limit(default=100, low=0, high=1_000)
    has_combos = query.one_of("mve_filter", ("exclude",)) is None
    used = [n for n in ("tickers", "event_ticker", "series_ticker", "mve_filter") if query.text(n)]
    if len(used) > 1:
        raise invalid(f"{', '.join(used)} are mutually exclusive")
    cursor = Cursor("historical/markets", query)
    rows = _candidates(catalog, query, None if has_combos else "exclude")

    def keep(market: Market) -> bool:
        return catalog.is_archived(market) and (has_combos or not is_combo(market))

    found, left = page(rows, end=cursor.rank(end=len(rows)), limit=limit, keep=keep, is_worth=keep)
    told = [catalog.tell(each, is_archived=True) for each in found]
    return reply({"markets": told, "cursor": cursor.text(left)})


async def one_archived(request: Request) -> Response:
    """`GET /historical/markets/{ticker}`: 404 until archived; may lack what the list tells."""
    return reply({"market": catalog_of(request).tell_alone(archived_market(request))})


def live_market(request: Request) -> Market:
    """Return the market of the path from the live tier."""
    ticker = request.path_params["ticker"]
    market = catalog_of(request).live(ticker)
    if market is None:
        raise not_found(f"market {ticker}")
    return market


def archived_market(request: Request) -> Market:
    """Return the market of the path from the archive."""
    ticker = request.path_params["ticker"]
    market = catalog_of(request).archived(ticker)
    if market is None:
        raise not_found(f"archived market {ticker}")
    return market


ROUTES: Final = [
    Route("/markets", list_markets),
    Route("/markets/orderbooks", order_books),
    Route("/markets/{ticker}", one_market),
    Route("/markets/{ticker}/orderbook", order_book),
    Route("/historical/cutoff", cutoff),
    Route("/historical/markets", list_archived),
    Route("/historical/markets/{ticker}", one_archived),
]
