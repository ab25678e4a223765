"""Events, combos among them, and fees that belong to single events."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from pipelines.client.asking import Query, joined, limit, one_of, query, seconds, segment, single
from pipelines.client.endpoints.filters import EVENT_STATUSES
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.paging import walk
from pipelines.client.wire import (
    Event,
    EventFeeChange,
    EventFeeChangesPage,
    EventMetadata,
    EventReply,
    EventsPage,
)

_MAX_EVENTS: Final = 200
_MAX_TICKERS: Final = 200
_MAX_FEE_CHANGES: Final = 1_000


class EventEndpoints(Group):
    """Questions with their markets."""

    async def event(self, ticker: str) -> Event:
        """Return one event with its markets, as far as these are not archived.

        `GET /events/{event_ticker}?with_nested_markets=true`, public. Events stay for ever, but the markets
        of an old one are omitted: ask `historical_markets(event_ticker=…)`.

        Raises:
            NotFound: no such event.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.3 (OpenAPI 3.28.0, historical data page of 2026-09-30).
        """
        path = f"/events/{segment(ticker)}"
        reply = await self._session.get(path, EventReply, params=query(with_nested_markets=True))
        if reply.event.markets is None and reply.markets is not None:
            return msgspec.structs.replace(reply.event, markets=reply.markets)
        return reply.event

    def events(
        self,
        *,
        series_ticker: str | None = None,
        status: str | None = None,
        tickers: Sequence[str] | None = None,
        with_nested_markets: bool | None = None,
        min_close_ts: datetime | None = None,
        min_updated_ts: datetime | None = None,
        page_size: int = _MAX_EVENTS,
    ) -> AsyncGenerator[list[Event], None]:
        """Yield pages of events, without combos; archived ones come without their markets.

        `GET /events`, public, 1 to 200 a page, by cursor. With nested markets it is the best walk over the
        universe: about 1,500 markets a call. Order not documented.

        Args:
            series_ticker: of one series.
            status: unopened, open, closed or settled; matches if any market of the event matches.
            tickers: only these events, at most 200.
            with_nested_markets: fill `markets`.
            min_close_ts: some market closes strictly after; whole seconds, rounded down.
            min_updated_ts: metadata changed strictly after; whole seconds, rounded down.
            page_size: events a page.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.3 (OpenAPI 3.28.0; changelog 2025-12-04, 2026-06-18).
        """
        params = _event_query(
            series_ticker=series_ticker,
            status=status,
            tickers=tickers,
            with_nested_markets=with_nested_markets,
            min_close_ts=min_close_ts,
            min_updated_ts=min_updated_ts,
            page_size=page_size,
        )
        return self._pages("/events", EventsPage, "events", params, Event)

    def events_with_milestones(
        self,
        *,
        series_ticker: str | None = None,
        status: str | None = None,
        tickers: Sequence[str] | None = None,
        with_nested_markets: bool | None = None,
        min_close_ts: datetime | None = None,
        min_updated_ts: datetime | None = None,
        page_size: int = _MAX_EVENTS,
    ) -> AsyncGenerator[EventsPage, None]:
        """Yield pages with their events (`.events`) and the milestones of these (`.milestones`).

        `GET /events?with_milestones=true`, public, 1 to 200 events a page, by cursor. Arguments, order and
        errors as in `events`. A milestone may come with several pages: drop what came twice (`id`). Either
        list may be null.

        Source: KALSHI.md §5.3 (OpenAPI 3.28.0).
        """
        params = _event_query(
            series_ticker=series_ticker,
            status=status,
            tickers=tickers,
            with_nested_markets=with_nested_markets,
            min_close_ts=min_close_ts,
            min_updated_ts=min_updated_ts,
            page_size=page_size,
        ) | query(with_milestones=True)

        async def fetch(cursor: str | None) -> tuple[EventsPage | None, str | None]:
            sent = params if cursor is None else {**params, "cursor": cursor}
            page = await self._session.get("/events", EventsPage, params=sent)
            return (page if page.events or page.milestones else None), page.cursor

        return walk(fetch, path="/events", max_pages=self._max_pages)

    def multivariate_events(
        self,
        *,
        series_ticker: str | None = None,
        collection_ticker: str | None = None,
        with_nested_markets: bool | None = None,
        page_size: int = _MAX_EVENTS,
    ) -> AsyncGenerator[list[Event], None]:
        """Yield pages of combos, which `events` leaves out: thousands come into being every minute.

        `GET /events/multivariate`, public, 1 to 200 a page, by cursor; no filter by time. Order not
        documented.

        Args:
            series_ticker: of one series; not together with `collection_ticker`.
            collection_ticker: minted from one collection (see `multivariate_event_collections`).
            with_nested_markets: fill `markets`.
            page_size: events a page.

        Raises:
            RequestError: both filters at once; nothing was sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.3, §9 (OpenAPI 3.28.0; since 2025-11).
        """
        if series_ticker is not None and collection_ticker is not None:
            raise RequestError("/events/multivariate takes series_ticker or collection_ticker, not both")
        params = query(
            series_ticker=single("series_ticker", series_ticker),
            collection_ticker=single("collection_ticker", collection_ticker),
            with_nested_markets=with_nested_markets,
            limit=limit(page_size, at_most=_MAX_EVENTS),
        )
        return self._pages("/events/multivariate", EventsPage, "events", params, Event)

    async def event_metadata(self, ticker: str) -> EventMetadata:
        """Return an event's pictures, colours, competition and who decides it.

        `GET /events/{event_ticker}/metadata`, public.

        Raises:
            NotFound: no such event.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.3 (OpenAPI 3.28.0).
        """
        return await self._session.get(f"/events/{segment(ticker)}/metadata", EventMetadata)

    def event_fee_changes(
        self, event_ticker: str | None = None, *, page_size: int = _MAX_FEE_CHANGES
    ) -> AsyncGenerator[list[EventFeeChange], None]:
        """Yield pages of fees that belong to single events; both overrides null: the series rules again.

        `GET /events/fee_changes`, public, 1 to 1,000 a page, by cursor; no filter by time. Order not
        documented.

        Raises:
            RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2 (OpenAPI 3.28.0, since 2026-06-04).
        """
        params = query(
            event_ticker=single("event_ticker", event_ticker),
            limit=limit(page_size, at_most=_MAX_FEE_CHANGES),
        )
        return self._pages(
            "/events/fee_changes", EventFeeChangesPage, "event_fee_changes", params, EventFeeChange
        )


def _event_query(
    *,
    series_ticker: str | None,
    status: str | None,
    tickers: Sequence[str] | None,
    with_nested_markets: bool | None,
    min_close_ts: datetime | None,
    min_updated_ts: datetime | None,
    page_size: int,
) -> Query:
    return query(
        series_ticker=single("series_ticker", series_ticker),
        status=one_of("status", status, EVENT_STATUSES),
        tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
        with_nested_markets=with_nested_markets,
        min_close_ts=seconds("min_close_ts", min_close_ts),
        min_updated_ts=seconds("min_updated_ts", min_updated_ts),
        limit=limit(page_size, at_most=_MAX_EVENTS),
    )
