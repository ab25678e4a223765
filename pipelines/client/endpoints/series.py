"""Series and their fees."""

from collections.abc import AsyncGenerator
from datetime import datetime

from pipelines.client.asking import Query, query, seconds, segment, single, words
from pipelines.client.endpoints.group import Group
from pipelines.client.wire import FeeChange, FeeChangesReply, Series, SeriesPage, SeriesReply


class SeriesEndpoints(Group):
    """Families of events under one contract, and at which fee."""

    async def series(self, ticker: str, *, include_volume: bool | None = None) -> Series:
        """Return one series; `include_volume` fills `volume_fp`.

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

        `GET /series`, public, not paginated (some 14,000 series, several MB), not quite exhaustive, order not
        documented.

        Args:
            category: exact and case-sensitive, such as "Climate and Weather"; matches any of a series'
                categories.
            tags: comma-separated; blanks are allowed inside a tag.
            min_updated_ts: metadata changed after; sent in whole seconds, rounded down. Whether the second
                itself is included is not documented; rounding down asks for it.
            include_volume: fill `volume_fp`.
            include_product_metadata: fill `product_metadata`.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2, §17 (OpenAPI 3.34.0, 2026-10-09).
        """
        params = query(
            category=words("category", category),
            tags=words("tags", tags),
            min_updated_ts=seconds("min_updated_ts", min_updated_ts),
            include_volume=include_volume,
            include_product_metadata=include_product_metadata,
        )
        return self._series_page(params)

    async def _series_page(self, params: Query) -> AsyncGenerator[list[Series], None]:
        found = (await self._session.get("/series", SeriesPage, params=params)).series
        if found:
            yield found

    async def series_fee_changes(
        self, series_ticker: str | None = None, *, show_historical: bool = True
    ) -> list[FeeChange]:
        """Return the fees of series over time, all at once, in the exchange's order.

        `GET /series/fee_changes`, public, not paginated. `show_historical=False` returns upcoming changes
        only, which mostly is an empty list.

        Raises:
            RequestError: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.2, §17 (OpenAPI 3.28.0; changelog 2025-10-01).
        """
        params = query(series_ticker=single("series_ticker", series_ticker), show_historical=show_historical)
        reply = await self._session.get("/series/fee_changes", FeeChangesReply, params=params)
        return reply.series_fee_change_arr or []
