"""Series, events, markets and fees as they are now: each sync sees one state of them."""

from collections.abc import AsyncGenerator
from typing import Final

import polars as pl

from pipelines.client import Client
from pipelines.ingest import listing_columns
from pipelines.ingest.discovery import LIVE, event_named, family_of, series_named
from pipelines.ingest.market_states import market_states
from pipelines.ingest.pages import Rows
from pipelines.ingest.pulling import Now, listing_window, pull, utc_now
from pipelines.ingest.windows import Receipt, has_combos
from warehouse import storage
from warehouse.lake import Lake
from warehouse.ledger import Window
from warehouse.tables import EVENTS, FEE_CHANGES, MARKETS, SERIES

# Some two dozen of 14,191 series were not listed [KALSHI.md §17]; many more would be another fault.
SWEPT_MAX: Final = 1_000


async def sync_series(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's series (or of all series) into `series`.

    The listing of all omits some: those that fee changes and known events name are fetched one by one, and
    the receipt's notes say how many.

    The window's times do not matter: the receipt's window is the day of asking. Where the exchange could not
    be asked, the receipt says so.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    asked = listing_window(window.resource, window.scope, now())
    notes: list[str] = []
    pages = _series(client, lake, window.scope, now, notes)
    return await pull(client, lake, asked, SERIES, pages, now=now, notes=notes)


async def sync_events(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's events into `events`; combos only where the scope means them.

    Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    return await pull(client, lake, asked, EVENTS, _events(client, window.scope, now), now=now)


async def sync_markets(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring the present state of the scope's markets (or of all but combos) from both tiers into `markets`.

    The archive is listed when it may have what no listing has shown; what is unlisted and not final is asked
    for by name, and what vanished is kept (see `market_states`); the receipt's notes tell.

    A market does not tell its series: it comes from the event, which is fetched and kept where the lake lacks
    it. Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    notes: list[str] = []
    pages = market_states(client, lake, window.scope, now, notes)
    return await pull(client, lake, asked, MARKETS, pages, now=now, notes=notes)


async def sync_fees(client: Client, lake: Lake, window: Window, *, now: Now = utc_now) -> Receipt:
    """Bring past and announced fees of the scope's series and events into `fee_changes`.

    What a series charges today is a state of the series; it is brought into `series` along the way.
    Window and errors as in `sync_series`.
    """
    asked = listing_window(window.resource, window.scope, now())
    notes: list[str] = []
    pages = _fees(client, lake, window.scope, now, notes)
    return await pull(client, lake, asked, FEE_CHANGES, pages, now=now, notes=notes)


async def _series(
    client: Client, lake: Lake, scope: str, now: Now, notes: list[str]
) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    if family.series_ticker:
        one = await series_named(client, family.series_ticker)
        if one is not None:
            yield listing_columns.series([one], source=LIVE, fetched_ts=now())
        return
    listed: set[str] = set()
    async for page in client.series_list():
        listed |= {each.ticker for each in page}
        yield listing_columns.series(page, source=LIVE, fetched_ts=now())
    omitted = sorted(await _named_elsewhere(client, lake) - listed)
    found = [one for ticker in omitted[:SWEPT_MAX] if (one := await series_named(client, ticker)) is not None]
    if omitted:
        notes.append(f"series named but not listed: {len(omitted):,}, of them fetched: {len(found):,}")
    if found:
        yield listing_columns.series(found, source=LIVE, fetched_ts=now())


async def _named_elsewhere(client: Client, lake: Lake) -> set[str]:
    """Return the series that fee changes and the lake's events name."""
    named = {each.series_ticker for each in await client.series_fee_changes(show_historical=True)}
    async for page in client.event_fee_changes():
        named |= {each.series_ticker for each in page}
    events = lake.scan(EVENTS).select(pl.col("series_ticker").unique())
    named |= set(storage.collected(events, lake.uri)["series_ticker"])
    return named - {""}


async def _events(client: Client, scope: str, now: Now) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    if family.event_ticker:
        one = await event_named(client, family.event_ticker)
        yield listing_columns.events([one], source=LIVE, fetched_ts=now())
        return
    async for page in client.events(series_ticker=family.series_ticker or None):
        yield listing_columns.events(page, source=LIVE, fetched_ts=now())
    if has_combos(scope):
        async for page in client.multivariate_events(series_ticker=family.series_ticker or None):
            yield listing_columns.events(page, source=LIVE, fetched_ts=now())


async def _fees(
    client: Client, lake: Lake, scope: str, now: Now, notes: list[str]
) -> AsyncGenerator[Rows, None]:
    family = await family_of(client, scope)
    async for terms in _series(client, lake, scope, now, notes):
        lake.commit(SERIES, terms.frame)
        yield Rows(pl.DataFrame(), terms.rejected)
    changes = await client.series_fee_changes(family.series_ticker or None, show_historical=True)
    if changes:
        yield listing_columns.series_fee_changes(changes, source=LIVE, fetched_ts=now())
    async for page in client.event_fee_changes(family.event_ticker or None):
        meant = [each for each in page if family.series_ticker in ("", each.series_ticker)]
        if meant:
            yield listing_columns.event_fee_changes(meant, source=LIVE, fetched_ts=now())
