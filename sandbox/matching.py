"""A matching engine for one market: price-time priority over YES bids and NO bids.

There are no asks: whoever wants to sell YES at p bids for NO at $1 - p, and a YES bid and a NO bid trade when
together they offer a dollar or more, at the price of the order that was there first.
Source: KALSHI.md §7 (docs page orderbook_responses, 2026-08-04).
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exchange.trades import Side
from exchange.units import DOLLAR_CC

OTHER: Final[dict[Side, Side]] = {"yes": "no", "no": "yes"}
OnChange = Callable[[Side, int, int], object]


class Fill(NamedTuple):
    """A part of an incoming order met one resting order."""

    taker: int
    maker: int
    taker_side: Side
    yes_price_cc: int
    count_centi: int


@dataclass(slots=True)
class _Resting:
    owner: int
    count_centi: int


@dataclass(slots=True)
class _Ladder:
    """The bids of one side: orders by price in order of arrival, prices ascending."""

    orders: dict[int, dict[int, _Resting]] = field(default_factory=dict)
    prices: list[int] = field(default_factory=list)

    def add(self, price_cc: int, order_id: int, order: _Resting) -> None:
        level = self.orders.get(price_cc)
        if level is None:
            level = self.orders[price_cc] = {}
            insort(self.prices, price_cc)
        level[order_id] = order

    def drop(self, price_cc: int, order_id: int) -> None:
        level = self.orders[price_cc]
        del level[order_id]
        if not level:
            del self.orders[price_cc]
            del self.prices[bisect_left(self.prices, price_cc)]


class Engine:
    """The book of one market and the only way to change it; `on_change` hears every (side, price, delta)."""

    def __init__(self, on_change: OnChange | None = None) -> None:
        self._ladders: dict[Side, _Ladder] = {"yes": _Ladder(), "no": _Ladder()}
        self._where: dict[int, tuple[Side, int]] = {}
        self._next_id = 1
        self._on_change = on_change

    def best_cc(self, side: Side) -> int:
        """Return the highest bid of a side in its own prices; 0 when there is none."""
        prices = self._ladders[side].prices
        return prices[-1] if prices else 0

    def ask_cc(self, side: Side) -> int:
        """Return what a taker of this side pays at best; one dollar when nobody offers it."""
        return DOLLAR_CC - self.best_cc(OTHER[side])

    def is_resting(self, order_id: int) -> bool:
        """Tell whether an order still has contracts in the book."""
        return order_id in self._where

    def order_ids(self) -> list[int]:
        """Return the resting orders in order of arrival."""
        return sorted(self._where)

    def levels(self, side: Side) -> list[tuple[int, int]]:
        """Return (price_cc, count_centi) of one side in its own prices, ascending."""
        ladder = self._ladders[side]
        return [(price, sum(o.count_centi for o in ladder.orders[price].values())) for price in ladder.prices]

    def submit(
        self, *, side: Side, limit_cc: int, count_centi: int, owner: int, rests: bool
    ) -> tuple[int, list[Fill]]:
        """Match a bid up to its limit; what is left rests, or is dropped. Returns its id and its fills."""
        order_id, self._next_id = self._next_id, self._next_id + 1
        fills, left_centi = self._match(side, limit_cc, count_centi, owner)
        if rests and left_centi:
            self._ladders[side].add(limit_cc, order_id, _Resting(owner, left_centi))
            self._where[order_id] = (side, limit_cc)
            self._changed(side, limit_cc, left_centi)
        return order_id, fills

    def cancel(self, order_id: int) -> None:
        """Take an order out of the book; one that is gone already is no error."""
        found = self._where.pop(order_id, None)
        if found is None:
            return
        side, price_cc = found
        ladder = self._ladders[side]
        count_centi = ladder.orders[price_cc][order_id].count_centi
        ladder.drop(price_cc, order_id)
        self._changed(side, price_cc, -count_centi)

    def _match(self, side: Side, limit_cc: int, left_centi: int, owner: int) -> tuple[list[Fill], int]:
        fills: list[Fill] = []
        opposite = OTHER[side]
        ladder = self._ladders[opposite]
        while left_centi and ladder.prices and ladder.prices[-1] >= DOLLAR_CC - limit_cc:
            price_cc = ladder.prices[-1]
            order_id, resting = next(iter(ladder.orders[price_cc].items()))
            count_centi = min(left_centi, resting.count_centi)
            left_centi -= count_centi
            resting.count_centi -= count_centi
            if not resting.count_centi:
                ladder.drop(price_cc, order_id)
                del self._where[order_id]
            yes_price_cc = price_cc if opposite == "yes" else DOLLAR_CC - price_cc
            fills.append(Fill(owner, resting.owner, side, yes_price_cc, count_centi))
            self._changed(opposite, price_cc, -count_centi)
        return fills, left_centi

    def _changed(self, side: Side, price_cc: int, delta_centi: int) -> None:
        if self._on_change is not None:
            self._on_change(side, price_cc, delta_centi)
