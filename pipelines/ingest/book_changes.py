"""Streams of changes with trades in one CSV: `price_change`, `last_trade_price` and `book` rows.

What the columns mean was read off recordings of 2025-12 and 2026-01: prices of BUY and SELL changes are YES
prices of bids and asks; the price of a SELL trade, whose taker bought NO, is the NO price, its time whole
seconds since 1970; `book` rows have no time, and hold only the best level of each side, whenever the recorder
connected anew. best_bid and best_ask stand as they were after the row.

So no book is ever whole here: changes go in, and a gap says that the books are unknown. Trades have no id of
the exchange and no exact time; they do not enter `trades`, where they could outvote its own tape, but become
the last price of the quotes. Nothing of them is lost: each is a change of minus its size at its level.
"""

from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import book_cells as cells
from pipelines.ingest import exact

BOOK: Final = "book"
CHANGE: Final = "price_change"
TRADE: Final = "last_trade_price"
KINDS: Final = (BOOK, CHANGE, TRADE)

_KIND: Final = pl.col("event_type")
_IS_BUY: Final = pl.col("side") == "BUY"


def readings(zone: str | None) -> list[pl.Expr]:
    """Return every cell in our units; a trade's time may be a number of seconds."""
    told = cells.moment("timestamp", "text", zone)
    seconds = pl.when(_KIND == TRADE).then(cells.epoch("timestamp", "s"))
    return [
        pl.coalesce(told, seconds).alias("at_ts"),
        *(cells.price_cc(each, "dollars").alias(f"_{each}") for each in ("price", "best_bid", "best_ask")),
        cells.count_centi("size", "contracts").alias("_size"),
    ]


def checks() -> list[cells.Check]:
    """Return what is wrong with a row."""
    is_empty_book = (_KIND == BOOK) & cells.blank("price") & cells.blank("size")
    size = pl.col("_size")
    is_size = pl.when(_KIND == CHANGE).then(size != 0).otherwise(size > 0).fill_null(value=False)
    return [
        ("event_type", ~_KIND.is_in(KINDS).fill_null(value=False), f"is none of {', '.join(KINDS)}"),
        ("side", ~pl.col("side").is_in(["BUY", "SELL"]).fill_null(value=False), "is not BUY or SELL"),
        (
            "timestamp",
            (_KIND != BOOK) & pl.col("at_ts").is_null(),
            "is not a time with a zone, or, of a trade, seconds since 1970",
        ),
        ("price", ~is_empty_book & cells.outside("_price", 1, DOLLAR_CC - 1), "is not a price in dollars"),
        ("size", ~is_empty_book & ~is_size, "is no number of contracts other than 0, or, signed, no change"),
        *(
            (each, ~cells.blank(each) & cells.outside(f"_{each}", 0), "is not a price in dollars")
            for each in ("best_bid", "best_ask")
        ),
    ]


