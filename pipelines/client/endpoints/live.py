"""Scores, charts, weather, and the forecasts that prices imply."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pipelines.client.asking import (
    PERIODS_MIN,
    candle_bounds,
    in_order,
    milliseconds,
    milliseconds_down,
    query,
    repeated,
    segment,
    words,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.wire import (
    EventLiveData,
    EventLiveDataReply,
    Forecast,
    ForecastReply,
    GameStatsReply,
    LiveData,
    LiveDataBatch,
    LiveDataReply,
    PlayByPlay,
    WeatherCalibration,
    WeatherCalibrations,
    WeatherIndex,
)

_MAX_MILESTONES: Final = 100
_MAX_PERCENTILES: Final = 10
_MAX_PERCENTILE: Final = 9_999
_FORECAST_PERIODS_MIN: Final = {5: 0, **PERIODS_MIN}


class LiveEndpoints(Group):
    """What happens right now, and what prices say about it."""

    async def live_data(self, milestone_id: str, *, include_player_stats: bool | None = None) -> LiveData:
        """Return the state of one milestone, such as a score; `type` says what `details` holds.

        `GET /live_data/milestone/{milestone_id}`, public.

        Args:
            milestone_id: see `milestones`.
            include_player_stats: also by player, where the exchange knows the players (some sports only).

        Raises:
            NotFound: no such milestone, or none with live data.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0); official SDK 3.34.0 (2026-10).
        """
        path = f"/live_data/milestone/{segment(milestone_id, 'milestone id')}"
        params = query(include_player_stats=include_player_stats)
        return (await self._session.get(path, LiveDataReply, params=params)).live_data

    async def live_data_batch(
        self, milestone_ids: Sequence[str], *, include_player_stats: bool | None = None
    ) -> list[LiveData]:
        """Return the states of up to 100 milestones, in the exchange's order; one without data is missing.

        `GET /live_data/batch?milestone_ids=A&milestone_ids=B`, public, not paginated.

        Raises:
            RequestError: none or more than 100 milestones; nothing was sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0); the limit from an SDK made of OpenAPI 3.34 (2026-10).
        """
        params = query(
            milestone_ids=repeated("milestone_ids", milestone_ids, at_most=_MAX_MILESTONES),
            include_player_stats=include_player_stats,
        )
        return (await self._session.get("/live_data/batch", LiveDataBatch, params=params)).live_datas or []

    async def event_live_data(self, ticker: str, *, chart_range: str | None = None) -> EventLiveData:
        """Return an event's chart: prices of a coin or a commodity, or weather.

        `GET /live_data/events/{event_ticker}`, public.

        Args:
            ticker: the event.
            chart_range: sent as `range`, such as 15min, 1h or 1d (see `range_options` of the answer); a hint
                that some types ignore.

        Raises:
            NotFound: no such event, or none with live data.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0; since 2026-07-30); official SDK 3.34.0 (2026-10).
        """
        path = f"/live_data/events/{segment(ticker)}"
        params = query(range=words("chart_range", chart_range))
        return (await self._session.get(path, EventLiveDataReply, params=params)).live_data

    async def game_stats(self, milestone_id: str) -> PlayByPlay | None:
        """Return a game play by play; None where the exchange has none for this kind of milestone.

        `GET /live_data/milestone/{milestone_id}/game_stats`, public.

        Raises:
            NotFound: no such milestone.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (OpenAPI 3.28.0).
        """
        path = f"/live_data/milestone/{segment(milestone_id, 'milestone id')}/game_stats"
        return (await self._session.get(path, GameStatsReply)).pbp

    async def weather_index(
        self,
        city: str,
        *,
        start_ts: datetime | None = None,
        end_ts: datetime | None = None,
        last_s: int | None = None,
        detailed: bool | None = None,
    ) -> WeatherIndex:
        """Return a city's temperature by the minute, by time; minutes without quorum are missing.

        `GET /live_data/weather/{city}`, public, not paginated. Without any time: the last 24 hours.

        Args:
            city: such as miami.
            start_ts: first minute, included; needs `end_ts`. Sent as `from` in Unix milliseconds, rounded up.
            end_ts: last minute, included; alone it means the 24 hours before. Sent as `to` in Unix
                milliseconds, rounded down.
            last_s: the last so many seconds instead; sent as `last_sec`.
            detailed: fill `stations`, and add minutes whose value is not settled yet (status incomplete).

        Raises:
            RequestError, NaiveTime: times that exclude each other, before anything is sent.
            NotFound: no index for this city.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (changelog 2026-08-20, 2026-09-10); official SDK 3.34.0 (2026-10).
        """
        if last_s is not None and (start_ts is not None or end_ts is not None):
            raise RequestError("last_s goes without start_ts and end_ts: give one or the other")
        if last_s is not None and last_s < 1:
            raise RequestError(f"last_s is {last_s}: give 1 second or more")
        if start_ts is not None and end_ts is None:
            raise RequestError("start_ts needs end_ts beside it (or use last_s)")
        in_order("start_ts", start_ts, "end_ts", end_ts)
        params = query(
            **{"from": milliseconds("start_ts", start_ts)},
            to=milliseconds_down("end_ts", end_ts),
            last_sec=last_s,
            detailed=detailed,
        )
        return await self._session.get(
            f"/live_data/weather/{segment(city, 'city')}", WeatherIndex, params=params
        )

    async def weather_calibrations(self, city: str) -> list[WeatherCalibration]:
        """Return how a city's index is computed, from the first version on, by time of effect.

        `GET /live_data/weather/{city}/calibrations`, public, not paginated; complete, never trimmed. Offsets
        are degrees Celsius although the index is Fahrenheit.

        Raises:
            NotFound: no index for this city.
            RequestError, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.8 (changelog 2026-08-31); official SDK 3.34.0 (2026-10).
        """
        path = f"/live_data/weather/{segment(city, 'city')}/calibrations"
        return (await self._session.get(path, WeatherCalibrations)).calibrations or []

    async def forecast_percentile_history(
        self,
        series_ticker: str,
        event_ticker: str,
        *,
        percentiles: Sequence[int],
        start_ts: datetime,
        end_ts: datetime,
        period_s: int,
    ) -> list[Forecast]:
        """Return the number that prices implied over time, at some percentiles, in the exchange's order.

        `GET /series/{series}/events/{event}/forecast_percentile_history?percentiles=2500&percentiles=5000`,
        signed, not paginated; how much one answer holds is not documented.

        Args:
            series_ticker: the event's series.
            event_ticker: the event.
            percentiles: 1 to 10 of them, in 1/10,000: 5000 is the median, 9999 the most.
            start_ts: first period; sent in whole seconds, rounded up. Whether the bounds are included is not
                documented.
            end_ts: last period; sent in whole seconds, rounded down.
            period_s: 5, 60, 3600 or 86400.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            SettingsError: no key is set; nothing was sent.
            NotFound, Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §1, §5.8 (OpenAPI 3.28.0).
        """
        path = f"/series/{segment(series_ticker)}/events/{segment(event_ticker)}/forecast_percentile_history"
        if not 1 <= len(percentiles) <= _MAX_PERCENTILES:
            raise RequestError(f"{len(percentiles)} percentiles: give 1 to {_MAX_PERCENTILES} a call")
        for one in percentiles:
            if not 0 <= one <= _MAX_PERCENTILE:
                raise RequestError(f"percentile {one}: give 0 to {_MAX_PERCENTILE} (5000 is the median)")
        if period_s not in _FORECAST_PERIODS_MIN:
            raise RequestError(f"period_s is {period_s}: forecasts come by 5, 60, 3600 or 86400 seconds")
        start_s, end_s = candle_bounds(start_ts, end_ts)
        self._needs_key(path)
        params = query(
            percentiles=[str(one) for one in percentiles],
            start_ts=start_s,
            end_ts=end_s,
            period_interval=_FORECAST_PERIODS_MIN[period_s],
        )
        return (await self._session.get(path, ForecastReply, params=params)).forecast_history or []
