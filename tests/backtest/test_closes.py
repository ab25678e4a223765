"""Closes of candles stand for quotes exactly where nobody recorded: what that makes of fills and scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.results import Run
from tests.backtest.lakes import a_lake, a_market, a_quote, at, committed
from tests.warehouse.rows import a_candle, a_gap
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, CANDLES

TICKER = "KXT-1-A"
HOUR = 60
FIVE = {"bid_size_centi": 500, "ask_size_centi": 500}


def a_bar(end: float, bid_cc: int, ask_cc: int, *, minutes: int = HOUR) -> dict[str, Any]:
    return a_candle(
        ticker=TICKER,
        period_s=minutes * 60,
        end_ts=at(end),
        yes_bid_close_cc=bid_cc,
        yes_ask_close_cc=ask_cc,
    )


def lake_of(
    folder: Path,
    quotes: Sequence[dict[str, Any]],
    bars: Sequence[dict[str, Any]],
    **market: Any,  # noqa: ANN401 -- of a_market
) -> Lake:
    lake = a_lake(folder, quotes, [a_market(close=1_440, **market)])
    committed(lake, CANDLES, bars)
    return lake


def bought(lake: Lake, minute: float, count: int) -> Run:
    plan = pl.LazyFrame({"ticker": [TICKER], "known_ts": [at(minute)]}).select(
        "ticker", pl.col("known_ts").cast(pl.Datetime("us", "UTC")), intent=bt.buy_yes(count)
    )
    return bt.run(plan, lake, fills="touch", latency="1s")


def got(run: Run) -> list[tuple[Any, ...]]:
    return run.fills.select("count_centi", "yes_price_cc", "evidence").rows()


def hours_and_an_evening(folder: Path, **market: Any) -> Lake:  # noqa: ANN401 -- of a_market
    """Hours at .20 x .22 until 11:00 and at .50 x .52 from 12:00 on; minutes from 20:00 to 20:59."""
    bars = [a_bar(-HOUR, 2_000, 2_200), *(a_bar(hour * HOUR, 5_000, 5_200) for hour in range(12))]
    minutes = [a_bar(8 * HOUR + each, 5_000, 5_200, minutes=1) for each in range(60)]
    return lake_of(folder, [], [*bars, *minutes], **market)


def test_an_order_at_noon_meets_the_hour_whatever_minutes_the_evening_has(tmp_path: Path) -> None:
    assert got(bought(hours_and_an_evening(tmp_path), 0, 10)) == [(1_000, 5_200, "candle")]


def test_a_forecast_of_noon_is_held_against_the_hour_of_noon(tmp_path: Path) -> None:
    """The market said .51, and 1 came: .49 squared is .2401."""
    lake = hours_and_an_evening(
        tmp_path, status="finalized", result="yes", settlement_value_cc=10_000, settlement_ts=at(1_500)
    )
    forecast = pl.DataFrame({"ticker": [TICKER], "known_ts": [at(0.5)], "prob": [0.6]})
    summary = bt.score_forecast(
        forecast.with_columns(pl.col("known_ts").cast(pl.Datetime("us", "UTC"))), lake
    ).summary
    assert summary.filter(score="brier")["market"].to_list() == [pytest.approx(0.2401)]


def test_a_quiet_recording_keeps_its_sizes_where_minutes_are_there_too(tmp_path: Path) -> None:
    """Five contracts at .56 from 12:00:10 on and still at 12:10: of 1,000 at 12:05 five are filled."""
    quotes = [a_quote(minute, 5_000, 5_600) | FIVE for minute in (1 / 6, 10)]
    bars = [a_bar(minute, 5_000, 5_600, minutes=1) for minute in range(1, 11)]
    assert got(bought(lake_of(tmp_path, quotes, bars), 5, 1_000)) == [(500, 5_600, "touch")]


@pytest.mark.parametrize("is_on_record", [False, True])
def test_after_a_recording_the_next_close_is_met(
    tmp_path: Path,
    is_on_record: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """Quotes until 12:05; hours at .60 x .62 from 13:00 on: who buys at 13:30 pays .62."""
    quotes = [a_quote(minute, 5_000, 5_200) | FIVE for minute in (0, 5)]
    lake = lake_of(tmp_path, quotes, [a_bar(hour * HOUR, 6_000, 6_200) for hour in (1, 2)])
    if is_on_record:
        end = a_gap(9, session="s", tickers=[TICKER], cause="session_end", to_seq=None, from_ts=at(5))
        committed(lake, BOOK_GAPS, [end])
    assert got(bought(lake, 90, 10)) == [(1_000, 6_200, "candle")]


def test_a_close_before_the_end_on_record_counts_for_nothing(tmp_path: Path) -> None:
    """Recorded until 13:15: at 13:10 that of 12:05 stands, at 13:20 nobody knows, at 14:00 a close does."""
    quotes = [a_quote(minute, 5_000, 5_200) | FIVE for minute in (0, 5)]
    lake = lake_of(tmp_path, quotes, [a_bar(hour * HOUR, 6_000, 6_200) for hour in (1, 2)])
    end = a_gap(9, session="s", tickers=[TICKER], cause="session_end", to_seq=None, from_ts=at(75))
    committed(lake, BOOK_GAPS, [end])
    assert got(bought(lake, 70, 10)) == [(500, 5_200, "touch")]
    assert bought(lake, 80, 10).orders["reason"].to_list() == ["book unknown"]
    assert got(bought(lake, 121, 10)) == [(1_000, 6_200, "candle")]
