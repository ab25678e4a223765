"""Logs of the best bid and ask, and polls of them, as rows of `quotes`."""

from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import book_cells as cells
from pipelines.ingest.book_layouts import Layout

_COUNTS: Final = {"bid_size": "bid_size_centi", "ask_size": "ask_size_centi"}
_TOTALS: Final = {"volume": "volume_centi", "open_interest": "open_interest_centi"}


def checks(layout: Layout) -> list[cells.Check]:
    """Return what is wrong with a row of a log, beyond its time and ticker."""
    found: list[cells.Check] = []
    for what in ("bid", "ask", "no_bid", "no_ask", "last"):
        if column := layout.columns.get(what):
            is_bad = ~cells.blank(column) & cells.outside(_read(what), 0)
            found.append((column, is_bad, cells.PRICE_REASON))
    for what in (*_COUNTS, *_TOTALS):
        if column := layout.columns.get(what):
            is_bad = ~cells.blank(column) & ~(pl.col(_read(what)) >= 0).fill_null(value=False)
            found.append((column, is_bad, "is not a size of 0 or more in the layout's unit"))
    for one, other in (("bid", "no_ask"), ("ask", "no_bid")):
        if one in layout.columns and other in layout.columns:
            is_bad = pl.col(_read(one)) + pl.col(_read(other)) != DOLLAR_CC
            reason = f"does not make $1 with {layout.columns[one]}"
            found.append((layout.columns[other], is_bad.fill_null(value=False), reason))
    return found


def readings(layout: Layout) -> list[pl.Expr]:
    """Return what the checks and `quotes` look at: every named cell in our units."""
    prices = ("bid", "ask", "no_bid", "no_ask", "last")
    return [
        (
            cells.price_cc(column, layout.prices)
            if what in prices
            else cells.count_centi(column, layout.sizes)
        ).alias(_read(what))
        for what, column in layout.columns.items()
    ]


def quotes(rows: pl.DataFrame) -> pl.DataFrame:
    """Return good rows (with `readings`, at_ts, ticker) as quotes; the last of an instant stands.

    A bid or ask of $0 or $1 means that nobody quotes there; a last price of $0, that nothing has traded.
    """
    has = rows.columns
    bid = _either(has, "bid", "no_ask")
    ask = _either(has, "ask", "no_bid")
    last = pl.col(_read("last")) if _read("last") in has else pl.lit(None, pl.Int32)
    sizes = [
        (pl.col(_read(what)) if _read(what) in has else pl.lit(None, pl.Int64)).alias(name)
        for what, name in (_COUNTS | _TOTALS).items()
    ]
    return (
        rows.select(
            "ticker",
            _inside(bid).alias("bid_cc"),
            _inside(ask).alias("ask_cc"),
            _inside(last).alias("last_price_cc"),
            *sizes,
            event_ts="at_ts",
        )
        .with_columns(
            pl.when(pl.col(f"{side}_cc").is_not_null()).then(f"{side}_size_centi") for side in ("bid", "ask")
        )
        .unique(["ticker", "event_ts"], keep="last", maintain_order=True)
    )


def _read(what: str) -> str:
    return f"_{what}"


def _either(has: list[str], one: str, complement: str) -> pl.Expr:
    told = [pl.col(_read(one))] if _read(one) in has else []
    other = [DOLLAR_CC - pl.col(_read(complement))] if _read(complement) in has else []
    return pl.coalesce(*told, *other, pl.lit(None, pl.Int32))


def _inside(price_cc: pl.Expr) -> pl.Expr:
    return pl.when(price_cc.is_between(1, DOLLAR_CC - 1)).then(price_cc).cast(pl.Int32)
