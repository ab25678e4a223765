"""Numbers as JSON or as text: kept exactly, and within bounds that nobody downstream has to fear.

A number such as `1e999999999` is nine digits on the wire and a gigabyte as an integer, so every number that
is read exactly is bounded before anything is done with it.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import msgspec

from exchange.errors import UnitError

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A JSON integer of at most 64 bits; what comes after (columns, clocks) holds no more."""

PriceText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{0,4}0{0,20})?\Z")]
"""Dollar text that `parse_cc` reads; other text is a WireError that names the field, not a late surprise."""

MoneyText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{0,6}0{0,20})?\Z")]
"""Dollar text that `parse_micros` reads."""

CountText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{0,2}0{0,20})?\Z")]
"""Contract text that `parse_centi` reads."""

_MAX_EXPONENT: Final = 300
_MAX_DIGITS: Final = 400
_SHOWN_CHARACTERS: Final = 40
_MAX_MULTIPLIER: Final = Decimal(1_000)
_PPM: Final = 1_000_000


def exact(text: str) -> Decimal:
    """Return a number as it was written.

    Raises:
        UnitError: not a number, or one that no float could hold either.
    """
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise UnitError(f"{text[:_SHOWN_CHARACTERS]} is not a number") from error
    return bounded(number)


def bounded(number: Decimal) -> Decimal:
    """Return `number` itself.

    Raises:
        UnitError: not finite, above 1e300, below 1e-300 or of more than 400 digits.
    """
    if not number.is_finite():
        raise UnitError(f"{str(number)[:_SHOWN_CHARACTERS]} is not a number")
    exponent = number.as_tuple().exponent
    is_small = isinstance(exponent, int) and exponent >= -_MAX_EXPONENT - _MAX_DIGITS
    if abs(number.adjusted()) > _MAX_EXPONENT or not is_small or len(number.as_tuple().digits) > _MAX_DIGITS:
        raise UnitError(f"{str(number)[:_SHOWN_CHARACTERS]} is out of range")
    return number


def ppm(multiplier: Decimal) -> int:
    """Return a fee multiplier in parts per million: Decimal("0.5") is 500_000.

    Raises:
        UnitError: finer than one part per million, beyond a thousand, or not a finite number.
    """
    if abs(bounded(multiplier)) > _MAX_MULTIPLIER:
        raise UnitError(f"fee multiplier {str(multiplier)[:_SHOWN_CHARACTERS]} is beyond {_MAX_MULTIPLIER}")
    numerator, denominator = multiplier.as_integer_ratio()
    parts, rest = divmod(numerator * _PPM, denominator)
    if rest:
        raise UnitError(
            f"fee multiplier {str(multiplier)[:_SHOWN_CHARACTERS]} is finer than one part per million"
        )
    return parts
