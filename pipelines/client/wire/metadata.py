"""What surrounds events: pictures, combo collections, incentives, and the words that searches filter by.

Source: KALSHI.md §5.3, §5.8 (OpenAPI 3.28.0; changelog 2026-10-08), field lists checked against the official
SDK 3.34.0 (2026-10).
"""

import msgspec

from pipelines.client.wire.exact import Whole
from pipelines.client.wire.listing import PriceRange, SettlementSource


class MarketDetails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one market looks."""

    market_ticker: str
    image_url: str
    color_code: str


class EventMetadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /events/{ticker}/metadata: how an event looks, and who decides it."""

    image_url: str
    market_details: list[MarketDetails] | None
    settlement_sources: list[SettlementSource] | None
    featured_image_url: str | None = None
    competition: str | None = None
    competition_scope: str | None = None


class AssociatedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event whose markets may be legs of a combo; `size_min` to `size_max` of them, null is no limit."""

    ticker: str
    is_yes_only: bool
    active_quoters: list[str] | None = None
    size_min: Whole | None = None
    size_max: Whole | None = None


class EventCollection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which events combos can be made: `size_min` to `size_max` legs, a `size_max` of 0 was seen.

    Combos minted from it take `price_level_structure` and `price_ranges` (since 2026-10-08); older ones may
    differ. The fields after these are deprecated in favour of `associated_events`.
    """

    collection_ticker: str
    series_ticker: str
    title: str
    description: str
    open_date: str
    close_date: str
    associated_events: list[AssociatedEvent] | None
    is_ordered: bool
    size_min: Whole
    size_max: Whole
    functional_description: str
    exchange_index: Whole | None = None
    price_level_structure: str | None = None
    price_ranges: list[PriceRange] | None = None
    associated_event_tickers: list[str] | None = None
    is_single_market_per_event: bool | None = None
    is_all_yes: bool | None = None


class EventCollectionReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /multivariate_event_collections/{ticker}."""

    multivariate_contract: EventCollection


class EventCollectionsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /multivariate_event_collections: the key says contracts."""

    multivariate_contracts: list[EventCollection] | None
    cursor: str | None = None


class IncentiveProgram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reward for liquidity or volume in one market.

    `period_reward` and `max_reward_per_account` are whole centicents ($0.0001); `target_size_fp` is contract
    text.
    """

    id: str
    market_id: str
    market_ticker: str
    incentive_type: str
    incentive_description: str
    start_date: str
    end_date: str
    period_reward: Whole
    paid_out: bool
    discount_factor_bps: Whole | None = None
    target_size_fp: str | None = None
    max_reward_per_account: Whole | None = None


class IncentiveProgramsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /incentive_programs: the one list whose cursor is called `next_cursor`."""

    incentive_programs: list[IncentiveProgram] | None
    next_cursor: str | None = None

    @property
    def cursor(self) -> str | None:
        """The cursor under the name that every other page has."""
        return self.next_cursor


class TagsReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /search/tags_by_categories: a category without tags is null."""

    tags_by_categories: dict[str, list[str] | None]


class Scopes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be bet on within one competition, such as Games or Futures."""

    scopes: list[str] | None


class SportFilters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scopes of one sport and of each of its competitions."""

    scopes: list[str] | None
    competitions: dict[str, Scopes] | None


class SportFiltersReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /search/filters_by_sport: filters by sport, and the order in which sports are shown."""

    filters_by_sports: dict[str, SportFilters]
    sport_ordering: list[str] | None
