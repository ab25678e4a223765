"""A lake as it could be known at a moment: what readers give, less what came later.

Rows of tapes are known from the `known_ts` of their table on. Listings are mostly pulled after the fact: what
nobody had seen by then is taken to have been as first seen, but for what tells the outcome or moves
(`warehouse.asof`). The expected expiration counts as listed, and never moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

import polars as pl

from exchange.books import OrderBook
from warehouse import panels
from warehouse.asking import Moment, moment
from warehouse.asof import first_seen, unseen_markets
from warehouse.naming import Tickers
from warehouse.rebuilding.showing import BOOKS
from warehouse.tables import EVENTS, MARKETS, QUOTES, SERIES, Table

if TYPE_CHECKING:
    from warehouse.lake import Lake

_TRUSTED: Final = ("expected_expiration_ts",)
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class KnownLake:
    """The readers of `whole` with what could be known at `at_ts`; who asks for a later moment gets that one.

    Made by `Lake.known_by`. What hands out files, for SQL among others, is not here: they cannot be cut.
    """

    whole: "Lake"
    at_ts: datetime

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse what `Lake` has and this has not."""
        there = ", ".join(each for each in dir(type(self)) if not each.startswith("_"))
        raise AttributeError(f"a lake as it was known at a moment has no {name!r}; it has {there}")

    @property
    def uri(self) -> str:
        """Absolute folder or s3:// address."""
        return self.whole.uri

    def pinned(self) -> "KnownLake":
        """Return this one, which is pinned."""
        return self

    def versions(self) -> Mapping[str, int]:
        """Return the version of every table that exists; rows are left out of them."""
        return self.whole.versions()

    def scan(
        self,
        table: Table,
        *,
        dates: tuple[date | None, date | None] = (None, None),
        every_source: bool = False,
    ) -> pl.LazyFrame:
        """Read the rows of a table that were known; of listings, states seen later may be among them.

        Those keep their `observed_ts`, so that what is joined by it stays as it is in the whole lake.
        """
        rows = self.whole.scan(table, dates=dates, every_source=every_source)
        if not table.is_history:
            return rows.filter(table.known_ts.expr <= self.at_ts)
        seen = rows.filter(pl.col("observed_ts") <= self.at_ts)
        return pl.concat([seen, self._unseen(table, rows).select(list(table.columns))])

    def series(self) -> pl.LazyFrame:
        """Return the state of every series, sorted by ticker."""
        return panels.latest(self.scan(SERIES), SERIES)

    def events(self) -> pl.LazyFrame:
        """Return the state of every event that has a market by then, sorted by ticker."""
        return panels.latest(self.scan(EVENTS), EVENTS)

    def markets(self, asof: Moment | None = None) -> pl.LazyFrame:
        """Return every market that existed, once; `asof` as in `Lake.markets`."""
        if asof is not None:
            return self.whole.markets(asof=min(moment(asof), self.at_ts))
        return panels.with_series(self.whole, panels.latest(self.scan(MARKETS), MARKETS))

    def trades(self, **asked: Any) -> pl.LazyFrame:  # noqa: ANN401 -- of Lake.trades
        """Return what `Lake.trades` does of what was known."""
        return self._known(self.whole.trades(**asked))

    def candles(self, **asked: Any) -> pl.LazyFrame:  # noqa: ANN401 -- of Lake.candles
        """Return what `Lake.candles` does of what was known."""
        return self._known(self.whole.candles(**asked))

    def quotes(self, **asked: Any) -> pl.LazyFrame:  # noqa: ANN401 -- of Lake.quotes
        """Return what `Lake.quotes` does of what was known."""
        return self._known(self.whole.quotes(**asked))

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        """Return what `Lake.tops` does of what was known."""
        return self.whole.tops(tickers).filter(QUOTES.known_ts.expr <= self.at_ts)

    def book(self, ticker: str, at: Moment, *, session: str | None = None) -> OrderBook:
        """Return the book of one market at one moment; see `Lake.book`."""
        return self.whole.book(ticker, min(moment(at), self.at_ts), session=session)

    def books(self, tickers: Tickers, start: Moment, end: Moment, **how: Any) -> pl.LazyFrame:  # noqa: ANN401 -- of Lake.books
        """Return the books of markets until then; see `Lake.books`."""
        if moment(start) > self.at_ts:
            return pl.LazyFrame(schema=BOOKS)
        return self.whole.books(tickers, start, min(moment(end), self.at_ts + _INSTANT), **how)

    def _known(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(pl.col("known_ts") <= self.at_ts)

    def _unseen(self, table: Table, states: pl.LazyFrame) -> pl.LazyFrame:
        """Return what existed but was first seen later, without what could not be known."""
        if table.name == MARKETS.name:
            return unseen_markets(states, self.at_ts, trusted=_TRUSTED)
        unseen = first_seen(states).filter(pl.col("observed_ts") > self.at_ts)
        if table.name == EVENTS.name:  # they have no time of their own: there is one from its first market on
            events = self.scan(MARKETS).select(ticker="event_ticker")
            unseen = unseen.join(events, on="ticker", how="semi")
        updated_ts = pl.col("last_updated_ts")
        return unseen.with_columns(pl.when(updated_ts <= self.at_ts).then(updated_ts))
