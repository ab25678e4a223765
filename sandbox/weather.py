"""A temperature index by the minute for one city, with everything real ones have: gaps, doubts, a late start.

Before a city went live its points are a labelled backfill (`receipt_basis`); a minute without any observation
has no point; one with a member missing is `degraded`. Times are Unix milliseconds, temperatures Fahrenheit in
the index and Celsius in calibrations.
Source: KALSHI.md §5.8 (changelog 2026-08-20, 2026-08-31, 2026-09-10); fields as in TypeScript SDK 3.30.0.
"""

import hashlib
from typing import Final

from sandbox.encoding import Json

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
CITIES: Final = {"miami": 82, "new-york": 45}  # the middle of a day's temperatures
STATIONS: Final = ("SIM1", "SIM2", "SIM3")
WEIGHTS: Final = (0.5, 0.25, 0.25)
OFFSETS_C: Final = (0.0, 0.5, -0.5)  # how much warmer than its peers a station runs
SWING_CENTI: Final = 800  # hundredths of a degree between the middle and either end of a day
GAP: Final = 4  # of a thousand minutes, how many have no point
DEGRADED: Final = 40  # and how many lack a station


def points(
    city: str, *, from_ms: int, to_ms: int, live_ms: int, first_ms: int, is_detailed: bool
) -> list[Json]:
    """Return the points of `[from_ms, to_ms]`, both ends included, oldest first.

    There are none before `first_ms`; those before `live_ms` are the backfill.
    """
    start_ms = -(-max(from_ms, first_ms) // MINUTE_MS) * MINUTE_MS
    told = []
    for at_ms in range(start_ms, to_ms + 1, MINUTE_MS):
        luck = _luck(city, at_ms)
        if luck % 1_000 < GAP:
            continue
        is_degraded = luck % 1_000 < GAP + DEGRADED
        value_centi = _temperature_centi(city, at_ms) + luck // 1_000 % 21 - 10
        point: Json = {
            "t": at_ms,
            "v": value_centi / 100,
            "status": "degraded" if is_degraded else "normal",
            "contributors": len(STATIONS) - is_degraded,
        }
        if at_ms < live_ms:
            point["receipt_basis"] = "synoptic_latency"
        if is_detailed:
            point["stations"] = _readings(at_ms, value_centi, is_degraded=is_degraded)
        told.append(point)
    return told


def version(city: str, at_ms: int, live_ms: int) -> str:
    """Return the configuration that a point was computed under."""
    return f"{city}-temperature-v1.{int(at_ms >= live_ms)}"


def calibrations(city: str, *, live_ms: int, first_ms: int) -> list[Json]:
    """Return both configurations by effective time: the launch, and a first calibration when it went live."""
    reference_c = round(sum(w * o for w, o in zip(WEIGHTS, OFFSETS_C, strict=True)), 4)
    launch: Json = {
        "config_version": version(city, first_ms, live_ms),
        "effective_at_ms": first_ms,
        "city_reference_c": 0.0,
        "stations": [
            {"station_id": station, "weight": weight, "offset_c": 0.0}
            for station, weight in zip(STATIONS, WEIGHTS, strict=True)
        ],
    }
    calibrated: Json = {
        "config_version": version(city, live_ms, live_ms),
        "published_at_ms": live_ms - MINUTE_MS,
        "effective_at_ms": live_ms,
        "change_reason": "first calibration",
        "calibration_window_start_ms": first_ms,
        "calibration_window_end_ms": live_ms,
        "city_reference_c": reference_c,
        "stations": [
            {"station_id": station, "weight": weight, "offset_c": offset, "update_note": "updated"}
            for station, weight, offset in zip(STATIONS, WEIGHTS, OFFSETS_C, strict=True)
        ],
    }
    return [launch, calibrated]


def _temperature_centi(city: str, at_ms: int) -> int:
    """Return hundredths of a degree: up and down in straight lines, warmest at 16:00 UTC."""
    phase_ms = (at_ms + DAY_MS // 3 + DAY_MS // 2) % DAY_MS
    away_ms = abs(phase_ms - DAY_MS // 2)  # from the middle of the warm half
    return CITIES[city] * 100 + SWING_CENTI - 4 * SWING_CENTI * away_ms // DAY_MS


def _readings(at_ms: int, value_centi: int, *, is_degraded: bool) -> list[Json]:
    told: list[Json] = []
    for number, (station, offset_c) in enumerate(zip(STATIONS, OFFSETS_C, strict=True)):
        if is_degraded and number == len(STATIONS) - 1:
            told.append({"station_id": station, "code": "missing"})
            continue
        reading: Json = {"station_id": station, "code": "ok", "source": "hf_asos"}
        reading["temp_f"] = round(value_centi / 100 + offset_c * 9 / 5, 4)
        reading["received_at_ms"] = at_ms + 20_000
        told.append(reading)
    return told


def _luck(city: str, at_ms: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{city}/{at_ms}".encode()).digest()[:8], "big")
