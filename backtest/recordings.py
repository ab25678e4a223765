"""Where recordings of quotes ended: from there on nobody knows what is quoted."""

from typing import TYPE_CHECKING

import polars as pl

from backtest.kernels.arrays import PRICE_UNKNOWN
from warehouse.recorded import spans, stops
from warehouse.storage import collected
from warehouse.tables import BOOK_GAPS
from warehouse.tops import FROM_CANDLES

if TYPE_CHECKING:
    from backtest.engine import LakeReader


def ends(lake: "LakeReader", shown: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row like a quote, with PRICE_UNKNOWN, for the end of every recording of a market.

    None where another recording of that market goes on. A recorder's clock may be behind the exchange's: no
    recording ends before its last quote. Of a recording without an end on record nobody knows that it ended.
    The catalog's macros say the same, by when things were known (`warehouse.macros.tops`).
    """
    stopped = collected(stops(lake.scan(BOOK_GAPS)), BOOK_GAPS.name)
    if stopped.is_empty():
        return shown.clear()
    key = ["ticker", "session"]
    recorded = shown.filter(
        pl.col("ticker").is_in(stopped["ticker"].unique().implode()),
        ~pl.col("session").str.starts_with(f"{FROM_CANDLES}_"),
    )
    found = collected(spans(recorded, stopped.lazy()), "quotes")
    end_ts = pl.col("until_ts") + pl.duration(microseconds=1)
    found = found.with_columns(end_ts=pl.when("is_ended").then(end_ts))
    ended = found.drop_nulls("end_ts")
    goes_on = (pl.col("first_ts_other") <= pl.col("end_ts")) & (
        pl.col("end_ts_other").is_null() | (pl.col("end_ts_other") > pl.col("end_ts"))
    )
    covered = ended.join(found, on="ticker", suffix="_other").filter(goes_on)
    over = ended.join(covered, on=key, how="anti").unique(["ticker", "end_ts"])
    unknown = over.select("ticker", "session", event_ts="end_ts", bid_cc=PRICE_UNKNOWN, ask_cc=PRICE_UNKNOWN)
    return unknown.lazy().select(
        (pl.col(name) if name in unknown.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in shown.collect_schema().items()
    )
