"""The tops of rebuilt books, held against what the exchange's ticker channel said of them.

The channel is throttled and arrives out of step with the changes, so a message is right if the book passes
through the very state it tells, both prices and both sizes, at some instant near it.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from warehouse.tables import QUOTES

WITHIN: Final = timedelta(milliseconds=300)
"""How far from a message the book may pass through the state that it tells."""

NEAR: Final = timedelta(seconds=2)
"""Within this, a state that comes too early or too late is called so."""

_INSTANT: Final = timedelta(microseconds=1)
_BID: Final = ("bid_cc", "bid_centi")
_ASK: Final = ("ask_cc", "ask_centi")
_TOP: Final = (*_BID, *_ASK)

AGREEMENTS: Final = {
    "ok": "The book passes through the state that the message tells.",
    "unknown": "The book is unknown at the message, so nothing can be held against it.",
    "late": "The message came late: the book was in the state when the exchange says that it was told.",
    "edge": "The book was unknown within 300 ms of the message, so that it need not have shown the state.",
    "book_ahead": "The book left the state up to 2 s before the message.",
    "book_behind": "The book came to the state up to 2 s after the message.",
    "crossed": "Bid and ask of the book crossed near the message.",
    "sizes": "Both prices are the book's, a size is not.",
    "one_side": "One side is the book's, the other is not.",
    "other": "The book was nowhere near the state.",
}
"""What a message of the ticker channel may be to the rebuilt book, and the sentence of it."""

WRONG_TOPS: Final = ("crossed", "sizes", "one_side", "other")
"""Those that a book which lacks changes would give; the others are a matter of time."""


def states_of(books: pl.DataFrame) -> pl.DataFrame:
    """Return the tops that rebuilt books went through.

    Args:
        books: rows of `Lake.books` on change.

    Returns:
        ticker, from_ts, until_ts (of the next row of the market; null of the last), is_known, anomaly, and
        bid_cc, bid_centi, ask_cc, ask_centi: 0 where a side is empty; sorted by (ticker, from_ts).
    """
    sides = {"bid": "bid", "ask": "ask"}
    tops = [
        pl.col(f"{side}_{kind}").list.first().fill_null(0).cast(pl.Int64).alias(f"{side}_{unit}")
        for side in sides
        for kind, unit in (("prices_cc", "cc"), ("counts_centi", "centi"))
    ]
    return books.select(
        "ticker",
        pl.col("ts").alias("from_ts"),
        pl.col("ts").shift(-1).over("ticker").alias("until_ts"),
        "is_known",
        "anomaly",
        *tops,
    )


def told_tops(quotes: pl.DataFrame, ahead: pl.DataFrame) -> pl.DataFrame:
    """Return messages of the ticker channel as states.

    Args:
        quotes: rows of the table `quotes`.
        ahead: session, ahead (a duration): how far the recorder's clock is ahead of the exchange's, the way
            of a change included.

    Returns:
        ticker, session, known_ts, told_ts (when a change of that very instant was known), and the four of a
        top; a side without size, at $0 or at $1, is empty: 0.
    """
    sides = []
    for side in ("bid", "ask"):
        price_cc, size = pl.col(f"{side}_cc"), pl.col(f"{side}_size_centi")
        is_there = price_cc.is_between(1, DOLLAR_CC - 1) & (size > 0)
        for name, value in ((f"{side}_cc", price_cc), (f"{side}_centi", size)):
            sides.append(pl.when(is_there).then(value).otherwise(0).cast(pl.Int64).alias(name))
    told_ts = pl.col("event_ts") + pl.max_horizontal("ahead", pl.duration()).fill_null(timedelta())
    rows = quotes.join(ahead, on="session", how="left", maintain_order="left")
    return rows.select(
        "ticker", "session", QUOTES.known_ts.expr.alias("known_ts"), told_ts.alias("told_ts"), *sides
    )


def classified(told: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """Say of every message what it is to the book.

    Args:
        told: per `told_tops`.
        states: per `states_of`, of all markets in `told`, from before the first message to after the last.

    Returns:
        `told` with the column `agreement` (see AGREEMENTS), sorted by (ticker, known_ts).
    """
    rows = told.sort("ticker", "known_ts").with_row_index("row")
    then = rows.with_columns(known_ts="told_ts")
    known, unknown = states.filter("is_known"), states.filter(~pl.col("is_known"))
    found = {
        "now": _passes(rows, known, (), timedelta()),
        "ok": _passes(rows, known, _TOP, WITHIN),
        "late": _passes(then, known, _TOP, WITHIN),
        "edge": _passes(rows, unknown, (), WITHIN) | _passes(then, unknown, (), WITHIN),
        "near": _passes(rows, known, _TOP, NEAR),
        "behind": _passes(rows, known, _TOP, NEAR, before=timedelta()),
        "crossed": _passes(rows, known.filter(pl.col("anomaly") == "crossed"), (), WITHIN),
        "prices": _passes(rows, known, ("bid_cc", "ask_cc"), WITHIN),
        "bid": _passes(rows, known, _BID, WITHIN),
        "ask": _passes(rows, known, _ASK, WITHIN),
    }
    return (
        rows.with_columns(**found)
        .with_columns(
            agreement=pl.when(~pl.col("now"))
            .then(pl.lit("unknown"))
            .when("ok")
            .then(pl.lit("ok"))
            .when("late")
            .then(pl.lit("late"))
            .when("edge")
            .then(pl.lit("edge"))
            .when("behind")
            .then(pl.lit("book_behind"))
            .when("near")
            .then(pl.lit("book_ahead"))
            .when("crossed")
            .then(pl.lit("crossed"))
            .when("prices")
            .then(pl.lit("sizes"))
            .when(pl.col("bid") | pl.col("ask"))
            .then(pl.lit("one_side"))
            .otherwise(pl.lit("other"))
        )
        .select(*told.columns, "agreement")
    )


def _passes(
    told: pl.DataFrame,
    states: pl.DataFrame,
    keys: tuple[str, ...],
    after: timedelta,
    *,
    before: timedelta | None = None,
) -> pl.Series:
    """Tell whether the market is in a state with these keys between `before` and `after` of each message.

    States of one market follow each other, so the last that begins early enough is the last to end.
    """
    by = ["ticker", *keys]
    latest = (
        told.select("row", *by, at_ts=pl.col("known_ts") + after, known_ts="known_ts")
        .sort("at_ts")
        .join_asof(
            states.select(*by, "from_ts", "until_ts").sort("from_ts"),
            left_on="at_ts",
            right_on="from_ts",
            by=by,
            check_sortedness=False,
        )
    )
    first_ts = pl.col("known_ts") - (after if before is None else before)
    is_there = pl.col("from_ts").is_not_null() & (
        pl.col("until_ts").is_null() | (pl.col("until_ts") >= first_ts)
    )
    return latest.select("row", is_there=is_there).sort("row")["is_there"]
