"""Slippage once more, slow and obvious: the touch after each instant of trades, and a ladder of impact.

Grids are cents. Events are those of tests/oracles/engine.py; a touch made of trades is ("last", bid, ask,
sides), where `sides` names those on which somebody traded at another price than the last one there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import Any, Final

from exchange.units import to_us

Instants = dict[int, list[tuple[Any, ...]]]
FLIPS: Final = 5
ENDLESS: Final = 3_000_000_001


def trade_instants(
    rows: Iterable[Mapping[str, Any]],
    close_us: int,
    half: Callable[[int], int] | None,
    max_age_us: int | None = None,
) -> Instants:
    """Return what the trades of one market show; `half` of the spread by price, None: it is estimated."""
    prints: dict[int, list[tuple[str, int]]] = {}
    for row in rows:
        if to_us(row["event_ts"]) < close_us and not row.get("is_block_trade"):
            prints.setdefault(to_us(row["event_ts"]), []).append((row["taker_side"], row["yes_price_cc"]))
    found: Instants = {}
    spreads: list[int] = []
    before: tuple[int | None, int | None] = (None, None)
    last: dict[str, int] = {}
    for t in sorted(prints):
        bought = max((price for side, price in prints[t] if side == "yes"), default=None)
        sold = min((price for side, price in prints[t] if side == "no"), default=None)
        for high, low in ((bought, sold), (bought, before[1]), (before[0], sold)):
            if high is not None and low is not None:
                spreads.append(high - low)
                break
        before = (bought, sold)
        now = {side: price for side, price in (("ask", bought), ("bid", sold)) if price is not None}
        moved = {side for side, price in now.items() if price != last.get(side)}
        last |= now
        if half is None and len(spreads) < FLIPS:
            found[t] = [("unknown",)]
            continue
        mean = Fraction(sum(spreads), max(1, len(spreads)))
        asks, bids = [], []
        for price, way in ((bought, -1), (sold, 1)):
            if price is not None:
                across = price + way * 2 * (half(price) if half else max(1, ceil(mean / 2)))
                asks.append(max(price, across))
                bids.append(min(price, across))
        found[t] = [("last", min(bids), max(asks), moved)]
        after = min((each for each in prints if each > t), default=close_us)
        if max_age_us is not None and t + max_age_us < min(after, close_us):
            found[t + max_age_us] = [("unknown",)]
    return found


def cents(price: int, way: int) -> int:
    """Return the nearest whole cent that is no better for the order."""
    return -(-price // 100) * 100 if way > 0 else price // 100 * 100


def ladder(
    touch: int, way: int, used: int, worse: Callable[[float], float], only: int | None
) -> Iterator[tuple[int, int]]:
    """Yield the prices that an order walks, best first, and what is left there after `used` were taken.

    At each cent stands what the impact reaches half-way to the next cent. `only`: the one price of an order
    that waited.
    """
    prices = [only] if only is not None else [p for p in range(100, 10_000, 100) if way * (p - touch) >= 0]
    for price in sorted(prices, reverse=way < 0):
        after = cents(price + way, way)
        distance = float(way * (price + after - 2 * touch) // 2)
        reached = bisect_right(range(ENDLESS), distance, key=lambda n: worse(n / 100)) - 1
        yield price, max(0, reached - used)
        used = max(used, reached)
