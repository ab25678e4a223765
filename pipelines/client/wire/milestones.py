"""Milestones and structured targets: the games, races and people that events are about.

`details` is free-form, with `Decimal` numbers; its keys depend on `type`.
Source: KALSHI.md §5.8 (OpenAPI 3.28.0), field list checked against the official SDK 3.34.0 (2026-10).
"""

from typing import Any

import msgspec


class Milestone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One real-world happening that ties events together, such as a game with all its bets.

    `primary_event_tickers` hang on its outcome directly; `related_event_tickers` are all. `type` and
    `category` are open sets. Lists may be null.
    """

    id: str
    category: str
    type: str
    start_date: str
    title: str
    notification_message: str
    related_event_tickers: list[str] | None
    primary_event_tickers: list[str] | None
    details: dict[str, Any] | None
    last_updated_ts: str
    end_date: str | None = None
    source_id: str | None = None
    source_ids: dict[str, str] | None = None


class MilestoneReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /milestones/{id}."""

    milestone: Milestone


class MilestonesPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /milestones."""

    milestones: list[Milestone] | None
    cursor: str | None = None


class StructuredTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A player, a team or another thing that a market's `custom_strike` names by id; records are partial."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    details: dict[str, Any] | None = None
    source_id: str | None = None
    source_ids: dict[str, str] | None = None
    last_updated_ts: str | None = None


class StructuredTargetReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /structured_targets/{id}."""

    structured_target: StructuredTarget


class StructuredTargetsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /structured_targets."""

    structured_targets: list[StructuredTarget] | None
    cursor: str | None = None
