"""Series with an event a day: one busy, one nearly dead."""

from datetime import timedelta

from exchange.markets import Event
from sandbox.chance import between, stream
from sandbox.latent import Outcome, Underlying
from sandbox.plans import FULL_PPM, EventPlan, MarketPlan, SeriesPlan, Span, day_code, series_of


def temperature(span: Span) -> SeriesPlan:
    """Plan one event a day whose six strikes cover every temperature exactly once."""
    ticker, events = "KXSIMHIGHNY", []
    for midnight in span.midnights():
        code = f"{ticker}-{day_code(midnight.date())}"
        rng = stream(span.seed, code)
        mean = between(rng, 34, 52)
        lows = [None, mean - 4, mean - 2, mean, mean + 2, mean + 4]
        busy = (70, 210, 460, 460, 210, 90)
        markets = [
            _strike_of_six(low, span.actions(n * between(rng, 6, 12) / 8), each == len(lows) - 1, mean)
            for each, (low, n) in enumerate(zip(lows, busy, strict=True))
        ]
        events.append(
            EventPlan(
                event=Event(
                    ticker=code, series_ticker=ticker, title="Highest temperature in NYC?",
                    sub_title=f"On {day_code(midnight.date())}", category="Climate and Weather",
                    mutually_exclusive=True, collateral_return_type="MECNET", strike_ts=midnight,
                ),
                rules="Pays if the simulated high of the day lies in the strike.",
                structure="linear_cent",
                underlying=Underlying(mean=mean, spread=3.0, tick=1.0),
                decimals=0,
                markets=tuple(markets),
                created_ts=midnight - timedelta(hours=14, minutes=29, microseconds=-35_951),
                open_ts=midnight - timedelta(hours=10),
                close_ts=midnight + timedelta(hours=28, minutes=59),
                scheduled_close_ts=midnight + timedelta(hours=28, minutes=59),
                determined_ts=midnight + timedelta(hours=38, minutes=5, microseconds=146_710),
                settlement_timer_s=3_600,
            )
        )  # fmt: skip
    return SeriesPlan(
        series=series_of(
            ticker, "Highest temperature in NYC", "Climate and Weather", "daily", FULL_PPM, span
        ),
        events=tuple(events),
    )


def _strike_of_six(low: int | None, n_actions: int, is_last: bool, mean: int) -> MarketPlan:  # noqa: FBT001
    if low is None:
        edge = mean - 4
        return MarketPlan(
            suffix=f"T{edge}", label=f"{edge - 1}° or below", outcome=Outcome(high=edge - 1),
            n_actions=n_actions, strike_type="less", cap_strike=edge,
        )  # fmt: skip
    if is_last:
        return MarketPlan(
            suffix=f"T{low - 1}", label=f"{low}° or above", outcome=Outcome(low=low),
            n_actions=n_actions, strike_type="greater", floor_strike=low - 1,
        )  # fmt: skip
    return MarketPlan(
        suffix=f"B{low}.5", label=f"{low}° to {low + 1}°", outcome=Outcome(low=low, high=low + 1),
        n_actions=n_actions, strike_type="between", floor_strike=low, cap_strike=low + 1,
    )  # fmt: skip


def rain(span: Span) -> SeriesPlan:
    """Plan one sleepy market a day; every third never trades."""
    ticker, events = "KXSIMRAIN", []
    for number, midnight in enumerate(span.midnights()):
        day = midnight - timedelta(days=1)
        rng = stream(span.seed, ticker, number)
        market = MarketPlan(
            suffix="T0",
            label="Rain",
            outcome=Outcome(low=1),
            strike_type="greater",
            floor_strike=0,
            n_actions=0 if number % 3 == 1 else span.actions(between(rng, 8, 30)),
        )
        events.append(
            EventPlan(
                event=Event(
                    ticker=f"{ticker}-{day_code(day.date())}", series_ticker=ticker,
                    title="Will it rain in NYC?", sub_title=f"On {day_code(day.date())}",
                    category="Climate and Weather", strike_ts=day,
                ),
                rules="Pays if the simulated rainfall of the day is above zero.",
                structure="linear_cent",
                underlying=Underlying(mean=between(rng, -40, 30) / 100, spread=0.35, tick=0.01),
                decimals=2,
                markets=(market,),
                created_ts=day - timedelta(hours=3, microseconds=-58_440),
                open_ts=day - timedelta(hours=2),
                close_ts=midnight - timedelta(minutes=1),
                scheduled_close_ts=midnight - timedelta(minutes=1),
                determined_ts=midnight + timedelta(hours=14, microseconds=7_000),
                settlement_timer_s=3_600,
            )
        )  # fmt: skip
    return SeriesPlan(
        series=series_of(ticker, "Rain in NYC", "Climate and Weather", "daily", FULL_PPM, span),
        events=tuple(events),
    )
