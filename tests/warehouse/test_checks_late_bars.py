"""Bars that a late trade made stale are told apart from bars that are wrong."""

from pathlib import Path
from typing import Any

from tests.warehouse.rows import a_candle, a_market, a_trade, at, frame
from warehouse import Lake
from warehouse.checks import run_checks
from warehouse.tables import CANDLES, MARKETS, TRADES

READ_S = 1_200


def a_print(trade_id: str, read_s: int, **changes: object) -> dict[str, Any]:
    """Return ten contracts at $0.48 ten minutes before noon, read some seconds after it."""
    told = {"event_ts": at(-600), "yes_price_cc": 4_800, "source": "rest", "fetched_ts": at(read_s)}
    return a_trade(trade_id, **told | changes)


def classes(folder: Path, *trades: dict[str, Any], **bar: object) -> dict[str, int]:
    """Return what the check calls the bar of the hour before noon, which was read `READ_S` after it."""
    lake = Lake(folder, now=lambda: at(20_000))
    lake.commit(MARKETS, frame(MARKETS, a_market()))
    lake.commit(TRADES, frame(TRADES, *trades))
    lake.commit(CANDLES, frame(CANDLES, a_candle(source="rest", fetched_ts=at(READ_S), **bar)))
    for resource in ("trades", "candles_3600"):
        lake.record_window(resource, "series:KX", at(days=-2), at(7_200), n_rows=1, digest="")
    (finding,) = run_checks(lake, ["candle_trades"], keep=False).findings
    return {name: n for name, n in finding.classes.items() if n} | {"flagged": finding.n_flagged}


def test_a_bar_that_had_all_trades_read_before_it_is_late(tmp_path: Path) -> None:
    """Ten contracts when the bar was read, five more with a reading that began a second later."""
    late = a_print("t2", READ_S + 1, count_centi=500, yes_price_cc=4_700)
    assert classes(tmp_path, a_print("t1", 600), late) == {"late": 1, "flagged": 0}


def test_a_bar_of_no_trade_may_have_been_right_too(tmp_path: Path) -> None:
    prices = dict.fromkeys(f"price_{each}_cc" for each in ("open", "high", "low", "close"))
    assert classes(tmp_path, a_print("t1", READ_S + 1), volume_centi=0, **prices) == {"late": 1, "flagged": 0}


def test_a_trade_that_was_read_with_the_bar_or_before_is_no_excuse(tmp_path: Path) -> None:
    missed = a_print("t2", READ_S, count_centi=500)
    assert classes(tmp_path, a_print("t1", 600), missed)["flagged"] == 1


def test_a_late_trade_excuses_no_other_fault(tmp_path: Path) -> None:
    """The bar lacks five contracts of before, too; or its high is one that nobody traded at."""
    late = a_print("t3", READ_S + 1, count_centi=300)
    before = (a_print("t1", 600), a_print("t2", 600, count_centi=500))
    assert classes(tmp_path / "volume", *before, late)["flagged"] == 1
    assert classes(tmp_path / "high", before[0], late, price_high_cc=4_900)["flagged"] == 1


def test_without_a_late_trade_nothing_is_late(tmp_path: Path) -> None:
    """Volume, high and low are right, the close is the first of two prices."""
    second = a_print("t2", 600, event_ts=at(-300), count_centi=500, yes_price_cc=4_700)
    bar = {"volume_centi": 1_500, "price_low_cc": 4_700, "price_close_cc": 4_800}
    assert classes(tmp_path, a_print("t1", 600), second, **bar)["flagged"] == 1
