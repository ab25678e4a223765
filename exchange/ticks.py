"""The grid of prices that a market accepts.

`price_ranges` of a market is the truth; the names below are Kalshi's labels, and new ones appear.
Source: KALSHI.md §7 (docs page fixed_point_migration, 2026-08-17; changelog to 2026-09-03).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exchange.errors import BadInput
from exchange.units import DOLLAR_CC


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Prices from `start_cc` to `end_cc` (both included) that lie whole steps above `start_cc`."""

    start_cc: int
    end_cc: int
    step_cc: int

    def __post_init__(self) -> None:
        """Refuse what no grid can be.

        Raises:
            BadInput: outside $0..$1, reversed, or without a positive step.
        """
        if not 0 <= self.start_cc < self.end_cc <= DOLLAR_CC or self.step_cc <= 0:
            raise BadInput(
                f"{self} is no price range: 0 <= start < end <= {DOLLAR_CC} and step > 0 are needed"
            )


def _banded(edge_step_cc: int, centre_step_cc: int, edge_cc: int = 1_000) -> tuple[PriceRange, ...]:
    return (
        PriceRange(0, edge_cc, edge_step_cc),
        PriceRange(edge_cc, DOLLAR_CC - edge_cc, centre_step_cc),
        PriceRange(DOLLAR_CC - edge_cc, DOLLAR_CC, edge_step_cc),
    )


LINEAR_CENT: Final = (PriceRange(0, DOLLAR_CC, 100),)
STRUCTURES: Final[dict[str, tuple[PriceRange, ...]]] = {
    "linear_cent": LINEAR_CENT,
    "deci_cent": (PriceRange(0, DOLLAR_CC, 10),),
    "tapered_deci_cent": _banded(10, 100),
    "center_whole_edge_half_cent": _banded(50, 100),
    "center_whole_edge_quint_cent": _banded(20, 100),
    "center_half_edge_half_cent": (PriceRange(0, DOLLAR_CC, 50),),
    "center_half_edge_quint_cent": _banded(20, 50),
    "center_half_edge_deci_cent": _banded(10, 50),
    "center_quint_edge_quint_cent": (PriceRange(0, DOLLAR_CC, 20),),
    "center_quint_edge_deci_cent": _banded(10, 20),
    "center_centi_edge_centi_cent": (PriceRange(0, DOLLAR_CC, 1),),
    "center_deci_edge_centi_cent": _banded(1, 10, edge_cc=100),
}


def is_on_grid(price_cc: int, ranges: Sequence[PriceRange]) -> bool:
    """Tell whether an order at this price would be accepted: strictly between $0 and $1, on a step."""
    return 0 < price_cc < DOLLAR_CC and any(
        each.start_cc <= price_cc <= each.end_cc and (price_cc - each.start_cc) % each.step_cc == 0
        for each in ranges
    )


def floor_to_grid(price_cc: int, ranges: Sequence[PriceRange]) -> int | None:
    """Return the highest price of the grid that is not above `price_cc`; None when there is none."""
    return max((price for price in prices_on(ranges) if price <= price_cc), default=None)


def ceil_to_grid(price_cc: int, ranges: Sequence[PriceRange]) -> int | None:
    """Return the lowest price of the grid that is not below `price_cc`; None when there is none."""
    return min((price for price in prices_on(ranges) if price >= price_cc), default=None)


def prices_on(ranges: Sequence[PriceRange]) -> tuple[int, ...]:
    """Return every price of the grid in centicents, ascending, without $0 and $1."""
    prices = {
        price_cc
        for each in ranges
        for price_cc in range(each.start_cc, each.end_cc + 1, each.step_cc)
        if 0 < price_cc < DOLLAR_CC
    }
    return tuple(sorted(prices))
