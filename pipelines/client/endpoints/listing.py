"""Series, events, markets and their fees."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from pipelines.client.asking import Query, joined, limit, one_of, query, seconds, segment
from pipelines.client.endpoints.filters import EVENT_STATUSES, market_query
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.wire import (
    Event,
    EventFeeChange,
    EventFeeChangesPage,
    EventReply,
    EventsPage,
    FeeChange,
    FeeChangesReply,
    Market,
    MarketReply,
    MarketsPage,
    Series,
    SeriesPage,
    SeriesReply,
)

_MAX_EVENTS: Final = 200
_MAX_MARKETS: Final = 1_000
_MAX_TICKERS: Final = 200
_MAX_FEE_CHANGES: Final = 1_000


class ListingEndpoints(Group):
    """What can be traded, and at which fee."""

    async def series(self, ticker: str, *, include_volume: bool | None = None) -> Series:
        """Return one series.

        `GET /series/{series_ticker}`, public.

        Raises:
            NotFound: no such series.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2 (OpenAPI 3.34.0).
        """
        path = f"/series/{segment(ticker)}"
        return (
            await self._session.get(path, SeriesReply, params=query(include_volume=include_volume))
        ).series

    def series_list(
        self,
        *,
        category: str | None = None,
        tags: str | None = None,
        min_updated_ts: datetime | None = None,
        include_volume: bool | None = None,
        include_product_metadata: bool | None = None,
    ) -> AsyncGenerator[list[Series], None]:
        """Yield all series as one page.

        `GET /series`, public, not paginated (some 14,000 series, several MB), and not quite exhaustive.

        Args:
            category: exact and case-sensitive, such as "Climate and Weather"; matches any of a series'
                categories.
            tags: comma-separated; blanks are allowed inside a tag.
            min_updated_ts: metadata changed since; sent in whole seconds, rounded down.
            include_volume: fill `volume_fp`.
            include_product_metadata: fill `product_metadata`.

        Raises:
            NaiveTime, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2, §17 (OpenAPI 3.34.0, 2026-10-09).
        """
        params = query(
            category=category,
            tags=tags,
            min_updated_ts=seconds("min_updated_ts", min_updated_ts),
            include_volume=include_volume,
            include_product_metadata=include_product_metadata,
        )
        return self._series_page(params)

    async def _series_page(self, params: Query) -> AsyncGenerator[list[Series], None]:
        found = (await self._session.get("/series", SeriesPage, params=params)).series
        if found:
            yield found

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
        universe: about 1,500 markets a call.

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
        params = query(
            series_ticker=series_ticker,
            status=one_of("status", status, EVENT_STATUSES),
            tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
            with_nested_markets=with_nested_markets,
            min_close_ts=seconds("min_close_ts", min_close_ts),
            min_updated_ts=seconds("min_updated_ts", min_updated_ts),
            limit=limit(page_size, at_most=_MAX_EVENTS),
        )
        return self._pages("/events", EventsPage, "events", params, Event)

    async def market(self, ticker: str) -> Market:
        """Return one market of the live tier.

        `GET /markets/{ticker}`, public.

        Raises:
            NotFound: unknown, archived (see `historical_market`), or created a moment ago.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.4 (OpenAPI 3.28.0).
        """
        return (await self._session.get(f"/markets/{segment(ticker)}", MarketReply)).market

    async def historical_market(self, ticker: str) -> Market:
        """Return one archived market; some optional fields of the list are missing or "" here.

        `GET /historical/markets/{ticker}`, public.

        Raises:
            NotFound: unknown, or not archived yet (see `market`).
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.7, §12.6 (OpenAPI 3.34.0).
        """
        return (await self._session.get(f"/historical/markets/{segment(ticker)}", MarketReply)).market

    def markets(
        self,
        *,
        series_ticker: str | None = None,
        event_ticker: str | None = None,
        tickers: Sequence[str] | None = None,
        status: str | None = None,
        mve_filter: str | None = None,
        min_created_ts: datetime | None = None,
        max_created_ts: datetime | None = None,
        min_close_ts: datetime | None = None,
        max_close_ts: datetime | None = None,
        min_settled_ts: datetime | None = None,
        max_settled_ts: datetime | None = None,
        min_updated_ts: datetime | None = None,
        max_updated_ts: datetime | None = None,
        page_size: int = _MAX_MARKETS,
    ) -> AsyncGenerator[list[Market], None]:
        """Yield pages of live markets, newest first; settled ones older than the cutoff are not here.

        `GET /markets`, public, 1 to 1,000 a page, by cursor. Without `mve_filter="exclude"` nearly everything
        is a combo.

        Args:
            series_ticker: of one series.
            event_ticker: of one event.
            tickers: only these, at most 200.
            status: unopened, open, paused, closed or settled (the field says active, finalized, … instead).
            mve_filter: "only" or "exclude" combos.
            min_created_ts: with status unopened, open or none.
            max_created_ts: the same.
            min_close_ts: with status closed or none.
            max_close_ts: the same.
            min_settled_ts: with status settled or none.
            max_settled_ts: the same.
            min_updated_ts: metadata changed strictly later; goes only with `max_updated_ts`,
                `mve_filter="exclude"` and `series_ticker` (which then needs that mve_filter).
            max_updated_ts: metadata changed at or before; the same.
            page_size: markets a page.

        Only one family of times in a call. Times are sent in whole seconds, min_… rounded down and max_… up;
        whether created, close and settled bounds include their second is undocumented: ask one second more
        and drop what lies outside.

        Raises:
            RequestError, NaiveTime: filters that exclude each other, before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.4, §17 (OpenAPI 3.34.0, 2026-10-09).
        """
        params = market_query(
            series_ticker=series_ticker,
            event_ticker=event_ticker,
            tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
            status=status,
            mve_filter=mve_filter,
            times={
                "created": (min_created_ts, max_created_ts),
                "close": (min_close_ts, max_close_ts),
                "settled": (min_settled_ts, max_settled_ts),
                "updated": (min_updated_ts, max_updated_ts),
            },
        )
        params["limit"] = limit(page_size, at_most=_MAX_MARKETS)
        return self._pages("/markets", MarketsPage, "markets", params, Market)

    def historical_markets(
        self,
        *,
        series_ticker: str | None = None,
        event_ticker: str | None = None,
        tickers: Sequence[str] | None = None,
        mve_filter: str | None = None,
        page_size: int = _MAX_MARKETS,
    ) -> AsyncGenerator[list[Market], None]:
        """Yield pages of archived markets, combos included unless excluded.

        `GET /historical/markets`, public, 1 to 1,000 a page, by cursor. At most one of the four filters;
        there are no time filters (the exchange ignores them silently). `event_ticker` was once seen not to
        match: check what comes back.

        Raises:
            RequestError: two filters at once, before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.7 (OpenAPI 3.34.0; changelog 2026-04-10).
        """
        params = query(
            series_ticker=series_ticker,
            event_ticker=event_ticker,
            tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
            mve_filter=one_of("mve_filter", mve_filter, {"exclude"}),
        )
        if len(params) > 1:
            raise RequestError(f"/historical/markets takes one filter, not {' and '.join(params)} together")
        params["limit"] = limit(page_size, at_most=_MAX_MARKETS)
        return self._pages("/historical/markets", MarketsPage, "markets", params, Market)

    async def series_fee_changes(
        self, series_ticker: str | None = None, *, show_historical: bool = True
    ) -> list[FeeChange]:
        """Return the fees of series over time, all at once, in the exchange's order.

        `GET /series/fee_changes`, public, not paginated. `show_historical=False` returns upcoming changes
        only, which mostly is an empty list.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2, §17 (OpenAPI 3.28.0; changelog 2025-10-01).
        """
        params = query(series_ticker=series_ticker, show_historical=show_historical)
        reply = await self._session.get("/series/fee_changes", FeeChangesReply, params=params)
        return reply.series_fee_change_arr or []

    def event_fee_changes(
        self, event_ticker: str | None = None, *, page_size: int = _MAX_FEE_CHANGES
    ) -> AsyncGenerator[list[EventFeeChange], None]:
        """Yield pages of fees that belong to single events; both overrides null: the series rules again.

        `GET /events/fee_changes`, public, 1 to 1,000 a page, by cursor.

        Raises:
            RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2 (OpenAPI 3.28.0, since 2026-06-04).
        """
        params = query(event_ticker=event_ticker, limit=limit(page_size, at_most=_MAX_FEE_CHANGES))
        return self._pages(
            "/events/fee_changes", EventFeeChangesPage, "event_fee_changes", params, EventFeeChange
        )
