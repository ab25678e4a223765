"""How numbers are printed for people: dollars, contracts, shares, times. Integers in, text out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NONE: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
_MICROS: Final = Decimal(1_000_000)
_UNITS: Final = (
    (86_400_000_000, "d"),
    (3_600_000_000, "h"),
    (60_000_000, "min"),
    (1_000_000, "s"),
    (1_000, "ms"),
)


def dollars(micros: float | None, *, decimals: int = 2, is_signed: bool = False) -> str:
    """Print an amount: 1_234_560_000 is "$1,234.56"; `is_signed` puts a + before gains."""
    if micros is None:
        return NONE
    exact = (Decimal(micros) / _MICROS).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    sign = MINUS if exact < 0 else "+" if is_signed and exact > 0 else ""
    return f"{sign}${abs(exact):,.{decimals}f}"


def decimals_for(amounts: Iterable[int | None]) -> int:
    """Return 2, or 4 when some amount is below ten cents and is no whole number of cents."""
    is_fine = any(each % 10_000 != 0 and abs(each) < 100_000 for each in amounts if each)  # noqa: PLR2004 - ten cents
    return 4 if is_fine else 2


def price(price_cc: int | None) -> str:
    """Print a price in dollars: 5600 is "$0.56", 55 is "$0.0055"."""
    if price_cc is None:
        return NONE
    return f"${Decimal(price_cc) / 10_000:.{2 if price_cc % 100 == 0 else 4}f}"


def contracts(count_centi: int | None) -> str:
    """Print a count: 1050 is "10.5", 100_000 is "1,000"."""
    if count_centi is None:
        return NONE
    text = f"{Decimal(count_centi) / 100:,.2f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def share(value: float | None, decimals: int = 1) -> str:
    """Print a share as percent: 0.125 is "12.5 %"."""
    if value is None:
        return NONE
    return f"{value * 100:,.{decimals}f} %".replace("-", MINUS)


def number(value: int | None) -> str:
    """Print a whole number with thousands separated."""
    return NONE if value is None else f"{value:,}".replace("-", MINUS)


def when(at_ts: datetime | None) -> str:
    """Print a moment to the second, in UTC without saying so (the column or page says it)."""
    return NONE if at_ts is None else f"{at_ts:%Y-%m-%d %H:%M:%S}"


def length(span: timedelta | int | None) -> str:
    """Print a length of time in its largest fitting units: 5_400_000_000 µs is "1 h 30 min"."""
    if span is None:
        return NONE
    left = abs(span // timedelta(microseconds=1) if isinstance(span, timedelta) else span)
    parts: list[str] = []
    for size, name in _UNITS:
        if left >= size and len(parts) < 2:  # noqa: PLR2004 - two units say enough
            parts.append(f"{left // size} {name}")
            left %= size
    return " ".join(parts) or (f"{left} µs" if left else "0")


def several(n: int, one: str, many: str | None = None) -> str:
    """Print a count with its noun: (1, "fill") is "1 fill", (2, "fill") is "2 fills"."""
    return f"{number(n)} {one if n == 1 else many or one + 's'}"


def printer(column: str) -> Callable[[Any], str]:
    """Return how a column of this name is printed, by the unit its name ends with."""
    by_suffix: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("_micros", dollars),
        ("_cc", price),
        ("_centi", contracts),
        ("_share", share),
        ("_ts", when),
        ("_us", length),
        ("_s", _seconds),
        ("_ppm", _ppm),
    )
    for suffix, print_it in by_suffix:
        if column.endswith(suffix):
            return print_it
    return plain


def plain(value: object) -> str:
    """Print a value whose name says no unit."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value) or NONE
    if isinstance(value, float):
        digits = (
            12 if float(f"{value:.12g}") == value else 6
        )  # whole what a person wrote, short what was computed
        return f"{value:,.{digits}g}".replace("-", MINUS)
    printers: dict[type, Callable[[Any], str]] = {
        type(None): lambda _: NONE,
        bool: lambda truth: "yes" if truth else "no",
        int: number,
        datetime: when,
        timedelta: length,
    }
    return printers.get(type(value), str)(value)


def _seconds(value: int | None) -> str:
    return NONE if value is None else length(int(value * 1_000_000))


def _ppm(value: int | None) -> str:
    return NONE if value is None else f"{Decimal(value) / 1_000_000:f}".rstrip("0").rstrip(".")
