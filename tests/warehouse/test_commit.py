"""What a commit stores, what it already knew, and what it refuses."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.rows import a_market, a_quote, a_trade, at, frame
from warehouse import Commit, Lake
from warehouse.errors import NaiveTime, RowsRefused
from warehouse.tables import BOOK_SNAPSHOTS, MARKETS, QUARANTINE, QUOTES, TRADES, WINDOWS
from warehouse.writing import RETENTION


def test_a_second_commit_of_the_same_rows_changes_nothing(tmp_path: Path) -> None:
    """Idempotent by key: no new row, no new version."""
    lake, rows = Lake(tmp_path), frame(TRADES, a_trade("t1"), a_trade("t2", event_ts=at(days=1)))
    first = lake.commit(TRADES, rows)
    second = lake.commit(TRADES, rows)
    assert (first.n_new, first.n_known) == (2, 0)
    assert second == Commit("trades", first.version, n_new=0, n_known=2, n_quarantined=0)


def test_only_the_new_rows_of_an_overlapping_pull_are_stored(tmp_path: Path) -> None:
    """Trap 41: t2 came before; t1 and t3 are new; a row given twice counts once."""
    lake = Lake(tmp_path)
    lake.commit(TRADES, frame(TRADES, a_trade("t2")))
    done = lake.commit(TRADES, frame(TRADES, a_trade("t1"), a_trade("t2"), a_trade("t3"), a_trade("t3")))
    assert (done.n_new, done.n_known) == (2, 2)
    assert sorted(lake.scan(TRADES).collect()["trade_id"]) == ["t1", "t2", "t3"]


def test_what_is_stored_is_what_was_given(tmp_path: Path) -> None:
    """Declared columns, order and dtypes; columns that were not given are null."""
    lake = Lake(tmp_path)
    lake.commit(TRADES, frame(TRADES, a_trade("t1", count_centi=1, event_ts=at(0.000001))))
    stored = lake.scan(TRADES).collect()
    assert stored.schema == TRADES.polars_schema
    assert stored.row(0, named=True) == a_trade("t1", count_centi=1, event_ts=at(0.000001)) | {
        "fetched_ts": None
    }


def test_bad_rows_go_to_quarantine_and_the_rest_goes_in(tmp_path: Path) -> None:
    """A price above $1 is no price; the row is kept whole, with file, line, field and value."""
    lake = Lake(tmp_path, now=lambda: at(5))
    rows = frame(TRADES, a_trade("good"), a_trade("bad", yes_price_cc=10_001))
    done = lake.commit(TRADES, rows.with_columns(_location=pl.Series(["tape.csv:2", "tape.csv:3"])))
    assert (done.n_new, done.n_quarantined) == (1, 1)
    refused = lake.scan(QUARANTINE).collect().row(0, named=True)
    assert (refused["table_name"], refused["location"]) == ("trades", "tape.csv:3")
    assert (refused["field"], refused["value"]) == ("yes_price_cc", "10001")
    assert refused["reason"] == "yes_price_cc is above the greatest value"
    assert '"trade_id": "bad"' in refused["payload"]
    assert refused["seen_ts"] == at(5)


def test_the_same_bad_row_is_quarantined_once(tmp_path: Path) -> None:
    lake, rows = Lake(tmp_path), frame(TRADES, a_trade("bad", taker_side="maybe"))
    lake.commit(TRADES, rows, location="tape.csv")
    lake.commit(TRADES, rows, location="tape.csv")
    assert lake.scan(QUARANTINE).collect().height == 1
    assert lake.version(TRADES) is None


def test_a_book_with_unequal_lists_is_refused(tmp_path: Path) -> None:
    """Two prices and one size: nobody can tell which level the size belongs to."""
    row = {
        "ticker": "A", "session": "s", "captured_ts": at(), "yes_prices_cc": [1, 2], "yes_counts_centi": [5],
        "no_prices_cc": [], "no_counts_centi": [], "method": "ws", "source": "test",
    }  # fmt: skip
    lake = Lake(tmp_path)
    assert lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, row)).n_quarantined == 1
    assert lake.scan(QUARANTINE).collect()["reason"].to_list() == ["breaks the rule yes_lists_match"]


def test_a_number_too_large_for_its_column_is_quarantined_not_wrapped(tmp_path: Path) -> None:
    """2**32 + 5600 would be 5600 in 32 bits; it becomes missing, and missing is refused."""
    rows = frame(TRADES, a_trade()).with_columns(yes_price_cc=pl.lit(2**32 + 5_600, dtype=pl.Int64))
    assert Lake(tmp_path).commit(TRADES, rows).n_quarantined == 1


def test_floats_and_text_are_not_guessed_into_integers(tmp_path: Path) -> None:
    """$0.29 * 100 is 28.999999999999996: money is parsed exactly before it comes here."""
    rows = frame(TRADES, a_trade())
    for wrong in (pl.lit(0.29), pl.lit("5600")):
        with pytest.raises(RowsRefused, match=r"trades\.yes_price_cc: .* given, Int32 needed"):
            Lake(tmp_path).commit(TRADES, rows.with_columns(yes_price_cc=wrong))
    assert not Lake(tmp_path).exists()


def test_times_without_a_zone_are_refused(tmp_path: Path) -> None:
    rows = frame(TRADES, a_trade()).with_columns(event_ts=pl.lit(datetime(2026, 5, 13)))  # noqa: DTZ001 - on purpose
    with pytest.raises(NaiveTime, match=r"trades\.event_ts"):
        Lake(tmp_path).commit(TRADES, rows)


def test_unknown_and_missing_columns_are_named(tmp_path: Path) -> None:
    rows = frame(TRADES, a_trade())
    with pytest.raises(RowsRefused, match="has no column colour"):
        Lake(tmp_path).commit(TRADES, rows.with_columns(colour=pl.lit("red")))
    with pytest.raises(RowsRefused, match="needs the column ticker, count_centi"):
        Lake(tmp_path).commit(TRADES, rows.drop("ticker", "count_centi"))


def test_no_rows_make_no_table_and_no_folder(tmp_path: Path) -> None:
    done = Lake(tmp_path / "lake").commit(TRADES, TRADES.empty())
    assert done == Commit("trades", None, 0, 0, 0)
    assert not (tmp_path / "lake").exists()


def test_keys_with_a_missing_part_are_still_keys(tmp_path: Path) -> None:
    """Quotes of a log with one time only have no received_ts; the same quote twice is one quote."""
    lake, rows = Lake(tmp_path), frame(QUOTES, a_quote(received_ts=None))
    assert [lake.commit(QUOTES, rows).n_new for _ in range(2)] == [1, 0]


def test_a_state_is_new_only_when_it_differs_from_the_one_before(tmp_path: Path) -> None:
    """Seen at 0 s and 10 s alike, changed at 20 s: two rows."""
    lake = Lake(tmp_path)
    states = [a_market(observed_ts=at(second), fetched_ts=at(second)) for second in (0, 10)]
    lake.commit(MARKETS, frame(MARKETS, *states))
    lake.commit(MARKETS, frame(MARKETS, states[1]))
    lake.commit(MARKETS, frame(MARKETS, a_market(observed_ts=at(20), status="closed")))
    history = lake.scan(MARKETS).sort("observed_ts").collect()
    assert history["observed_ts"].to_list() == [at(0), at(20)]
    assert history["status"].to_list() == ["active", "closed"]


def test_a_state_that_comes_back_is_a_change_again(tmp_path: Path) -> None:
    """active, inactive, active: three rows, in one commit or in three."""
    states = [
        a_market(observed_ts=at(i), status=each) for i, each in enumerate(("active", "inactive", "active"))
    ]
    at_once, one_by_one = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    at_once.commit(MARKETS, frame(MARKETS, *states))
    for state in states:
        one_by_one.commit(MARKETS, frame(MARKETS, state))
    for lake in (at_once, one_by_one):
        assert lake.scan(MARKETS).collect().height == 3


def test_an_older_state_that_arrives_later_makes_it_known_from_earlier_on(tmp_path: Path) -> None:
    """An archive of 10 s ago, read now, says the same as the row of now: known since 10 s ago."""
    lake = Lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, a_market(observed_ts=at(10))))
    assert lake.commit(MARKETS, frame(MARKETS, a_market(observed_ts=at(0)))).n_new == 1
    assert lake.commit(MARKETS, frame(MARKETS, a_market(observed_ts=at(5)))).n_new == 0


def test_changes_inside_lists_are_changes(tmp_path: Path) -> None:
    """The price grid of a living market can change: a cent becomes a tenth of a cent."""
    lake = Lake(tmp_path)
    finer = [{"start_cc": 0, "end_cc": 10_000, "step_cc": 10}]
    lake.commit(MARKETS, frame(MARKETS, a_market(), a_market(observed_ts=at(1), price_ranges=finer)))
    assert lake.scan(MARKETS).collect().height == 2


def test_logs_and_removed_files_are_kept_for_pinned_backtests(tmp_path: Path) -> None:
    """At least 400 days, DESIGN."""
    from deltalake import DeltaTable

    Lake(tmp_path).commit(TRADES, frame(TRADES, a_trade()))
    configuration = DeltaTable(str(tmp_path / "trades")).metadata().configuration
    assert configuration["delta.logRetentionDuration"] == RETENTION == "interval 400 days"
    assert configuration["delta.deletedFileRetentionDuration"] == RETENTION


def test_files_are_sorted_zstd_with_plain_string_columns(tmp_path: Path) -> None:
    """Rows of one market lie together, and other readers do not trip over string views."""
    import pyarrow.parquet as pq

    lake = Lake(tmp_path)
    lake.commit(
        TRADES, frame(TRADES, a_trade("t2", ticker="B"), a_trade("t1", ticker="A"), a_trade("t3", ticker="A"))
    )
    files = lake.files(TRADES)
    assert files is not None
    stored = pq.ParquetFile(files.paths[0])
    assert stored.read()["trade_id"].to_pylist() == [b"t1", b"t3", b"t2"]
    assert str(stored.schema_arrow.field("trade_id").type) == "binary"
    assert str(stored.schema_arrow.field("ticker").type) == "string"
    assert stored.metadata.row_group(0).column(0).compression == "ZSTD"
    assert "date=2026-05-13" in files.paths[0]


def test_a_trade_is_one_row_even_if_sources_put_it_on_both_sides_of_midnight(tmp_path: Path) -> None:
    """The first source says 23:59:59.999, the second one a millisecond later, which is another day."""
    lake = Lake(tmp_path)
    midnight = at(12 * 3_600)
    lake.commit(TRADES, frame(TRADES, a_trade("t1", event_ts=midnight - timedelta(milliseconds=1))))
    again = lake.commit(TRADES, frame(TRADES, a_trade("t1", event_ts=midnight)))
    assert (again.n_new, again.n_known) == (0, 1)


def test_the_ledger_does_not_grow_by_a_file_for_every_window(tmp_path: Path) -> None:
    """70 windows, and never more than 64 files to read; every window is still there."""
    lake = Lake(tmp_path)
    for hour in range(70):
        start_ts, end_ts = at(hour * 3_600), at((hour + 1) * 3_600)
        lake.record_window("trades", "all", start_ts, end_ts, n_rows=1, digest=f"{hour}")
    files = lake.files(WINDOWS)
    assert files is not None
    assert files.files.height < 64
    assert lake.is_complete("trades", "all", at(), at(70 * 3_600))
    assert lake.scan(WINDOWS).collect().height == 70
