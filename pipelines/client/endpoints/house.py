"""The exchange about itself, and about us."""

from pipelines.client.endpoints.group import Group
from pipelines.client.errors import SettingsError
from pipelines.client.wire import (
    AccountLimits,
    Cutoff,
    EndpointCosts,
    ExchangeStatus,
    Schedule,
    ScheduleReply,
)


class HouseEndpoints(Group):
    """Status, hours, the border between live and historical data, limits of our key."""

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

    async def account_limits(self) -> AccountLimits:
        """Return the tier of our key and its buckets (tokens per second, tokens).

        `GET /account/limits`, signed.

        Raises:
            SettingsError: no key is set; nothing was sent.
            Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (rate limits page of 2026-09-22).
        """
        if self._session.signer is None:
            raise SettingsError("/account/limits needs a key: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH")
        return await self._session.get("/account/limits", AccountLimits)

    async def endpoint_costs(self) -> EndpointCosts:
        """Return the default cost in tokens and every route that differs.

        `GET /account/endpoint_costs`, public.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (OpenAPI 3.28.0, changelog 2026-04-22).
        """
        return await self._session.get("/account/endpoint_costs", EndpointCosts)
