"""A lake seen as an exchange: what the sandbox serves back when it is started over recorded facts.

Everything is read at one set of versions. Trades and candles are sorted once; after that a page costs two
binary searches and a slice, however long the tape is.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import polars as pl

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.ticks import PriceRange
from exchange.trades import Candle, Ohlc, Trade
from exchange.units import DOLLAR_CC, from_us, to_us
from warehouse.books import IS_WHOLE
from warehouse.errors import BookUnknown
from warehouse.lake import Lake
from warehouse.tables import BOOK_SNAPSHOTS, CANDLES, FEE_CHANGES, TRADES, Table

DAWN: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
LIVE_DAYS: Final = 60  # how far the live tier reached back on Kalshi (KALSHI.md §5.7, March to August 2026)
NO_TRADES: Final = (0, 0)
Row = dict[str, Any]


class LakeTape:
    """Rows of `frame`, whose `time_us` ascend along `order` (None: as they stand), addressed by rank."""

    def __init__(self, frame: pl.DataFrame, order: pl.Series | None = None) -> None:
        self._frame = frame
        self._order = order
        self._times_us = frame["time_us"] if order is None else frame["time_us"].gather(order)

    def span(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the ranks `[first, end)` of trades whose time lies in `[start_us, end_us)`."""
        if self._times_us.is_empty():
            return NO_TRADES
        first = int(self._times_us.search_sorted(start_us, side="left"))
        return first, max(first, int(self._times_us.search_sorted(end_us, side="left")))

    def rows(self, first: int, end: int) -> Sequence[Trade]:
        """Return the trades of ranks `[first, end)`, oldest first."""
        wanted = slice(first, end)
        part = self._frame[wanted] if self._order is None else self._frame[self._order[wanted]]
        return [
            Trade(
                trade_id=trade_id,
                ticker=ticker,
                created_ts=from_us(time_us),
                yes_price_cc=yes_price_cc,
                count_centi=count_centi,
                taker_side=taker_side,
                is_block_trade=is_block_trade,
            )
            for ticker, time_us, trade_id, yes_price_cc, count_centi, taker_side, is_block_trade in (
                part.iter_rows()
            )
        ]


