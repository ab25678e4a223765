"""What a ladder of thresholds says about a number: the percentiles of its forecast, from prices.

A market "above K" at price p says that the number lies at or below K with probability 1 - p. Between two
thresholds the probability grows in a straight line, and outside of them nothing is known: a percentile beyond
the ladder is its end.
Source: KALSHI.md §5.8 (OpenAPI 3.28.0, August 2026).
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from exchange.markets import Market
from exchange.units import DOLLAR_CC
from sandbox.encoding import Json
from sandbox.source import Source

LADDER: Final = frozenset({"greater", "greater_or_equal"})


def ladder(markets: Sequence[Market]) -> list[Market]:
    """Return the markets that say "above", by threshold."""
    rungs = [each for each in markets if each.strike_type in LADDER and each.floor_strike is not None]
    return sorted(rungs, key=lambda market: market.floor_strike or 0.0)


def below_cc(source: Source, rungs: Sequence[Market], at_ts: datetime) -> list[tuple[float, int]]:
    """Return (threshold, probability of at or below in ten-thousandths), never falling.

    A rung without quotes or trades is left out.
    """
    known: list[tuple[float, int]] = []
    for market in rungs:
        bid_cc, ask_cc, last_cc = source.quote_at(market.ticker, at_ts)
        price_cc = last_cc if bid_cc is None or ask_cc is None else (bid_cc + ask_cc) // 2
        if price_cc is None or market.floor_strike is None:
            continue
        lowest_cc = known[-1][1] if known else 0
        known.append((market.floor_strike, max(lowest_cc, DOLLAR_CC - price_cc)))
    return known


def percentile(known: Sequence[tuple[float, int]], wanted: int) -> float | None:
    """Return the value at a percentile of 0 to 9999; None where nothing is known."""
    if not known:
        return None
    if wanted <= known[0][1]:
        return known[0][0]
    for (low, low_cc), (high, high_cc) in pairwise(known):
        if wanted <= high_cc:
            return low + (high - low) * (wanted - low_cc) / (high_cc - low_cc)
    return known[-1][0]


def forecast(
    source: Source, rungs: Sequence[Market], at_ts: datetime, percentiles: Sequence[int]
) -> list[Json]:
    """Return the points of one moment; none at all while no rung has a price."""
    known = below_cc(source, rungs, at_ts)
    told: list[Json] = []
    for wanted in percentiles:
        value = percentile(known, wanted)
        if value is not None:
            rounded = round(value, 2)
            told.append(
                {
                    "percentile": wanted,
                    "raw_numerical_forecast": round(value, 6),
                    "numerical_forecast": rounded,
                    "formatted_forecast": f"{rounded:.2f}",
                }
            )
    return told
