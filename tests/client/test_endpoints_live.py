"""Live data, weather, forecasts and account reads: what is asked, signed or not, and what comes back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines.client import SettingsError
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Ask, Reply, result, script
from tests.client.payloads import Json
from tests.client.payloads_metadata import a_calibration, a_forecast, a_weather

AT = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
AT_S = 1_790_856_000
BIT = timedelta(microseconds=400)
A_SCORE: Json = {"type": "baseball_game", "details": {"inning": 7}, "milestone_id": "m-1"}
A_CHART: Json = {"type": "crypto", "details": {}, "is_historical": True, "range_options": ["1h"]}


@pytest.mark.parametrize(
    ("body", "ask", "path", "query"),
    [
        (
            {"live_data": A_SCORE},
            lambda c: c.live_data("m-1", include_player_stats=True),
            "/live_data/milestone/m-1",
            {"include_player_stats": ["true"]},
        ),
        (
            {"live_datas": [A_SCORE]},
            lambda c: c.live_data_batch(["m-1", "m-2"]),
            "/live_data/batch",
            {"milestone_ids": ["m-1", "m-2"]},
        ),
        (
            {"live_data": A_CHART},
            lambda c: c.event_live_data("KXBTC-26OCT01", chart_range="1h"),
            "/live_data/events/KXBTC-26OCT01",
            {"range": ["1h"]},
        ),
        ({"pbp": None}, lambda c: c.game_stats("m-1"), "/live_data/milestone/m-1/game_stats", {}),
        (
            a_weather(),
            lambda c: c.weather_index("miami", start_ts=AT + BIT, end_ts=AT + BIT * 10, detailed=True),
            "/live_data/weather/miami",
            {"from": [f"{AT_S}001"], "to": [f"{AT_S}004"], "detailed": ["true"]},
        ),
        (
            a_weather(),
            lambda c: c.weather_index("miami", last_s=600),
            "/live_data/weather/miami",
            {"last_sec": ["600"]},
        ),
        (
            a_weather(),
            lambda c: c.weather_index("miami", end_ts=AT),
            "/live_data/weather/miami",
            {"to": [f"{AT_S}000"]},
        ),
        (
            {"city": "miami", "units": "celsius", "calibrations": []},
            lambda c: c.weather_calibrations("miami"),
            "/live_data/weather/miami/calibrations",
            {},
        ),
    ],
)
def test_each_public_call_asks_its_endpoint(
    body: object, ask: Ask, path: str, query: dict[str, list[str]]
) -> None:
    """Milliseconds of an interval that includes its bounds: the first is rounded up, the last down."""
    _, asked = result(lambda _one: Reply(body=body), ask)
    assert [(one.path, one.query) for one in asked] == [(path, query)]
    assert "kalshi-access-key" not in asked[0].headers


SIGNED: list[tuple[object, Ask, str, dict[str, list[str]]]] = [
    (
        {"forecast_history": [a_forecast()]},
        lambda c: c.forecast_percentile_history(
            "KXCPI",
            "KXCPI-26SEP",
            percentiles=[0, 5_000, 9_999],
            start_ts=AT - BIT,
            end_ts=AT + BIT,
            period_s=5,
        ),
        "/series/KXCPI/events/KXCPI-26SEP/forecast_percentile_history",
        {
            "percentiles": ["0", "5000", "9999"],
            "start_ts": [str(AT_S)],
            "end_ts": [str(AT_S)],
            "period_interval": ["0"],
        },
    ),
    ({"volume_progress": []}, lambda c: c.volume_progress(), "/account/api_usage_level/volume_progress", {}),
    ({"api_keys": []}, lambda c: c.api_keys(), "/api_keys", {}),
    (
        {"api_keys": []},
        lambda c: c.api_keys(fcm_subtrader_id="a_1"),
        "/api_keys",
        {"fcm_subtrader_id": ["a_1"]},
    ),
]


@pytest.mark.parametrize(("body", "ask", "path", "query"), SIGNED)
def test_each_signed_call_asks_its_endpoint_with_a_signature(
    body: object, ask: Ask, path: str, query: dict[str, list[str]]
) -> None:
    _, asked = result(lambda _one: Reply(body=body), ask, key_id=KEY_ID, private_key=pem("ed25519"))
    assert [(one.path, one.query) for one in asked] == [(path, query)]
    assert asked[0].headers["kalshi-access-key"] == KEY_ID


@pytest.mark.parametrize("ask", [case[1] for case in SIGNED], ids=range(len(SIGNED)))
def test_a_signed_call_without_a_key_is_refused_before_sending(ask: Ask) -> None:
    with pytest.raises(SettingsError, match="needs a key: set KALSHI_KEY_ID"):
        result(lambda _one: pytest.fail("a request was sent"), ask)


def test_numbers_of_live_data_are_exact_whether_or_not_something_is_new() -> None:
    """0.1 is a tenth, not 0.1000000000000000055, on the quick path and on the slow one."""
    for extra in ({}, {"brand_new": 1}):
        body = {"live_data": A_CHART | {"details": {"price": 0.1, "n": 3}} | extra}
        found, _ = result(script(Reply(body=body)), lambda c: c.event_live_data("KX"))
        assert found.details == {"price": Decimal("0.1"), "n": 3}
        assert isinstance(found.details["price"], Decimal)


def test_weather_is_exact_and_an_incomplete_minute_has_no_value() -> None:
    station = {"station_id": "KMIA1M", "code": "pending", "temp_f": 88.160000001}
    points = [
        {"t": AT_S * 1_000, "v": 88.16, "status": "normal", "contributors": 5},
        {"t": AT_S * 1_000 + 60_000, "status": "incomplete", "stations": [station]},
    ]
    found, _ = result(lambda _one: Reply(body=a_weather(*points)), lambda c: c.weather_index("miami"))
    first, second = found.timeseries
    assert (first.v, second.v) == (Decimal("88.16"), None)
    assert second.stations[0].temp_f == Decimal("88.160000001")


def test_calibrations_are_exact() -> None:
    body = {"city": "miami", "units": "celsius", "calibrations": [a_calibration()]}
    (found,), _ = result(lambda _one: Reply(body=body), lambda c: c.weather_calibrations("miami"))
    assert (found.city_reference_c, found.stations[0].offset_c) == (Decimal("0.0125"), Decimal("-0.3"))


def test_forecasts_are_exact() -> None:
    body = {"forecast_history": [a_forecast()]}
    ask: Ask = SIGNED[0][1]
    (found,), _ = result(lambda _one: Reply(body=body), ask, key_id=KEY_ID, private_key=pem("ed25519"))
    (point,) = found.percentile_points
    assert (point.raw_numerical_forecast, point.formatted_forecast) == (Decimal("2.71828"), "2.7%")


def test_play_by_play_has_periods_of_free_form() -> None:
    body = {"pbp": {"periods": [{"events": [{"run": 1}]}, {"events": None}]}}
    found, _ = result(lambda _one: Reply(body=body), lambda c: c.game_stats("m-1"))
    assert [period.events for period in found.periods] == [[{"run": 1}], None]


def test_scopes_of_keys_that_no_document_lists_are_kept_and_counted() -> None:
    """A key without scopes (null) is nothing new."""
    keys = [
        {"api_key_id": "a", "name": "one", "scopes": ["read", "write::moon"]},
        {"api_key_id": "b", "name": "two", "scopes": None, "subaccount": 3},
        {"api_key_id": "c", "name": "three", "scopes": ["write::moon"]},
    ]
    body = {"api_keys": keys, "api_key_region_expiration_ts": AT_S}

    async def story(client: Any) -> Any:  # noqa: ANN401  what the test looks at
        found = await client.api_keys()
        return found, [(one.where, one.word, one.n_seen) for one in client.drift.report()]

    (found, drift), _ = result(
        lambda _one: Reply(body=body), story, key_id=KEY_ID, private_key=pem("ed25519")
    )
    assert [key.scopes for key in found.api_keys] == [["read", "write::moon"], None, ["write::moon"]]
    assert (found.api_key_region_expiration_ts, found.api_keys[1].subaccount) == (AT_S, 3)
    assert drift == [("ApiKey.scopes", "write::moon", 2)]


def test_progress_towards_tiers_is_contract_text() -> None:
    goal = {"level": "expert", "earn_volume_goal_fp": "3000000.00", "keep_volume_goal_fp": "2000000.00"}
    progress = {"computed_ts": AT_S, "trailing_30d_volume_fp": "1234.50", "goals": [goal]}
    (found,), _ = result(
        lambda _one: Reply(body={"volume_progress": [progress]}),
        lambda c: c.volume_progress(),
        key_id=KEY_ID,
        private_key=pem("ed25519"),
    )
    assert (found.trailing_30d_volume_fp, found.goals[0].level) == ("1234.50", "expert")
