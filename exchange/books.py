"""The order book of one market: bids for YES and bids for NO, as Kalshi publishes it.

Bids only: a NO bid at p is a YES ask at $1 - p, of the same size.
Source: KALSHI.md §7 and §10.4 (docs page orderbook_responses, 2026-08-04; websocket pages, 2026-10-01).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from exchange.trades import Side
from exchange.units import DOLLAR_CC


class Level(NamedTuple):
    """All resting contracts at one price."""

    price_cc: int
    count_centi: int


class OrderBook:
    """A book that snapshots replace and deltas change; held by whoever replays the stream."""

    __slots__ = ("_sides", "ticker")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self._sides: dict[Side, dict[int, int]] = {"yes": {}, "no": {}}

    def __eq__(self, other: object) -> bool:
        """Two books are equal when ticker and all levels are."""
        if not isinstance(other, OrderBook):
            return NotImplemented
        return self.ticker == other.ticker and self._sides == other._sides

    __hash__ = None  # type: ignore[assignment]  # a book changes, so it is no dictionary key

    def __repr__(self) -> str:
        """Show the top of the book, which is what one looks for in a log."""
        return f"OrderBook({self.ticker!r}, bid={self.best_bid()}, ask={self.best_ask()})"

    def apply_snapshot(self, yes: Iterable[tuple[int, int]], no: Iterable[tuple[int, int]]) -> None:
        """Replace both sides by `(price_cc, count_centi)` levels, each side in its own prices."""
        self._sides = {
            "yes": {price_cc: count_centi for price_cc, count_centi in yes if count_centi > 0},
            "no": {price_cc: count_centi for price_cc, count_centi in no if count_centi > 0},
        }

    def apply_delta(self, side: Side, price_cc: int, delta_centi: int) -> int:
        """Change one level by a signed size and return what now rests there; at or below zero it is gone."""
        levels = self._sides[side]
        count_centi = levels.get(price_cc, 0) + delta_centi
        if count_centi > 0:
            levels[price_cc] = count_centi
        else:
            levels.pop(price_cc, None)
        return count_centi

    def best_bid(self) -> Level | None:
        """Return the highest YES bid."""
        return self._best("yes")

    def best_no_bid(self) -> Level | None:
        """Return the highest NO bid, in NO prices."""
        return self._best("no")

    def best_ask(self) -> Level | None:
        """Return the lowest YES ask, which is the highest NO bid seen from the other side."""
        best = self._best("no")
        return None if best is None else Level(DOLLAR_CC - best.price_cc, best.count_centi)

    def bids(self) -> Iterator[Level]:
        """Yield YES bids, best (highest) first."""
        for price_cc in sorted(self._sides["yes"], reverse=True):
            yield Level(price_cc, self._sides["yes"][price_cc])

    def asks(self) -> Iterator[Level]:
        """Yield YES asks, best (lowest) first."""
        for price_cc in sorted(self._sides["no"], reverse=True):
            yield Level(DOLLAR_CC - price_cc, self._sides["no"][price_cc])

    def levels(self, side: Side) -> list[Level]:
        """Return the bids of one side in its own prices, ascending: the order of Kalshi's arrays."""
        return [Level(price_cc, count) for price_cc, count in sorted(self._sides[side].items())]

    def total_centi(self) -> int:
        """Return all contracts that rest on both sides."""
        return sum(sum(levels.values()) for levels in self._sides.values())

    def _best(self, side: Side) -> Level | None:
        levels = self._sides[side]
        if not levels:
            return None
        price_cc = max(levels)
        return Level(price_cc, levels[price_cc])
