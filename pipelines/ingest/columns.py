"""Pages of trades and candles as rows of the lake: whole columns at a time, text read exactly.

A struct whose text cannot be read exactly is no row; it is rejected with all it held.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

import polars as pl
import pyarrow as pa

from exchange.units import DOLLAR_CC
from pipelines.client import wire
from pipelines.ingest import exact
from pipelines.ingest.pages import Rows, arrow_of, repeated, values_of, whole_rows

_OHLC: Final = ("open", "high", "low", "close")


def trades(page: Sequence[wire.Trade], *, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `trades`, in the page's order."""
    # Column by column: the query engine would cost more than all else does for a page of 1,000 trades.
    n_rows = len(page)
    frame = pl.DataFrame(
        [
            values_of(page, "trade_id", pl.String()),
            values_of(page, "ticker", pl.String()),
            exact.moment_of(arrow_of(page, "created_time")).alias("event_ts"),
            exact.cc_of(arrow_of(page, "yes_price_dollars")).alias("yes_price_cc"),
            exact.centi_of(arrow_of(page, "count_fp")).alias("count_centi"),
            values_of(page, "side", pl.String(), called="taker_side"),
            values_of(page, "is_block_trade", pl.Boolean()),
            repeated("source", source, n_rows),
            repeated("fetched_ts", fetched_ts.astimezone(UTC), n_rows),
        ]
    )
    needed = {
        "event_ts": "created_time",
        "yes_price_cc": "yes_price_dollars",
        "count_centi": "count_fp",
        "taker_side": "side",
    }
    return whole_rows(page, frame, needed, source)


def candles(page: Sequence[wire.Candle], *, period_s: int, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `candles`; a bid or ask of $0 or $1 is no quote and becomes null [KALSHI.md §12.8]."""
    # Column by column as well: most pages of candles are those of one market, a few dozen rows.
    n_rows = len(page)
    sides = ("yes_bid", "yes_ask")
    quoted = {f"{side}_{each}_cc": f"{side}.{each}_dollars" for side in sides for each in _OHLC}
    traded = {f"price_{each}_cc": f"{each}_dollars" for each in (*_OHLC, "previous")}
    texts = {path: arrow_of(page, path) for path in quoted.values()}
    texts |= {path: _traded(page, path) for path in traded.values()}
    prices = {name: exact.cc_of(texts[path]).alias(name) for name, path in (quoted | traded).items()}
    frame = pl.DataFrame(
        [
            values_of(page, "ticker", pl.String()),
            repeated("period_s", pa.scalar(period_s, pa.int32()), n_rows),
            (values_of(page, "end_period_ts", pl.Int64(), called="end_ts") * 1_000_000).cast(exact.TIME),
            *prices.values(),
            pl.Series("price_mean_cc", _traded(page, "mean_dollars")),
            exact.centi_of(arrow_of(page, "volume_fp")).alias("volume_centi"),
            exact.centi_of(arrow_of(page, "open_interest_fp")).alias("open_interest_centi"),
            repeated("source", source, n_rows),
            repeated("fetched_ts", fetched_ts.astimezone(UTC), n_rows),
        ]
    ).with_columns(*(_inside(pl.col(name)) for name in quoted), _rounded("price_mean_cc"))
    unread = {
        path: prices[name].is_null() & pl.Series(texts[path].is_valid())
        for name, path in (quoted | traded).items()
        if prices[name].null_count() > texts[path].null_count
    }
    needed = {"volume_centi": "volume_fp", "open_interest_centi": "open_interest_fp"}
    return whole_rows(page, frame, needed, source, unread=unread)


def _traded(page: Sequence[wire.Candle], name: str) -> pa.LargeStringArray:
    read = attrgetter(name)
    told = [None if candle.price is None else read(candle.price) for candle in page]
    return pa.array(told, pa.large_string())


def _inside(price: pl.Expr) -> pl.Expr:
    return pl.when((price > 0) & (price < DOLLAR_CC)).then(price)


def _rounded(name: str) -> pl.Expr:
    # A mean may be finer than a centicent; nothing was traded at it, so it is rounded, not refused.
    scaled = pl.col(name).str.strip_chars().cast(pl.Decimal(38, 10), strict=False) * DOLLAR_CC
    return scaled.round(0).cast(pl.Int32, strict=False)