class ChangeStream:
    """Takes the good rows of one recording part by part; rows that need what follows wait for it.

    Rows have line, event_type, side and the `readings`. `known_us` of a row is its time, but not before that
    of a row above it; a `book` row is known with the next change.
    """

    def __init__(self) -> None:
        self.n_halves = 0
        self._waiting: pl.DataFrame | None = None
        self._known_us = 0
        self._open_quote: pl.DataFrame | None = None
        self._quoted_us = -1

    def feed(self, rows: pl.DataFrame, *, is_last: bool = False) -> pl.DataFrame:
        """Return the rows that are settled, in order, with known_us; at the end, all."""
        rows = rows if self._waiting is None else pl.concat([self._waiting, rows])
        changes = rows.filter(_KIND == CHANGE)["line"]
        until = None if is_last else (changes[-1] if len(changes) else -1)
        self._waiting = rows.clear() if until is None else rows.filter(pl.col("line") > until)
        settled = rows if until is None else rows.filter(pl.col("line") <= until)
        known = pl.max_horizontal(pl.col("at_ts").to_physical(), pl.lit(self._known_us)).cum_max()
        settled = settled.with_columns(known_us=known)
        after = pl.when(_KIND == CHANGE).then("known_us").backward_fill()
        settled = settled.with_columns(
            pl.when(_KIND == BOOK).then(after).otherwise("known_us").alias("known_us")
        )
        self._known_us = settled.select(pl.col("known_us").max()).item() or self._known_us
        return settled

    def quotes(self, settled: pl.DataFrame, *, is_last: bool = False) -> pl.DataFrame:
        """Return event_ts, bid_cc, ask_cc, last_price_cc wherever one of them changed; last of an instant.

        Of the last instant only at the end: it may go on in the next part.
        """
        yes_cc = pl.when(_IS_BUY).then("_price").otherwise(DOLLAR_CC - pl.col("_price"))
        told = settled.filter(_KIND != BOOK).select(
            event_ts=pl.col("known_us").cast(exact.TIME),
            bid_cc=_inside("_best_bid"),
            ask_cc=_inside("_best_ask"),
            last_price_cc=pl.when(_KIND == TRADE).then(yes_cc).cast(pl.Int32),
        )
        rows = (told if self._open_quote is None else pl.concat([self._open_quote, told])).with_columns(
            pl.col("last_price_cc").forward_fill()
        )
        rows = rows.unique("event_ts", keep="last", maintain_order=True)
        n_closed = rows.height if is_last else max(rows.height - 1, 0)
        # The last quote that was handed out stays, to be compared with what comes.
        self._open_quote = rows.slice(max(n_closed - 1, 0))
        columns = ("bid_cc", "ask_cc", "last_price_cc")
        is_same = pl.all_horizontal(pl.col(each).eq_missing(pl.col(each).shift(1)) for each in columns)
        is_first = pl.int_range(pl.len()) == 0
        is_out = pl.col("event_ts").to_physical() <= self._quoted_us
        fresh = rows.head(n_closed).filter((is_first | ~is_same) & ~is_out)
        if n_closed:
            self._quoted_us = rows["event_ts"].to_physical()[n_closed - 1]
        return fresh

    def books(self, settled: pl.DataFrame) -> pl.DataFrame:
        """Return the best levels of `book` rows: line, captured_ts and the four lists; last of an instant.

        Only where both sides stand one after the other: of a side that is not told, nothing is known. The
        others are counted in `n_halves`.
        """
        told = settled.with_columns(
            is_pair=(_KIND == BOOK) & (_KIND.shift(1) == BOOK) & ~_IS_BUY & _IS_BUY.shift(1),
            bid_cc=pl.col("_price").shift(1),
            bid_centi=pl.col("_size").shift(1),
        )
        pairs = told.filter(pl.col("is_pair") & pl.col("known_us").is_not_null())
        self.n_halves += settled.filter(_KIND == BOOK).height - 2 * pairs.height
        return pairs.select(
            "line",
            pl.col("known_us").cast(exact.TIME).alias("captured_ts"),
            _one(pl.col("bid_cc")).alias("yes_prices_cc"),
            _one(pl.col("bid_centi")).alias("yes_counts_centi"),
            _one((DOLLAR_CC - pl.col("_price")).cast(pl.Int32)).alias("no_prices_cc"),
            _one(pl.col("_size")).alias("no_counts_centi"),
        ).unique("captured_ts", keep="last", maintain_order=True)


def deltas(settled: pl.DataFrame) -> pl.DataFrame:
    """Return the changes as deltas: seq (the line), side, price_cc, delta_centi, event_ts, received_ts."""
    return settled.filter(_KIND == CHANGE).select(
        pl.col("line").alias("seq"),
        _level_side(is_yes=_IS_BUY),
        pl.when(_IS_BUY)
        .then("_price")
        .otherwise(DOLLAR_CC - pl.col("_price"))
        .cast(pl.Int32)
        .alias("price_cc"),
        pl.col("_size").alias("delta_centi"),
        pl.col("at_ts").alias("event_ts"),
        pl.col("at_ts").alias("received_ts"),
    )


def prints(settled: pl.DataFrame) -> pl.DataFrame:
    """Return changes and trades per `warehouse.book_trades.PRINTS`.

    Whoever buys YES at p takes NO bids at $1 - p; whoever buys NO at p takes YES bids at $1 - p.
    """
    is_trade = _KIND == TRADE
    own_cc = pl.when(~is_trade & _IS_BUY).then("_price").otherwise(DOLLAR_CC - pl.col("_price"))
    return settled.filter(_KIND != BOOK).select(
        "line",
        is_trade.alias("is_trade"),
        _level_side(is_yes=is_trade != _IS_BUY),
        own_cc.cast(pl.Int32).alias("price_cc"),
        pl.when(is_trade).then("_size").otherwise(-pl.col("_size")).alias("count_centi"),
    )


def _level_side(*, is_yes: pl.Expr) -> pl.Expr:
    return pl.when(is_yes).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("side")


def _inside(column: str) -> pl.Expr:
    price_cc = pl.col(column)
    return pl.when(price_cc.is_between(1, DOLLAR_CC - 1)).then(price_cc).cast(pl.Int32)


def _one(value: pl.Expr) -> pl.Expr:
    """Return a list of one level, or of none where the side was empty."""
    return pl.concat_list(value).list.drop_nulls()
