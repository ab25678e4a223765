"""Milestones, structured targets, combo collections, incentives, and the words of searches."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final

from pipelines.client.asking import (
    Query,
    limit,
    one_of,
    query,
    repeated,
    rfc3339,
    seconds,
    segment,
    single,
    words,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.wire import (
    EventCollection,
    EventCollectionReply,
    EventCollectionsPage,
    IncentiveProgram,
    IncentiveProgramsPage,
    Milestone,
    MilestoneReply,
    MilestonesPage,
    SportFiltersReply,
    StructuredTarget,
    StructuredTargetReply,
    StructuredTargetsPage,
    TagsReply,
)

_MAX_MILESTONES: Final = 500
_MAX_TARGETS: Final = 2_000
_MAX_COLLECTIONS: Final = 200
_MAX_PROGRAMS: Final = 10_000
# 2,000 ids would make a URL of 80 kB, which servers between us and Kalshi refuse: this many are 6 kB.
_IDS_A_CALL: Final = 150
_PROGRAM_STATUSES: Final = frozenset({"all", "active", "upcoming", "closed", "paid_out"})
_PROGRAM_TYPES: Final = frozenset(
    {"all", "liquidity", "volume", "margin_maker_volume", "margin_taker_volume"}
)


class MetadataEndpoints(Group):
    """What events are about."""

    def milestones(
        self,
        *,
        minimum_start_ts: datetime | None = None,
        category: str | None = None,
        competition: str | None = None,
        source_id: str | None = None,
        type: str | None = None,  # noqa: A002  Kalshi's word
        related_event_ticker: str | None = None,
        min_updated_ts: datetime | None = None,
        page_size: int = _MAX_MILESTONES,
    ) -> AsyncGenerator[list[Milestone], None]:
        """Yield pages of milestones: what ties the many events of one game together.

        `GET /milestones`, public, 1 to 500 a page (the exchange insists on a number), by cursor. Order not
        documented.

        Args:
            minimum_start_ts: starts at this moment or later, sent as RFC 3339 text to the microsecond;
                whether the moment itself is included is not documented.
            category: such as Sports, Elections, Esports, Crypto.
            competition: such as Pro Football.
            source_id: the data provider's id.
            type: such as football_game.
            related_event_ticker: ties this event.
            min_updated_ts: metadata changed after; sent in whole seconds, rounded down. Whether the second
                itself is included is not documented; rounding down asks for it.
            page_size: milestones a page.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0).
        """
        params = query(
            minimum_start_date=rfc3339("minimum_start_ts", minimum_start_ts),
            category=words("category", category),
            competition=words("competition", competition),
            source_id=words("source_id", source_id),
            type=words("type", type),
            related_event_ticker=single("related_event_ticker", related_event_ticker),
            min_updated_ts=seconds("min_updated_ts", min_updated_ts),
            limit=limit(page_size, at_most=_MAX_MILESTONES),
        )
        return self._pages("/milestones", MilestonesPage, "milestones", params, Milestone)

    async def milestone(self, milestone_id: str) -> Milestone:
        """Return one milestone.

        `GET /milestones/{milestone_id}`, public.

        Raises:
            NotFound: no such milestone.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0).
        """
        path = f"/milestones/{segment(milestone_id, 'milestone id')}"
        return (await self._session.get(path, MilestoneReply)).milestone

    def structured_targets(
        self,
        *,
        ids: Sequence[str] | None = None,
        type: str | None = None,  # noqa: A002  Kalshi's word
        competition: str | None = None,
        page_size: int = _MAX_TARGETS,
    ) -> AsyncGenerator[list[StructuredTarget], None]:
        """Yield pages of the players, teams and other things that markets name by id.

        `GET /structured_targets?ids=A&ids=B`, public, 1 to 2,000 a page (`page_size` here and there), by
        cursor; no filter by time. Order not documented.

        Args:
            ids: only these, at most 2,000; asked 150 a call, since a URL must not grow without end.
            type: such as basketball_player.
            competition: league, conference, division or tour.
            page_size: targets a page.

        Raises:
            RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0; changelog 2026-08-29).
        """
        params = query(
            type=words("type", type),
            competition=words("competition", competition),
            page_size=limit(page_size, at_most=_MAX_TARGETS),
        )
        wanted = [] if ids is None else repeated("ids", ids, at_most=_MAX_TARGETS)
        calls = range(0, max(len(wanted), 1), _IDS_A_CALL)
        return self._target_pages([params | query(ids=wanted[at : at + _IDS_A_CALL] or None) for at in calls])

    async def structured_target(self, structured_target_id: str) -> StructuredTarget:
        """Return one structured target.

        `GET /structured_targets/{structured_target_id}`, public.

        Raises:
            NotFound: no such target.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: official SDK 3.34.0 (2026-10).
        """
        path = f"/structured_targets/{segment(structured_target_id, 'structured target id')}"
        return (await self._session.get(path, StructuredTargetReply)).structured_target

    def multivariate_event_collections(
        self,
        *,
        status: str | None = None,
        associated_event_ticker: str | None = None,
        series_ticker: str | None = None,
        page_size: int = _MAX_COLLECTIONS,
    ) -> AsyncGenerator[list[EventCollection], None]:
        """Yield pages of the collections that combos are minted from (some 1,400 in 2026-08).

        `GET /multivariate_event_collections`, public, 1 to 200 a page, by cursor; no filter by time. Order
        not documented.

        Args:
            status: unopened, open or closed.
            associated_event_ticker: whose combos may hold markets of this event.
            series_ticker: of one series.
            page_size: collections a page.

        Raises:
            RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0; changelog 2026-10-08).
        """
        params = query(
            status=one_of("status", status, {"unopened", "open", "closed"}),
            associated_event_ticker=single("associated_event_ticker", associated_event_ticker),
            series_ticker=single("series_ticker", series_ticker),
            limit=limit(page_size, at_most=_MAX_COLLECTIONS),
        )
        path = "/multivariate_event_collections"
        return self._pages(path, EventCollectionsPage, "multivariate_contracts", params, EventCollection)

    async def multivariate_event_collection(self, ticker: str) -> EventCollection:
        """Return one collection.

        `GET /multivariate_event_collections/{collection_ticker}`, public.

        Raises:
            NotFound: no such collection.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0).
        """
        path = f"/multivariate_event_collections/{segment(ticker)}"
        return (await self._session.get(path, EventCollectionReply)).multivariate_contract

    def incentive_programs(
        self,
        *,
        status: str | None = None,
        type: str | None = None,  # noqa: A002  Kalshi's word
        incentive_description: str | None = None,
        page_size: int = _MAX_PROGRAMS,
    ) -> AsyncGenerator[list[IncentiveProgram], None]:
        """Yield pages of rewards for liquidity and volume, without those of hidden events.

        `GET /incentive_programs`, public, 1 to 10,000 a page, by cursor (which the answer calls
        `next_cursor`); no filter by time. Order not documented.

        Args:
            status: all (as without it), active, upcoming, closed or paid_out.
            type: all (as without it), liquidity, volume, margin_maker_volume or margin_taker_volume.
            incentive_description: exactly this text.
            page_size: programs a page.

        Raises:
            RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0; changelog 2026-07-22).
        """
        params = query(
            status=one_of("status", status, _PROGRAM_STATUSES),
            type=one_of("type", type, _PROGRAM_TYPES),
            incentive_description=words("incentive_description", incentive_description),
            limit=limit(page_size, at_most=_MAX_PROGRAMS),
        )
        path = "/incentive_programs"
        return self._pages(path, IncentiveProgramsPage, "incentive_programs", params, IncentiveProgram)

    async def tags_by_categories(self) -> dict[str, list[str]]:
        """Return the tags of each category of series, in the exchange's order; a category may have none.

        `GET /search/tags_by_categories`, public, not paginated.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0); null for a category was seen by an SDK's authors (2026).
        """
        reply = await self._session.get("/search/tags_by_categories", TagsReply)
        return {category: tags or [] for category, tags in reply.tags_by_categories.items()}

    async def filters_by_sport(self) -> SportFiltersReply:
        """Return scopes and competitions of each sport (`filters_by_sports`), and the order of sports.

        `GET /search/filters_by_sport`, public, not paginated. Lists may be null.

        Raises:
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0).
        """
        return await self._session.get("/search/filters_by_sport", SportFiltersReply)

    async def _target_pages(self, calls: list[Query]) -> AsyncGenerator[list[StructuredTarget], None]:
        for params in calls:
            pages = self._pages(
                "/structured_targets", StructuredTargetsPage, "structured_targets", params, StructuredTarget
            )
            async with aclosing(pages):
                async for page in pages:
                    yield page
