"""The exchange about itself."""

from pipelines.client.endpoints.group import Group
from pipelines.client.wire import Cutoff, ExchangeStatus, Schedule, ScheduleReply, UserDataTimestamp


class HouseEndpoints(Group):
    """Status, hours, the border between live and historical data, how fresh private data are."""

    async def exchange_status(self) -> ExchangeStatus:
        """Return whether the exchange is up and trading.

        `GET /exchange/status`, public. 500, 503 and 504 carry the same body and are an answer here, not an
        error. The top level speaks of shard 0; `exchange_index_statuses` of every shard.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.1 (OpenAPI 3.28.0, changelog 2026-08-13).
        """
        return await self._session.get("/exchange/status", ExchangeStatus, answers=frozenset({500, 503, 504}))

    async def exchange_schedule(self) -> Schedule:
        """Return weekly hours (HH:MM, US Eastern) and maintenance windows.

        `GET /exchange/schedule`, public.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.1 (OpenAPI 3.28.0, 2026-08).
        """
        return (await self._session.get("/exchange/schedule", ScheduleReply)).schedule

    async def historical_cutoff(self) -> Cutoff:
        """Return where the live tier begins, as RFC 3339 text per kind of data.

        `GET /historical/cutoff`, public. The border moves about daily and the tiers overlap: read it in every
        run, read live first, then historical, and drop what came twice.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.7 (OpenAPI 3.34.0, historical data page of 2026-09-30).
        """
        return await self._session.get("/historical/cutoff", Cutoff)

    async def user_data_timestamp(self) -> UserDataTimestamp:
        """Return up to when balance, orders, fills and positions are current, as RFC 3339 text.

        `GET /exchange/user_data_timestamp`, public. Reads lag the matching engine: what happened after
        `as_of_time` may be missing from them.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §4, §5.1 (OpenAPI 3.28.0).
        """
        return await self._session.get("/exchange/user_data_timestamp", UserDataTimestamp)
