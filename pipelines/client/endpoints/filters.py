"""Which filters of GET /markets go together; wrong combinations, some silently ignored, are refused here.

Source: KALSHI.md §5.4 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pipelines.client.asking import Query, in_order, one_of, query, seconds, seconds_up
from pipelines.client.errors import RequestError

EVENT_STATUSES: Final = frozenset({"unopened", "open", "closed", "settled"})
MARKET_STATUSES: Final = EVENT_STATUSES | {"paused"}

_STATUSES_OF_FAMILY: Final = {
    "created": frozenset({"unopened", "open"}),
    "close": frozenset({"closed"}),
    "settled": frozenset({"settled"}),
}
_BESIDE_UPDATED: Final = frozenset({"series_ticker", "mve_filter"})

Times = Mapping[str, tuple[datetime | None, datetime | None]]


def market_query(
    *,
    series_ticker: str | None,
    event_ticker: str | None,
    tickers: str | None,
    status: str | None,
    mve_filter: str | None,
    times: Times,
) -> Query:
    """Return the query of GET /markets; `times` holds (min, max) of created, close, settled, updated.

    Raises:
        RequestError: the filters exclude each other.
        NaiveTime: a time has no time zone.
    """
    hint = "; the field's words (active, finalized, …) are no filters" if status else ""
    params = query(
        series_ticker=series_ticker,
        event_ticker=event_ticker,
        tickers=tickers,
        status=one_of("status", status, MARKET_STATUSES, hint),
        mve_filter=one_of("mve_filter", mve_filter, {"only", "exclude"}),
    )
    families = [family for family, bounds in times.items() if bounds != (None, None)]
    if len(families) > 1:
        raise RequestError(f"/markets takes one family of times, not {' and '.join(families)} together")
    for family in families:
        _check_family(family, params)
        min_ts, max_ts = times[family]
        min_name, max_name = f"min_{family}_ts", f"max_{family}_ts"
        in_order(min_name, min_ts, max_name, max_ts)
        params |= query(**{min_name: seconds(min_name, min_ts), max_name: seconds_up(max_name, max_ts)})
    return params


def _check_family(family: str, params: Query) -> None:
    if family == "updated":
        others = sorted(set(params) - _BESIDE_UPDATED)
        if others:
            raise RequestError(
                f"min_updated_ts and max_updated_ts do not go with {', '.join(others)}: "
                'only with series_ticker and mve_filter="exclude"'
            )
        if params.get("mve_filter", "exclude") != "exclude":
            raise RequestError('min_updated_ts and max_updated_ts go with mve_filter="exclude" only')
        if "series_ticker" in params and "mve_filter" not in params:
            raise RequestError(
                'series_ticker with min_updated_ts or max_updated_ts needs mve_filter="exclude"'
            )
        return
    status = params.get("status")
    if status is not None and status not in _STATUSES_OF_FAMILY[family]:
        allowed = " or ".join(sorted(_STATUSES_OF_FAMILY[family]))
        raise RequestError(f"{family} times go with status {allowed} or none, not {status}")
