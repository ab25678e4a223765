"""Places in queues once more, slow and obvious: one order at one price, event by event.

Events are those of tests/oracles/engine.py; trades are ("traded", side, price_cc, delta_centi) where a change
of the book shows them, ("print", side, price_cc, count_centi) where none does. Side and price are the ones
that were taken from, in the side's own prices.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange.units import to_us

Instants = dict[int, list[tuple[Any, ...]]]
WITHIN_US = 1_000_000


@dataclass
class Place:
    """Where an order stands; `shown` is None as long as nobody knows what is displayed at its price."""

    model: str
    side: str
    price_cc: int
    shown: int | None = None
    ahead: int = 0

    def see(self, size: int) -> None:
        """The displayed size is now `size`, without a trade."""
        if self.shown is None:
            self.ahead = size
        elif size < self.shown and self.model == "proportional":
            self.ahead -= self.ahead * (self.shown - size) // self.shown
        self.ahead = 0 if self.model == "front" else min(self.ahead, size)
        self.shown = size

    def follow(self, event: tuple[Any, ...], *, is_known: bool) -> None:
        """Take note of an event that is no trade."""
        kind, *rest = event
        if kind == "snapshot":
            levels = dict(rest[0] if self.side == "yes" else rest[1])
            self.see(max(0, levels.get(self.price_cc, 0)))
        elif kind == "delta" and is_known and self.shown is not None and tuple(rest[:2]) == self.level:
            self.see(max(0, self.shown + rest[2]))

    def reach(self, event: tuple[Any, ...], left: int, *, is_known: bool) -> int:
        """Return how much of a trade of which `left` is left comes to the order."""
        kind, _, price_cc, amount = event
        if price_cc != self.price_cc or self.model == "front":
            return left
        if kind == "print" or not is_known or self.shown is None:
            return 0
        comes = max(0, left - self.ahead)
        self.shown = max(0, self.shown + amount)
        self.ahead = min(max(0, self.ahead - left), self.shown)
        return comes

    def is_reached_by(self, event: tuple[Any, ...]) -> bool:
        """Tell whether an event is a trade at the order's price or, on its side, at a worse one."""
        return event[0] in ("traded", "print") and event[1] == self.side and event[2] <= self.price_cc

    @property
    def level(self) -> tuple[str, int]:
        return self.side, self.price_cc


def woven(instants: Instants, trades: Iterable[Mapping[str, Any]], close_us: int) -> Instants:
    """Say which changes trades made, and add the trades that no change shows after all of their instant."""
    changes = [
        [t, number, False]
        for t in sorted(instants)
        for number, each in enumerate(instants[t])
        if each[0] == "delta"
    ]
    alone = []
    for trade in sorted(trades, key=lambda each: (each["event_ts"], each["trade_id"])):
        t = to_us(trade["event_ts"])
        if t >= close_us or trade.get("is_block_trade"):
            continue
        yes_cc, count = trade["yes_price_cc"], trade["count_centi"]
        level = ("no", 10_000 - yes_cc) if trade["taker_side"] == "yes" else ("yes", yes_cc)
        fitting = [
            change
            for change in changes
            if not change[2]
            and abs(change[0] - t) <= WITHIN_US
            and instants[change[0]][change[1]] == ("delta", *level, -count)
        ]
        if fitting:
            min(fitting, key=lambda change: abs(change[0] - t))[2] = True
        else:
            alone.append((t, ("print", *level, count)))
    told = {t: list(events) for t, events in instants.items()}
    for t, number, was_trade in changes:
        if was_trade:
            told[t][number] = ("traded", *told[t][number][1:])
    for t, event in alone:
        told.setdefault(t, []).append(event)
    return told
