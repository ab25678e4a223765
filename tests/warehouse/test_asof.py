"""What a live trader could know of a market, in polars and in DuckDB alike."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from tests.warehouse.rows import a_market, an_event, at, frame
from warehouse import Lake
from warehouse.tables import EVENTS, MARKETS


def final(ticker: str = "KXA-1", **changes: object) -> dict[str, Any]:
    """Return a market first seen two days after noon, when it had opened, closed and paid."""
    seen_late: dict[str, Any] = {
        "observed_ts": at(days=2),
        "updated_ts": at(days=1, seconds=60),
        "status": "finalized",
        "result": "yes",
        "settlement_value_cc": 10_000,
        "settlement_ts": at(days=1, seconds=600),
        "expiration_value": "7",
        "expected_expiration_ts": at(days=1),
    }
    return a_market(ticker, **(seen_late | changes))


def known(lake: Lake, days: float) -> list[dict[str, Any]]:
    """Return the markets as of `days` after noon."""
    return lake.markets(asof=at(days * 86_400)).collect().to_dicts()


def test_an_observed_state_holds_until_the_next(tmp_path: Path) -> None:
    """Seen active at noon and closed a minute later: active at 59 s, closed at 60 s, unseen before noon."""
    lake = Lake(tmp_path)
    states = (a_market(created_ts=None, open_ts=None), a_market(observed_ts=at(60), status="closed"))
    lake.commit(MARKETS, frame(MARKETS, *states))
    for second, status in ((0, "active"), (59, "active"), (60, "closed"), (600, "closed")):
        (row,) = lake.markets(asof=at(second)).collect().to_dicts()
        assert (row["status"], row["basis"]) == (status, "observed")
    assert lake.markets(asof=at(-1)).collect().is_empty()


def test_a_market_first_seen_later_is_assumed_without_its_future(tmp_path: Path) -> None:
    """At noon, a day before its close: terms are assumed; result, payout, close and volume are not known."""
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, final()))
    (row,) = known(lake, 0)
    assert row["basis"] == "assumed"
    assert (row["yes_sub_title"], row["floor_strike"], row["price_ranges"][0]["step_cc"]) == (
        "above 5",
        5.0,
        100,
    )
    for column in ("status", "result", "settlement_value_cc", "settlement_ts", "expiration_value", "close_ts",
                   "last_price_cc", "volume_centi", "updated_ts", "expected_expiration_ts"):  # fmt: skip
        assert row[column] is None, column


def test_a_result_is_known_from_its_settlement_on(tmp_path: Path) -> None:
    """Closed a day after noon, paid ten minutes later: the close is known first, the result then."""
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, final()))
    (closed,), (paid,) = known(lake, 1 + 300 / 86_400), known(lake, 1 + 600 / 86_400)
    assert (closed["close_ts"], closed["result"], closed["status"]) == (at(days=1), None, None)
    assert (paid["result"], paid["settlement_value_cc"], paid["status"]) == ("yes", 10_000, "finalized")


def test_a_result_seen_late_does_not_reach_back_over_what_was_seen(tmp_path: Path) -> None:
    """Seen active at noon, paid at 1 d 600 s, seen finalized at 2 d: active till then, known from then on."""
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, a_market(), final()))
    for days, status, result in ((1.5, "active", ""), (2, "finalized", "yes")):
        (row,) = known(lake, days)
        assert (row["status"], row["result"], row["basis"]) == (status, result, "observed")


def test_a_strike_is_not_known_before_the_market_opens(tmp_path: Path) -> None:
    """Fifteen-minute markets are created with their target to be determined: created -2 d, open -1 d."""
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, final()))
    (before,), (after,) = known(lake, -1.5), known(lake, -1)
    assert (before["floor_strike"], before["yes_sub_title"]) == (None, None)
    assert after["floor_strike"] == 5.0
    assert known(lake, -2.1) == []


def test_a_close_that_cannot_come_early_is_known_from_the_listing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, final(can_close_early=False)))
    assert known(lake, 0)[0]["close_ts"] == at(days=1)


@pytest.mark.parametrize("days", [-3, -2, -1.5, -1, 0, 0.5, 1, 1.005, 1.01, 2, 3])
def test_the_macro_says_the_same_as_the_reader(tmp_path: Path, days: float) -> None:
    """One table of masks makes both; the catalog's dollars are the lake's centicents."""
    lake = Lake(tmp_path)
    lake.commit(EVENTS, frame(EVENTS, an_event()))
    states = (
        final("KXA-1"),
        final("KXA-2", can_close_early=None, series_ticker=None),
        a_market("KXA-3"),
        final("KXA-3"),
        final("KXA-4", open_ts=None, close_ts=None),
        final("KXA-5", created_ts=None, open_ts=None),
    )
    lake.commit(MARKETS, frame(MARKETS, *states))
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        macro = connection.sql("from markets_asof(?::timestamptz)", params=[at(days * 86_400)]).pl()
    reader = lake.markets(asof=at(days * 86_400)).collect()
    same = [each for each in reader.columns if each in macro.columns and each != "price_ranges"]
    assert {"result", "close_ts", "floor_strike", "basis", "series_ticker"} <= set(same)
    times = pl.col(pl.Datetime).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    assert macro.select(same).with_columns(times).equals(reader.select(same), null_equal=True)
    dollars = macro["settlement_value"].cast(pl.Float64).to_list()
    assert dollars == [None if each is None else each / 10_000 for each in reader["settlement_value_cc"]]
