"""Fee terms of single markets at single moments, read from a lake as a backtest reads them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from backtest.fee_records import EVENT_COLUMNS, SERIES_COLUMNS, day, read_records
from exchange.fees import QUADRATIC, FeeTerms
from exchange.units import to_us
from warehouse import Lake
from warehouse.errors import NoLake
from warehouse.tables import EVENTS, FEE_CHANGES, MARKETS, SERIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def terms_in(uri: str) -> Callable[[str, datetime], tuple[FeeTerms, str] | None]:
    """Return a function from (market ticker, moment) to its terms and where they stand; None if unrecorded.

    Terms are those of a backtest (`backtest.fee_records`), and nothing is due during a waiver. A market is of
    the event, series and waiver that it was last seen with; one that the lake lacks, of those it is named by.

    Raises:
        NoLake: nothing was ever committed at `uri`.
    """
    lake = Lake(uri)
    if not lake.exists():
        raise NoLake(f"{lake.uri}: there is no lake; leave --lake out, or run `tapehouse sync fees` first")
    events = lake.scan(EVENTS).select(*EVENT_COLUMNS, "series_ticker").collect()
    series, changes = (lake.scan(table).collect() for table in (SERIES, FEE_CHANGES))
    records = read_records(series.select(SERIES_COLUMNS), events, changes)
    homes = _homes(lake, events)
    points = cache(records.points)

    def terms_at(ticker: str, at_ts: datetime) -> tuple[FeeTerms, str] | None:
        event, own, waived_ts = homes.get(ticker, (ticker.rsplit("-", 1)[0], None, None))
        name, at_us = records.series_of(own, event), to_us(at_ts)
        terms = [terms for from_us, terms in points(name, event) if from_us <= at_us][-1]
        if waived_ts is not None and at_ts < waived_ts:
            free = FeeTerms(QUADRATIC if terms is None else terms.fee_type, 0)
            return free, f"waived until {day(to_us(waived_ts))}, as the lake's markets say"
        if terms is None:
            return None
        first = records.first_seen(name, event, at_us)
        said = f" as first observed on {day(first.at_us)}, after the fill" if first else ""
        return terms, f"from the lake's fee tables{said}"

    return terms_at


def _homes(lake: Lake, events: pl.DataFrame) -> dict[str, tuple[str, str | None, datetime | None]]:
    """Return each market's event, series and end of its waiver."""
    of_events = events.lazy().select(event_ticker="ticker", observed_ts="observed_ts", home="series_ticker")
    columns = ("ticker", "event_ticker", "series_ticker", "fee_waiver_expiration_ts")
    found = (
        _last(lake.scan(MARKETS).select("observed_ts", *columns), "ticker")
        .join(_last(of_events, "event_ticker"), on="event_ticker", how="left")
        .select(*columns[:2], pl.coalesce("series_ticker", "home"), columns[3])
        .collect()
    )
    return {ticker: (event, series, waived) for ticker, event, series, waived in found.iter_rows()}


def _last(rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
    return rows.group_by(name).agg(pl.exclude("observed_ts").sort_by("observed_ts").last())
