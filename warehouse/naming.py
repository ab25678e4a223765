"""From series, events and tickers to the markets they name, or an error that says what comes close."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from exchange.errors import BadInput
from warehouse.errors import UnknownEvent, UnknownSeries, UnknownTicker
from warehouse.storage import TableFiles, collected
from warehouse.tables import EVENTS, MARKETS, SERIES, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake

Names = str | Sequence[str]
Tickers = Names


def tickers_of(
    lake: "Lake",
    table: Table,
    *,
    series: Names | None = None,
    event: Names | None = None,
    ticker: Tickers | None = None,
) -> list[str] | None:
    """Return the markets that all given filters name, sorted; None when no filter is given.

    Of several series, events or tickers, a market is of any. A market is known when the markets table or
    `table` itself has it: recordings come without listings.

    Raises:
        UnknownTicker, UnknownEvent, UnknownSeries: the lake has never heard of it.
        BadInput: a series or event that is neither text nor several of them.
    """
    if series is None and event is None and ticker is None:
        return None
    named: list[set[str]] = []
    if ticker is not None:
        asked = _several("ticker", ticker)
        _check_tickers(lake, table, asked)
        named.append(set(asked))
    if event is not None:
        asked = _several("event", event)
        is_asked = pl.col("event_ticker").is_in(asked)
        found = collected(lake.scan(MARKETS).filter(is_asked).select("ticker", "event_ticker"), lake.uri)
        named.append(set(found["ticker"]))
        for each in sorted(set(asked) - set(found["event_ticker"])):
            _check_event(lake, each)
    if series is not None:
        asked, listed = _several("series", series), listing(lake)
        found = listed.filter(pl.col("series_ticker").is_in(asked))
        named.append(set(found["ticker"]))
        for each in sorted(set(asked) - set(found["series_ticker"])):
            _check_series(lake, each, listed)
    return sorted(set.intersection(*named))


def _several(name: str, given: Names) -> list[str]:
    asked = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if not all(isinstance(each, str) for each in asked):
        raise BadInput(f"{name}={given!r}: give a name, or a list of names")
    return asked


def listing(lake: "Lake") -> pl.DataFrame:
    """Return ticker, event_ticker and series_ticker of every market; an event tells a missing series."""
    events = (
        lake.scan(EVENTS)
        .sort("ticker", "observed_ts")
        .group_by("ticker", maintain_order=True)
        .agg(pl.col("series_ticker").last().alias("event_series"))
        .rename({"ticker": "event_ticker"})
    )
    listed = (
        lake.scan(MARKETS)
        .select("ticker", "event_ticker", "series_ticker")
        .unique()
        .join(events, on="event_ticker", how="left")
        .select("ticker", "event_ticker", pl.coalesce("series_ticker", "event_series").alias("series_ticker"))
        .unique()
        .sort("ticker")
    )
    return collected(listed, lake.uri)


def _check_tickers(lake: "Lake", table: Table, asked: Sequence[str]) -> None:
    strange = _not_in(lake, MARKETS, set(asked))
    if strange:
        strange = _not_in(lake, table, strange)
    if strange:
        known = _tickers_in(lake, MARKETS) | _tickers_in(lake, table)
        raise UnknownTicker(min(strange), sorted(known), where=lake.uri)


def _not_in(lake: "Lake", table: Table, asked: set[str]) -> set[str]:
    """Return which of the tickers a table lacks; what it was found to have is not looked for again."""
    files = lake.files(table)
    if files is None:
        return asked
    known = _found_in(files)
    if asked - known:
        rows = lake.read(table, files, files, every_source=True).select("ticker")
        among = rows.filter(pl.col("ticker").is_in(list(asked - known))).unique()
        known |= set(collected(among, lake.uri)["ticker"])
    return asked - known


@lru_cache(maxsize=8)
def _found_in(files: TableFiles) -> set[str]:  # noqa: ARG001 - a place of their own
    """Return where to keep the tickers that were found in exactly these files."""
    return set()


def _tickers_in(lake: "Lake", table: Table) -> set[str]:
    return set(collected(lake.scan(table).select("ticker").unique(), lake.uri)["ticker"])


def _check_event(lake: "Lake", event: str) -> None:
    of_markets = collected(lake.scan(MARKETS).select("event_ticker").unique(), lake.uri)["event_ticker"]
    known = set(of_markets) | _tickers_in(lake, EVENTS)
    if event not in known:
        raise UnknownEvent(event, sorted(known), where=lake.uri)


def _check_series(lake: "Lake", series: str, listed: pl.DataFrame) -> None:
    of_events = collected(lake.scan(EVENTS).select("series_ticker").unique(), lake.uri)["series_ticker"]
    known = set(listed["series_ticker"].drop_nulls()) | set(of_events) | _tickers_in(lake, SERIES)
    if series not in known:
        raise UnknownSeries(series, sorted(known), where=lake.uri)
