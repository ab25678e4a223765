"""What each event could still have come to, at the moment when the worst of it was deepest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import polars as pl

from backtest.kernels.arrays import DOLLAR_CC, I64, Records
from backtest.outcomes import Outcome

_NUMBERS = ("event", "n_markets", "deepest_us", "cost_micros", "worst_micros", "best_micros")


@dataclass(slots=True)
class _Exposure:
    """One event as it goes: positions by market, money received, what settled; and its deepest moment."""

    is_exclusive: bool
    received: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    deepest: tuple[int, int, int, int] | None = None  # ts, cost, worst, best

    def look(self, ts: int) -> None:
        """Keep this moment if its worst case is the deepest so far."""
        least, most = span(self.positions.values(), self.is_exclusive, sum(self.values.values()))
        worst = self.received + least
        if self.deepest is None or worst < self.deepest[2]:
            self.deepest = ts, -self.received, worst, self.received + most


def span(positions: Iterable[int], is_exclusive: bool, settled_cc: int = 0) -> tuple[int, int]:  # noqa: FBT001 -- of a pair
    """Return the least and the most that signed YES positions of one event can still pay, in micro-dollars.

    Of an exclusive event at most one market resolves YES, and none has to; what its members have settled at
    in sum is no longer to be had.
    """
    held = list(positions)
    if not is_exclusive:
        return 0, DOLLAR_CC * sum(abs(each) for each in held)
    open_cc = max(0, DOLLAR_CC - settled_cc)
    lost = max((-each for each in held if each < 0), default=0)
    won = max((each for each in held if each > 0), default=0)
    sure = DOLLAR_CC * sum(-each for each in held if each < 0)
    return sure - open_cc * lost, sure + open_cc * won


def exposures(outcome: Outcome, event: I64, is_exclusive: list[bool]) -> pl.DataFrame:
    """Return the deepest moment of each event that was traded, of the states that instants ended with.

    Args:
        outcome: of one parameter row.
        event: the number of each market's event.
        is_exclusive: by event.

    Returns:
        event, n_markets (traded), deepest_us, cost_micros (paid for the event until then, less what it had
        brought), worst_micros and best_micros (profit if the worst, or the best, had followed); by event.
    """
    events: dict[int, _Exposure] = {}
    for ts, moves in groupby(_moves(outcome.fills, outcome.settled, outcome), itemgetter(0)):
        moved = set()
        for _, is_fill, market, position, money, value in moves:
            number = int(event[market])
            moved.add(number)
            each = events.setdefault(number, _Exposure(is_exclusive[number]))
            each.received += money
            each.positions[market] = position
            if not is_fill:
                each.values[market] = value
        for number in moved:  # after all of an instant: a basket that fills at once was never half filled
            events[number].look(ts)
    rows = [(number, len(each.positions), *(each.deepest or ())) for number, each in sorted(events.items())]
    return pl.DataFrame(rows, schema=dict.fromkeys(_NUMBERS, pl.Int64()), orient="row")


def _moves(fills: Records, settled: Records, outcome: Outcome) -> list[tuple[int, bool, int, int, int, int]]:
    """Return fills and settlements in the clock's order: ts, is_fill, market, position, money, value."""
    market = outcome.orders["market"][fills["order_id"]]
    received = fills["cash_micros"] - fills["fee_micros"]
    traded = zip(
        fills["fill_us"].tolist(),
        market.tolist(),
        fills["position_after_centi"].tolist(),
        received.tolist(),
        strict=True,
    )
    paid = zip(
        settled["settled_us"].tolist(),
        settled["market"].tolist(),
        settled["payout_micros"].tolist(),
        settled["value_cc"].tolist(),
        strict=True,
    )
    moves = [(ts, False, m, 0, money, value) for ts, m, money, value in paid]
    moves += [(ts, True, m, position, money, 0) for ts, m, position, money in traded]
    return sorted(moves, key=lambda each: each[:2])  # settlements of an instant come before its fills
