"""From when a row counts: to the microsecond, and never before it was known."""

from typing import Final

import polars as pl

_TIME: Final = pl.Datetime("us", "UTC")
_NS_PER_US: Final = 1_000
_FINER: Final = r"\.\d{6}\d*[1-9]"  # a time as text, of which microseconds leave something over


def known_ts(times: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    """Return times with a zone in microseconds and UTC, nanoseconds rounded up."""
    if dtype.time_unit == "ns":
        return (-(-times.to_physical() // _NS_PER_US)).cast(_TIME)
    return times.dt.convert_time_zone("UTC").cast(_TIME)


def known_ts_of_text(text: pl.Expr) -> pl.Expr:
    """Return RFC 3339 times as `known_ts` does; null for text that is none, such as a time without a zone."""
    cut = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return cut + pl.duration(microseconds=text.str.contains(_FINER).cast(pl.Int64))
