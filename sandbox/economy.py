"""Series that trade for weeks: a rate decision and monthly inflation."""

from datetime import datetime, timedelta

from exchange.fees import MAKER
from exchange.markets import Event
from sandbox.latent import Outcome, Underlying
from sandbox.plans import (
    FULL_PPM,
    EventPlan,
    MarketPlan,
    Pause,
    SeriesPlan,
    Span,
    series_change,
    series_of,
)


def rate_decision(span: Span) -> SeriesPlan:
    """Plan one decision that trades past the end of the world, and the next one, which has not opened."""
    ticker = "KXSIMFED"
    start = span.start_ts + timedelta(hours=15)
    first = _decision(span, ticker, "MAR", start, span.end_ts + timedelta(days=16, hours=18), 300)
    later = span.end_ts + timedelta(days=1, hours=15)
    second = _decision(span, ticker, "APR", later, later + timedelta(days=45), 300)
    changes = (
        series_change("fed-1", ticker, span.start_ts - timedelta(days=90), MAKER, FULL_PPM),
        series_change("fed-2", ticker, span.end_ts + timedelta(days=7), MAKER, 2 * FULL_PPM),
    )
    return SeriesPlan(
        series=series_of(ticker, "Fed decision", "Economics", "monthly", FULL_PPM, span, fee_type=MAKER),
        events=(first, second),
        fee_changes=changes,
    )


def _decision(
    span: Span, ticker: str, name: str, open_ts: datetime, close_ts: datetime, n_actions: int
) -> EventPlan:
    moves = (
        ("C50", None, -2, "Cut of 50 or more"), ("C25", -1, -1, "Cut of 25"), ("H0", 0, 0, "No change"),
        ("H25", 1, 1, "Hike of 25"), ("H50", 2, None, "Hike of 50 or more"),
    )  # fmt: skip
    return EventPlan(
        event=Event(
            ticker=f"{ticker}-{name}", series_ticker=ticker, title=f"Fed decision in {name.title()}?",
            sub_title="Basis points", category="Economics", mutually_exclusive=True,
            collateral_return_type="MECNET", strike_period=name.title(),
        ),
        rules="Pays if the simulated decision is this one.",
        structure="center_half_edge_half_cent",
        underlying=Underlying(mean=-0.4, spread=0.9, tick=1.0),
        decimals=0,
        markets=tuple(
            MarketPlan(
                suffix=suffix, label=label, outcome=Outcome(low=low, high=high), strike_type="custom",
                n_actions=span.actions(n_actions * (3 if suffix in {"C25", "H0"} else 1)),
            )
            for suffix, low, high, label in moves
        ),
        created_ts=open_ts - timedelta(days=3, microseconds=-990_000),
        open_ts=open_ts,
        close_ts=close_ts,
        scheduled_close_ts=close_ts,
        determined_ts=close_ts + timedelta(minutes=30),
        settlement_timer_s=1_800,
    )  # fmt: skip


def inflation(span: Span) -> SeriesPlan:
    """Plan two releases with four thresholds each; the last market of the second is paused."""
    ticker = "KXSIMCPI"
    start = span.start_ts + timedelta(hours=14)
    releases = (
        ("JAN", start, span.start_ts + timedelta(days=max(span.days * 6 // 10, 1), hours=13, minutes=25)),
        ("FEB", start + timedelta(days=1), span.end_ts + timedelta(days=10, hours=13, minutes=25)),
    )
    return SeriesPlan(
        series=series_of(ticker, "Monthly inflation", "Economics", "monthly", FULL_PPM, span),
        events=tuple(
            EventPlan(
                event=Event(
                    ticker=f"{ticker}-{name}", series_ticker=ticker, title=f"Inflation in {name.title()}?",
                    sub_title="Above", category="Economics", mutually_exclusive=False,
                    strike_period=name.title(),
                ),
                rules="Pays if the simulated change of prices is above the threshold.",
                structure="center_whole_edge_quint_cent",
                underlying=Underlying(mean=0.27, spread=0.12, tick=0.1),
                decimals=1,
                markets=tuple(
                    MarketPlan(
                        suffix=f"T0.{tenth}", label=f"Above 0.{tenth}%", outcome=Outcome(low=tenth + 1),
                        strike_type="greater", floor_strike=tenth / 10, n_actions=span.actions(350),
                        # The last threshold of all is paused at the very end of the world.
                        pauses=(Pause(span.end_ts, close_ts),) if (name, tenth) == ("FEB", 4) else (),
                    )
                    for tenth in (1, 2, 3, 4)
                ),
                created_ts=open_ts - timedelta(days=2, microseconds=-770),
                open_ts=open_ts,
                close_ts=close_ts,
                scheduled_close_ts=close_ts,
                determined_ts=close_ts + timedelta(minutes=10, microseconds=80_000),
                settlement_timer_s=600,
            )
            for name, open_ts, close_ts in releases
        ),
    )  # fmt: skip
