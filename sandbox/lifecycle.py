"""The life of a market as steps in time, and how they are told to whoever listens.

Source: KALSHI.md §9 (page market_lifecycle, 2026-06-01).
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from exchange.fees import FeeChange
from exchange.markets import Event, Market
from sandbox.plans import EventPlan, MarketPlan

Kind = Literal[
    "event_created",
    "created",
    "opened",  # initialized -> active at open_time; the exchange's stream does not tell it
    "deactivated",  # active -> inactive: a pause begins
    "activated",  # inactive -> active: a pause ends, and every resting order is cancelled
    "close_date_updated",  # close_time moved; a later one opens a closed market again
    "price_level_structure_updated",
    "closed",  # -> closed at close_time; the exchange's stream does not tell it
    "determined",
    "disputed",
    "amended",
    "settled",  # -> finalized, paid out
    "vanished",  # a provisional market that nobody touched is gone from every route
    "fee_changed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleChange:
    """Something about a market, an event or a fee changed at `time_us`.

    `market` and `event` are as they stand after the change; `market` is None for `event_created` and
    `fee_changed`, `event` is None for changes of markets and of series' fees, `fee` is there for
    `fee_changed` only. `ticker` names the market, the event or the series.
    """

    kind: Kind
    time_us: int
    ticker: str
    market: Market | None = None
    event: Event | None = None
    fee: FeeChange | None = None


class Step(NamedTuple):
    """One step of a market's life."""

    at_ts: datetime
    kind: Kind


def steps_of(plan: EventPlan, market: MarketPlan) -> tuple[Step, ...]:
    """Return what will happen to a market, in order; steps of one instant in the order of a life."""
    steps = [Step(plan.created_ts, "created"), Step(plan.open_ts, "opened")]
    for pause in market.pauses:
        steps.append(Step(pause.start_ts, "deactivated"))
        if pause.end_ts < plan.close_ts:
            steps.append(Step(pause.end_ts, "activated"))
    steps += [Step(each.at_ts, "price_level_structure_updated") for each in plan.regrids]
    steps += [Step(each.at_ts, "close_date_updated") for each in plan.close_moves]
    if plan.closes_unannounced:
        steps.append(Step(plan.close_ts, "close_date_updated"))
    steps += [Step(closed_ts, "closed") for closed_ts, _ in reopenings(plan)]
    steps += [Step(plan.close_ts, "closed"), Step(plan.determined_ts, "determined")]
    if plan.dispute is not None:
        steps += [Step(plan.dispute.disputed_ts, "disputed"), Step(plan.dispute.amended_ts, "amended")]
    steps.append(Step(plan.settled_ts, "settled"))
    return tuple(sorted(steps, key=lambda step: step.at_ts))


def reopenings(plan: EventPlan) -> list[tuple[datetime, datetime]]:
    """Return the spans `[closed, reopened)` between a close and a later close time that undid it."""
    announced = [(plan.created_ts, plan.scheduled_close_ts)]
    announced += [(move.at_ts, move.close_ts) for move in plan.close_moves]
    return [
        (close_ts, moved_ts) for (_, close_ts), (moved_ts, _) in pairwise(announced) if close_ts < moved_ts
    ]
