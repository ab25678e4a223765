"""Tops of book from the best source there is: recorded quotes, else the closes of candles.

A candle's close is left out where a quote of its own period was recorded, and where a shorter candle of the
market's day speaks. `source` says which it was.
"""

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.tables import CANDLES, QUOTES

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
    recorded, bars = lake.scan(QUOTES, dates=dates), lake.scan(CANDLES, dates=dates)
    if tickers is not None:
        recorded, bars = (rows.filter(pl.col("ticker").is_in(list(tickers))) for rows in (recorded, bars))
    if lake.version(CANDLES) is None:
        return recorded
    bars = bars.rename({"end_ts": "event_ts"})
    is_shortest = pl.col("period_s") == pl.col("period_s").min().over("ticker", pl.col("event_ts").dt.date())
    seen = recorded.select("ticker", "event_ts", seen_ts="event_ts").sort("event_ts")
    closes = (
        bars.filter(is_shortest)
        .sort("event_ts")
        .join_asof(seen, on="event_ts", by="ticker", check_sortedness=False)
        .filter((pl.col("seen_ts") > pl.col("event_ts") - _PERIOD).not_().fill_null(value=True))
    )
    return pl.concat([recorded, closes.select(_closes())])


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
