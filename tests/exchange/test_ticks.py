"""Prices live on a grid that the market states."""

import pytest

from exchange.errors import BadInput
from exchange.ticks import (
    LINEAR_CENT,
    STRUCTURES,
    PriceRange,
    ceil_to_grid,
    floor_to_grid,
    is_on_grid,
    prices_on,
)


def test_a_linear_cent_market_has_99_prices() -> None:
    prices = prices_on(LINEAR_CENT)
    assert (len(prices), prices[0], prices[-1]) == (99, 100, 9_900)


def test_a_tapered_market_is_finer_at_its_edges() -> None:
    """$0.001 steps below 10 cents and above 90, cents between: 99 + 1 + 79 + 1 + 99 prices."""
    tapered = STRUCTURES["tapered_deci_cent"]
    assert len(prices_on(tapered)) == 279
    assert is_on_grid(990, tapered)
    assert not is_on_grid(1_010, tapered)
    assert is_on_grid(1_100, tapered)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_whole_cents_are_valid_on_every_grid(name: str) -> None:
    """Source: KALSHI.md §7."""
    assert all(is_on_grid(cents * 100, STRUCTURES[name]) for cents in range(1, 100))


@pytest.mark.parametrize("price_cc", [0, 10_000, -100, 10_100])
def test_nothing_trades_at_zero_at_a_dollar_or_beyond(price_cc: int) -> None:
    assert not is_on_grid(price_cc, LINEAR_CENT)


def test_snapping_goes_to_the_neighbour_on_the_asked_side() -> None:
    assert floor_to_grid(5_649, LINEAR_CENT) == 5_600
    assert ceil_to_grid(5_649, LINEAR_CENT) == 5_700
    assert floor_to_grid(99, LINEAR_CENT) is None
    assert ceil_to_grid(9_901, LINEAR_CENT) is None


def test_a_range_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="no price range"):
        PriceRange(5_000, 5_000, 100)
    with pytest.raises(BadInput, match="no price range"):
        PriceRange(0, 10_000, 0)
