"""One market's book at one moment with what it rests on, or why nobody knows it and when somebody does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from exchange.books import Level, OrderBook
from exchange.units import format_ts, from_us, to_us
from warehouse.asking import Moment, moment
from warehouse.errors import BookUnknown
from warehouse.naming import tickers_of
from warehouse.rebuilding.reading import read_streams, with_levels
from warehouse.rebuilding.speaking import NOT_RECORDED, Turns, turns
from warehouse.storage import collected
from warehouse.tables import BOOK_SNAPSHOTS, MARKETS

if TYPE_CHECKING:
    from warehouse.lake import Lake

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A known book: levels best first, in YES prices; `n_changes` came after the snapshot of `snapshot_ts`.

    `title` is what the lake's listing says of the market, if there is one; `snapshot_seq` is none for polls.
    `anomaly` is null, crossed or negative.
    """

    ticker: str
    title: str | None
    at_ts: datetime
    bids: Sequence[Level]
    asks: Sequence[Level]
    session: str
    method: str
    anomaly: str | None
    snapshot_ts: datetime
    snapshot_seq: int | None
    n_changes: int
    last_event_ts: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A book that nobody knows: the last moment at which it was known, and the first at which it is again."""

    ticker: str
    at_ts: datetime
    cause: str
    since_ts: datetime | None
    until_ts: datetime | None

    def __str__(self) -> str:
        """Say what, where and what to ask instead."""
        since = "ever" if self.since_ts is None else format_ts(self.since_ts)
        until = "the lake ends" if self.until_ts is None else format_ts(self.until_ts)
        near = [f"--at {format_ts(each)}" for each in (self.since_ts, self.until_ts) if each is not None]
        advice = f"known, and nearest: {' and '.join(near)}" if near else "it is never known here"
        return (
            f"{self.ticker}: the book is unknown at {format_ts(self.at_ts)}: {self.cause}, since {since}, "
            f"until {until}; {advice}"
        )


def ladder(lake: "Lake", ticker: str, at: Moment | None = None) -> Ladder | Unknown:
    """Return the book of one market at a moment, or why and for how long it is unknown.

    Without a moment, at the last one at which the lake knows it: its last event, or the break before that.

    Raises:
        UnknownTicker: the lake has neither listing nor books of it.
        BookUnknown: no moment was given, and the lake never knows this book.
    """
    tickers_of(lake, BOOK_SNAPSHOTS, ticker=ticker)
    if at is None:
        return _told(lake, ticker, _last_known(lake, ticker))
    return _told(lake, ticker, moment(at))


def _told(lake: "Lake", ticker: str, at_ts: datetime) -> Ladder | Unknown:
    streams = read_streams(lake, [ticker], at_ts, at_ts + _INSTANT, has_levels=False)
    told = turns(streams, [ticker])
    place = _place(told, at_ts)
    if place < 0 or told.base[place] < 0:
        return _unknown(lake, ticker, at_ts)
    base = int(told.base[place])
    snapshot = with_levels(lake, streams.snapshots[base]).row(0, named=True)
    changes = streams.deltas[int(streams.delta_from[base]) : int(streams.delta_end[base])]
    changes = changes.filter(pl.col("known_ts") <= at_ts)
    book, anomaly = _rebuilt(snapshot, changes)
    return Ladder(
        ticker=ticker,
        title=_title(lake, ticker),
        at_ts=at_ts,
        bids=tuple(book.bids()),
        asks=tuple(book.asks()),
        session=snapshot["session"],
        method=snapshot["method"],
        anomaly=anomaly,
        snapshot_ts=snapshot["captured_ts"],
        snapshot_seq=snapshot["seq"],
        n_changes=changes.height,
        last_event_ts=snapshot["known_ts"] if changes.is_empty() else changes["known_ts"][-1],
    )


def _rebuilt(snapshot: dict[str, Any], changes: pl.DataFrame) -> tuple[OrderBook, str | None]:
    """Return the book, and what is wrong with it, in the words of `Lake.books`."""
    book, is_negative = OrderBook(snapshot["ticker"]), False
    book.apply_snapshot(
        zip(snapshot["yes_prices_cc"], snapshot["yes_counts_centi"], strict=True),
        zip(snapshot["no_prices_cc"], snapshot["no_counts_centi"], strict=True),
    )
    for side, price_cc, delta_centi in changes.select("side", "price_cc", "delta_centi").iter_rows():
        is_negative |= book.apply_delta(side, price_cc, delta_centi) < 0
    bid, ask = book.best_bid(), book.best_ask()
    is_crossed = bid is not None and ask is not None and bid.price_cc >= ask.price_cc
    return book, "negative" if is_negative else "crossed" if is_crossed else None


def _unknown(lake: "Lake", ticker: str, at_ts: datetime) -> Unknown:
    """Look over all that the lake has of a market for when its book was known before and is known after."""
    streams = read_streams(lake, [ticker], None, None, has_levels=False)
    told = turns(streams, [ticker])
    place, is_known = _place(told, at_ts), told.base >= 0
    gap = int(told.gap[place]) if place >= 0 else -1
    later = np.flatnonzero(is_known[place + 1 :])
    return Unknown(
        ticker=ticker,
        at_ts=at_ts,
        cause=NOT_RECORDED if gap < 0 else streams.gaps["cause"][gap],
        since_ts=_last_before(told, place),
        until_ts=from_us(int(told.at_us[place + 1 + later[0]])) if len(later) else None,
    )


def _last_known(lake: "Lake", ticker: str) -> datetime:
    """Return the last moment at which a book is known and was heard of, or broke."""
    streams = read_streams(lake, [ticker], None, None, has_levels=False)
    told = turns(streams, [ticker])
    if len(told.base) and told.base[-1] >= 0:
        heard = [each["known_ts"].max() for each in (streams.snapshots, streams.deltas)]
        return max(each for each in heard if isinstance(each, datetime))
    last_ts = _last_before(told, len(told.base) - 1)
    if last_ts is None:
        raise BookUnknown(
            f"{ticker}: {lake.uri} has no whole order book of it; `tapehouse books record` and "
            "`tapehouse import` bring books"
        )
    return last_ts


def _place(told: Turns, at_ts: datetime) -> int:
    return int(told.at_us.searchsorted(to_us(at_ts), side="right")) - 1


def _last_before(told: Turns, place: int) -> datetime | None:
    """Return the last moment before a turn to no book at which there was one."""
    known = np.flatnonzero(told.base[: place + 1] >= 0)
    return from_us(int(told.at_us[known[-1] + 1]) - 1) if len(known) else None


def _title(lake: "Lake", ticker: str) -> str | None:
    states = lake.scan(MARKETS).filter(pl.col("ticker") == ticker).sort("observed_ts").last()
    found = collected(states.select("title", "yes_sub_title"), lake.uri)
    if found.is_empty():
        return None
    title, yes_means = (each or "" for each in found.row(0))
    return (title if yes_means in title else f"{title} / {yes_means}".removeprefix(" / ")) or None
