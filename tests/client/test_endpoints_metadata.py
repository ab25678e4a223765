"""Milestones, targets, collections, incentives, searches and combos: what is asked, and what comes back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.client import Client
from tests.client.loopback import Ask, Asked, Reply, result
from tests.client.payloads import an_event
from tests.client.payloads_metadata import a_collection, a_milestone, a_program, a_target

AT = datetime(2026, 10, 1, 12, 0, 0, 500_000, tzinfo=UTC)
AT_S = 1_790_856_000


def asked_of(body: object, ask: Ask) -> tuple[str, dict[str, list[str]]]:
    """Return path and query of the only request of a call."""
    _, asked = result(lambda _one: Reply(body=body), ask)
    assert len(asked) == 1
    return asked[0].path, asked[0].query


@pytest.mark.parametrize(
    ("body", "ask", "path", "query"),
    [
        (
            {"milestones": [], "cursor": ""},
            lambda c: c.milestones(
                minimum_start_ts=AT,
                category="Sports",
                competition="Pro Football",
                source_id="s-1",
                type="football_game",
                related_event_ticker="KX",
                min_updated_ts=AT,
                page_size=7,
            ),
            "/milestones",
            {
                "minimum_start_date": ["2026-10-01T12:00:00.500000Z"],
                "category": ["Sports"],
                "competition": ["Pro Football"],
                "source_id": ["s-1"],
                "type": ["football_game"],
                "related_event_ticker": ["KX"],
                "min_updated_ts": [str(AT_S)],
                "limit": ["7"],
            },
        ),
        ({"milestones": [], "cursor": ""}, lambda c: c.milestones(), "/milestones", {"limit": ["500"]}),
        ({"milestone": a_milestone()}, lambda c: c.milestone("abc-1"), "/milestones/abc-1", {}),
        (
            {"structured_targets": [], "cursor": ""},
            lambda c: c.structured_targets(ids=["a", "b", "a"], type="team", competition="NBA", page_size=9),
            "/structured_targets",
            {"ids": ["a", "b"], "type": ["team"], "competition": ["NBA"], "page_size": ["9"]},
        ),
        (
            {"structured_targets": [], "cursor": ""},
            lambda c: c.structured_targets(),
            "/structured_targets",
            {"page_size": ["2000"]},
        ),
        (
            {"structured_target": a_target()},
            lambda c: c.structured_target("abc-2"),
            "/structured_targets/abc-2",
            {},
        ),
        (
            {"multivariate_contracts": [], "cursor": ""},
            lambda c: c.multivariate_event_collections(
                status="open", associated_event_ticker="KX", series_ticker="KXMVE", page_size=200
            ),
            "/multivariate_event_collections",
            {
                "status": ["open"],
                "associated_event_ticker": ["KX"],
                "series_ticker": ["KXMVE"],
                "limit": ["200"],
            },
        ),
        (
            {"multivariate_contract": a_collection()},
            lambda c: c.multivariate_event_collection("KXMVE-R"),
            "/multivariate_event_collections/KXMVE-R",
            {},
        ),
        (
            {"incentive_programs": []},
            lambda c: c.incentive_programs(status="paid_out", type="volume", incentive_description="Two"),
            "/incentive_programs",
            {
                "status": ["paid_out"],
                "type": ["volume"],
                "incentive_description": ["Two"],
                "limit": ["10000"],
            },
        ),
        (
            {"events": [], "cursor": ""},
            lambda c: c.multivariate_events(collection_ticker="KXMVE-R", with_nested_markets=True),
            "/events/multivariate",
            {"collection_ticker": ["KXMVE-R"], "with_nested_markets": ["true"], "limit": ["200"]},
        ),
        (
            {"image_url": "/a.png", "market_details": None, "settlement_sources": None},
            lambda c: c.event_metadata("KX"),
            "/events/KX/metadata",
            {},
        ),
        ({"tags_by_categories": {}}, lambda c: c.tags_by_categories(), "/search/tags_by_categories", {}),
        (
            {"filters_by_sports": {}, "sport_ordering": []},
            lambda c: c.filters_by_sport(),
            "/search/filters_by_sport",
            {},
        ),
        (
            {"as_of_time": "2026-10-01T12:00:00.5Z"},
            lambda c: c.user_data_timestamp(),
            "/exchange/user_data_timestamp",
            {},
        ),
    ],
)
def test_each_call_asks_its_endpoint(body: object, ask: Ask, path: str, query: dict[str, list[str]]) -> None:
    """Lower bounds in whole seconds are rounded down; milestones take a moment as text."""
    assert asked_of(body, ask) == (path, query)


def test_a_moment_of_any_zone_is_sent_in_utc() -> None:
    eastern_ts = datetime.fromisoformat("2026-10-01T08:00:00-04:00")
    body = {"milestones": [], "cursor": ""}
    _, query = asked_of(body, lambda c: c.milestones(minimum_start_ts=eastern_ts))
    assert query["minimum_start_date"] == ["2026-10-01T12:00:00Z"]


def test_incentives_are_walked_by_their_own_name_of_the_cursor() -> None:
    """`next_cursor` leads on; a page without it is the last."""

    def answer(asked: Asked) -> Reply:
        if "cursor" not in asked.query:
            return Reply(body={"incentive_programs": [a_program(1)], "next_cursor": "more"})
        return Reply(body={"incentive_programs": [a_program(2)]})

    pages, asked = result(answer, lambda c: c.incentive_programs(page_size=1))
    assert [[one.id for one in page] for page in pages] == [["program-1"], ["program-2"]]
    assert asked[1].query["cursor"] == ["more"]
    assert pages[0][0].period_reward == 1_250_000, "125 dollars in centicents"


def test_many_targets_are_asked_in_urls_of_bounded_length() -> None:
    """2,000 ids of 36 characters: 14 calls of at most 150, none longer than 8 kB, every id once."""

    def answer(asked: Asked) -> Reply:
        body = {"structured_targets": [a_target(one) for one in asked.query["ids"]], "cursor": ""}
        return Reply(body=body)

    ids = [f"{number:036d}" for number in range(2_000)]
    pages, asked = result(answer, lambda c: c.structured_targets(ids=ids))
    assert [target.id for page in pages for target in page] == ids
    assert len(asked) == 14
    assert max(len(one.target) for one in asked) < 8_000


def test_events_come_with_their_milestones() -> None:
    """A page without either is passed over; a page with milestones alone is not."""
    bodies = [
        {"events": [an_event("A")], "milestones": [a_milestone(1)], "cursor": "a"},
        {"events": [], "milestones": None, "cursor": "b"},
        {"events": [], "milestones": [a_milestone(2)], "cursor": ""},
    ]
    pages, asked = result(
        lambda _one: Reply(body=bodies.pop(0)), lambda c: c.events_with_milestones(series_ticker="KXS")
    )
    seen = [
        ([one.event_ticker for one in page.events], [one.id for one in page.milestones]) for page in pages
    ]
    assert seen == [(["A"], ["milestone-1"]), ([], ["milestone-2"])]
    assert asked[0].query == {"series_ticker": ["KXS"], "with_milestones": ["true"], "limit": ["200"]}
    assert [one.query.get("cursor") for one in asked] == [None, ["a"], ["b"]]


def test_a_category_without_tags_has_an_empty_list() -> None:
    body = {"tags_by_categories": {"Social": None, "Sports": ["Golf", "Tennis"]}}
    found, _ = result(lambda _one: Reply(body=body), lambda c: c.tags_by_categories())
    assert found == {"Social": [], "Sports": ["Golf", "Tennis"]}


def test_what_is_new_inside_an_object_of_objects_is_counted_too() -> None:
    """Competitions are the values of an object; their unknown fields are growth, not an error."""
    nba = {"scopes": ["Games"], "season": 2026}
    sports = {"Basketball": {"scopes": None, "competitions": {"NBA": nba, "WNBA": {"scopes": []}}}}
    body = {"filters_by_sports": sports, "sport_ordering": ["Basketball"]}

    async def story(client: Client) -> Any:  # noqa: ANN401  what the test looks at
        found = await client.filters_by_sport()
        return found, [(one.where, one.example) for one in client.drift.report()]

    (found, drift), _ = result(lambda _one: Reply(body=body), story)
    assert found.filters_by_sports["Basketball"].competitions["NBA"].scopes == ["Games"]
    assert drift == [("Scopes.season", "2026")]


def test_collections_keep_what_is_documented_as_absent_or_deprecated() -> None:
    """Before 2026-10-08 there were no grids; a size_max of 0 was seen on real collections."""
    full = a_collection(
        "B",
        associated_event_tickers=["KX"],
        is_single_market_per_event=False,
        is_all_yes=False,
        price_level_structure="center_deci_edge_centi_cent",
        price_ranges=[{"start": "0.0000", "end": "0.0100", "step": "0.0001"}],
    )
    body = {"multivariate_contracts": [a_collection("A"), full], "cursor": ""}
    pages, _ = result(lambda _one: Reply(body=body), lambda c: c.multivariate_event_collections())
    old, new = pages[0]
    assert (old.price_ranges, old.size_max, old.associated_events[0].size_min) == (None, 0, None)
    assert new.price_ranges[0].step == "0.0001"


def test_nothing_is_sent_before_the_first_page_is_wanted() -> None:
    async def story(client: Client) -> int:
        await client.milestones(min_updated_ts=AT).aclose()
        await client.structured_targets(ids=["a"]).aclose()
        await client.events_with_milestones().aclose()
        return client.n_requests

    assert result(lambda _one: pytest.fail("a request was sent"), story) == (0, [])
