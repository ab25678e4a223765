"""The lake: tables on disk, written idempotently, read at exact versions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from exchange.books import OrderBook
from warehouse import books, catalog, ledger, panels, storage
from warehouse.asking import Moment, interval, moment
from warehouse.books import BookEvents
from warehouse.casting import conform
from warehouse.choosing import spoken
from warehouse.compacting import Compacted, compact
from warehouse.errors import LakeUnwritable
from warehouse.history import history, versions_at
from warehouse.intervals import Interval
from warehouse.known import KnownLake
from warehouse.ledger import COMPLETE, Window
from warehouse.naming import Names, Tickers
from warehouse.place import Place, check_format, write_format
from warehouse.place import place as located
from warehouse.progress import Progress, silent
from warehouse.quarantine import Rejected, rejected_rows, split
from warehouse.rebuilding import showing
from warehouse.rebuilding.showing import Gaps
from warehouse.tables import QUARANTINE, TABLES, WINDOWS, Table
from warehouse.tops import tops
from warehouse.vacuuming import KEEP_DAYS, Vacuumed, vacuum
from warehouse.writing import append_new


@dataclass(frozen=True, slots=True)
class Commit:
    """What one commit did: `version` is the table's afterwards (None while the table does not exist)."""

    table: str
    version: int | None
    n_new: int
    n_known: int
    n_quarantined: int


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Lake:
    """A folder (or s3:// address) of Delta tables; nothing is created before the first commit.

    Args:
        uri: where it lies; None means TAPEHOUSE_LAKE, else ./lake.
        now: the clock that stamps windows and quarantined rows.

    Raises:
        LakeTooNew: a later Tapehouse wrote it.
    """

    def __init__(self, uri: str | Path | None = None, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._place = located(uri)
        self._now = now
        self._is_made = check_format(self._place) is not None
        self._pins: Mapping[str, int] | None = None

    def __repr__(self) -> str:
        return f"Lake({self.uri!r})"

    @property
    def uri(self) -> str:
        """Absolute folder or s3:// address."""
        return self._place.uri

    @property
    def place(self) -> Place:
        """Address and access options, for those who read files themselves."""
        return self._place

    @property
    def path(self) -> Path:
        """The folder; an error for a lake in a bucket."""
        return self._place.path

    def exists(self) -> bool:
        """Whether anything was ever committed here."""
        return check_format(self._place) is not None

    def pinned(self, versions: Mapping[str, int] | None = None) -> "Lake":
        """Return this lake as it was at these versions (default: now), for reading only.

        Tables that `versions` does not name have no rows. Pin before reading several tables that must agree.
        """
        lake = Lake(self.uri, now=self._now)
        lake._pins = dict(self.versions() if versions is None else versions)
        return lake

    def at(self, moment: Moment) -> "Lake":
        """Return this lake as it stood at a moment, for reading only; see `warehouse.history.versions_at`.

        That is what was in the lake. What could be known says `known_by`, of markets `markets(asof=...)`.
        """
        return self.pinned(versions_at(self, moment))

    def known_by(self, at: Moment) -> KnownLake:
        """Return the readers of this lake with what could be known at a moment; see `warehouse.known`."""
        return KnownLake(self.pinned(), moment(at))

    def history(self, *tables: Table) -> pl.DataFrame:
        """Return the versions of tables, the newest first; see `warehouse.history.history`."""
        return history(self, *tables)

    def commit(self, table: Table, rows: pl.DataFrame, *, location: str = "") -> Commit:
        """Store the rows that are good and new; put bad ones into quarantine; the rest was known.

        Rows lack no declared column but nullable ones; `_location` may say where each row came from
        (else `location` does). One Delta commit, or none when nothing is new.

        Raises:
            RowsRefused: columns or dtypes do not fit the table.
            LakeUnwritable, LakeBusy, CorruptFile: nothing was stored.
        """
        good, rejected = split(table, conform(table, rows), location=location)
        if rejected:
            self.quarantine(table.name, rejected)
        version, n_new = self._append(table, good)
        return Commit(table.name, version, n_new, good.height - n_new, len(rejected))

    def quarantine(self, table_name: str, rejected: Sequence[Rejected]) -> Commit:
        """Keep payloads that could not even become rows of `table_name`."""
        rows = rejected_rows(table_name, rejected, seen_ts=self._now())
        version, n_new = self._append(QUARANTINE, rows)
        return Commit(QUARANTINE.name, version, n_new, rows.height - n_new, 0)

    def scan(
        self,
        table: Table,
        *,
        version: int | None = None,
        dates: tuple[date | None, date | None] = (None, None),
        every_source: bool = False,
    ) -> pl.LazyFrame:
        """Read a table lazily with its declared columns; no rows when it does not exist yet.

        `dates` (both included) limits the files that are looked at, not the rows. One source speaks for each
        day of a market (warehouse.choosing), unless `every_source` is asked for.

        Raises:
            NoSuchVersion: the pinned version is gone.
            CorruptFile: a file is damaged, before anything is read.
        """
        found = self.files(table, version=version)
        if found is None:
            return table.empty().lazy()
        return self.read(table, found.between(*dates), found, every_source=every_source)

    def read(
        self,
        table: Table,
        files: storage.TableFiles,
        listed: storage.TableFiles,
        *,
        every_source: bool = False,
    ) -> pl.LazyFrame:
        """Read exactly these of all `listed` files of a version lazily, oldest first; errors as in `scan`."""
        storage.check_files(self._place, files)
        if every_source or not table.ranks:
            return storage.scan_files(self._place, table, files)
        return spoken(self._place, table, listed, files)

    def version(self, table: Table) -> int | None:
        """Return the newest (or pinned) version of a table; None when it does not exist yet."""
        if self._pins is not None:
            return self._pins.get(table.name)
        found = storage.listed(self._place, table)
        return None if found is None else found.version

    def versions(self) -> dict[str, int]:
        """Return the newest version of every table that exists; what they say together holds.

        The ledger is looked at before the tapes and those before the listings, against the order of writing:
        a window that is complete has its rows, and a trade its market.
        """
        found = {name: self.version(table) for name, table in reversed(TABLES.items())}
        versions = {name: found[name] for name in TABLES}
        return {name: version for name, version in versions.items() if version is not None}

    def files(self, table: Table, *, version: int | None = None) -> storage.TableFiles | None:
        """List the exact files of one version; None when the table does not exist yet."""
        if self._pins is not None and version is None:
            version = self._pins.get(table.name)
            if version is None:
                return None
        return storage.listed(self._place, table, version=version)

    def record_window(
        self,
        resource: str,
        scope: str,
        start_ts: Moment,
        end_ts: Moment,
        *,
        n_rows: int,
        digest: str,
        status: str = COMPLETE,
        reason: str | None = None,
        asked_ts: datetime | None = None,
    ) -> Commit:
        """Write down that `[start_ts, end_ts)` was asked for; the same answer twice is one row.

        `asked_ts` is the moment of asking, by the clock of whoever was asked; by default now.

        Raises:
            ReversedInterval, NaiveTime: the window is none.
        """
        window = Window(resource, scope, *interval(start_ts, end_ts))
        row = ledger.entry(
            window, asked_ts or self._now(), n_rows=n_rows, digest=digest, status=status, reason=reason
        )
        return self.commit(WINDOWS, row, location="record_window")

    def is_complete(self, resource: str, scope: str, start_ts: Moment, end_ts: Moment) -> bool:
        """Tell whether complete windows together cover `[start_ts, end_ts)`."""
        return not self.missing(resource, scope, start_ts, end_ts)

    def missing(self, resource: str, scope: str, start_ts: Moment, end_ts: Moment) -> list[Interval]:
        """Return the parts of `[start_ts, end_ts)` that no complete window covers, ascending.

        A window of a wider scope covers it too; see `warehouse.ledger.covering`.
        """
        return ledger.missing(self, Window(resource, scope, *interval(start_ts, end_ts)))

    def series(self) -> pl.LazyFrame:
        """Return the latest state of every series, sorted by ticker."""
        return panels.series(self)

    def events(self) -> pl.LazyFrame:
        """Return the latest state of every event, sorted by ticker."""
        return panels.events(self)

    def markets(self, asof: Moment | None = None) -> pl.LazyFrame:
        """Return every market once; see `warehouse.panels.markets`."""
        return panels.markets(self, asof)

    def trades(
        self,
        *,
        series: Names | None = None,
        event: Names | None = None,
        ticker: Tickers | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> pl.LazyFrame:
        """Return executions of `[start, end)`; see `warehouse.panels.trades`.

        Columns: known_ts (UTC) and those of the table, trade_id, ticker, event_ts, yes_price_cc, count_centi,
        taker_side (yes or no), is_block_trade, source, fetched_ts.
        """
        return panels.trades(self, series=series, event=event, ticker=ticker, start=start, end=end)

    def candles(
        self,
        *,
        series: Names | None = None,
        event: Names | None = None,
        ticker: Tickers | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        period_s: int | None = None,
    ) -> pl.LazyFrame:
        """Return bars that ended in `[start, end)`; see `warehouse.panels.candles`."""
        return panels.candles(
            self, series=series, event=event, ticker=ticker, start=start, end=end, period_s=period_s
        )

    def quotes(
        self,
        *,
        series: Names | None = None,
        event: Names | None = None,
        ticker: Tickers | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> pl.LazyFrame:
        """Return tops of book known in `[start, end)`; see `warehouse.panels.quotes`.

        Columns: ticker, known_ts (UTC), bid_cc, bid_size_centi, ask_cc, ask_size_centi (centicents of YES and
        hundredths of a contract; null for an empty side), last_price_cc, quote_age, source, session.
        """
        return panels.quotes(self, series=series, event=event, ticker=ticker, start=start, end=end)

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        """Return rows of the table `quotes`, from recordings or else candles; see `warehouse.tops`."""
        return tops(self, tickers)

    def book(self, ticker: str, at: Moment, *, session: str | None = None) -> OrderBook:
        """Return the book of one market at one moment; see `warehouse.books.book`."""
        return books.book(self, ticker, at, session=session)

    def books(
        self,
        tickers: Tickers,
        start: Moment,
        end: Moment,
        *,
        every: str | timedelta | None = None,
        depth: int | None = None,
        gaps: Gaps = "mark",
    ) -> pl.LazyFrame:
        """Return the books of markets over time; see `warehouse.rebuilding.showing.books`."""
        return showing.books(self, tickers, start, end, every=every, depth=depth, gaps=gaps)

    def book_events(
        self, tickers: Sequence[str] | None = None, start: Moment | None = None, end: Moment | None = None
    ) -> BookEvents:
        """Return the frames that rebuild books; see `warehouse.books.BookEvents`."""
        return books.book_events(self, tickers, start, end)

    def compact(
        self,
        tables: Iterable[Table] = tuple(TABLES.values()),
        *,
        before: date | None = None,
        at_least: int = 2,
        progress: Progress = silent,
    ) -> list[Compacted]:
        """Make few sorted files of many small ones; see `warehouse.compacting.compact`."""
        return [
            compact(self._place, each, before=before, at_least=at_least, progress=progress) for each in tables
        ]

    def vacuum(
        self, tables: Iterable[Table] = tuple(TABLES.values()), *, keep_days: int = KEEP_DAYS
    ) -> list[Vacuumed]:
        """Delete files that no kept version names; see `warehouse.vacuuming.vacuum`."""
        return [vacuum(self._place, each, keep_days=keep_days) for each in tables]

    def publish(self) -> Path:
        """Write the DuckDB catalog of the newest versions and put it in place atomically."""
        return catalog.publish(self, published_ts=self._now())

    def _append(self, table: Table, rows: pl.DataFrame) -> tuple[int | None, int]:
        if rows.is_empty():
            return self.version(table), 0
        if self._pins is not None:
            raise LakeUnwritable(f"{self.uri}: a pinned lake is for reading; commit to Lake({self.uri!r})")
        if not self._is_made:
            write_format(self._place)
            self._is_made = True
        return append_new(self._place, table, rows)
