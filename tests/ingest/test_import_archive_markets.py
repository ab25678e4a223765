"""States of markets out of a public archive, beside what the exchange told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.import_archive import import_archive
from tests.ingest.made_archives import a_market, a_trade, an_archive
from tests.warehouse import rows
from warehouse import Lake
from warehouse.tables import MARKETS

FETCHED = datetime(2025, 11, 20, 1, 2, 3, 4, tzinfo=UTC)


def told_by_the_exchange(lake: Lake, **changed: Any) -> None:  # noqa: ANN401 -- any column
    """Commit a state that a sync observed."""
    state = rows.a_market("KXA-1-Y", event_ticker="KXA-1", series_ticker="KXA", source="rest") | changed
    lake.commit(MARKETS, rows.frame(MARKETS, state))


def states(lake: Lake) -> pl.DataFrame:
    return lake.scan(MARKETS).sort("ticker", "observed_ts").collect()


def test_a_row_is_one_state_observed_when_it_was_fetched(tmp_path: Path) -> None:
    """Yes pays a dollar; 97 cents, 120 and 40 contracts are exact; when it was paid nobody says."""
    lake = Lake(tmp_path / "lake")
    import_archive(lake, an_archive(tmp_path / "made", [], [[a_market()]]))
    state = states(lake).row(0, named=True)
    assert (state["observed_ts"], state["fetched_ts"]) == (FETCHED, FETCHED)
    assert (state["status"], state["result"], state["settlement_value_cc"]) == ("finalized", "yes", 10_000)
    assert (state["last_price_cc"], state["volume_centi"], state["open_interest_centi"]) == (
        9_700,
        12_000,
        4_000,
    )
    assert state["close_ts"] == datetime(2025, 7, 31, tzinfo=UTC)
    assert state["settlement_ts"] is None
    assert state["source"] == (
        "archive:prediction-market-analysis (event and series read off the ticker)"
    )  # the archive does not tell the series
    assert state["event_ticker"] == "KXA-1"


def test_filter_words_become_states_and_never_traded_has_no_last_price(tmp_path: Path) -> None:
    """The archive says open where the exchange says active; 0 cents is no price."""
    lake = Lake(tmp_path / "lake")
    row = a_market(status="open", result="", last_price=0, close_time=None)
    import_archive(lake, an_archive(tmp_path / "made", [], [[row]]))
    state = states(lake).row(0, named=True)
    told = (state["status"], state["result"], state["last_price_cc"], state["settlement_value_cc"])
    assert told == ("active", None, None, None)


def test_states_fetched_since_counts_are_cut_keep_their_result_alone(tmp_path: Path) -> None:
    """A volume of 120 may have been 120.99: it is left empty, the result is not."""
    lake = Lake(tmp_path / "lake")
    row = a_market(_fetched_at=datetime(2026, 4, 1))  # noqa: DTZ001 -- as the archive writes it
    import_archive(lake, an_archive(tmp_path / "made", [], [[row]]))
    state = states(lake).row(0, named=True)
    assert (state["volume_centi"], state["last_price_cc"], state["result"]) == (None, None, "yes")


def test_repeated_states_are_one_and_changes_are_kept(tmp_path: Path) -> None:
    """Fetched three times, changed once: two states, whatever the order of the pieces."""
    days = [datetime(2025, 11, day) for day in (3, 1, 2)]  # noqa: DTZ001 -- as the archive writes them
    pieces = [[a_market(_fetched_at=day, volume=120 if day.day < 3 else 130)] for day in days]
    lake = Lake(tmp_path / "lake")
    import_archive(lake, an_archive(tmp_path / "made", [], pieces))
    assert states(lake)["volume_centi"].to_list() == [12_000, 13_000]


def test_what_the_exchange_told_before_is_not_overwritten(tmp_path: Path) -> None:
    """The exchange said 10.01 contracts and knows the grid; the archive's later 120 changes nothing."""
    lake = Lake(tmp_path / "lake")
    told_by_the_exchange(
        lake, observed_ts=FETCHED.replace(day=1), volume_centi=1_001, status="finalized", result="no"
    )
    receipt = import_archive(lake, an_archive(tmp_path / "made", [], [[a_market()]]))
    assert states(lake).select("volume_centi", "result").rows() == [(1_001, "no")]
    assert (receipt.tables["markets"].n_new, receipt.tables["markets"].n_known) == (0, 1)


def test_a_result_that_the_exchange_had_not_told_yet_comes_from_the_archive(tmp_path: Path) -> None:
    """Status, result, payout and close are the archive's; volume, grid and title stay the exchange's."""
    lake = Lake(tmp_path / "lake")
    told_by_the_exchange(lake, observed_ts=FETCHED.replace(day=1), volume_centi=1_001, title="As told")
    import_archive(lake, an_archive(tmp_path / "made", [], [[a_market()]]))
    first, last = states(lake).rows(named=True)
    assert first["status"] == "active"
    assert (last["status"], last["result"], last["settlement_value_cc"]) == ("finalized", "yes", 10_000)
    assert last["close_ts"] == datetime(2025, 7, 31, tzinfo=UTC)
    kept = ("volume_centi", "title", "price_ranges", "series_ticker", "yes_sub_title")
    assert [last[name] for name in kept] == [first[name] for name in kept]
    assert last["source"] == "archive:prediction-market-analysis"


def test_an_older_state_than_the_exchange_first_told_is_kept_beside_it(tmp_path: Path) -> None:
    """History grows at its beginning; the latest state stays the exchange's."""
    lake = Lake(tmp_path / "lake")
    told_by_the_exchange(lake, observed_ts=FETCHED.replace(year=2026), volume_centi=13_001)
    import_archive(lake, an_archive(tmp_path / "made", [], [[a_market(status="active", result="")]]))
    assert states(lake)["volume_centi"].to_list() == [12_000, 13_001]
    assert lake.markets().collect()["source"].to_list() == ["rest"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("ticker", ""), ("event_ticker", None), ("_fetched_at", None), ("result", "maybe")],
)
def test_a_row_that_is_no_state_is_quarantined(field: str, value: object, tmp_path: Path) -> None:
    """Who knows neither market, event nor time of observation says nothing; the others go in."""
    made = an_archive(tmp_path / "made", [], [[a_market("KXB-1-Y"), a_market() | {field: value}]])
    lake = Lake(tmp_path / "lake")
    receipt = import_archive(lake, made)
    assert states(lake)["ticker"].to_list() == ["KXB-1-Y"]
    assert [(bad.location, bad.field) for bad in receipt.bad_rows] == [
        ("markets/markets_0_10000.parquet:2", field)
    ]


def test_one_kind_alone_can_be_asked_for(tmp_path: Path) -> None:
    """Trades without markets, markets without trades."""
    made = an_archive(tmp_path / "made", [[a_trade()]], [[a_market()]])
    lake = Lake(tmp_path / "lake")
    assert set(import_archive(lake, made, kinds=["markets"]).tables) == {"markets"}
    assert set(import_archive(lake, made, kinds=["trades"]).tables) == {"trades"}
