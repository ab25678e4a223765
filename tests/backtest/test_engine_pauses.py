"""Pauses of markets and of the exchange: nothing fills, and what waits is cancelled or stays (trap 36)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.lifecycle import halts
from exchange.units import to_us
from tests.backtest.worlds import T0, MemoryLake, a_lake, a_market, a_quote, assert_conserved, at, replayed

# At 10 s the market is seen paused, at 20 s active again; the ask comes down to 40 cents in between.
FALLING = (a_quote(0, 3_000, 6_000), a_quote(15, 3_000, 4_000), a_quote(30, 3_000, 4_000))


def a_paused_lake(after: str = "active", quotes: tuple[Mapping[str, Any], ...] = FALLING) -> MemoryLake:
    states = [(-1, "active"), (10, "inactive"), (20, after)]
    rows = [a_market(observed_ts=at(seconds), status=status) for seconds, status in states]
    return a_lake(markets=[*rows, a_market()], quotes=quotes)


def said(run: bt.Run) -> list[tuple[Any, ...]]:
    return run.orders.select("status", "reason", "filled_centi").rows()


def test_an_order_that_arrives_in_a_pause_is_refused() -> None:
    """Trap 36: seen paused from 10 s, active from 20 s: arrivals at 9, 10, 19 and 20 s."""
    run = replayed(a_paused_lake(), *((second - 1, "A", bt.buy_yes(1)) for second in (9, 10, 19, 20)))
    assert said(run) == [
        ("filled", None, 100),
        ("rejected", "paused", 0),
        ("rejected", "paused", 0),
        ("filled", None, 100),
    ]
    assert any(each.startswith("1 pause of a market is on record") for each in run.assumptions)


def test_trading_that_resumes_cancels_what_waited() -> None:
    """Trap 36: the ask meets the limit at 15 s, inside the pause, and at 30 s, after the cancellation.

    Its 5 dollars are reserved from 3 s to 20 s, and then pay for another order.
    """
    run = replayed(
        a_paused_lake(), (2, "A", bt.buy_yes(10, 5_000, "1m")), (24, "A", bt.buy_yes(10, 5_000)), cash=5
    )
    assert said(run) == [("unfilled", "paused", 0), ("filled", None, 1_000)]
    assert run.orders.height == 2
    assert run.fills["fill_ts"].to_list() == [at(25)]
    assert run.summary["locked_max_micros"].item() == 5_000_000
    assert_conserved(run)


def test_a_pause_that_ends_in_the_close_fills_nothing_and_cancels_nothing() -> None:
    """Trap 36: never reactivated, so that the order waits until its time is over, and no longer."""
    run = replayed(a_paused_lake("closed", FALLING[:2]), (2, "A", bt.buy_yes(10, 5_000, "30s")))
    assert said(run) == [("unfilled", "expired", 0)]


@pytest.mark.parametrize("after", ["closed", "determined", "finalized"])
def test_nothing_trades_after_a_market_was_seen_over(after: str) -> None:
    """Traps 8, 36: listed to 1,000 s, seen over at 20: arrivals at 19 and 21 s; what waits ends there."""
    rows = [a_market(observed_ts=at(-1)), a_market(observed_ts=at(20), status=after)]
    lake = a_lake(markets=rows, quotes=[a_quote(0, 3_000, 4_000), a_quote(30, 2_000, 3_000)])
    asks = ((2, bt.buy_yes(1, 3_500, "60s")), (18, bt.buy_yes(1)), (20, bt.buy_yes(1)))
    run = replayed(lake, *((second, "A", intent) for second, intent in asks))
    assert run.orders["reason"].to_list() == ["expired", None, "closed"]
    assert run.orders["ended_ts"].to_list() == [at(20), None, None]
    assert any("1 market was seen closed before" in each for each in run.assumptions)
    assert_conserved(run)


def test_in_a_pause_orders_can_be_cancelled_and_not_sent() -> None:
    """Trap 36: a replacement cancels, and what it would put in its place is refused."""
    waiting = (2, "A", bt.buy_yes(10, 5_000, "10m"))
    replaced = replayed(
        a_paused_lake("closed"), waiting, (12, "A", bt.buy_yes(1, 5_500, "10m", replace=True))
    )
    assert said(replaced) == [("unfilled", "cancelled", 0), ("rejected", "paused", 0)]
    cancelled = replayed(a_paused_lake(), waiting, (12, "A", bt.cancel()))
    assert said(cancelled) == [("unfilled", "cancelled", 0), ("done", None, 0)]


THURSDAY = datetime(2026, 9, 3, 7, tzinfo=UTC)  # 03:00 in New York


def on_thursday(*, maintenance: bool) -> bt.Run:
    """Let an order wait from ten minutes before the weekly pause; the ask meets it inside and afterwards."""
    quotes = [
        a_quote((THURSDAY - T0).total_seconds() + 60 * minute, 3_000, ask)
        for minute, ask in ((-20, 6_000), (30, 4_000), (130, 4_000))
    ]
    lake = a_lake(markets=[a_market(close_ts=THURSDAY + timedelta(days=1))], quotes=quotes)
    decisions = {-10: bt.buy_yes(10, 5_000, "1d"), 60: bt.buy_yes(1), 119: bt.buy_yes(2)}
    plan = pl.concat(
        [
            pl.LazyFrame({"ticker": ["A"], "known_ts": [THURSDAY + timedelta(minutes=minute)]}).select(
                "ticker", pl.col("known_ts").dt.cast_time_unit("us"), intent=order
            )
            for minute, order in decisions.items()
        ]
    )
    return bt.run(plan, lake, fills="touch", latency="1m", maintenance=maintenance)


def test_in_the_weekly_pause_nothing_fills_and_what_waits_stays() -> None:
    """Trap 36: from 03:00 to 05:00 in New York; an order that arrives at 05:00 sharp is taken."""
    run = on_thursday(maintenance=True)
    assert said(run) == [("filled", None, 1_000), ("rejected", "paused", 0), ("filled", None, 200)]
    assert run.fills["fill_ts"].to_list() == [
        THURSDAY + timedelta(minutes=120),
        THURSDAY + timedelta(minutes=130),
    ]
    assert any("Thursdays" in each for each in run.assumptions)


def test_another_exchange_may_have_no_weekly_pause() -> None:
    """maintenance=False: the waiting order is met at 03:30."""
    run = on_thursday(maintenance=False)
    assert said(run) == [("filled", None, 1_000), ("filled", None, 100), ("filled", None, 200)]
    assert run.fills["fill_ts"].min() == THURSDAY + timedelta(minutes=30)
    assert not any("Thursdays" in each for each in run.assumptions)
    assert run.manifest["config"]["maintenance"] is False


@pytest.mark.parametrize(("day", "hour"), [((2026, 3, 5), 8), ((2026, 3, 12), 7), ((2026, 11, 5), 8)])
def test_the_weekly_pause_follows_new_york_through_the_year(day: tuple[int, int, int], hour: int) -> None:
    """03:00 is 08:00 UTC in winter and 07:00 in summer, which began on 2026-03-08 and ended on 11-01."""
    begin = datetime(*day, hour, tzinfo=UTC)
    halt = to_us(begin), to_us(begin + timedelta(hours=2))
    assert halts(halt[0] - 1, halt[1] + 1) == [halt]
    assert halts(halt[0], halt[0]) == [halt]
    assert halts(halt[1], halt[1]) == []
    assert halts(halt[1], halt[1] + 7 * 86_400_000_000)[0][0] > halt[1]
