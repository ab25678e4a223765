"""What the sandbox's matching engine gives an order, and what others bid there with it and without it.

A tape tells neither what somebody answered to an order of ours that it does not have, nor what somebody
wanted beyond what stood there and did not get. Both are known here.
"""

import copy
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from exchange.fees import FeeTerms, charge_fill, rounding_at
from exchange.trades import Side
from exchange.units import DOLLAR_CC, from_us
from sandbox.history import Print, Script
from sandbox.matching import Engine, Fill
from sandbox.run import Run

OWNER: Final = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a market: it arrives at `at_us` and waits for `ttl_us`, or not at all (0)."""

    at_us: int
    side: Side
    limit_cc: int
    count_centi: int
    ttl_us: int


class Bid(NamedTuple):
    """What somebody else sent to the engine."""

    side: Side
    limit_cc: int
    count_centi: int
    owner: int
    rests: bool


@dataclass(slots=True)
class Got:
    """What an order got: (price of its side, is_taker) -> contracts; and fee and cash in micro-dollars.

    `answer`: which bid after it, until its end, was the first that is another without it; 0 for none.
    `is_answered`: whether that came before its last fill, or was it. `unseen_centi`: what bids until its end
    wanted at its price, and without it did not get.
    """

    filled: dict[tuple[int, bool], int] = field(default_factory=dict)
    fee: int = 0
    cash: int = 0  # before the fee
    n_fills: int = 0
    answer: int = 0
    is_answered: bool = False
    unseen_centi: int = 0

    @property
    def count_centi(self) -> int:
        """All contracts."""
        return sum(self.filled.values())


class Overheard(Engine):
    """A matching engine that keeps what others bid, in order, and how much of each it dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.bids: list[Bid] = []
        self.dropped_centi: list[int] = []

    def submit(
        self, *, side: Side, limit_cc: int, count_centi: int, owner: int, rests: bool
    ) -> tuple[int, list[Fill]]:
        """Match a bid as `Engine.submit` does."""
        bid = Bid(side, limit_cc, count_centi, owner, rests)
        order_id, fills = super().submit(**bid._asdict())
        if owner != OWNER:
            self.bids.append(bid)
            self.dropped_centi.append(0 if rests else count_centi - sum(each.count_centi for each in fills))
        return order_id, fills


def overheard(script: Script) -> tuple[Run, Overheard]:
    """Return a market before its opening, and the engine that it runs on."""
    run, engine = Run(script), Overheard()
    run.engine = engine
    return run, engine


def truth(before: Run, order: Order, terms: FeeTerms, close_us: int, alone: Overheard) -> Got:
    """Run a market on from the order's moment, with the order in it; `alone` has heard it without."""
    run, got, accumulated = copy.deepcopy(before), Got(), 0
    engine = run.engine
    assert isinstance(engine, Overheard)
    first = last = filled = len(engine.bids)

    def on_print(printed: Print, fill: Fill) -> None:
        nonlocal accumulated, filled
        if OWNER not in (fill.taker, fill.maker):
            return
        is_taker = fill.taker == OWNER
        price = printed.yes_price_cc if order.side == "yes" else DOLLAR_CC - printed.yes_price_cc
        charge = charge_fill(
            terms=terms,
            price_cc=price,
            count_centi=printed.count_centi,
            is_taker=is_taker,
            is_combo=False,
            rounding=rounding_at(from_us(printed.time_us)),
            accumulated_micros=accumulated,
        )
        accumulated = charge.accumulated_micros
        got.filled[price, is_taker] = got.filled.get((price, is_taker), 0) + printed.count_centi
        got.fee += charge.fee_micros
        got.cash -= price * printed.count_centi
        got.n_fills += 1
        filled = len(engine.bids)

    run.listen(lambda *_: None, on_print)
    run.submit(
        order.at_us, side=order.side, limit_cc=order.limit_cc, count_centi=order.count_centi, owner=OWNER,
        rests=order.ttl_us > 0,
    )  # fmt: skip
    run.to(min(order.at_us + order.ttl_us, close_us) - 1)
    last = filled if got.count_centi == order.count_centi else len(engine.bids)
    _compare(got, order, engine.bids[first:last], alone.bids[first:last], alone.dropped_centi[first:last])
    got.is_answered = 0 < got.answer <= filled - first
    return got


def _compare(got: Got, order: Order, bids: list[Bid], without: list[Bid], dropped_centi: list[int]) -> None:
    pairs = zip(bids, without, strict=False)  # fewer without it differ before they end, or change nothing
    got.answer = next((place for place, (one, other) in enumerate(pairs, 1) if one != other), 0)
    for bid, left_centi in zip(without, dropped_centi, strict=True):
        if bid.side != order.side and bid.limit_cc >= DOLLAR_CC - order.limit_cc:
            got.unseen_centi += left_centi
