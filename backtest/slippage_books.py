"""What orders would have paid in recorded books: the half-spread, and the cost of walking them by size."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from backtest.slippage_fit import SEEN
from exchange.units import CONTRACT_CENTI
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS

if TYPE_CHECKING:
    from warehouse import Lake

_SIDES: Final = ("bid", "ask")


def seen_in_books(
    lake: "Lake",
    tickers: Sequence[str],
    between: tuple[datetime | None, datetime | None],
    every: str | timedelta,
    counts_centi: Sequence[int],
) -> pl.DataFrame:
    """Return, per SEEN, an order of each count on each side of each book, market by market."""
    parts, n_books = [SEEN.to_frame()], 0
    for ticker, first_ts, end_ts in _recorded(lake, tickers, between):
        books = lake.books([ticker], first_ts, end_ts, every=every).filter("is_known").collect()
        parts.append(walked(books, counts_centi, first=n_books))
        n_books += books.height
    return pl.concat(parts)


def walked(books: pl.DataFrame, counts_centi: Sequence[int], *, first: int) -> pl.DataFrame:
    """Return, per SEEN, what orders pay in known books of `Lake.books`; one-sided ones are left out.

    `first` is the number of the first book among all.
    """
    bid, ask = (pl.col(f"{side}_prices_cc").list.first().cast(pl.Int64) for side in _SIDES)
    rows = (
        books.with_row_index("sample", offset=first)
        .with_columns(price_cc=(bid + ask) // 2, half_spread_cc=(ask - bid) / 2)
        .filter(bid < ask)  # null, and so left out, where a side is empty
    )
    shown = rows.select("sample", "price_cc", "half_spread_cc")
    costs = pl.concat([_costs(rows, side, counts_centi) for side in _SIDES])
    return shown.join(costs, on="sample", maintain_order="left_right").select(list(SEEN)).cast(SEEN)


def _costs(rows: pl.DataFrame, side: str, counts_centi: Sequence[int]) -> pl.DataFrame:
    """Return sample, contracts, depth and cost_cc: the mean distance from the touch, null beyond depth."""
    price, count = pl.col(f"{side}_prices_cc"), pl.col(f"{side}_counts_centi")
    levels = rows.select("sample", touch=price.list.first(), price=price, count=count).explode(
        "price", "count"
    )
    before = pl.col("count").cum_sum().over("sample") - pl.col("count")
    paid = pl.col("taken") * (pl.col("price") - pl.col("touch")).abs()
    parts = []
    for asked in counts_centi:
        taken = pl.min_horizontal((asked - before).clip(lower_bound=0), "count")
        parts.append(
            levels.with_columns(taken=taken)
            .group_by("sample", maintain_order=True)
            .agg(
                contracts=pl.lit(asked / CONTRACT_CENTI),
                depth=pl.col("count").sum() / CONTRACT_CENTI,
                cost_cc=pl.when(pl.col("taken").sum() == asked).then(paid.sum() / asked),
            )
        )
    return pl.concat(parts)


def _recorded(
    lake: "Lake", tickers: Sequence[str], between: tuple[datetime | None, datetime | None]
) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield each market with its first and after its last recorded moment inside the interval."""
    start_ts, end_ts = between
    clocks = ((BOOK_SNAPSHOTS, "captured_ts"), (BOOK_DELTAS, "event_ts"))
    moments = [lake.scan(table).select("ticker", ts=clock) for table, clock in clocks]
    rows = pl.concat(moments).filter(pl.col("ticker").is_in(list(tickers)))
    spans = rows.group_by("ticker").agg(first=pl.col("ts").min(), last=pl.col("ts").max()).collect()
    for ticker, first_ts, last_ts in spans.sort("ticker").iter_rows():
        begin = first_ts if start_ts is None else max(first_ts, start_ts)
        end = last_ts + timedelta(microseconds=1)
        end = end if end_ts is None else min(end, end_ts)
        if begin < end:
            yield ticker, begin, end