class _Grouped:
    """A frame sorted by ticker, and where each ticker's rows lie."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        counted = frame.group_by("ticker", maintain_order=True).len()
        self._spans: dict[str, tuple[int, int]] = {}
        first = 0
        for ticker, n_rows in counted.iter_rows():
            self._spans[ticker] = (first, n_rows)
            first += n_rows

    def of(self, ticker: str) -> pl.DataFrame:
        first, n_rows = self._spans.get(ticker, (0, 0))
        return self.frame.slice(first, n_rows)


class LakeSource:
    """Any lake through the sandbox's `Source`; tables it does not have are empty lists.

    The clock stands one second after the last fact of the lake; what is older than `live_days` before that is
    archived. Series whose fees the lake does not know are not listed: the API cannot leave fees out. Events
    that only their markets name are listed without a title.
    """

    def __init__(self, lake: Lake, *, live_days: int = LIVE_DAYS) -> None:
        self._lake = lake.pinned()
        self._trades = _Grouped(_trade_rows(self._lake))
        self._tapes: dict[tuple[str | None, bool | None], LakeTape] = {}
        self._market_rows = self._lake.markets().collect()
        self._booked = frozenset(
            self._lake.scan(BOOK_SNAPSHOTS)
            .filter(IS_WHOLE)
            .select("ticker")
            .unique()
            .collect()["ticker"]
            .to_list()
        )
        self._now_ts = self._last_fact_ts() + SECOND
        archived_ts = max(self._now_ts - live_days * DAY, DAWN)
        self._cutoff_ts = archived_ts - timedelta(
            microseconds=to_us(archived_ts) % (DAY // timedelta.resolution)
        )

    @property
    def now_ts(self) -> datetime:
        """One second after the last fact."""
        return self._now_ts

    @property
    def market_cutoff_ts(self) -> datetime:
        """Markets settled before this are archived."""
        return self._cutoff_ts

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Trades made before this are archived."""
        return self._cutoff_ts

    def series(self) -> Sequence[Series]:
        """Return the series whose fees are known, by ticker."""
        rows = self._lake.series().drop_nulls(["fee_type", "fee_multiplier_ppm"]).collect()
        return [_series(row) for row in rows.iter_rows(named=True)]

    def events(self) -> Sequence[Event]:
        """Return all events, oldest first by the creation of their first market."""
        told = {row["ticker"]: _event(row) for row in self._lake.events().collect().iter_rows(named=True)}
        first_ts: dict[str, datetime] = {}
        for ticker, series, created_ts in self._market_rows.select(
            "event_ticker", "series_ticker", "created_ts"
        ).iter_rows():
            told.setdefault(ticker, Event(ticker=ticker, series_ticker=series or "", title=""))
            first_ts[ticker] = min(first_ts.get(ticker, created_ts or DAWN), created_ts or DAWN)
        return sorted(told.values(), key=lambda event: (first_ts.get(event.ticker, DAWN), event.ticker))

    def markets(self) -> Sequence[Market]:
        """Return the latest state of all markets, in the order of their creation."""
        rows = self._market_rows.sort("created_ts", "ticker", nulls_last=False)
        return [self._market(row) for row in rows.iter_rows(named=True)]

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> LakeTape:
        """Return the tape of one market or of the exchange; a kind nobody recorded is neither yes nor no."""
        if ticker is not None:
            frame = self._trades.of(ticker)
            return LakeTape(frame if is_block_trade is None else _of_kind(frame, is_block=is_block_trade))
        key = (ticker, is_block_trade)
        if key not in self._tapes:
            frame = self._trades.frame
            frame = frame if is_block_trade is None else _of_kind(frame, is_block=is_block_trade)
            self._tapes[key] = LakeTape(frame, _order(frame))
        return self._tapes[key]

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return the bars of one market whose end lies in `[start_ts, end_ts]`, oldest first."""
        rows = self._candles.of(ticker).filter(
            pl.col("period_s") == period_s, pl.col("end_ts") >= start_ts, pl.col("end_ts") <= end_ts
        )
        return [_candle(row) for row in rows.iter_rows(named=True)]

    def book(self, ticker: str) -> OrderBook:
        """Return the book after the last fact; an empty one where nobody recorded it."""
        if ticker in self._booked:
            try:
                return self._lake.book(ticker, self._now_ts)
            except BookUnknown:
                pass  # the stream broke and was never repaired: the API can only show an empty book
        return OrderBook(ticker)

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return no quotes, and the last traded price at `at_ts`."""
        tape = self.tape(ticker)
        _, end = tape.span(0, to_us(at_ts) + 1)
        last = tape.rows(end - 1, end) if end else ()
        return None, None, last[0].yes_price_cc if last else None

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return the fee changes by effective time."""
        rows = self._lake.scan(FEE_CHANGES).sort("effective_ts", "scope", "ticker").collect()
        return [
            FeeChange(
                change_id=row["change_id"] or f"{row['ticker']}@{row['effective_ts']:%Y%m%dT%H%M%S}",
                scope=row["scope"],
                ticker=row["ticker"],
                effective_ts=row["effective_ts"].astimezone(UTC),
                fee_type=row["fee_type"],
                multiplier_ppm=row["fee_multiplier_ppm"],
            )
            for row in rows.iter_rows(named=True)
        ]

    @cached_property
    def _candles(self) -> _Grouped:
        return _Grouped(self._lake.scan(CANDLES).sort("ticker", "period_s", "end_ts").collect())

    def _last_fact_ts(self) -> datetime:
        times = [
            _last_ts(self._lake, TRADES, "event_ts"),
            _last_ts(self._lake, CANDLES, "end_ts"),
            _last_ts(self._lake, BOOK_SNAPSHOTS, "captured_ts"),
            *self._market_rows.select(pl.col("settlement_ts", "created_ts").max()).row(0),
        ]
        return max((each.astimezone(UTC) for each in times if each is not None), default=DAWN)

    def _market(self, row: Row) -> Market:
        status = _status(row, self._now_ts)
        bid_cc, ask_cc, bid_centi, ask_centi = 0, DOLLAR_CC, 0, 0
        if status == "active" and row["ticker"] in self._booked:
            book = self.book(row["ticker"])
            bid_cc, bid_centi = book.best_bid() or (bid_cc, bid_centi)
            ask_cc, ask_centi = book.best_ask() or (ask_cc, ask_centi)
        volume_centi = row["volume_centi"]
        if volume_centi is None:
            volume_centi = int(self._trades.of(row["ticker"])["count_centi"].sum())
        derived = {
            "status": status,
            "price_ranges": tuple(PriceRange(**each) for each in row["price_ranges"] or ()),
            "volume_centi": volume_centi,
            "yes_bid_cc": bid_cc,
            "yes_ask_cc": ask_cc,
            "yes_bid_size_centi": bid_centi,
            "yes_ask_size_centi": ask_centi,
        }
        return Market(**_known(row, Market) | derived)


def _trade_rows(lake: Lake) -> pl.DataFrame:
    """Return the columns of a `Trade` in `LakeTape`'s order, sorted by ticker, time_us, trade_id."""
    return (
        lake.scan(TRADES)
        .select(
            "ticker",
            pl.col("event_ts").dt.epoch("us").alias("time_us"),
            "trade_id",
            "yes_price_cc",
            "count_centi",
            "taker_side",
            "is_block_trade",
        )
        .sort("ticker", "time_us", "trade_id")
        .collect()
    )


