"""What the ledger says that windows brought, held against the rows that lie in their spans: `facts.held`.

A window tells how many different rows came and one digest of them. Later rows may lie in its span too, which
appeared late; so where there are more, those that were fetched first must be what came. Only what the
exchange told counts: every rank of sources keeps its own rows.

Rows are read and digested once for all windows, some days at a time, and not again while the files of a
window's days are those of an earlier run that found nothing wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from typing import Any, Final

import polars as pl

from exchange.fees import COMBO_PREFIX
from warehouse.checks.digested import DIGEST, Digested
from warehouse.checks.kept import Earlier, changed_dates, rows_then
from warehouse.checks.turns import Turn, turns
from warehouse.digests import FORMAT, summed_up
from warehouse.lake import Lake
from warehouse.ledger import COMPLETE
from warehouse.progress import Progress
from warehouse.storage import collected
from warehouse.tables import CANDLES, EVENTS, MARKETS, TRADES, WINDOWS, Table

SCHEMA: Final[dict[str, pl.DataType]] = {
    "class": pl.String(),
    "resource": pl.String(),
    "scope": pl.String(),
    "start_ts": pl.Datetime("us", "UTC"),
    "end_ts": pl.Datetime("us", "UTC"),
    "n_rows": pl.Int64(),
    "digest": pl.String(),
    "n_found": pl.Int64(),
    "found_digest": pl.String(),
}
# Until a row that was fetched after an empty answer is no part of the same pull.
_SAME_PULL: Final = timedelta(minutes=15)
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class _Open:
    """A window, and what was found of it on the days so far."""

    row: dict[str, Any]
    found: list[pl.DataFrame] = field(default_factory=list)

    @property
    def dates(self) -> tuple[date, date]:
        start_ts, end_ts = self.row["start_ts"].astimezone(UTC), self.row["end_ts"].astimezone(UTC)
        return start_ts.date(), (end_ts - _INSTANT).date()


def held_windows(lake: Lake, digested: Digested, earlier: Earlier | None, progress: Progress) -> pl.DataFrame:
    """Return one row for every complete window of trades and candles, see SCHEMA."""
    sound = None if earlier is None or earlier.n_flagged else earlier
    windows = collected(lake.scan(WINDOWS).filter(pl.col("status") == COMPLETE), lake.uri)
    then = rows_then(lake, WINDOWS, sound).select(*WINDOWS.key, was_there=pl.lit(value=True))
    rows = windows.join(then, on=WINDOWS.key, how="left", nulls_equal=True).sort("start_ts", "end_ts")
    found = [
        row
        for table, is_its in ((TRADES, pl.col("resource") == "trades"), (CANDLES, _IS_CANDLES))
        for row in _held(
            lake, table, rows.filter(is_its).to_dicts(), digested, changed_dates(lake, table, sound), progress
        )
    ]
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


_IS_CANDLES: Final = pl.col("resource").str.starts_with("candles_")


def _held(
    lake: Lake,
    table: Table,
    windows: Sequence[dict[str, Any]],
    digested: Digested,
    changed: set[date] | None,
    progress: Progress,
) -> Iterator[dict[str, Any]]:
    """Yield a verdict on every window; `changed` are the dates to look at again, None is all."""
    waiting: list[_Open] = []
    for row in windows:
        window = _Open(row)
        first, last = window.dates
        if row["was_there"] and changed is not None and not any(first <= day <= last for day in changed):
            yield _judged(row, "unchanged", row["n_rows"], row["digest"])
        else:
            waiting.append(window)
    pieces = turns(lake.files(table))
    for done, turn in enumerate(pieces):
        active = [each for each in waiting if each.dates[0] <= turn.last and each.dates[1] >= turn.first]
        if not active:
            continue
        progress(f"windows of {table.name}", done, len(pieces))
        rows = _rows(lake, table, turn, digested)
        for window in active:
            window.found.append(_inside(rows, window.row))
            if window.dates[1] <= turn.last:
                yield _verdict(window)
        waiting = [each for each in waiting if each.dates[1] > turn.last]
    yield from map(_verdict, waiting)


def _rows(lake: Lake, table: Table, turn: Turn, digested: Digested) -> pl.DataFrame:
    """Return who told what on the days of a turn: time, names, fetched_ts, is_exchange, digest; by time."""
    is_foreign = pl.any_horizontal(
        pl.col("source").str.starts_with(each) for each in (*TRADES.ranks, "import:")
    )
    assert table.partition_by is not None
    kept = [each for each in ("ticker", "period_s", "fetched_ts") if each in table.columns]
    rows = digested.rows(table, turn, [table.partition_by, "source", *kept])
    named = rows.select(DIGEST, *kept, at_ts=table.partition_by, is_exchange=~is_foreign)
    return named.join(_families(lake), on="ticker", how="left").sort("at_ts")


def _families(lake: Lake) -> pl.DataFrame:
    """Return event and series of every market, as far as the lake knows them."""
    events = lake.scan(EVENTS).sort("observed_ts").group_by("ticker", maintain_order=True).last()
    markets = lake.scan(MARKETS).sort("observed_ts").group_by("ticker", maintain_order=True).last()
    told = events.select(event="ticker", told_series="series_ticker")
    named = markets.select("ticker", "series_ticker", event="event_ticker").join(told, on="event", how="left")
    return collected(
        named.select("ticker", "event", series=pl.coalesce("series_ticker", "told_series")), lake.uri
    )


def _inside(rows: pl.DataFrame, window: dict[str, Any]) -> pl.DataFrame:
    """Return fetched_ts, is_exchange and digest of the rows that lie in a window."""
    first = rows["at_ts"].search_sorted(window["start_ts"], side="left")
    end = rows["at_ts"].search_sorted(window["end_ts"], side="left")
    found = rows.slice(first, end - first)
    kind, _, name = window["scope"].partition(":")
    if name:
        found = found.filter(pl.col(kind) == name)
    elif kind == "all":  # the exchange without combos
        found = found.filter(~pl.col("ticker").str.starts_with(COMBO_PREFIX))
    if "period_s" in found.columns:
        found = found.filter(pl.col("period_s") == int(window["resource"].removeprefix("candles_")))
    return found.select("fetched_ts", "is_exchange", "digest") if found.height else _NONE


_NONE: Final = pl.DataFrame(
    schema={"fetched_ts": pl.Datetime("us", "UTC"), "is_exchange": pl.Boolean, "digest": pl.UInt64}
)


def _verdict(window: _Open) -> dict[str, Any]:
    row, found = window.row, pl.concat([_NONE, *window.found])
    told = found.filter("is_exchange").unique("digest").sort("fetched_ts", nulls_last=False)
    n_rows, has_others = row["n_rows"], not found["is_exchange"].all()
    first, later = told.head(n_rows), told.slice(n_rows)
    n_first, digest = summed_up(first["digest"])
    if n_first < n_rows:
        name = "untestable" if has_others and found["digest"].n_unique() >= n_rows else "flagged"
        return _judged(row, name, told.height, digest)
    if n_rows and not row["digest"].startswith(FORMAT):
        return _judged(row, "untestable", told.height, None)
    if n_rows and digest != row["digest"]:
        return _judged(row, "untestable" if has_others else "flagged", told.height, digest)
    if later.is_empty():
        return _judged(row, "ok", told.height, digest)
    is_later = bool(n_rows) or later["fetched_ts"].min() > row["asked_ts"] + _SAME_PULL
    return _judged(row, "late" if is_later else "flagged", told.height, digest)


def _judged(row: dict[str, Any], name: str, n_found: int, digest: str | None) -> dict[str, Any]:
    told = {each: row[each] for each in ("resource", "scope", "start_ts", "end_ts", "n_rows", "digest")}
    return {"class": name, **told, "n_found": n_found, "found_digest": digest}
