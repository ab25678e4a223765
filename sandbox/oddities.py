"""Series in which everything odd happens that was seen on the real exchange, once a day, in small.

KXODDPROV      provisional markets: what nobody trades vanishes at settlement
KXODDDISPUTE   a wrong result is disputed, amended, and the settlement timer starts again
KXODDSCALAR    pays $0.24 whatever happens; the archive tells negative sizes at the top of its book
KXODDVOID      called off: both sides are worth fifty cents
KXODDPAUSE     is paused twice in its hours, the second time until close
KXODDMOVE      its close moves earlier, then later, and after it has closed it opens once more
KXODDGRID      its price grid gets finer twice while it trades
KXODDHIGH      renamed in its history: older tickers lack the KX, and one archived route lacks a value
KXODDCITIES    tickers with parentheses, rules with control characters, a strike with float noise
KXODDFREE      nobody pays fees until the waiver ends, at sub-cent prices
KXODDHUGE      trades hundreds of millions of contracts

Source: KALSHI.md §9, §12, §17 and §18 (pages market_lifecycle, 2026-06-01; third-party notes, 2026; real
recordings of 2021 to 2026).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from exchange.markets import Event
from sandbox.latent import Outcome, Underlying
from sandbox.plans import (
    FULL_PPM,
    CloseMove,
    Dispute,
    EventPlan,
    MarketPlan,
    Pause,
    Regrid,
    SeriesPlan,
    Span,
    day_code,
    series_of,
)

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
CATEGORY: Final = "World"
AT_LEAST: Final = 40  # actions a day, so that a quiet world has its oddities too
HUGE: Final = 500_000
Twist = Callable[[int, EventPlan], EventPlan]


def odd_series(span: Span) -> list[SeriesPlan]:
    """Return the plans of the odd series, by ticker."""
    return [
        _daily(span, "KXODDCITIES", "Which cities are dry?", _parenthesised),
        _daily(span, "KXODDDISPUTE", "Will it count?", _disputed),
        _daily(span, "KXODDFREE", "Is it free?", _waived),
        _daily(span, "KXODDGRID", "How fine is the grid?", _refined),
        _daily(span, "KXODDHIGH", "Highest temperature, renamed", _renamed(span.days // 2)),
        _daily(span, "KXODDHUGE", "How many contracts?", _huge),
        _daily(span, "KXODDMOVE", "When does it close?", _moved),
        _daily(span, "KXODDPAUSE", "Will it be paused?", _paused),
        _daily(span, "KXODDPROV", "Will anybody care?", _provisional),
        _daily(span, "KXODDSCALAR", "How much of a dollar?", _scalar),
        _daily(span, "KXODDVOID", "Will it take place?", lambda _number, plan: replace(plan, is_void=True)),
    ]


def _daily(span: Span, ticker: str, title: str, twist: Twist) -> SeriesPlan:
    """Plan an ordinary event a day, open from 04:00 to 20:00 UTC and paid by 21:31, and give it a twist."""
    events = [
        twist(number, _plain(span, ticker, title, midnight))
        for number, midnight in enumerate(span.midnights())
    ]
    return SeriesPlan(
        series=series_of(ticker, title, CATEGORY, "daily", FULL_PPM, span), events=tuple(events)
    )


def _plain(span: Span, ticker: str, title: str, midnight: datetime) -> EventPlan:
    code = day_code((midnight - HOUR).date())
    close_ts = midnight - 4 * HOUR
    market = MarketPlan(
        suffix="T0",
        label="Above zero",
        outcome=Outcome(low=1),
        n_actions=max(span.actions(60), AT_LEAST),
        strike_type="greater",
        floor_strike=0,
    )
    return EventPlan(
        event=Event(
            ticker=f"{ticker}-{code}", series_ticker=ticker, title=title, sub_title=f"On {code}",
            category=CATEGORY, mutually_exclusive=False, strike_ts=midnight,
        ),
        rules="Pays if the simulated reading is above zero.",
        structure="linear_cent",
        underlying=Underlying(mean=0.1, spread=1.0, tick=0.01),
        decimals=2,
        markets=(market,),
        created_ts=midnight - 22 * HOUR + timedelta(microseconds=70_250),
        open_ts=midnight - 20 * HOUR,
        close_ts=close_ts,
        scheduled_close_ts=close_ts,
        determined_ts=close_ts + HOUR + timedelta(microseconds=5_500),
        settlement_timer_s=1_800,
    )  # fmt: skip


def _market(plan: EventPlan, market: MarketPlan) -> EventPlan:
    return replace(plan, markets=(market,))


def _provisional(_number: int, plan: EventPlan) -> EventPlan:
    traded = replace(plan.markets[0], is_provisional=True)
    untouched = replace(traded, suffix="T9", label="Above nine", outcome=Outcome(low=901), n_actions=0)
    return replace(plan, markets=(traded, replace(untouched, floor_strike=9)))


def _disputed(_number: int, plan: EventPlan) -> EventPlan:
    told_ts = plan.determined_ts
    dispute = Dispute(told_ts + 20 * MINUTE, told_ts + 80 * MINUTE)
    return replace(plan, dispute=dispute)


def _scalar(_number: int, plan: EventPlan) -> EventPlan:
    market = replace(plan.markets[0], market_type="scalar", scalar_cc=2_400, archived_size_centi=-1_250)
    return _market(plan, market)


def _paused(_number: int, plan: EventPlan) -> EventPlan:
    pauses = (
        Pause(plan.open_ts + 5 * HOUR, plan.open_ts + 7 * HOUR),
        Pause(plan.close_ts - HOUR, plan.close_ts),
    )
    return _market(plan, replace(plan.markets[0], pauses=pauses))


def _moved(_number: int, plan: EventPlan) -> EventPlan:
    """Listed to close at 20:00: moved to 12:00 at 06:00, opened again at 14:00 until 19:00."""
    open_ts = plan.open_ts
    last_ts = plan.close_ts - HOUR
    moves = (CloseMove(open_ts + 2 * HOUR, open_ts + 8 * HOUR), CloseMove(open_ts + 10 * HOUR, last_ts))
    return replace(plan, close_ts=last_ts, close_moves=moves)


def _refined(_number: int, plan: EventPlan) -> EventPlan:
    regrids = (
        Regrid(plan.open_ts + 4 * HOUR, "deci_cent"),
        Regrid(plan.open_ts + 10 * HOUR, "center_centi_edge_centi_cent"),
    )
    return replace(plan, regrids=regrids)


def _renamed(from_number: int) -> Twist:
    def twist(number: int, plan: EventPlan) -> EventPlan:
        plan = _market(plan, replace(plan.markets[0], hides_expiration_value=number % 2 == 0))
        if number >= from_number:
            return plan
        return replace(plan, event=replace(plan.event, ticker=plan.event.ticker.removeprefix("KX")))

    return twist


def _parenthesised(_number: int, plan: EventPlan) -> EventPlan:
    plan = _market(plan, replace(plan.markets[0], floor_strike=67_628.899999, label="67,628.90 or more"))
    event = replace(plan.event, ticker=f"{plan.event.ticker}(CHI)(DEN)(PHIL)")
    rules = "Pays if Chicago,\u00a0Denver\r\nand\u2028Philadelphia\tstay \u201cdry\u201d.\u0007"
    return replace(plan, event=event, rules=rules)


def _waived(_number: int, plan: EventPlan) -> EventPlan:
    market = replace(plan.markets[0], fee_waiver_ts=plan.open_ts + 8 * HOUR)
    return replace(_market(plan, market), structure="center_quint_edge_deci_cent")


def _huge(_number: int, plan: EventPlan) -> EventPlan:
    return _market(plan, replace(plan.markets[0], size_factor=HUGE))
