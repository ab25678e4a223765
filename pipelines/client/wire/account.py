"""Our account, apart from its portfolio: tier, buckets, costs of routes, progress towards tiers, keys.

Source: KALSHI.md §2, §3 (OpenAPI 3.34.0, rate limits page of 2026-09-22), field lists checked against the
official SDK 3.34.0 (2026-10).
"""

import msgspec

from pipelines.client.wire.exact import Whole


class BucketLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token bucket: tokens per second and tokens it can hold."""

    refill_rate: Whole
    bucket_capacity: Whole


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tier that was earned or given; `expires_ts` in Unix seconds, missing where it is for good."""

    exchange_instance: str | None = None
    level: str | None = None
    expires_ts: Whole | None = None
    source: str | None = None


class AccountLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The caller's tier and buckets."""

    usage_tier: str
    read: BucketLimits
    write: BucketLimits
    grants: list[Grant] | None = None


class EndpointCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one route costs in tokens; `path` has `{placeholders}`."""

    method: str
    path: str
    cost: Whole


class EndpointCosts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The default cost and every route that differs from it."""

    default_cost: Whole
    endpoint_costs: list[EndpointCost] | None = None


class VolumeGoal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many contracts in 30 days earn a tier, and how many keep it; contract text."""

    level: str
    earn_volume_goal_fp: str
    keep_volume_goal_fp: str


class VolumeProgress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our contracts in the 30 days before `computed_ts` (Unix seconds), and what they would have to be."""

    computed_ts: Whole
    trailing_30d_volume_fp: str
    goals: list[VolumeGoal] | None


class VolumeProgressReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /account/api_usage_level/volume_progress."""

    volume_progress: list[VolumeProgress] | None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of the account: never the key itself.

    A key with a `subaccount` sees that one alone; one with an `fcm_subtrader_id` is refused by every REST
    route.
    """

    api_key_id: str
    name: str
    scopes: list[str] | None
    subaccount: Whole | None = None
    fcm_subtrader_id: str | None = None


class ApiKeysReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /api_keys: the keys, and when the proof of where we are lapses (Unix seconds, if ever given).

    After that second our keys cannot trade Sports, Elections and Entertainment.
    """

    api_keys: list[ApiKey] | None
    api_key_region_expiration_ts: Whole | None = None
