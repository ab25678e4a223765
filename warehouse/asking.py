"""What people may write for a moment and an interval."""

from datetime import UTC, datetime

from exchange.units import moment_of
from warehouse.errors import NaiveTime, ReversedInterval

Moment = datetime | str


def moment(at: Moment) -> datetime:
    """Return a moment in UTC; a date is its UTC midnight, text a date or a time with a zone.

    Raises:
        NaiveTime: a datetime without a zone.
        UnitError: text that is no moment, or something else.
    """
    if isinstance(at, datetime) and at.tzinfo is None:
        raise NaiveTime(f"{at.isoformat()} has no time zone: add tzinfo=UTC, or write it with a Z")
    return moment_of(at).astimezone(UTC)


def interval(start: Moment, end: Moment) -> tuple[datetime, datetime]:
    """Return a half-open interval in UTC.

    Raises:
        ReversedInterval: it ends where or before it starts.
    """
    start_ts, end_ts = moment(start), moment(end)
    if start_ts >= end_ts:
        raise ReversedInterval(
            f"[{start_ts.isoformat()}, {end_ts.isoformat()}) is empty: the end must come after the start"
        )
    return start_ts, end_ts


def bounds(start: Moment | None, end: Moment | None) -> tuple[datetime | None, datetime | None]:
    """Return an interval that may be open on either side.

    Raises:
        ReversedInterval: both are given and the end does not come after the start.
    """
    if start is not None and end is not None:
        return interval(start, end)
    return (None if start is None else moment(start)), (None if end is None else moment(end))
