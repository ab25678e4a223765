"""Quotes come from recordings where there are any, else from the closes of candles."""

from datetime import timedelta
from pathlib import Path

import polars as pl

from tests.warehouse.rows import a_candle, a_quote, at, frame
from warehouse import Lake
from warehouse.tables import CANDLES, QUOTES


def test_the_close_of_a_candle_is_a_quote_without_sizes_known_at_its_end(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(CANDLES, frame(CANDLES, a_candle(end_ts=at(), yes_bid_close_cc=4_500, yes_ask_close_cc=None)))
    row = lake.quotes().collect().row(0, named=True)
    assert (row["known_ts"], row["bid_cc"], row["ask_cc"]) == (at(), 4_500, None)
    assert (row["bid_size_centi"], row["source"], row["session"]) == (None, "candles", "candles_3600")
    assert row["quote_age"] == timedelta(0)


def test_a_candle_is_silent_where_a_quote_of_its_period_was_recorded(tmp_path: Path) -> None:
    """One quote five minutes before noon: it speaks for the hour that ended then, not for the next one."""
    lake = Lake(tmp_path)
    lake.commit(QUOTES, frame(QUOTES, a_quote(-300)))
    lake.commit(CANDLES, frame(CANDLES, a_candle(end_ts=at()), a_candle(end_ts=at(3_600))))
    assert [row["source"] for row in lake.quotes().collect().iter_rows(named=True)] == ["test", "candles"]


def test_of_candles_the_shortest_speak(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    bars = [a_candle(end_ts=at(), period_s=3_600), a_candle(end_ts=at(-60), period_s=60)]
    lake.commit(CANDLES, frame(CANDLES, *bars))
    assert lake.quotes().collect()["session"].to_list() == ["candles_60"]


def test_the_sessions_of_candles_of_several_lengths_can_be_read(tmp_path: Path) -> None:
    """Five bars of three lengths on five days, one of them silent: polars once panicked on their names."""
    lake = Lake(tmp_path)
    bars = ((60, -51.2), (86_400, -32), (3_600, -6), (3_600, 27), (3_600, 45))
    candles = [a_candle(period_s=length, end_ts=at(hour * 3_600)) for length, hour in bars]
    lake.commit(QUOTES, frame(QUOTES, a_quote(-49.93 * 3_600)))
    lake.commit(CANDLES, frame(CANDLES, *candles))
    shown = lake.quotes(ticker="KXA-1").filter(pl.col("source") == "candles").collect()
    assert shown["session"].to_list() == ["candles_60", *["candles_3600"] * 3]


def test_a_lake_without_either_has_no_quotes(tmp_path: Path) -> None:
    assert Lake(tmp_path).quotes().collect().is_empty()
