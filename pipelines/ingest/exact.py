"""Columns of text into integers and times, exactly: what cannot be read becomes null, never a guess.

The vectorised twins of `exchange.units.parse_cc`, `parse_centi` and `parse_ts`; a property test holds them
equal. No float is involved anywhere.
"""

from typing import Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")

CC_DECIMALS: Final = 4
CENTI_DECIMALS: Final = 2

# 13 digits before the point keep every scaled value far inside int64.
_MAX_WHOLE_DIGITS: Final = 13
_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6}0{0,3})?"
_RFC3339: Final = f"^{_DATE}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"


def cc(column: str) -> pl.Expr:
    """Read dollar text ("0.5600") as centicents, Int32; null where it is no exact price."""
    return _scaled(column, CC_DECIMALS).cast(pl.Int32, strict=False)


def centi(column: str) -> pl.Expr:
    """Read contract text ("10.50") as hundredths, Int64; null where it is no exact count."""
    return _scaled(column, CENTI_DECIMALS)


def cents_cc(column: str) -> pl.Expr:
    """Read whole cents ("56") as centicents, Int32; null where it is no whole number of cents."""
    return (_scaled(column, 0) * 100).cast(pl.Int32, strict=False)


def moment(column: str) -> pl.Expr:
    """Read RFC 3339 text with 0-6 decimals and a zone; null where it is no such time."""
    text = pl.col(column).str.strip_chars()
    readable = pl.when(text.str.contains(_RFC3339)).then(text.str.replace(" ", "T", literal=True))
    return readable.str.to_datetime("%+", time_unit="us", strict=False).cast(TIME).alias(column)


def _scaled(column: str, decimals: int) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    fraction = rf"\.[0-9]{{0,{decimals}}}0*" if decimals else r"\.0*"
    plain = text.str.contains(rf"^-?[0-9]{{1,{_MAX_WHOLE_DIGITS}}}({fraction})?$")
    # The pattern lets through only what has no digit beyond the scale, so that the cast cannot round.
    number = pl.when(plain).then(text.str.strip_chars_end(".")).cast(pl.Decimal(38, decimals), strict=False)
    return number.to_physical().cast(pl.Int64).alias(column)
