"""Columns of text into integers and times, exactly: what cannot be read becomes null, never a guess.

The vectorised twins of `exchange.units.parse_cc`, `parse_centi` and `parse_ts`; a property test holds them
equal. No float is involved anywhere. Text as Kalshi writes it is cast by Arrow, ten times faster than by
pattern; a column with any other text in it is read by pattern as a whole.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

TIME: Final = pl.Datetime("us", "UTC")

CC_DECIMALS: Final = 4
CENTI_DECIMALS: Final = 2

# 13 digits before the point keep every scaled value far inside int64.
_MAX_WHOLE_DIGITS: Final = 13
_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6}0{0,3})?"
_RFC3339: Final = f"^{_DATE}[T ]{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"

_INSTANT: Final = pa.timestamp("us", "UTC")
_DIGITS: Final = b"0123456789"
_IS_DIGIT: Final = np.isin(np.arange(256), list(_DIGITS))
_IS_PLAIN: Final = np.isin(np.arange(256), list(_DIGITS + b"-."))
# Lengths of "2026-01-02T03:04:05Z" with no decimals or with 1 to 6.
_IS_LENGTH_OF_TIME: Final = np.isin(np.arange(28), [20, 22, 23, 24, 25, 26, 27])


def cc(column: str) -> pl.Expr:
    """Read dollar text ("0.5600") as centicents, Int32; null where it is no exact price."""
    return _mapped(column, cc_of, pl.Int32())


def centi(column: str) -> pl.Expr:
    """Read contract text ("10.50") as hundredths, Int64; null where it is no exact count."""
    return _mapped(column, centi_of, pl.Int64())


def cents_cc(column: str) -> pl.Expr:
    """Read whole cents ("56") as centicents, Int32; null where it is no whole number of cents."""
    return (_scaled(column, 0) * 100).cast(pl.Int32, strict=False)


def moment(column: str) -> pl.Expr:
    """Read RFC 3339 text with 0-6 decimals and a zone; null where it is no such time."""
    return _mapped(column, moment_of, TIME)


def cc_of(column: pa.LargeStringArray) -> pl.Series:
    """Read text in memory as `cc` does."""
    return _scaled_of(column, CC_DECIMALS).cast(pl.Int32, strict=False)


def centi_of(column: pa.LargeStringArray) -> pl.Series:
    """Read text in memory as `centi` does."""
    return _scaled_of(column, CENTI_DECIMALS)


def moment_of(column: pa.LargeStringArray) -> pl.Series:
    """Read text in memory as `moment` does."""
    if _looks_like_times(column.drop_null()):
        try:
            return pl.Series(column.cast(_INSTANT))
        except pa.ArrowInvalid:  # a day that does not exist, or no time at all
            pass
    text = pl.col("").str.strip_chars()
    readable = pl.when(text.str.contains(_RFC3339)).then(text.str.replace(" ", "T", literal=True))
    return _read(column, readable.str.to_datetime("%+", time_unit="us", strict=False).cast(TIME))


def _scaled_of(column: pa.LargeStringArray, decimals: int) -> pl.Series:
    if _looks_like_numbers(column.drop_null()):
        try:
            number = column.cast(pa.decimal64(_MAX_WHOLE_DIGITS + decimals, decimals))
            return pl.Series(number.view(pa.int64()))
        except pa.ArrowInvalid:  # finer than the unit, or no number at all
            pass
    return _read(column, _scaled("", decimals))


def _scaled(column: str, decimals: int) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    fraction = rf"\.[0-9]{{0,{decimals}}}0*" if decimals else r"\.0*"
    plain = text.str.contains(rf"^-?[0-9]{{1,{_MAX_WHOLE_DIGITS}}}({fraction})?$")
    # The pattern lets through only what has no digit beyond the scale, so that the cast cannot round.
    number = pl.when(plain).then(text.str.strip_chars_end(".")).cast(pl.Decimal(38, decimals), strict=False)
    return number.to_physical().cast(pl.Int64).alias(column)


def _looks_like_times(column: pa.LargeStringArray) -> bool:
    """Tell whether Arrow, which also takes hours without minutes, would read what the pattern reads."""
    letters, ends = _letters(column)
    lengths = np.diff(ends)
    return bool(
        (lengths < len(_IS_LENGTH_OF_TIME)).all()
        and _IS_LENGTH_OF_TIME[lengths].all()
        and (letters[ends[1:] - 1] == ord("Z")).all()
    )


def _looks_like_numbers(column: pa.LargeStringArray) -> bool:
    """Tell whether Arrow, which also takes exponents and a bare point, would read what the pattern reads."""
    letters, ends = _letters(column)
    lengths = np.diff(ends)
    if not ((lengths > 0) & (lengths <= _MAX_WHOLE_DIGITS)).all() or not _IS_PLAIN[letters].all():
        return False
    is_negative = letters[ends[:-1]] == ord("-")
    return bool((lengths > is_negative).all() and _IS_DIGIT[letters[ends[:-1] + is_negative]].all())


def _letters(column: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of all texts in a row, and where each text begins, with the end of the last."""
    _, offsets, letters = column.buffers()
    if not len(column) or letters is None:
        return np.empty(0, np.uint8), np.zeros(len(column) + 1, np.int64)
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(letters, np.uint8)[ends[0] : ends[-1]], ends - ends[0]


def _mapped(column: str, read: Callable[[pa.LargeStringArray], pl.Series], dtype: pl.DataType) -> pl.Expr:
    def of(series: pl.Series) -> pl.Series:
        told = series.to_arrow(compat_level=pl.CompatLevel.oldest())
        return read(told).alias(column)

    return pl.col(column).map_batches(of, return_dtype=dtype, is_elementwise=True).alias(column)


def _read(column: pa.LargeStringArray, expression: pl.Expr) -> pl.Series:
    return pl.Series("", column, dtype=pl.String).to_frame().select(expression).to_series()
