"""What each event could still have come to, at the moment when the worst of it was deepest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import numpy as np
import polars as pl

from backtest.kernels.arrays import DOLLAR_CC, I64, Flags
from backtest.outcomes import Outcome

_VALUE, _PAID, _FILL = range(3)  # in the order of an instant
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


def exposures(outcome: Outcome, event: I64, is_exclusive: Flags, payouts: pl.DataFrame) -> pl.DataFrame:
    """Return the deepest moment of each event that was traded, of the states that instants ended with.

    Args:
        outcome: of one parameter row.
        event: the number of each market's event.
        is_exclusive: by event.
        payouts: settle_us, market and value_cc, of all members, traded or not.

    Returns:
        event, n_markets (traded), deepest_us, cost_micros (paid for the event until then, less what it had
        brought), worst_micros and best_micros (profit if the worst, or the best, had followed); by event.
    """
    events: dict[int, _Exposure] = {}
    for ts, moves in groupby(_moves(outcome, event, is_exclusive, payouts), itemgetter(0)):
        moved = set()
        for _, kind, market, amount, money in moves:
            number = int(event[market])
            moved.add(number)
            each = events.setdefault(number, _Exposure(bool(is_exclusive[number])))
            each.received += money
            (each.values if kind == _VALUE else each.positions)[market] = amount
        for number in moved:  # after all of an instant: a basket that fills at once was never half filled
            if events[number].positions:
                events[number].look(ts)
    rows = [(number, len(each.positions), *(each.deepest or ())) for number, each in sorted(events.items())]
    return pl.DataFrame(rows, schema=dict.fromkeys(_NUMBERS, pl.Int64()), orient="row")


def _moves(
    outcome: Outcome, event: I64, is_exclusive: Flags, payouts: pl.DataFrame
) -> list[tuple[int, int, int, int, int]]:
    """Return what moved events that were traded, in order: ts, kind, market, its value or position, money."""
    fills, settled = outcome.fills, outcome.settled
    market, received = outcome.orders["market"][fills["order_id"]], fills["cash_micros"] - fills["fee_micros"]
    due = payouts.select("settle_us", "market", "value_cc").to_numpy()
    home = event[due[:, 1]]
    due = due[is_exclusive[home] & np.isin(home, event[market])]
    moves = [(ts, _VALUE, m, value_cc, 0) for ts, m, value_cc in due.tolist()]
    paid = (settled[name].tolist() for name in ("settled_us", "market", "payout_micros"))
    moves += [(ts, _PAID, m, 0, money) for ts, m, money in zip(*paid, strict=True)]
    traded = (fills["fill_us"], market, fills["position_after_centi"], received)
    columns = (each.tolist() for each in traded)
    moves += [(ts, _FILL, m, position, money) for ts, m, position, money in zip(*columns, strict=True)]
    return sorted(moves, key=itemgetter(0, 1))
