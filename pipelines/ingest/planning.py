"""What a sync of a tape has to ask for: what the lake lacks, and what it read too soon to have it all.

A trade may appear some time after it printed. So before every hole the covered windows of the `trailing` time
are read once more, unless they were asked for that long after their end: every trade that appears within
`trailing` of its time is found, however long a sync was away. The same window is asked, so that its newest
entry in the ledger tells what the lake holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.windows import plan_windows
from warehouse import storage
from warehouse.asking import Moment, moment
from warehouse.intervals import Interval, uncovered
from warehouse.lake import Lake
from warehouse.ledger import COMPLETE, Window
from warehouse.tables import WINDOWS

# No report says how late a trade of Kalshi's appears; a trailing re-read is advice [KALSHI.md §12.32].
TRAILING: Final = timedelta(hours=2)
OLDEST: Final = "oldest"
NEWEST: Final = "newest"
ORDERS: Final = (OLDEST, NEWEST)


class Planned(NamedTuple):
    """A window, and whether it is asked for although the lake covers it."""

    window: Window
    is_again: bool


def plan_tape(
    lake: Lake,
    resource: str,
    scope: str,
    start: Moment,
    end: Moment,
    *,
    every: timedelta | None = None,
    reread: bool = False,
    trailing: timedelta = timedelta(),
    order: str = OLDEST,
) -> list[Planned]:
    """Return the windows of `[start, end)` in the order of work: first those read too soon, then the missing.

    Args:
        lake: whose ledger says what is covered.
        resource: trades or candles_<seconds>.
        scope: see `Window`.
        start: the first moment.
        end: the moment after the last.
        every: length of a window; see `plan_windows`.
        reread: all of `[start, end)`, covered or not.
        trailing: how late a row may appear; nothing covered is asked for again when it is zero.
        order: oldest or newest of the missing first.

    Raises:
        ReversedInterval, NaiveTime: the interval is none.
        BadRequest: `every`, `trailing` or `order` is none.
    """
    check_manner(order, trailing)
    windows = plan_windows(lake, resource, scope, start, end, every=every, reread=reread)
    again = [] if reread or not trailing else _read_too_soon(lake, windows, moment(start), trailing)
    ordered = windows if order == OLDEST else windows[::-1]
    return [
        *(Planned(window, is_again=True) for window in again),
        *(Planned(window, is_again=reread) for window in ordered),
    ]


def check_manner(order: str, trailing: timedelta) -> None:
    """Refuse an order or a trailing time that is none.

    Raises:
        BadRequest: it is none.
    """
    if order not in ORDERS:
        raise BadRequest(f"{order!r} is no order: write oldest or newest")
    if trailing < timedelta():
        raise BadRequest("--trailing must not be negative: give 0s to read nothing again")


def still_missing(lake: Lake, planned: Planned) -> list[Window]:
    """Return what is left of a planned window now, as somebody else may have pulled it since."""
    if planned.is_again:
        return [planned.window]
    window = planned.window
    holes = lake.missing(window.resource, window.scope, window.start_ts, window.end_ts)
    return [Window(window.resource, window.scope, *hole) for hole in holes]


def last_asked_ts(lake: Lake, resource: str, scopes: Sequence[str]) -> datetime | None:
    """Return when one of the scopes was last asked for completely, by the exchange's clock; None if never."""
    complete = lake.scan(WINDOWS).filter(
        pl.col("resource") == resource, pl.col("scope").is_in(scopes), pl.col("status") == COMPLETE
    )
    last_ts: datetime | None = storage.collected(complete.select(pl.max("asked_ts")), lake.uri).item()
    return None if last_ts is None else last_ts.astimezone(UTC)


def _read_too_soon(
    lake: Lake, missing: Sequence[Window], start_ts: datetime, trailing: timedelta
) -> list[Window]:
    """Return the covered windows before each hole that were asked for within `trailing` of their end."""
    if not missing:
        return []
    zones = [
        (max(start_ts, begin_ts - trailing), begin_ts)
        for begin_ts in _hole_starts((window.start_ts, window.end_ts) for window in missing)
    ]
    resource, scope = missing[0].resource, missing[0].scope
    entries = lake.scan(WINDOWS).filter(
        pl.col("resource") == resource,
        pl.col("scope") == scope,
        pl.col("status") == COMPLETE,
        pl.col("end_ts") > zones[0][0],
    )
    newest = entries.group_by("start_ts", "end_ts").agg(pl.max("asked_ts")).sort("start_ts", "end_ts")
    spans = [
        (first_ts.astimezone(UTC), last_ts.astimezone(UTC), asked_ts.astimezone(UTC))
        for first_ts, last_ts, asked_ts in storage.collected(newest, lake.uri).iter_rows()
    ]
    chosen: set[Interval] = set()
    for zone in zones:
        chosen.update(_fewest_over(zone, spans, trailing))
    return [Window(resource, scope, *span) for span in sorted(chosen)]


def _fewest_over(
    zone: Interval, spans: Sequence[tuple[datetime, datetime, datetime]], trailing: timedelta
) -> Iterator[Interval]:
    """Yield windows over a zone that were read too soon, the shortest first, until nothing more is gained."""
    taken: list[Interval] = []
    for first_ts, last_ts, asked_ts in sorted(spans, key=lambda span: span[1] - span[0]):
        start_ts, end_ts = max(zone[0], first_ts), min(zone[1], last_ts)
        if start_ts < end_ts and uncovered(start_ts, end_ts, taken):
            taken.append((first_ts, last_ts))
            if asked_ts < last_ts + trailing:
                yield first_ts, last_ts


def _hole_starts(pieces: Iterable[Interval]) -> list[datetime]:
    """Return where holes begin, of windows that are ascending and may be adjacent."""
    starts: list[datetime] = []
    last_end_ts: datetime | None = None
    for start_ts, end_ts in pieces:
        if start_ts != last_end_ts:
            starts.append(start_ts)
        last_end_ts = end_ts
    return starts