def _order(frame: pl.DataFrame) -> pl.Series:
    """Return the row numbers in (time, trade_id) order."""
    return frame.with_row_index("row").sort("time_us", "trade_id")["row"]


def _of_kind(frame: pl.DataFrame, *, is_block: bool) -> pl.DataFrame:
    return frame.filter(pl.col("is_block_trade") == is_block)


def _last_ts(lake: Lake, table: Table, column: str) -> datetime | None:
    found: datetime | None = lake.scan(table).select(pl.col(column).max()).collect().item()
    return found


def _status(row: Row, now_ts: datetime) -> str:
    """Return the recorded status, or the one that result and hours imply."""
    if row["status"]:
        return str(row["status"])
    if row["result"] or row["settlement_ts"]:
        return "finalized"
    return "closed" if row["close_ts"] and row["close_ts"] <= now_ts else "active"


def _series(row: Row) -> Series:
    untold: Row = {"title": "", "category": "", "frequency": ""}
    return Series(**untold | _known(row, Series))


def _event(row: Row) -> Event:
    untold: Row = {"title": ""}
    return Event(**untold | _known(row, Event))


def _known(row: Row, kind: type[Series | Event | Market]) -> Row:
    """Return the fields of `kind` that the row has a value for; the others keep their defaults."""
    names = {field.name for field in fields(kind)}
    return {name: _plain(value) for name, value in row.items() if name in names and value is not None}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return tuple(value) if isinstance(value, list) else value


def _candle(row: Row) -> Candle:
    bid, ask = _ohlc(row, "yes_bid", 0), _ohlc(row, "yes_ask", DOLLAR_CC)
    return Candle(
        ticker=row["ticker"],
        period_s=row["period_s"],
        end_ts=row["end_ts"].astimezone(UTC),
        yes_bid=bid,
        yes_ask=ask,
        price=None if row["price_close_cc"] is None else _ohlc(row, "price", row["price_close_cc"]),
        price_mean_cc=row["price_mean_cc"],
        price_previous_cc=row["price_previous_cc"],
        volume_centi=row["volume_centi"],
        open_interest_centi=row["open_interest_centi"] or 0,
    )


def _ohlc(row: Row, name: str, empty_cc: int) -> Ohlc:
    """Return four prices; what the lake keeps as null is printed as the boundary that an empty side has."""
    values = (row[f"{name}_{part}_cc"] for part in ("open", "high", "low", "close"))
    return Ohlc(*(empty_cc if value is None else value for value in values))
