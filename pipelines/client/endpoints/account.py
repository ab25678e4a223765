"""Our account, apart from its portfolio: tier, costs, progress, keys."""

from pipelines.client.asking import query, words
from pipelines.client.endpoints.group import Group
from pipelines.client.wire import (
    AccountLimits,
    ApiKeysReply,
    EndpointCosts,
    VolumeProgress,
    VolumeProgressReply,
)


class AccountEndpoints(Group):
    """What our key may do, and what it costs."""

    async def account_limits(self) -> AccountLimits:
        """Return the tier of our key and its buckets (tokens per second, tokens).

        `GET /account/limits`, signed.

        Raises:
            SettingsError: no key is set; nothing was sent.
            Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (rate limits page of 2026-09-22).
        """
        self._needs_key("/account/limits")
        return await self._session.get("/account/limits", AccountLimits)

    async def endpoint_costs(self) -> EndpointCosts:
        """Return the default cost in tokens and every route that differs.

        `GET /account/endpoint_costs`, public.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (OpenAPI 3.28.0, changelog 2026-04-22).
        """
        return await self._session.get("/account/endpoint_costs", EndpointCosts)

    async def volume_progress(self) -> list[VolumeProgress]:
        """Return our contracts of the trailing 30 days, and how many earn or keep each tier.

        `GET /account/api_usage_level/volume_progress`, signed, not paginated. The exchange computes it now
        and then: `computed_ts` (Unix seconds) says when. Volumes are contract text. Order not documented.

        Raises:
            SettingsError: no key is set; nothing was sent.
            Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (OpenAPI 3.28.0); official SDK 3.34.0 (2026-10).
        """
        path = "/account/api_usage_level/volume_progress"
        self._needs_key(path)
        return (await self._session.get(path, VolumeProgressReply)).volume_progress or []

    async def api_keys(self, *, fcm_subtrader_id: str | None = None) -> ApiKeysReply:
        """Return the keys of our account with their scopes (never the keys themselves), all at once.

        `GET /api_keys`, signed, not paginated, order not documented. `api_key_region_expiration_ts` (Unix
        seconds) is when our proof of location lapses: keys then cannot trade Sports, Elections and
        Entertainment. It is missing where none was ever given.

        Args:
            fcm_subtrader_id: only keys that are bound to this subtrader (clearing members only).

        Raises:
            RequestError: an empty id; nothing was sent.
            SettingsError: no key is set; nothing was sent.
            Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §2 (changelog 2026-08-16); official SDK 3.34.0 (2026-10).
        """
        self._needs_key("/api_keys")
        params = query(fcm_subtrader_id=words("fcm_subtrader_id", fcm_subtrader_id))
        return await self._session.get("/api_keys", ApiKeysReply, params=params)
