"""Milestones, teams, collections, incentives, live data, weather and forecasts over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandbox import weather
from sandbox.forecasts import percentile
from tests.sandbox.places import Json, a_client, a_world, every_page
from tests.sandbox.test_gate import EDWARDS, KEYS, signed

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One server, with accounts."""
    with a_client(keys=KEYS) as (client, _):
        yield client


def now_ms() -> int:
    """Return the clock of the world, which stands at midnight."""
    return round(a_world().now_ts.timestamp()) * 1_000


def a_game(client: httpx.Client) -> Json:
    """Return the newest milestone that is a game."""
    found: Json = client.get("/milestones", params={"limit": 1, "category": "Sports"}).json()["milestones"][0]
    return found


def test_every_sports_and_economics_event_is_a_milestone(client: httpx.Client) -> None:
    """Ten games, two rate decisions of which one has not been created, two releases; pages lose nothing."""
    rows = every_page(client, "/milestones", "milestones", limit=4)
    about = {ticker for row in rows for ticker in row["primary_event_tickers"]}
    events = {each.ticker for each in a_world().events() if each.category in {"Sports", "Economics"}}
    assert about == events
    assert len({row["id"] for row in rows}) == len(rows) == len(events)
    assert client.get(f"/milestones/{rows[0]['id']}").json() == {"milestone": rows[0]}


def test_milestones_can_be_filtered(client: httpx.Client) -> None:
    """Category, type, competition, source and event narrow the list; times are compared as moments."""
    game = a_game(client)
    for name, value in (
        ("type", "basketball_game"),
        ("competition", "Simulated League"),
        ("source_id", game["source_id"]),
        ("related_event_ticker", game["related_event_tickers"][0]),
        ("minimum_start_date", game["start_date"]),
    ):
        rows = client.get("/milestones", params={"limit": 500, name: value}).json()["milestones"]
        assert game in rows, name
    later = datetime.fromisoformat(game["start_date"]) + timedelta(seconds=1)
    asked: dict[str, str | int] = {"limit": 500, "minimum_start_date": later.isoformat()}
    assert game not in client.get("/milestones", params=asked).json()["milestones"]
    assert client.get("/milestones?limit=5&category=Weather").json() == {"milestones": [], "cursor": ""}


def test_events_bring_their_milestones_when_asked(client: httpx.Client) -> None:
    """Those of the listed events and no others."""
    asked: dict[str, str | int] = {"limit": 3, "series_ticker": "KXSIMGAME"}
    assert client.get("/events", params=asked).json()["milestones"] == []
    page = client.get("/events", params=asked | {"with_milestones": "true"}).json()
    about = [ticker for each in page["milestones"] for ticker in each["related_event_tickers"]]
    assert sorted(about) == sorted(each["event_ticker"] for each in page["events"])


