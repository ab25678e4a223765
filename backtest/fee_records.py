"""What is on record of fees, series by series and event by event, and which terms follow from it.

An event's override beats its series, field by field. A recorded change (`fee_changes`) holds from its
effective time on, an observed state (`series`, `events`) from the moment we saw it. Before the first of them:
if that is an observation, nothing is recorded to have changed, so it is extended backwards, and whoever does
so says so. If it is a change of a series, what held before it is unknown; so is an override whose end is all
that is on record. Before the first override that is on record, an event has the terms of its series.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from exchange.fees import FeeTerms
from exchange.units import from_us, to_us

ALWAYS: Final = -(2**62)
SERIES_COLUMNS: Final = ("ticker", "observed_ts", "fee_type", "fee_multiplier_ppm")
EVENT_COLUMNS: Final = ("ticker", "observed_ts", "fee_type_override", "fee_multiplier_override_ppm")
_CHANGE_COLUMNS: Final = ("ticker", "effective_ts", "fee_type", "fee_multiplier_ppm")

Points = list[tuple[int, FeeTerms | None]]  # from_us -> terms; None: unknown


@dataclass(frozen=True, slots=True)
class Seen:
    """One record: a change, from when on it holds, or a state, from when on we know of it."""

    at_us: int
    fee_type: str | None
    multiplier_ppm: int | None
    is_change: bool

    @property
    def says_nothing(self) -> bool:
        """Tell whether there are no terms: of an event, that it has those of its series."""
        return self.fee_type is None and self.multiplier_ppm is None

    def reaches_back(self, at_us: int) -> bool:
        """Tell whether this first record is taken to have held at an earlier time."""
        return not self.is_change and not self.says_nothing and at_us < self.at_us


@dataclass(frozen=True, slots=True)
class FeeRecords:
    """Records in order of time, by series and by event; events that never had an override have none."""

    series: Mapping[str, list[Seen]]
    events: Mapping[str, list[Seen]]

    def series_of(self, series_ticker: str | None, event_ticker: str) -> str | None:
        """Return a market's series: its own, else the one that its ticker begins with, if on record."""
        if series_ticker is not None:
            return series_ticker
        prefix = event_ticker.split("-", 1)[0]
        return prefix if prefix in self.series else None

    def points(self, series_ticker: str | None, event_ticker: str | None) -> Points:
        """Return from when on which terms hold: at every moment the event's fields, else the series'."""
        series, event = self._of(series_ticker, event_ticker)
        moments = sorted({ALWAYS, *(each.at_us for each in series), *(each.at_us for each in event)})
        points: Points = []
        for at_us in moments:
            base, over = _at(series, at_us), _at(event, at_us)
            fee_type = (over.fee_type if over else None) or (base.fee_type if base else None)
            ppm = over.multiplier_ppm if over else None
            if ppm is None and base is not None:
                ppm = base.multiplier_ppm
            is_lost = bool(event) and event[0].is_change and event[0].says_nothing and at_us < event[0].at_us
            terms = None if is_lost or fee_type is None or ppm is None else FeeTerms(fee_type, ppm)
            if not points or points[-1][1] != terms:
                points.append((at_us, terms))
        return points

    def first_seen(self, series_ticker: str | None, event_ticker: str | None, at_us: int) -> Seen | None:
        """Return the record that is taken to have held at a time before anybody saw it, if one is."""
        firsts = (each[0] for each in self._of(series_ticker, event_ticker) if each)
        return next((each for each in firsts if each.reaches_back(at_us)), None)

    def taken_as_given(self, series_ticker: str | None, event_ticker: str | None) -> Iterator[str]:
        """Yield what nobody recorded of times before the first record, as sentences."""
        series, event = self._of(series_ticker, event_ticker)
        for what, seen in ((f"series {series_ticker}", series), (f"event {event_ticker}", event)):
            if seen and seen[0].reaches_back(ALWAYS):
                since = day(seen[0].at_us)
                yield f"fees of {what}: as observed on {since}, and before it, as no change is recorded"
        if event and event[0].is_change and not event[0].says_nothing:
            since = day(event[0].at_us)
            yield f"fees of event {event_ticker}: its series' before {since}, its first override on record"

    def _of(self, series_ticker: str | None, event_ticker: str | None) -> tuple[list[Seen], list[Seen]]:
        return self.series.get(series_ticker or "", []), self.events.get(event_ticker or "", [])


def read_records(series: pl.DataFrame, events: pl.DataFrame, changes: pl.DataFrame) -> FeeRecords:
    """Return what rows of the lake's `series`, `events` and `fee_changes` tell."""
    by_event = _seen(events.select(EVENT_COLUMNS), changes, "event")
    return FeeRecords(
        _seen(series.select(SERIES_COLUMNS), changes, "series"),
        {
            event: seen
            for event, seen in by_event.items()
            if any(each.is_change or not each.says_nothing for each in seen)
        },
    )


def series_tickers(markets: pl.DataFrame) -> list[str]:
    """Return the series that fees of these markets may be of: event_ticker, series_ticker (or null)."""
    prefix = pl.col("event_ticker").str.split("-").list.first()
    return markets.select(pl.coalesce("series_ticker", prefix)).to_series().unique().to_list()


def day(at_us: int) -> str:
    """Return the date of a moment, in UTC."""
    return f"{from_us(at_us):%Y-%m-%d}"


def _seen(states: pl.DataFrame, changes: pl.DataFrame, scope: str) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    facts = changes.filter(pl.col("scope") == scope).select(_CHANGE_COLUMNS)
    for rows, is_change in ((states, False), (facts, True)):
        for ticker, at_ts, fee_type, multiplier_ppm in rows.iter_rows():
            seen = Seen(to_us(at_ts), fee_type, multiplier_ppm, is_change)
            found.setdefault(ticker, []).append(seen)
    for each in found.values():
        each.sort(key=lambda seen: (seen.at_us, seen.is_change))
    return found


def _at(seen: list[Seen], at_us: int) -> Seen | None:
    before = [each for each in seen if each.at_us <= at_us]
    if before:
        return before[-1]
    return seen[0] if seen and not seen[0].is_change else None
