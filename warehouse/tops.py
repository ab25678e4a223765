"""Tops of book from the best source there is: recorded quotes, else the closes of candles.

A candle's close is left out where a recording of its market was going on (`warehouse.recorded`), and where
within its period the close of a shorter candle is there instead. `source` says which it was.
"""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.recorded import spans, stops
from warehouse.tables import BOOK_GAPS, CANDLES, QUOTES

if TYPE_CHECKING:
    from warehouse.lake import Lake

FROM_CANDLES: Final = "candles"
_PERIOD: Final = pl.duration(seconds=pl.col("period_s"))


def tops(
    lake: "Lake",
    tickers: Collection[str] | None = None,
    *,
    dates: tuple[date | None, date | None] = (None, None),
) -> pl.LazyFrame:
    """Return the columns of the table `quotes`, in no particular order; `dates` as for `Lake.scan`.

    The close of a candle is the quote at its end: known then, without sizes, in session `candles_<seconds>`.
    """
    wanted = pl.lit(value=True) if tickers is None else pl.col("ticker").is_in(list(tickers))
    recorded = lake.scan(QUOTES, dates=dates).filter(wanted)
    candles = lake.files(CANDLES)
    if candles is None or candles.between(*dates).files.is_empty():
        return recorded
    bars = lake.scan(CANDLES, dates=dates).filter(wanted).rename({"end_ts": "event_ts"}).sort("event_ts")
    # Recordings may have begun before the dates asked for, and go on after them.
    recordings = spans(lake.scan(QUOTES).filter(wanted), stops(lake.scan(BOOK_GAPS)))
    closes = _shortest(_unrecorded(bars, recordings))
    return pl.concat([recorded, closes.select(_closes())])


def _unrecorded(bars: pl.LazyFrame, recordings: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out bars that ended while a recording of their market was going on."""
    begun = recordings.sort("first_ts").select(
        "ticker", event_ts="first_ts", until_ts=pl.col("until_ts").cum_max().over("ticker")
    )
    is_recorded = pl.col("until_ts") >= pl.col("event_ts")
    return bars.join_asof(begun, on="event_ts", by="ticker", check_sortedness=False).filter(_not(is_recorded))


def _shortest(bars: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out bars in whose period a shorter one of their market ended."""
    lengths = bars.select(longer_s="period_s").unique()
    shorter = bars.join(lengths, how="cross").filter(pl.col("period_s") < pl.col("longer_s"))
    told = shorter.select("ticker", "event_ts", period_s="longer_s", shorter_ts="event_ts").sort("event_ts")
    is_told = pl.col("shorter_ts") > pl.col("event_ts") - _PERIOD
    by = ["ticker", "period_s"]
    return bars.join_asof(told, on="event_ts", by=by, check_sortedness=False).filter(_not(is_told))


def _not(is_so: pl.Expr) -> pl.Expr:
    return is_so.not_().fill_null(value=True)


def _closes() -> list[pl.Expr]:
    told = {
        "session": pl.lit(f"{FROM_CANDLES}_") + pl.col("period_s").cast(pl.String),
        "bid_cc": pl.col("yes_bid_close_cc"),
        "ask_cc": pl.col("yes_ask_close_cc"),
        "last_price_cc": pl.coalesce("price_close_cc", "price_previous_cc"),
        "source": pl.lit(FROM_CANDLES),
    }
    kept = {"ticker", "event_ts", "open_interest_centi", "fetched_ts"}
    return [
        told[name].cast(dtype).alias(name)
        if name in told
        else pl.col(name)
        if name in kept
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in QUOTES.polars_schema.items()
    ]