@pytest.mark.parametrize(
    "path",
    [
        "/milestones",
        "/milestones?limit=0",
        "/milestones?limit=501",
        "/milestones?limit=5&minimum_start_date=yesterday",
        "/milestones?limit=5&minimum_start_date=0001-01-01T00:00:00%2B10:00",
        "/milestones?limit=5&cursor=nonsense",
        "/structured_targets?page_size=2001",
        "/multivariate_event_collections?limit=201",
        "/multivariate_event_collections?status=settled",
        "/incentive_programs?limit=10001",
        "/incentive_programs?status=done",
        "/incentive_programs?type=speed",
        "/live_data/batch",
        "/live_data/batch?" + "&".join(["milestone_ids=x"] * 101),
        "/live_data/weather/miami?from=1",
        "/live_data/weather/miami?from=5&to=4",
        "/live_data/weather/miami?last_sec=60&to=4",
        "/live_data/weather/miami?last_sec=0",
        "/live_data/weather/miami?to=" + "9" * 40,
    ],
)
def test_what_is_not_documented_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize(
    "path",
    [
        "/milestones/nothing",
        "/structured_targets/nothing",
        "/multivariate_event_collections/nothing",
        "/live_data/milestone/nothing",
        "/live_data/milestone/nothing/game_stats",
        "/live_data/events/nothing",
        "/live_data/weather/atlantis",
        "/live_data/weather/atlantis/calibrations",
    ],
)
def test_what_is_not_there_is_404(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_sides_of_a_game_are_structured_targets(client: httpx.Client) -> None:
    """Two teams a game; the milestone names them, ids find them, and pages lose none."""
    rows: list[Json] = []
    cursor = ""
    while True:
        answer = client.get("/structured_targets", params={"page_size": 3, "cursor": cursor}).json()
        rows += answer["structured_targets"]
        cursor = answer["cursor"]
        if not cursor:
            break
    names = [each["name"] for each in rows]
    assert len(names) == len(set(names)) > 3
    game = a_game(client)["details"]
    ids = [game["home_team_id"], game["away_team_id"]]
    found = client.get("/structured_targets", params={"ids": ids}).json()["structured_targets"]
    assert {each["id"] for each in found} == set(ids)
    assert (
        client.get(f"/structured_targets/{ids[0]}").json()["structured_target"]["type"] == "basketball_team"
    )


def test_a_collection_holds_the_events_that_can_be_combined(client: httpx.Client) -> None:
    """The list says contracts, the single one contract; every associated event has an active market."""
    rows = client.get("/multivariate_event_collections").json()["multivariate_contracts"]
    assert len(rows) == 1
    one = client.get(f"/multivariate_event_collections/{rows[0]['collection_ticker']}").json()
    assert one == {"multivariate_contract": rows[0]}
    active = {each.event_ticker for each in a_world().markets() if each.status == "active"}
    assert {each["ticker"] for each in rows[0]["associated_events"]} == active
    for asked, n_found in (
        ("status=open", 1),
        ("status=closed", 0),
        (f"associated_event_ticker={min(active)}", 1),
    ):
        answer = client.get(f"/multivariate_event_collections?{asked}").json()
        assert len(answer["multivariate_contracts"]) == n_found


def test_incentives_page_by_next_cursor(client: httpx.Client) -> None:
    """Each program is in exactly one state, and `all` is every state; the types take turns."""
    first = client.get("/incentive_programs?limit=5").json()
    assert set(first) == {"incentive_programs", "next_cursor"}
    second = client.get("/incentive_programs", params={"limit": 5, "cursor": first["next_cursor"]}).json()
    assert not {p["id"] for p in first["incentive_programs"]} & {
        p["id"] for p in second["incentive_programs"]
    }
    counts = {
        status: len(
            client.get(f"/incentive_programs?limit=10000&status={status}").json()["incentive_programs"]
        )
        for status in ("all", "active", "upcoming", "closed", "paid_out")
    }
    assert counts["all"] == sum(counts.values()) - counts["all"] > 5
    assert counts["paid_out"] >= 4, "the first release is settled"
    liquid = client.get("/incentive_programs?type=liquidity").json()["incentive_programs"]
    assert all(each["incentive_type"] == "liquidity" and "target_size_fp" in each for each in liquid)


def test_the_words_of_searches_come_from_the_series(client: httpx.Client) -> None:
    tags = client.get("/search/tags_by_categories").json()["tags_by_categories"]
    assert set(tags) == {category for each in a_world().series() for category in each.categories}
    assert tags["Sports"] == ["Simulated"]
    sports = client.get("/search/filters_by_sport").json()
    assert sports["sport_ordering"] == list(sports["filters_by_sports"]) == ["Basketball"]


def test_a_decided_game_shows_its_winner(client: httpx.Client) -> None:
    """Whoever has more points is the team whose market resolved yes; a cancelled game shows nobody."""
    rows = every_page(client, "/milestones", "milestones", limit=100, category="Sports")
    ids = [row["id"] for row in rows]
    told = client.get("/live_data/batch", params={"milestone_ids": [*ids, "unknown", ids[0]]}).json()[
        "live_datas"
    ]
    assert [each["milestone_id"] for each in told] == ids
    n_final = 0
    for row, live in zip(rows, told, strict=True):
        home, away = (m for m in a_world().markets() if m.event_ticker == row["primary_event_tickers"][0])
        points = live["details"]
        assert points["home_points"] + points["away_points"] == 100
        if {home.result, away.result} == {"yes", "no"}:
            n_final += 1
            assert points["status"] == "final"
            assert (points["home_points"] > points["away_points"]) == (home.result == "yes")
    assert n_final >= 5


def test_live_data_has_three_addresses_and_play_by_play(client: httpx.Client) -> None:
    """By milestone, by the older path with the type, by event; a release has no play-by-play."""
    game = a_game(client)
    live = client.get(f"/live_data/milestone/{game['id']}").json()
    assert client.get(f"/live_data/basketball_game/milestone/{game['id']}").json() == live
    assert client.get(f"/live_data/golf/milestone/{game['id']}").status_code == 404
    by_event = client.get(f"/live_data/events/{game['primary_event_tickers'][0]}").json()["live_data"]
    assert by_event == {"type": live["live_data"]["type"], "details": live["live_data"]["details"]}
    assert "periods" in client.get(f"/live_data/milestone/{game['id']}/game_stats").json()["pbp"]
    release = client.get("/milestones?limit=1&category=Economics").json()["milestones"][0]
    assert client.get(f"/live_data/milestone/{release['id']}/game_stats").json() == {"pbp": None}


def test_a_chart_ends_where_its_market_closed(client: httpx.Client) -> None:
    """A quarter-hour of the past is historical; a longer range reaches further back."""
    event = next(each.ticker for each in a_world().events() if each.category == "Crypto")
    short = client.get(f"/live_data/events/{event}").json()["live_data"]
    assert short["is_historical"]
    assert short["default_range"] in short["range_options"]
    times = [each["t"] for each in short["details"]["timeseries"]]
    close_ts = next(m.close_ts for m in a_world().markets() if m.event_ticker == event)
    assert close_ts is not None
    assert times == sorted(times)
    assert times[-1] == round(close_ts.timestamp() * 1_000)
    assert times[-1] - times[0] <= 15 * 60_000


def test_the_weather_is_told_by_the_minute_with_both_ends(client: httpx.Client) -> None:
    """Values within the city's swing, ascending whole minutes, real gaps, and the newest configuration."""
    to_ms = now_ms()
    answer = client.get("/live_data/weather/miami", params={"from": to_ms - DAY_MS, "to": to_ms}).json()
    times = [each["t"] for each in answer["timeseries"]]
    assert answer == client.get("/live_data/weather/miami").json(), "a day up to now is the default"
    assert answer == client.get("/live_data/weather/miami?last_sec=86400").json()
    assert all(each % 60_000 == 0 for each in times)
    assert times == sorted(set(times))
    assert 1_400 < len(times) < 1_441, "one or the other minute of 1,441 is missing"
    assert answer["config_version"] == "miami-temperature-v1.1"
    assert all(82 - 9 < each["v"] < 82 + 9 for each in answer["timeseries"])
    assert {each["status"] for each in answer["timeseries"]} == {"normal", "degraded"}
    assert {each["contributors"] for each in answer["timeseries"]} == {2, 3}
    lone = client.get("/live_data/weather/miami", params={"from": times[5], "to": times[5]}).json()
    assert lone["timeseries"] == [answer["timeseries"][5]]


def test_the_backfill_is_labelled_and_detail_is_asked_for(client: httpx.Client) -> None:
    """Before a city went live its points say how they came about; earlier still nothing is known."""
    live_ms = round((a_world().trade_cutoff_ts + timedelta(days=1)).timestamp()) * 1_000
    asked: dict[str, str | int] = {"from": live_ms - 3_600_000, "to": live_ms + 3_600_000, "detailed": "true"}
    points = client.get("/live_data/weather/new-york", params=asked).json()["timeseries"]
    assert {each["t"] < live_ms: "receipt_basis" in each for each in points} == {True: True, False: False}
    for each in points:
        missing = [station for station in each["stations"] if station["code"] == "missing"]
        assert len(each["stations"]) == 3
        assert len(missing) == (each["status"] == "degraded")
    early: dict[str, str | int] = {"from": 0, "to": live_ms - 2 * DAY_MS}
    nothing = client.get("/live_data/weather/miami", params=early).json()
    assert (nothing["timeseries"], nothing["config_version"]) == ([], "")


def test_calibrations_are_in_celsius_and_weights_sum_to_one(client: httpx.Client) -> None:
    told = client.get("/live_data/weather/miami/calibrations").json()
    assert told["units"] == "celsius"
    times = [each["effective_at_ms"] for each in told["calibrations"]]
    assert times == sorted(times)
    for each in told["calibrations"]:
        assert sum(station["weight"] for station in each["stations"]) == 1.0
    # 0.5 x 0.0 + 0.25 x 0.5 + 0.25 x -0.5 = 0
    assert told["calibrations"][-1]["city_reference_c"] == 0.0


def test_a_percentile_lies_between_the_thresholds_that_price_it() -> None:
    """At or below 1 with 20 %, at or below 2 with 60 %: the 40th percentile is 1.5; beyond is the end."""
    known = [(1.0, 2_000), (2.0, 6_000)]
    assert percentile(known, 4_000) == 1.5
    assert percentile(known, 2_000) == 1.0
    assert percentile(known, 100) == 1.0
    assert percentile(known, 9_900) == 2.0
    assert percentile([], 5_000) is None
    assert percentile([(1.0, 2_000), (2.0, 2_000), (3.0, 8_000)], 5_000) == 2.5


def test_forecasts_need_a_signature_and_grow_with_the_percentile(client: httpx.Client) -> None:
    """Unsigned: 401. Signed: hours of `[start_ts, end_ts]`, both ends included, none of the future."""
    event = "KXSIMCPI-JAN"
    path = f"/series/KXSIMCPI/events/{event}/forecast_percentile_history"
    end_s = now_ms() // 1_000
    asked = {
        "percentiles": ["2500", "5000", "7500"],
        "start_ts": str(end_s - 7_200),
        "end_ts": str(end_s + 7_200),
        "period_interval": "60",
    }
    assert client.get(path, params=asked).status_code == 401
    headers = signed(EDWARDS, key_id="ed-key", path=f"/trade-api/v2{path}")
    rows = client.get(path, params=asked, headers=headers).json()["forecast_history"]
    assert [each["end_period_ts"] for each in rows] == [end_s - 7_200, end_s - 3_600, end_s]
    for row in rows:
        values = [each["raw_numerical_forecast"] for each in row["percentile_points"]]
        assert values == sorted(values)
        assert all(0.1 <= value <= 0.4 for value in values)
    none = client.get(
        "/series/KXSIMFED/events/KXSIMFED-MAR/forecast_percentile_history",
        params=asked,
        headers=signed(path="/trade-api/v2/series/KXSIMFED/events/KXSIMFED-MAR/forecast_percentile_history"),
    )
    assert none.json() == {"forecast_history": []}


@pytest.mark.parametrize(
    "change",
    [
        {"percentiles": []},
        {"percentiles": ["5"] * 11},
        {"percentiles": ["10000"]},
        {"percentiles": ["-1"]},
        {"percentiles": ["٣"]},
        {"period_interval": "5"},
        {"end_ts": "1"},
        {"start_ts": "0"},
        {"end_ts": "9" * 30},
    ],
)
def test_forecasts_have_limits(client: httpx.Client, change: dict[str, str | list[str]]) -> None:
    """At most ten percentiles of 0 to 9999, known periods, no more than 5,000 of them."""
    path = "/series/KXSIMCPI/events/KXSIMCPI-JAN/forecast_percentile_history"
    end_s = now_ms() // 1_000
    asked: dict[str, str | list[str]] = {
        "percentiles": ["5000"], "start_ts": str(end_s - 60), "end_ts": str(end_s), "period_interval": "1",
    }  # fmt: skip
    answer = client.get(path, params=asked | change, headers=signed(path=f"/trade-api/v2{path}"))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")


def test_the_same_minute_is_the_same_weather() -> None:
    """Points do not depend on the window they are asked in."""
    start_ms = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000
    whole, part = (
        weather.points(
            "miami", from_ms=from_ms, to_ms=start_ms + DAY_MS, live_ms=0, first_ms=0, is_detailed=False
        )
        for from_ms in (start_ms, start_ms + DAY_MS // 2)
    )
    assert part == [each for each in whole if each["t"] >= start_ms + DAY_MS // 2]
