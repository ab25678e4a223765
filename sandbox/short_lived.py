"""Series whose markets live for a quarter of an hour or for one game."""

from datetime import timedelta

from exchange.fees import MAKER, QUADRATIC
from exchange.markets import Event
from sandbox.chance import between, stream
from sandbox.latent import Outcome, Underlying
from sandbox.plans import (
    FULL_PPM,
    HALF_PPM,
    EventPlan,
    MarketPlan,
    SeriesPlan,
    Span,
    day_code,
    event_change,
    series_change,
    series_of,
)


def bitcoin(span: Span) -> SeriesPlan:
    """Plan six quarter-hours a day."""
    ticker, events = "KXSIMBTC15M", []
    price = 80_000.0
    for midnight in span.midnights():
        for hour in (4, 8, 12, 16, 20, 24):
            open_ts = midnight - timedelta(days=1) + timedelta(hours=hour, minutes=-10)
            close_ts = open_ts + timedelta(minutes=15)
            code = f"{ticker}-{day_code(close_ts.date())}{close_ts.hour:02d}{close_ts.minute:02d}"
            rng = stream(span.seed, code)
            price += between(rng, -40_000, 40_000) / 100
            strike = int(price * 100)
            market = MarketPlan(
                suffix=f"{close_ts.minute:02d}",
                label=f"Target price: ${strike / 100:,.2f}",
                outcome=Outcome(low=strike),
                n_actions=span.actions(between(rng, 120, 240)),
                strike_type="greater_or_equal",
                floor_strike=strike / 100,
            )
            events.append(
                EventPlan(
                    event=Event(
                        ticker=code, series_ticker=ticker, title="Bitcoin up or down in the next 15 minutes?",
                        sub_title=f"{close_ts:%H:%M} UTC", category="Crypto", strike_ts=close_ts,
                    ),
                    rules="Pays if the simulated index at the close is at least the target price.",
                    structure="tapered_deci_cent",
                    underlying=Underlying(mean=strike / 100, spread=120.0, tick=0.01),
                    decimals=2,
                    markets=(market,),
                    created_ts=open_ts - timedelta(hours=1, microseconds=-123_450),
                    open_ts=open_ts,
                    close_ts=close_ts,
                    scheduled_close_ts=close_ts,
                    determined_ts=close_ts + timedelta(seconds=6, microseconds=250_000),
                    settlement_timer_s=60,
                )
            )  # fmt: skip
    changes = (
        series_change("btc-1", ticker, span.start_ts - timedelta(days=30), QUADRATIC, FULL_PPM),
        series_change("btc-2", ticker, span.end_ts - timedelta(days=4), QUADRATIC, HALF_PPM),
    )
    return SeriesPlan(
        series=series_of(ticker, "Bitcoin price in 15 minutes", "Crypto", "fifteen_min", HALF_PPM, span),
        events=tuple(events),
        fee_changes=changes,
    )


def games(span: Span) -> SeriesPlan:
    """Plan a game a day between two teams; the third is cancelled, the fifth has fees of its own."""
    ticker, events = "KXSIMGAME", []
    changes = [
        series_change("game-1", ticker, span.start_ts - timedelta(days=60), QUADRATIC, FULL_PPM),
        series_change("game-2", ticker, span.start_ts + timedelta(days=3), MAKER, FULL_PPM),
    ]
    for number, midnight in enumerate(span.midnights()):
        rng = stream(span.seed, ticker, number)
        home, away = f"H{number:02d}", f"A{number:02d}"
        code = f"{ticker}-{day_code((midnight - timedelta(days=1)).date())}{away}{home}"
        close_ts = midnight - timedelta(minutes=between(rng, 60, 150), microseconds=between(rng, 1, 999_999))
        sides = ((home, Outcome(low=1)), (away, Outcome(high=0)))
        if number == 4:  # noqa: PLR2004 - the fifth event
            free_ts, back_ts = close_ts - timedelta(hours=20), close_ts - timedelta(hours=2)
            changes.append(event_change("game-e1", code, free_ts, QUADRATIC, 0))
            changes.append(event_change("game-e2", code, back_ts, None, None))
        events.append(
            EventPlan(
                event=Event(
                    ticker=code, series_ticker=ticker, title=f"{away} at {home}", sub_title="Winner",
                    category="Sports", mutually_exclusive=True, collateral_return_type="MECNET",
                ),
                rules="Pays if the team wins; a cancelled game pays half a dollar on both sides.",
                structure="deci_cent",
                underlying=Underlying(mean=0.5 + between(rng, -5, 5), spread=11.0, tick=1.0),
                decimals=0,
                markets=tuple(
                    MarketPlan(
                        suffix=team, label=team, outcome=outcome, strike_type="structured",
                        n_actions=span.actions(between(rng, 300, 500)),
                    )
                    for team, outcome in sides
                ),
                created_ts=midnight - timedelta(hours=37, microseconds=-500_100),
                open_ts=midnight - timedelta(hours=36),
                close_ts=close_ts,
                scheduled_close_ts=midnight + timedelta(days=14, hours=-1),
                determined_ts=close_ts + timedelta(minutes=2, microseconds=601_000),
                settlement_timer_s=14_400 if number == span.days - 1 else 300,
                is_void=number == 2,  # noqa: PLR2004 - the third event
            )
        )  # fmt: skip
    return SeriesPlan(
        series=series_of(ticker, "Simulated game", "Sports", "custom", FULL_PPM, span, fee_type=MAKER),
        events=tuple(events),
        fee_changes=tuple(changes),
    )
