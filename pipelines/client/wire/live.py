"""What happens right now: scores, charts, weather, and the forecasts that prices imply.

Numbers are `Decimal`, as they were written; `details` and play-by-play are free-form, their keys depend on
`type`.
Source: KALSHI.md §5.8 (OpenAPI 3.28.0; changelog 2026-08-20, 2026-08-31, 2026-09-10), field lists checked
against the official SDK 3.34.0 (2026-10).
"""

from decimal import Decimal
from typing import Any

import msgspec

from pipelines.client.wire.exact import Whole, bounded


class LiveData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of one milestone."""

    type: str
    details: dict[str, Any]
    milestone_id: str


class LiveDataReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/milestone/{id}."""

    live_data: LiveData


class LiveDataBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/batch."""

    live_datas: list[LiveData] | None


class EventLiveData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The chart of one event: prices of a coin or a commodity, or weather.

    `is_historical` (crypto only) is true once the event has matured and the chart stands still.
    """

    type: str
    details: dict[str, Any]
    is_historical: bool | None = None
    default_range: str | None = None
    range_options: list[str] | None = None


class EventLiveDataReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/events/{ticker}."""

    live_data: EventLiveData


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One period of a game; its events have no fixed form."""

    events: list[dict[str, Any]] | None = None


class PlayByPlay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A game, period by period."""

    periods: list[Period] | None = None


class GameStatsReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/milestone/{id}/game_stats: null for milestones without play-by-play."""

    pbp: PlayByPlay | None = None


class StationReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What one station said about one minute; `temp_f` in degrees Fahrenheit, times in Unix milliseconds."""

    station_id: str
    code: str
    source: str | None = None
    temp_f: Decimal | None = None
    obs_time_ms: Whole | None = None
    received_at_ms: Whole | None = None
    primary_code: str | None = None

    def __post_init__(self) -> None:
        if self.temp_f is not None:
            bounded(self.temp_f)


class WeatherPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One minute of a city's temperature index.

    `t` is the minute in Unix milliseconds, `v` degrees Fahrenheit to 0.01, missing while `status` is
    incomplete. `receipt_basis` marks points that were back-filled and settle nothing.
    """

    t: Whole
    status: str
    v: Decimal | None = None
    contributors: Whole | None = None
    receipt_basis: str | None = None
    stations: list[StationReading] | None = None

    def __post_init__(self) -> None:
        if self.v is not None:
            bounded(self.v)


class WeatherIndex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/weather/{city}: `config_version` is the newest point's, "" without points."""

    city: str
    units: str
    timeseries: list[WeatherPoint] | None
    config_version: str | None = None


class StationWeight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A station's share of the index (shares sum to 1) and how much warmer than its peers it runs, °C."""

    station_id: str
    weight: Decimal
    offset_c: Decimal
    update_note: str | None = None

    def __post_init__(self) -> None:
        bounded(self.weight)
        bounded(self.offset_c)


class WeatherCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the index is computed from `effective_at_ms` on; times in Unix ms, window end excluded."""

    config_version: str
    effective_at_ms: Whole
    city_reference_c: Decimal
    stations: list[StationWeight] | None
    published_at_ms: Whole | None = None
    change_reason: str | None = None
    calibration_window_start_ms: Whole | None = None
    calibration_window_end_ms: Whole | None = None

    def __post_init__(self) -> None:
        bounded(self.city_reference_c)


class WeatherCalibrations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /live_data/weather/{city}/calibrations: ascending by effective time, never trimmed."""

    city: str
    units: str
    calibrations: list[WeatherCalibration] | None


class Percentile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The forecast at one percentile, in 1/10,000: 5000 is the median."""

    percentile: Whole
    raw_numerical_forecast: Decimal
    numerical_forecast: Decimal
    formatted_forecast: str

    def __post_init__(self) -> None:
        bounded(self.raw_numerical_forecast)
        bounded(self.numerical_forecast)


class Forecast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What prices implied in one period; `end_period_ts` is its last Unix second, the interval in minutes."""

    event_ticker: str
    end_period_ts: Whole
    period_interval: Whole
    percentile_points: list[Percentile] | None


class ForecastReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET …/forecast_percentile_history."""

    forecast_history: list[Forecast] | None
