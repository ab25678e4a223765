"""Cells of recordings in the units of their layout, exactly; and what is wrong with a row.

As in `exact`: what cannot be read becomes null, never a guess. Times finer than a microsecond are cut. What a
float made of a decimal is read as that decimal: a recorder that writes 1 - 0.89 as 0.10999999999999999 means
0.11, for eight nines or zeros beyond the last digit that a price has are nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import exact
from pipelines.ingest.refused import as_refused

Check = tuple[str | None, pl.Expr, str]
"""The column at fault or None for the row, when it is, and why."""

PRICE_REASON: Final = "is not a price between $0 and $1 in the layout's unit"
SIZE_REASON: Final = "is not a positive size in the layout's unit"
TIME_REASON: Final = (
    "is not a time as the layout tells: text with a zone (or --zone), or a number; a local time that comes "
    "twice or never is none"
)

_NAIVE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?$"
_NUMBER: Final = r"^[0-9]{1,19}$"
_TOO_FINE: Final = r"(\.[0-9]{6})[0-9]+"
_PER_S: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_US_PER_S: Final = 1_000_000
_MAX_US: Final = (1 << 63) - 1


def blank(column: str) -> pl.Expr:
    """Tell whether a cell holds nothing: empty, or NaN as tables of floats say it."""
    text = pl.col(column).str.strip_chars().str.to_lowercase()
    return text.is_null() | text.is_in(["", "nan"])


def price_cc(column: str, unit: str) -> pl.Expr:
    """Read a price as centicents, Int32."""
    if unit == "dollars":
        noisy = _denoised(column, exact.CC_DECIMALS).cast(pl.Int32, strict=False)
        return pl.coalesce(exact.cc(column), noisy).alias(column)
    return _whole(column, is_hundredfold=unit == "cents").cast(pl.Int32, strict=False).alias(column)


def count_centi(column: str, unit: str) -> pl.Expr:
    """Read a size as hundredths of a contract, Int64."""
    return _whole(column, is_hundredfold=unit == "contracts").alias(column)


def moment(column: str, unit: str, zone: str | None) -> pl.Expr:
    """Read a time: text with a zone or in `zone`, or a number of `unit` since 1970."""
    if unit != "text":
        return epoch(column, unit)
    told = exact.moment(column)
    if zone is None:
        return told
    text = pl.col(column).str.strip_chars().str.replace(_TOO_FINE, "${1}")
    naive = pl.when(text.str.contains(_NAIVE)).then(text.str.replace(" ", "T", literal=True))
    local = naive.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    there = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return pl.coalesce(told, there.dt.convert_time_zone("UTC")).alias(column)


def epoch(column: str, unit: str) -> pl.Expr:
    """Read a number of seconds, ms, us or ns since 1970; seconds may have up to 6 decimals."""
    text = pl.col(column).str.strip_chars()
    whole = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Int64, strict=False)
    per_s = _PER_S[unit]
    if per_s > _US_PER_S:
        micros = whole // (per_s // _US_PER_S)
    else:
        factor = _US_PER_S // per_s
        micros = pl.when(whole <= _MAX_US // factor).then(whole * factor)
    if unit == "s":
        parts = text.str.extract_groups(r"^([0-9]{1,12})\.([0-9]{1,6})0*$")
        fraction = parts.struct.field("2").str.pad_end(6, "0").cast(pl.Int64, strict=False)
        seconds = parts.struct.field("1").cast(pl.Int64, strict=False)
        micros = pl.coalesce(micros, seconds * _US_PER_S + fraction)
    return micros.cast(exact.TIME).alias(column)


def is_naive(column: str) -> pl.Expr:
    """Tell whether a cell is a time without a zone."""
    return pl.col(column).str.strip_chars().str.contains(_NAIVE).fill_null(value=False)


def row_checks() -> list[Check]:
    """Return what no row may be, whatever its columns mean."""
    return [
        (None, pl.col("is_torn"), "a quoted cell holds a line break"),
        (None, pl.col("n_missing") > 0, "the row has fewer cells than the first line names columns"),
        (None, pl.col("n_missing") < 0, "the row has more cells than the first line names columns"),
        (None, pl.col("payload").str.contains("\ufffd", literal=True), "the row is not UTF-8 text"),
    ]


def outside(column: str, least: int, most: int = DOLLAR_CC) -> pl.Expr:
    """Tell whether a number is missing or not in `least`..`most`, both included."""
    return ~pl.col(column).is_between(least, most).fill_null(value=False)


def judged(rows: pl.DataFrame, checks: Sequence[Check]) -> pl.DataFrame:
    """Add `field`, `value` and `reason`: the first check that a row fails, or nulls."""
    verdict = pl.coalesce(
        pl.when(is_wrong).then(pl.struct(field=pl.lit(name), value=_shown(name), reason=pl.lit(reason)))
        for name, is_wrong, reason in checks
    )
    return rows.with_columns(verdict.alias("verdict")).unnest("verdict")


def refused(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """Return judged rows as rows of `refused.REFUSED`."""
    return as_refused(rows.with_columns(location(path)))


def location(path: Path) -> pl.Expr:
    """Return "file:line" of rows with a line."""
    return pl.format("{}:{}", pl.lit(path.name), pl.col("line")).alias("location")


def _whole(column: str, *, is_hundredfold: bool) -> pl.Expr:
    read = pl.coalesce(exact.centi(column), _denoised(column, exact.CENTI_DECIMALS))
    return read if is_hundredfold else pl.when(read % 100 == 0).then(read // 100)


def _denoised(column: str, decimals: int) -> pl.Expr:
    """Read a number that ends in eight or more zeros or nines past its decimals, in units of the last."""
    pattern = rf"^([0-9]{{1,9}})\.([0-9]{{{decimals}}})(0{{8}}|9{{8}})[0-9]*$"
    parts = pl.col(column).str.strip_chars().str.extract_groups(pattern)
    whole, fraction = (parts.struct.field(each).cast(pl.Int64, strict=False) for each in ("1", "2"))
    carried = parts.struct.field("3").str.starts_with("9").cast(pl.Int64)
    scale: int = 10**decimals
    return whole * scale + fraction + carried


def _shown(name: str | None) -> pl.Expr:
    return pl.lit(None, pl.String) if name is None else pl.col(name).fill_null("")
