"""Which rows an export has: facts about markets, by series, event, market and time, at given versions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from exchange.units import format_ts
from warehouse.asking import bounds
from warehouse.errors import UnknownTable, UnknownTicker
from warehouse.naming import listing, tickers_of
from warehouse.storage import collected
from warehouse.tables import (
    BOOK_DELTAS,
    BOOK_GAPS,
    BOOK_SNAPSHOTS,
    CANDLES,
    EVENTS,
    FEE_CHANGES,
    MARKETS,
    QUOTES,
    SERIES,
    TRADES,
    Table,
)

if TYPE_CHECKING:
    from warehouse.lake import Lake

# Records of our own work (windows, quarantine, drift, checks) are no market data, and stay in the lake.
EXPORTED: Final[Mapping[str, Table]] = {
    each.name: each
    for each in (
        SERIES,
        EVENTS,
        MARKETS,
        TRADES,
        CANDLES,
        QUOTES,
        BOOK_SNAPSHOTS,
        BOOK_DELTAS,
        BOOK_GAPS,
        FEE_CHANGES,
    )
}
_ROWS_AT_ONCE: Final = 2_000_000  # about 0.5 GB of trades in memory, while they are sorted
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an export is asked for; None asks for all. Times are half-open, `[start_ts, end_ts)`.

    Times choose rows of the tables that lie by day. Of series, events, markets and fees all states go along,
    whenever they were observed.
    """

    series: str | None = None
    event: str | None = None
    ticker: str | None = None
    start_ts: datetime | None = None
    end_ts: datetime | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return plain values, times as RFC 3339 text."""
        times = {"start_ts": self.start_ts, "end_ts": self.end_ts}
        told = {name: None if at is None else format_ts(at) for name, at in times.items()}
        return {"series": self.series, "event": self.event, "ticker": self.ticker, **told}


def tables_named(names: Sequence[str] | None) -> list[Table]:
    """Return the tables of these names, without repetitions; all that can be exported by default.

    Raises:
        UnknownTable: there is none of that name, or its rows stay in the lake.
    """
    if not names:
        return list(EXPORTED.values())
    for name in names:
        if name not in EXPORTED:
            raise UnknownTable(name, EXPORTED, where="what can be exported")
    return [EXPORTED[name] for name in dict.fromkeys(names)]


class Selection:
    """The asked rows of a pinned lake, day by day.

    Raises:
        ReversedInterval, NaiveTime: the asked time is none.
        UnknownTicker, UnknownEvent, UnknownSeries: the lake has never heard of it.
    """

    def __init__(self, lake: "Lake", asked: Asked, tables: Sequence[Table]) -> None:
        self._lake = lake
        self._start_ts, self._end_ts = bounds(asked.start_ts, asked.end_ts)
        self._asked = asked
        self._tickers = _tickers(lake, asked, tables)

    def days(self, table: Table) -> list[date | None]:
        """Return the dates of a table's files in the asked time, ascending; [None] for one in one piece."""
        found = self._lake.files(table)
        if found is None:
            return []
        if table.partition_by is None:
            return [None]
        first = None if self._start_ts is None else self._start_ts.date()
        last = None if self._end_ts is None else (self._end_ts - _INSTANT).date()
        days: list[date | None] = found.between(first, last).files["date"].unique().sort().to_list()
        return days

    def parts(self, table: Table, day: date | None) -> Iterator[pl.DataFrame]:
        """Yield the rows of one day in the table's order, in pieces that fit into memory; none if none."""
        found = self._lake.files(table)
        if found is None:
            return
        rows = self._lake.scan(table, dates=(day, day)).filter(self._filters(table))
        n_rows = int(found.between(day, day).files["n_rows"].sum())
        if n_rows <= _ROWS_AT_ONCE or table.sort[0] != "ticker":
            whole = collected(rows.sort(table.sort), self._lake.uri)
            yield from [whole] if whole.height else []
            return
        counts = collected(rows.group_by("ticker").len().sort("ticker"), self._lake.uri)
        number = (pl.col("len").cum_sum() - pl.col("len")) // _ROWS_AT_ONCE
        for names in counts.with_columns(number=number).partition_by("number", maintain_order=True):
            inside = pl.col("ticker").is_between(pl.lit(names["ticker"][0]), pl.lit(names["ticker"][-1]))
            yield collected(rows.filter(inside).sort(table.sort), self._lake.uri)

    def _filters(self, table: Table) -> pl.Expr:
        chosen = pl.lit(value=True) if self._tickers is None else self._of_markets(table, self._tickers)
        if table.partition_by is not None:
            at = pl.col(table.partition_by)
            if self._start_ts is not None:
                chosen &= at >= self._start_ts
            if self._end_ts is not None:
                chosen &= at < self._end_ts
        return chosen

    def _of_markets(self, table: Table, tickers: Sequence[str]) -> pl.Expr:
        of_series = pl.col("ticker").is_in(self._families["series"])
        of_event = pl.col("ticker").is_in(self._families["event"])
        if table is SERIES:
            return of_series
        if table is EVENTS:
            return of_event
        if table is FEE_CHANGES:
            return pl.when(pl.col("scope") == "series").then(of_series).otherwise(of_event)
        if table is BOOK_GAPS:
            return pl.col("tickers").list.eval(pl.element().is_in(list(tickers))).list.any()
        return pl.col("ticker").is_in(list(tickers))

    @cached_property
    def _families(self) -> dict[str, list[str]]:
        """The events and series of the asked markets, and those that were asked for by name."""
        listed = listing(self._lake).filter(pl.col("ticker").is_in(self._tickers or []))
        found: dict[str, list[str]] = {}
        for kind, named in (("event", self._asked.event), ("series", self._asked.series)):
            told = listed[f"{kind}_ticker"].drop_nulls().to_list()
            found[kind] = sorted({*told, *([named] if named else [])})
        return found


def _tickers(lake: "Lake", asked: Asked, tables: Sequence[Table]) -> list[str] | None:
    """Return the asked markets; one that no listing has may still have rows in one of the tables."""
    named = tickers_of(lake, MARKETS, series=asked.series, event=asked.event)
    if asked.ticker is None:
        return named
    strange: UnknownTicker | None = None
    for table in (MARKETS, *(each for each in tables if each.sort[0] == "ticker" and each.partition_by)):
        try:
            found = tickers_of(lake, table, ticker=asked.ticker)
        except UnknownTicker as error:
            strange = strange or error
        else:
            return found if named is None or found is None else sorted({*named} & {*found})
    assert strange is not None
    raise strange
