"""A market as the exchange lists it at one instant: its status, its result and its numbers.

Source: KALSHI.md §5.4 and §9 (OpenAPI 3.34.0, read 2026-10-09; page market_lifecycle, 2026-06-01).
"""

from datetime import datetime, timedelta
from typing import Final

from exchange.markets import Market
from exchange.ticks import STRUCTURES
from exchange.units import DOLLAR_CC, to_us
from sandbox.history import History
from sandbox.latent import Outcome
from sandbox.lifecycle import steps_of
from sandbox.plans import EventPlan, MarketPlan

DAY: Final = timedelta(days=1)
VOID_CC: Final = DOLLAR_CC // 2
NOTHING: Final = History()


def status_at(plan: EventPlan, market: MarketPlan, now_ts: datetime) -> str:
    """Return the response word for where a market stands in its life."""
    if now_ts < plan.open_ts:
        return "initialized"
    if now_ts < plan.close_ts_at(now_ts):
        is_paused = any(pause.start_ts <= now_ts < pause.end_ts for pause in market.pauses)
        return "inactive" if is_paused else "active"
    if now_ts < plan.determined_ts:
        return "closed"
    if now_ts >= plan.settled_ts:
        return "finalized"
    if plan.dispute is None or now_ts < plan.dispute.disputed_ts:
        return "determined"
    return "disputed" if now_ts < plan.dispute.amended_ts else "amended"


def market_at(
    plan: EventPlan, market: MarketPlan, history: History | None, *, reading: int, now_ts: datetime
) -> Market:
    """Return one market of an event whose underlying will end at `reading`; nothing unknown yet is told."""
    status = status_at(plan, market, now_ts)
    if plan.dispute is not None and now_ts < plan.dispute.amended_ts:
        reading = _mistaken(market.outcome, reading)
    result, value_cc = _outcome(plan, market, reading) if now_ts >= plan.determined_ts else ("", None)
    is_final = status == "finalized"
    structure = plan.structure_at(now_ts)
    seen = history or NOTHING
    bid_cc, ask_cc = seen.top_at(to_us(now_ts))
    return Market(
        ticker=f"{plan.event.ticker}-{market.suffix}",
        event_ticker=plan.event.ticker,
        market_type=market.market_type,
        title=f"{plan.event.title} {market.label}",
        yes_sub_title=market.label,
        no_sub_title=market.label,
        created_ts=plan.created_ts,
        updated_ts=_updated_ts(plan, market, now_ts),
        open_ts=plan.open_ts,
        close_ts=plan.close_ts_at(now_ts),
        expected_expiration_ts=plan.determined_ts.replace(microsecond=0),
        latest_expiration_ts=plan.scheduled_close_ts + 7 * DAY,
        settlement_timer_s=plan.settlement_timer_s,
        status=status,
        result=result,
        settlement_value_cc=value_cc,
        settlement_ts=plan.settled_ts if is_final else None,
        expiration_value=_reading_text(plan, reading) if result and not plan.is_void else "",
        fee_waiver_expiration_ts=market.fee_waiver_ts,
        can_close_early=plan.close_ts != plan.scheduled_close_ts,
        strike_type=market.strike_type,
        floor_strike=market.floor_strike,
        cap_strike=market.cap_strike,
        price_level_structure=structure,
        price_ranges=STRUCTURES[structure],
        yes_bid_cc=bid_cc,
        yes_ask_cc=ask_cc,
        yes_bid_size_centi=dict(seen.yes_levels).get(bid_cc, 0),
        yes_ask_size_centi=dict(seen.no_levels).get(DOLLAR_CC - ask_cc, 0),
        last_price_cc=seen.prints[-1].yes_price_cc if seen.prints else None,
        volume_centi=seen.volume_centi(),
        volume_24h_centi=seen.volume_since(to_us(now_ts - DAY)),
        open_interest_centi=seen.prints[-1].open_interest_centi if seen.prints else 0,
        is_provisional=market.is_provisional,
        mve_collection_ticker=market.collection,
        exchange_index=plan.exchange_index,
        rules_primary=plan.rules,
        rules_secondary="Simulated: no real money, no real underlying.",
    )


def payout_cc(plan: EventPlan, market: MarketPlan, reading: int) -> int:
    """Return what one YES contract pays in the end."""
    return _outcome(plan, market, reading)[1]


def _outcome(plan: EventPlan, market: MarketPlan, reading: int) -> tuple[str, int]:
    if plan.is_void:
        return "scalar", VOID_CC
    if market.scalar_cc is not None:
        return "scalar", market.scalar_cc
    return ("yes", DOLLAR_CC) if market.outcome.holds(reading) else ("no", 0)


def _mistaken(outcome: Outcome, reading: int) -> int:
    """Return a reading that decides the other way: what a dispute is about."""
    edge = outcome.low if outcome.low is not None else outcome.high
    if edge is None:
        return reading
    above, below = (edge, edge - 1) if outcome.low is not None else (edge + 1, edge)
    return below if outcome.holds(reading) == outcome.holds(above) else above


def _reading_text(plan: EventPlan, reading: int) -> str:
    return f"{reading * plan.underlying.tick:.{plan.decimals}f}"


def _updated_ts(plan: EventPlan, market: MarketPlan, now_ts: datetime) -> datetime:
    """Return the last change that was not trading, the way Kalshi stamps it.

    A pause that begins this very instant has not been stamped yet.
    """
    return max(
        step.at_ts
        for step in steps_of(plan, market)
        if step.at_ts < now_ts or (step.at_ts == now_ts and step.kind != "deactivated")
    )
