"""Hand-made payloads of metadata, live data and account reads, in today's spelling."""

from tests.client.payloads import Json


def a_milestone(number: int = 1, **changes: object) -> Json:
    return {
        "id": f"milestone-{number}",
        "category": "Sports",
        "type": "baseball_game",
        "start_date": "2026-10-01T23:05:00Z",
        "title": "Detroit at Cleveland",
        "notification_message": "First pitch",
        "related_event_tickers": ["KXMLBGAME-26OCT01DETCLE", "KXMLBTOTAL-26OCT01DETCLE"],
        "primary_event_tickers": ["KXMLBGAME-26OCT01DETCLE"],
        "details": {"home": "CLE"},
        "last_updated_ts": "2026-10-01T12:00:00Z",
    } | changes


def a_target(name: str = "target-1", **changes: object) -> Json:
    return {"id": name, "name": "José Ramírez", "type": "baseball_player", "details": {}} | changes


def a_collection(ticker: str = "KXMVE-R", **changes: object) -> Json:
    return {
        "collection_ticker": ticker,
        "series_ticker": "KXMVE",
        "title": "Combos",
        "description": "Any combination",
        "open_date": "2026-10-01T00:00:00Z",
        "close_date": "2026-10-09T00:00:00Z",
        "associated_events": [{"ticker": "KX", "is_yes_only": False, "size_max": 1, "active_quoters": []}],
        "is_ordered": False,
        "size_min": 2,
        "size_max": 0,
        "functional_description": "Yes if all are yes",
    } | changes


def a_program(number: int = 1, **changes: object) -> Json:
    return {
        "id": f"program-{number}",
        "market_id": "c0ffee",
        "market_ticker": "KX-1",
        "incentive_type": "liquidity",
        "incentive_description": "Two-sided quotes",
        "start_date": "2026-10-01T00:00:00Z",
        "end_date": "2026-10-02T00:00:00Z",
        "period_reward": 1_250_000,
        "paid_out": False,
    } | changes


def a_weather(*points: Json) -> Json:
    return {
        "city": "miami",
        "config_version": "miami-temperature-v1.0" if points else "",
        "units": "fahrenheit",
        "timeseries": list(points),
    }


def a_calibration(**changes: object) -> Json:
    return {
        "config_version": "miami-temperature-v1.0-cal-20260831",
        "effective_at_ms": 1_788_134_400_000,
        "city_reference_c": 0.0125,
        "stations": [{"station_id": "KMIA1M", "weight": 0.25, "offset_c": -0.3}],
    } | changes


def a_forecast(**changes: object) -> Json:
    point = {
        "percentile": 5_000,
        "raw_numerical_forecast": 2.71828,
        "numerical_forecast": 2.7,
        "formatted_forecast": "2.7%",
    }
    return {
        "event_ticker": "KXCPI-26SEP",
        "end_period_ts": 1_790_856_000,
        "period_interval": 60,
        "percentile_points": [point],
    } | changes
