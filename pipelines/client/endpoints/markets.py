"""Markets, live and archived."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

from pipelines.client.asking import joined, limit, one_of, query, segment, single
from pipelines.client.endpoints.filters import market_query
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.wire import Market, MarketReply, MarketsPage

_MAX_MARKETS: Final = 1_000
_MAX_TICKERS: Final = 200


class MarketEndpoints(Group):
    """What can be traded."""

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
            series_ticker=single("series_ticker", series_ticker),
            event_ticker=single("event_ticker", event_ticker),
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
        match: check what comes back. Order not documented.

        Raises:
            RequestError: two filters at once, before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.7 (OpenAPI 3.34.0; changelog 2026-04-10).
        """
        params = query(
            series_ticker=single("series_ticker", series_ticker),
            event_ticker=single("event_ticker", event_ticker),
            tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
            mve_filter=one_of("mve_filter", mve_filter, {"exclude"}),
        )
        if len(params) > 1:
            raise RequestError(f"/historical/markets takes one filter, not {' and '.join(params)} together")
        params["limit"] = limit(page_size, at_most=_MAX_MARKETS)
        return self._pages("/historical/markets", MarketsPage, "markets", params, Market)
