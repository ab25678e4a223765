"""What fills rested on: a recorded quote is told from the close of a candle, that stood once in an hour."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.results import Run
from tests.backtest.lakes import a_lake, a_market, a_quote, at, committed
from tests.warehouse.rows import a_candle
from warehouse.tables import CANDLES

# Recorded until minute 0, two candles of an hour afterwards; nothing recorded in their time.
LINEAR = bt.Slippage(impact="linear", coefficient_cc=100)
HOURS = {60: (4_500, 5_500), 120: (4_000, 4_400)}


def filled(folder: Path, *intents: tuple[float, pl.Expr], sizes: bool = True, **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    """Send intents at minutes to a market with one quote at minute 0 and closes at 60 and 120."""
    quote = a_quote(0, 4_500, 5_500) | ({} if sizes else {"bid_size_centi": None, "ask_size_centi": None})
    lake = a_lake(folder, [quote], [a_market(close=600)])
    bars = [
        a_candle(ticker="KXT-1-A", end_ts=at(end), yes_bid_close_cc=bid, yes_ask_close_cc=ask)
        for end, (bid, ask) in HOURS.items()
    ]
    committed(lake, CANDLES, bars)
    known = pl.Series("known_ts", [at(minute) for minute, _ in intents], pl.Datetime("us", "UTC"))
    rows = [
        pl.LazyFrame({"ticker": ["KXT-1-A"], "known_ts": known[i : i + 1]}).with_columns(intent=intent)
        for i, (_, intent) in enumerate(intents)
    ]
    usual: dict[str, Any] = {"fills": "touch", "latency": "1s", "cash": 1_000}
    return bt.run(pl.concat(rows), lake, **usual | arguments)


def told(run: Run) -> list[tuple[Any, ...]]:
    minutes = (pl.col("fill_ts") - at(0)).dt.total_seconds() / 60
    return run.fills.select(minutes.round(1), "yes_price_cc", "role", "evidence").rows()


@pytest.mark.parametrize(("sizes", "said"), [(True, "touch"), (False, "touch:no-size")])
def test_a_fill_says_whether_a_quote_or_a_candle_stood_behind_it(
    tmp_path: Path,
    sizes: bool,  # noqa: FBT001 -- a parameter of the test
    said: str,
) -> None:
    run = filled(tmp_path, (1, bt.buy_yes(1)), (61, bt.buy_no(1)), sizes=sizes)
    assert told(run) == [(1.0, 5_500, "taker", said), (61.0, 4_500, "taker", "candle")]


@pytest.mark.parametrize(("slippage", "said"), [(None, "candle"), (LINEAR, "candle:crossed")])
def test_an_order_that_waited_for_a_candle_says_so(
    tmp_path: Path, slippage: bt.Slippage | None, said: str
) -> None:
    """A bid of .45 waits from minute 1 and is met by the ask of .44 at minute 120."""
    order = bt.buy_yes(0.5, limit=4_500, ttl="3h")
    run = filled(tmp_path, (1, order), slippage=slippage)
    assert told(run) == [(120.0, 4_500, "maker", said)]


def test_impact_on_a_candle_is_told_from_impact_on_a_quote(tmp_path: Path) -> None:
    """A cent for the first contract beyond the touch, in a linear model; both sides say which."""
    run = filled(tmp_path, (1, bt.buy_yes(3)), (121, bt.buy_yes(3)), sizes=False, slippage=LINEAR)
    kinds = {said for *_, said in told(run)}
    assert kinds == {"touch:no-size", "touch:impact", "candle", "candle:impact"}


def test_the_middle_of_a_candle_is_the_fantasy_it_is(tmp_path: Path) -> None:
    assert told(filled(tmp_path, (61, bt.buy_yes(1)), fills="mid")) == [(61.0, 5_000, "taker", "mid")]
