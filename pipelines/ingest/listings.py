"""Series, events, markets and fees as they are now: each sync sees one state of them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

import polars as pl

from pipelines.client import Client
from pipelines.client.wire import Event, Market
from pipelines.ingest import listing_columns
from pipelines.ingest.discovery import LIVE, event_named, family_of, market_pages, series_named
from pipelines.ingest.pages import Rows
from pipelines.ingest.pulling import Now, listing_window, pull, utc_now
from pipelines.ingest.windows import Receipt, Window
from warehouse.lake import Lake
from warehouse.tables import EVENTS, FEE_CHANGES, MARKETS, SERIES

_EVENTS_A_CALL: Final = 200


async def sync_series(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's series (or of all series) into `series`.

    The window's times do not matter: the receipt's window is the day of asking. Where the exchange could not
    be asked, the receipt says so.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    asked = listing_window(window.resource, window.scope, now())
    return await pull(client, lake, asked, SERIES, _series(client, window.scope, now))


async def sync_events(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's events (or of all events but combos) into `events`.

    Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    return await pull(client, lake, asked, EVENTS, _events(client, window.scope, now))


async def sync_markets(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's markets (or of all but combos) from both tiers into `markets`.

    A market does not tell its series: it comes from the event, which is fetched and kept where the lake
    lacks it. Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    return await pull(client, lake, asked, MARKETS, _markets(client, lake, window.scope, now))


async def sync_fees(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring past and announced fees of the scope's series and events into `fee_changes`.

    What a series charges today is a state of the series; it is brought into `series` along the way.
    Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    return await pull(client, lake, asked, FEE_CHANGES, _fees(client, lake, window.scope, now))


async def _series(client: Client, scope: str, now: Now) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    if family.series_ticker:
        one = await series_named(client, family.series_ticker)
        if one is not None:
            yield listing_columns.series([one], source=LIVE, fetched_ts=now())
        return
    async for page in client.series_list():
        yield listing_columns.series(page, source=LIVE, fetched_ts=now())


async def _events(client: Client, scope: str, now: Now) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    if family.event_ticker:
        one = await event_named(client, family.event_ticker)
        yield listing_columns.events([one], source=LIVE, fetched_ts=now())
        return
    async for page in client.events(series_ticker=family.series_ticker or None):
        yield listing_columns.events(page, source=LIVE, fetched_ts=now())


async def _markets(client: Client, lake: Lake, scope: str, now: Now) -> AsyncGenerator[Rows, None]:
    # Of two observations the later one comes last, and counts.
    known = lake.scan(EVENTS).sort("ticker", "observed_ts").select("ticker", "series_ticker").collect()
    series_of = dict(known.iter_rows())
    seen: set[str] = set()
    async for page, tier in market_pages(client, scope):
        fresh = [each for each in page if each.ticker not in seen]
        seen |= {each.ticker for each in fresh}
        if not fresh:
            continue
        for event in await _missing_events(client, fresh, series_of):
            series_of[event.event_ticker] = event.series_ticker
            rows = listing_columns.events([event], source=LIVE, fetched_ts=now())
            lake.commit(EVENTS, rows.frame)
            yield Rows(pl.DataFrame(), rows.rejected)
        yield listing_columns.markets(fresh, series_of, source=tier, fetched_ts=now())


async def _missing_events(client: Client, page: Sequence[Market], known: dict[str, str]) -> list[Event]:
    missing = sorted({each.event_ticker for each in page} - known.keys())
    found: list[Event] = []
    for first in range(0, len(missing), _EVENTS_A_CALL):
        async for events in client.events(tickers=missing[first : first + _EVENTS_A_CALL]):
            found.extend(events)
    return found


async def _fees(client: Client, lake: Lake, scope: str, now: Now) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    async for terms in _series(client, scope, now):
        lake.commit(SERIES, terms.frame)
        yield Rows(pl.DataFrame(), terms.rejected)
    changes = await client.series_fee_changes(family.series_ticker or None, show_historical=True)
    if changes:
        yield listing_columns.series_fee_changes(changes, source=LIVE, fetched_ts=now())
    async for page in client.event_fee_changes(family.event_ticker or None):
        meant = [each for each in page if family.series_ticker in ("", each.series_ticker)]
        if meant:
            yield listing_columns.event_fee_changes(meant, source=LIVE, fetched_ts=now())
