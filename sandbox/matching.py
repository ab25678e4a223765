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
OnChange = Callable[[Side, int, int, int], object]  # side, price_cc, delta_centi, id of the resting order
NO_ORDER: Final = 0  # the id of no order: block trades never rest


class Fill(NamedTuple):
    """A part of an incoming order met one resting order."""

    taker: int
    maker: int
    taker_side: Side
    yes_price_cc: int
    count_centi: int
    maker_order_id: int = NO_ORDER


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

    def drop(self, price_cc: int, order_id: int) -> _Resting:
        level = self.orders[price_cc]
        order = level.pop(order_id)
        if not level:
            del self.orders[price_cc]
            del self.prices[bisect_left(self.prices, price_cc)]
        return order


class Engine:
    """The book of one market and the only way to change it; `on_change` hears every change of a level.

    Order ids count up from 1 in order of arrival, so at one price a lower id stands before a higher one.
    """

    def __init__(self, on_change: OnChange | None = None) -> None:
        self._ladders: dict[Side, _Ladder] = {"yes": _Ladder(), "no": _Ladder()}
        self._where: dict[int, tuple[Side, int]] = {}
        self._next_id = 1
        self._on_change = on_change

    def hear(self, on_change: OnChange) -> None:
        """Tell `on_change` every change of a level from now on, and nobody else."""
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

    def resting_centi(self, order_id: int) -> int:
        """Return what an order still has in the book; 0 once it is gone."""
        found = self._where.get(order_id)
        return 0 if found is None else self._ladders[found[0]].orders[found[1]][order_id].count_centi

    def queue_ahead_centi(self, order_id: int) -> int:
        """Return the contracts that stand before an order at its own price; 0 once it is gone."""
        found = self._where.get(order_id)
        if found is None:
            return 0
        level = self._ladders[found[0]].orders[found[1]]
        return sum(each.count_centi for each_id, each in level.items() if each_id < order_id)

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
            self._changed(side, limit_cc, left_centi, order_id)
        return order_id, fills

    def cancel(self, order_id: int) -> int:
        """Take an order out of the book and return how much that was; 0 for one that is gone already."""
        found = self._where.pop(order_id, None)
        if found is None:
            return 0
        side, price_cc = found
        taken_centi = self._ladders[side].drop(price_cc, order_id).count_centi
        self._changed(side, price_cc, -taken_centi, order_id)
        return taken_centi

    def decrease(self, order_id: int, *, by_centi: int) -> int:
        """Make an order smaller where it stands and return by how much; it keeps its place in the queue."""
        assert by_centi >= 0, by_centi
        taken_centi = min(by_centi, self.resting_centi(order_id))
        if not taken_centi:
            return 0
        side, price_cc = self._where[order_id]
        ladder = self._ladders[side]
        order = ladder.orders[price_cc][order_id]
        order.count_centi -= taken_centi
        if not order.count_centi:
            ladder.drop(price_cc, order_id)
            del self._where[order_id]
        self._changed(side, price_cc, -taken_centi, order_id)
        return taken_centi

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
            fills.append(Fill(owner, resting.owner, side, yes_price_cc, count_centi, order_id))
            self._changed(opposite, price_cc, -count_centi, order_id)
        return fills, left_centi

    def _changed(self, side: Side, price_cc: int, delta_centi: int, order_id: int) -> None:
        if self._on_change is not None:
            self._on_change(side, price_cc, delta_centi, order_id)
