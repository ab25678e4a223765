"""Exact reading and printing of prices, counts, amounts and times.

Kalshi sends prices as dollar text with up to four decimals ("0.5600"), counts as text with two ("10.50") and
amounts with up to six. They become integers here, or an error: centicents (`_cc`, $0.0001), hundredths of a
contract (`_centi`) and millionths of a dollar (`_micros`), so that price_cc * count_centi == cost_micros.

Source: KALSHI.md §4 (OpenAPI 3.34.0, read 2026-10-09).
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from exchange.errors import UnitError

DOLLAR_CC: Final = 10_000
CONTRACT_CENTI: Final = 100
MICROS_PER_DOLLAR: Final = 1_000_000

_DECIMAL: Final = re.compile(r"(-?)(\d+)(?:\.(\d*))?", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DURATION: Final = re.compile(r"(\d+)(us|ms|s|m|h|d)", re.ASCII)
_DURATION_UNIT_US: Final = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def parse_cc(text: str) -> int:
    """Read dollar text as centicents: "0.5600" is 5600.

    Raises:
        UnitError: `text` is not a plain decimal, or is finer than $0.0001.
    """
    return _scaled(text, 4, "a price in dollars with at most 4 decimals, such as 0.5600")


def parse_centi(text: str) -> int:
    """Read contract text as hundredths: "10.50" is 1050.

    Raises:
        UnitError: `text` is not a plain decimal, or is finer than 0.01 contract.
    """
    return _scaled(text, 2, "a count with at most 2 decimals, such as 10.50")


def parse_micros(text: str) -> int:
    """Read dollar text as millionths of a dollar: "0.015930" is 15930.

    Raises:
        UnitError: `text` is not a plain decimal, or is finer than $0.000001.
    """
    return _scaled(text, 6, "an amount in dollars with at most 6 decimals, such as 0.015930")


def format_cc(price_cc: int) -> str:
    """Print centicents the way Kalshi does: 5600 is "0.5600"."""
    return _printed(price_cc, 4)


def format_centi(count_centi: int) -> str:
    """Print hundredths of a contract the way Kalshi does: 1050 is "10.50"."""
    return _printed(count_centi, 2)


def format_micros(amount_micros: int) -> str:
    """Print millionths of a dollar: 15930 is "0.015930"."""
    return _printed(amount_micros, 6)


def parse_ts(text: str) -> datetime:
    """Read an RFC 3339 time as an aware UTC datetime; Kalshi trims trailing zeros of the fraction.

    Raises:
        UnitError: not a time, without an offset, or finer than a microsecond.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"{text!r} is not an RFC 3339 time, such as 2026-01-02T03:04:05.96221Z")
    date, clock, fraction, offset = match.groups()
    if offset is None:
        raise UnitError(f"{text!r} has no time zone: write {date}T{clock}Z for UTC, or an offset like -05:00")
    digits = (fraction or "").ljust(6, "0")
    if digits[6:].strip("0"):
        raise UnitError(f"{text!r} is finer than a microsecond, which no table here can hold")
    try:
        at_ts = datetime.fromisoformat(f"{date}T{clock}.{digits[:6]}{offset.replace('Z', '+00:00')}")
    except ValueError as error:
        raise UnitError(f"{text!r} is not a time: {error}") from error
    return at_ts.astimezone(UTC)


def format_ts(at_ts: datetime) -> str:
    """Print a time as Kalshi does: UTC with a Z, the fraction without trailing zeros.

    Raises:
        UnitError: `at_ts` is naive.
    """
    at_ts = aware(at_ts)
    fraction = f".{at_ts.microsecond:06d}".rstrip("0") if at_ts.microsecond else ""
    return f"{at_ts:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def parse_when(text: str) -> datetime:
    """Read what a person types for a moment: a date (its UTC midnight) or a time with a zone.

    Raises:
        UnitError: neither of the two, or a time without a zone.
    """
    text = text.strip()
    return parse_ts(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)


def moment_of(said: str | date | datetime) -> datetime:
    """Return the moment that a person gives: a date is its UTC midnight, a time has a zone, text is either.

    Raises:
        UnitError: something else, or a time without a zone.
    """
    if isinstance(said, str):
        return parse_when(said)
    if isinstance(said, datetime):
        return aware(said)
    if isinstance(said, date):
        return datetime.combine(said, time(), tzinfo=UTC)
    raise UnitError(f"{said!r} is not a date or time, such as 2026-05-11 or 2026-05-11T12:00:00Z")


def parse_duration(text: str) -> timedelta:
    """Read "250ms", "30s", "5m", "1h" or "1d" as a length of time.

    Raises:
        UnitError: not a whole number followed by us, ms, s, m, h or d.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UnitError(
            f"{text!r} is not a duration: write a whole number and us, ms, s, m, h or d, as in 250ms"
        )
    number, unit = match.groups()
    try:
        return timedelta(microseconds=int(number) * _DURATION_UNIT_US[unit])
    except OverflowError as error:
        raise UnitError(f"{text!r} is longer than time can be counted here") from error


def aware(at_ts: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        UnitError: `at_ts` is naive, so nobody can tell which moment it means.
    """
    if at_ts.tzinfo is None:
        raise UnitError(f"{at_ts.isoformat()} has no time zone: add tzinfo=UTC, or write it with a Z")
    return at_ts.astimezone(UTC)


def to_us(at_ts: datetime) -> int:
    """Return microseconds since 1970, exactly.

    Raises:
        UnitError: `at_ts` is naive.
    """
    return (aware(at_ts) - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """Return the UTC moment of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def _scaled(text: str, decimals: int, wanted: str) -> int:
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"{text!r} is not {wanted}")
    sign, whole, fraction = match.groups()
    digits = (fraction or "").ljust(decimals, "0")
    if digits[decimals:].strip("0"):
        raise UnitError(f"{text!r} is not {wanted}: it is finer")
    value = int(whole + digits[:decimals])
    return -value if sign else value


def _printed(value: int, decimals: int) -> str:
    whole, fraction = divmod(abs(value), 10**decimals)
    return f"{'-' if value < 0 else ''}{whole}.{fraction:0{decimals}d}"
