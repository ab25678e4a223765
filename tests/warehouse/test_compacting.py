"""Few sorted files instead of many: the rows stay, and so do readers, writers and earlier versions."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.rows import NOON, a_market, a_trade, at, frame
from warehouse import Lake, compacting
from warehouse.errors import CorruptFile, LakeUnwritable, NoSuchVersion
from warehouse.storage import TableFiles
from warehouse.tables import MARKETS, TRADES, Table


def a_lake(folder: Path, *, commits: int = 5, dates: int = 2) -> Lake:
    """Return a lake of so many commits, each with a trade of three markets on every date."""
    lake = Lake(folder)
    for number in range(commits):
        rows = [
            a_trade(f"{day}-{number}-{ticker}", ticker=ticker, event_ts=at(-number, days=day))
            for day in range(dates)
            for ticker in ("KXC", "KXA", "KXB")
        ]
        lake.commit(TRADES, frame(TRADES, *rows))
    return lake


def files(lake: Lake, table: Table = TRADES) -> TableFiles:
    """Return the files of the newest version."""
    found = lake.files(table)
    assert found is not None
    return found


def content(lake: Lake) -> pl.DataFrame:
    """Return all trades in one order."""
    return lake.scan(TRADES).collect().sort("trade_id")


def test_each_date_becomes_one_sorted_file_and_no_row_changes(tmp_path: Path) -> None:
    """5 commits of 2 dates are 10 files; afterwards 2, sorted by ticker and time as the table declares."""
    lake = a_lake(tmp_path)
    before = content(lake)
    (done,) = lake.compact([TRADES])
    assert (done.n_partitions, done.n_files_before, done.n_files_after, done.n_rows) == (2, 10, 2, 30)
    assert content(lake).equals(before)
    first = pl.read_parquet(files(lake).paths[0], columns=["ticker", "event_ts"])
    assert first.equals(first.sort("ticker", "event_ts"))
    assert done.version == lake.version(TRADES) == 7  # created, 5 commits, one swap for each date


def test_a_compacted_table_is_left_alone(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.compact([TRADES])
    (again,) = lake.compact([TRADES])
    assert (again.n_partitions, again.version) == (0, 7)


def test_days_that_still_grow_can_be_left_alone(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.compact([TRADES], before=NOON.date() + timedelta(days=1))
    assert files(lake).files.group_by("date").len().sort("date")["len"].to_list() == [1, 5]


def test_a_large_date_becomes_several_files_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About 4 rows a file: the three tickers have 5 each, so each gets a file, whole."""
    monkeypatch.setattr(compacting, "ROWS_PER_FILE", 4)
    lake = a_lake(tmp_path, dates=1)
    before = content(lake)
    lake.compact([TRADES])
    tickers = [
        set(pl.read_parquet(each, columns=["ticker"])["ticker"].to_list()) for each in files(lake).paths
    ]
    assert sorted(map(sorted, tickers)) == [["KXA"], ["KXB"], ["KXC"]]
    assert content(lake).equals(before)


def test_what_is_appended_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer commits after the files were read and before they are swapped."""
    lake = a_lake(tmp_path, dates=1)
    late = frame(TRADES, a_trade("late", ticker="KXB"))
    real = compacting.write_file

    def written_late(*args: object) -> object:
        Lake(tmp_path).commit(TRADES, late)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(compacting, "write_file", written_late)
    lake.compact([TRADES])
    assert content(lake)["trade_id"].to_list() == [
        *sorted(f"0-{n}-{t}" for n in range(5) for t in ("KXA", "KXB", "KXC")),
        "late",
    ]
    assert files(lake).files.height == 2


def test_of_two_compactions_at_once_one_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds its files gone, drops what it wrote, and says that the partition was busy."""
    lake = a_lake(tmp_path, dates=1)
    before = content(lake)
    real = compacting.write_file

    def written_late(*args: object) -> object:
        monkeypatch.setattr(compacting, "write_file", real)
        Lake(tmp_path).compact([TRADES])
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(compacting, "write_file", written_late)
    (done,) = lake.compact([TRADES])
    assert (done.n_partitions, done.n_busy) == (0, 1)
    assert content(lake).equals(before)
    assert len([*(tmp_path / "trades").rglob("*.parquet")]) == 5 + 1  # the appended ones and the first swap's


