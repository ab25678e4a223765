"""Where recordings of quotes ended: from there on nobody knows what is quoted."""

from typing import TYPE_CHECKING

import polars as pl

from backtest.kernels.arrays import PRICE_UNKNOWN
from warehouse.storage import collected
from warehouse.tables import BOOK_GAPS
from warehouse.tape_schemas import BREAKS
from warehouse.tops import FROM_CANDLES

if TYPE_CHECKING:
    from backtest.engine import LakeReader


def ends(lake: "LakeReader", shown: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row like a quote, with PRICE_UNKNOWN, for the end of every recording of a market.

    None where another recording of that market goes on. A recorder's clock may be behind the exchange's: no
    recording ends before its last quote. Of a recording without an end on record nobody knows that it ended.
    The catalog's macros say the same, by when things were known (`warehouse.macros.tops`).
    """
    gaps = collected(lake.scan(BOOK_GAPS).filter(~pl.col("cause").is_in(BREAKS)), BOOK_GAPS.name)
    stops = gaps.explode("tickers").select("session", ticker="tickers", from_ts="from_ts").drop_nulls()
    if stops.is_empty():
        return shown.clear()
    key = ["ticker", "session"]
    recorded = shown.filter(
        pl.col("ticker").is_in(stops["ticker"].unique().implode()),
        ~pl.col("session").str.starts_with(f"{FROM_CANDLES}_"),
    )
    first, last = pl.col("event_ts").min(), pl.col("event_ts").max()
    spans = collected(recorded.group_by(key).agg(first_ts=first, last_ts=last), "quotes")
    spans = spans.join(stops.group_by(key).agg(pl.col("from_ts").max()), on=key, how="left").with_columns(
        end_ts=pl.when(pl.col("from_ts").is_not_null()).then(pl.max_horizontal("from_ts", "last_ts"))
        + pl.duration(microseconds=1)
    )
    ended = spans.drop_nulls("end_ts")
    goes_on = (pl.col("first_ts_other") <= pl.col("end_ts")) & (
        pl.col("end_ts_other").is_null() | (pl.col("end_ts_other") > pl.col("end_ts"))
    )
    covered = ended.join(spans, on="ticker", suffix="_other").filter(goes_on)
    over = ended.join(covered, on=key, how="anti").unique(["ticker", "end_ts"])
    unknown = over.select("ticker", "session", event_ts="end_ts", bid_cc=PRICE_UNKNOWN, ask_cc=PRICE_UNKNOWN)
    return unknown.lazy().select(
        (pl.col(name) if name in unknown.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in shown.collect_schema().items()
    )
