"""Fee multipliers as integers."""

from decimal import Decimal

from exchange.errors import UnitError


def ppm(multiplier: Decimal) -> int:
    """Return a multiplier in parts per million: Decimal("0.5") is 500_000.

    Raises:
        UnitError: finer than one part per million, or not a finite number.
    """
    if not multiplier.is_finite():
        raise UnitError(f"fee multiplier {multiplier} is not a number")
    scaled = multiplier.scaleb(6)
    if scaled != scaled.to_integral_value():
        raise UnitError(f"fee multiplier {multiplier} is finer than one part per million")
    return int(scaled)