def test_compactions_in_two_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    """Both start at once over 6 dates and writers go on: every row is there once."""
    lake = a_lake(tmp_path, dates=6)
    threads = [threading.Thread(target=lambda: Lake(tmp_path).compact([TRADES])) for _ in range(2)]
    for each in threads:
        each.start()
    for number in range(5):
        Lake(tmp_path).commit(TRADES, frame(TRADES, a_trade(f"more-{number}", event_ts=at(days=number))))
    for each in threads:
        each.join()
    assert content(lake).height == content(lake)["trade_id"].n_unique() == 5 * 6 * 3 + 5


def test_a_known_row_is_known_after_compaction(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.compact()
    assert lake.commit(TRADES, frame(TRADES, a_trade("0-0-KXA", ticker="KXA"))).n_new == 0


def test_histories_are_compacted_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for number in range(4):
        lake.commit(MARKETS, frame(MARKETS, a_market(observed_ts=at(number), volume_centi=number)))
    before = lake.scan(MARKETS).collect().sort("observed_ts")
    lake.compact([MARKETS])
    assert files(lake, MARKETS).files.height == 1
    assert lake.scan(MARKETS).collect().equals(before)


def test_earlier_versions_and_an_open_catalog_still_read_their_files(tmp_path: Path) -> None:
    import duckdb

    lake = a_lake(tmp_path)
    pinned, n_rows = lake.pinned(), content(lake).height
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        lake.compact()
        lake.vacuum()
        assert connection.execute("select count(*) from trades").fetchall() == [(n_rows,)]
    assert pinned.scan(TRADES).collect().height == n_rows


def aged(folder: Path, days: float) -> None:
    """Make every data file look as old as that."""
    then = time.time() - days * 86_400
    for each in folder.rglob("*.parquet"):
        os.utime(each, (then, then))


def test_a_killed_writers_files_go_after_a_day_and_no_other(tmp_path: Path) -> None:
    """An orphan of two days is deleted; a fresh one, which may be about to be committed, is not."""
    lake = a_lake(tmp_path)
    folder = tmp_path / "trades" / "date=2026-05-13"
    aged(folder, 2)
    for name in ("old", "fresh"):
        (folder / f"{name}.parquet").write_bytes(b"half a file")
    os.utime(folder / "old.parquet", (time.time() - 2 * 86_400,) * 2)
    (done,) = lake.vacuum([TRADES])
    assert (done.n_orphans, done.n_replaced, done.n_bytes) == (1, 0, 11)
    assert not (folder / "old.parquet").exists()
    assert (folder / "fresh.parquet").exists()
    assert content(lake).height == 30


def test_replaced_files_are_kept_as_long_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced three days ago: kept for 400 days by default, deleted with two, and the catalog's stay."""
    lake = a_lake(tmp_path)
    version = lake.version(TRADES)
    assert version is not None
    lake.publish()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3 * 86_400)
    lake.compact([TRADES])
    assert lake.vacuum([TRADES])[0].n_replaced == 0
    assert lake.vacuum([TRADES], keep_days=2)[0].n_replaced == 0  # the published catalog names them
    lake.publish()
    assert lake.vacuum([TRADES], keep_days=2)[0].n_replaced == 10
    assert content(lake).height == 30
    with pytest.raises(CorruptFile, match="restore the file from a copy"):
        lake.pinned({"trades": version}).scan(TRADES).collect()


def test_a_lake_can_be_asked_as_it_stood_at_a_moment(tmp_path: Path) -> None:
    """After each commit another instant: 6 trades more a version; before the first there is no table."""
    lake = Lake(tmp_path)
    start_ts = datetime.now(UTC)
    moments = []
    for number in range(3):
        time.sleep(0.01)
        lake.commit(TRADES, frame(TRADES, a_trade(f"t{number}")))
        time.sleep(0.01)
        moments.append(datetime.now(UTC))
    lake.compact()
    assert [lake.at(each).scan(TRADES).collect().height for each in moments] == [1, 2, 3]
    assert lake.at(start_ts).versions() == {}
    told = lake.history(TRADES)
    assert told["change"].to_list() == ["compaction", "rows", "rows", "rows", "created"]
    assert told["n_rows_added"].to_list() == [None, 1, 1, 1, None]


def test_less_than_a_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeUnwritable, match="--keep-days is 0"):
        a_lake(tmp_path, commits=1).vacuum(keep_days=0)


def test_a_lake_without_tables_has_nothing_to_do(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert {each.n_partitions for each in lake.compact()} == {0}
    assert {each.n_orphans for each in lake.vacuum()} == {0}
    with pytest.raises(NoSuchVersion):
        lake.scan(TRADES, version=1)
