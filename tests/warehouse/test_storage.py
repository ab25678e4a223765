"""Where a lake lies, what it was written by, and what happens when its files are damaged."""

import json
import shutil
from pathlib import Path

import pytest

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake
from warehouse.errors import CorruptFile, LakeTooNew, LakeUnwritable, NeedsFolder, NoSuchVersion
from warehouse.place import place as located
from warehouse.status import status
from warehouse.storage import batches
from warehouse.tables import TRADES


def a_lake(folder: Path) -> Lake:
    """Make a lake with two trades on two dates, in two commits: versions 1 and 2."""
    lake = Lake(folder)
    lake.commit(TRADES, frame(TRADES, a_trade("t1")))
    lake.commit(TRADES, frame(TRADES, a_trade("t2", event_ts=at(days=1))))
    return lake


def data_file(lake: Lake) -> Path:
    """Return the first data file of the trades."""
    files = lake.files(TRADES)
    assert files is not None
    return Path(files.paths[0])


def test_the_lake_is_the_argument_else_the_environment_else_a_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DESIGN: TAPEHOUSE_LAKE, default ./lake; folders become absolute, so a later chdir changes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAPEHOUSE_LAKE", raising=False)
    assert Lake().uri == str(tmp_path / "lake")
    monkeypatch.setenv("TAPEHOUSE_LAKE", str(tmp_path / "other"))
    assert Lake().uri == str(tmp_path / "other")
    assert Lake("mine").path == tmp_path / "mine"


def test_a_bucket_takes_its_access_from_the_environment() -> None:
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HOME": "x"}
    place = located("s3://bucket/lake/", environment)
    assert (place.uri, place.is_local) == ("s3://bucket/lake", False)
    assert place.options == {"aws_endpoint_url": "http://127.0.0.1:9"}


@pytest.mark.parametrize("name", ["with space", "100%", "ключ", "a=b", "star*"])
def test_a_lake_may_have_any_folder_name(tmp_path: Path, name: str) -> None:
    """Reading, writing, de-duplicating and publishing work; names are never taken for patterns."""
    import duckdb

    lake = a_lake(tmp_path / name)
    assert lake.commit(TRADES, frame(TRADES, a_trade("t1"))).n_new == 0
    assert lake.scan(TRADES).collect().height == 2
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        assert connection.execute("select count(*) from trades").fetchall() == [(2,)]


@pytest.mark.parametrize("letter", ["[", "?", "|", "^", "\\", "\t"])
def test_a_folder_that_delta_cannot_hold_is_refused_at_once(tmp_path: Path, letter: str) -> None:
    """delta-rs would panic in the middle of the first commit."""
    with pytest.raises(LakeUnwritable, match="choose another"):
        Lake(tmp_path / f"la{letter}ke")


def test_a_lake_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    a_lake(tmp_path)
    assert json.loads((tmp_path / "tapehouse.json").read_text()) == {"format": 1}
    (tmp_path / "tapehouse.json").write_text('{"format": 2}')
    with pytest.raises(LakeTooNew, match="has format 2, this Tapehouse reads up to 1; upgrade"):
        Lake(tmp_path)


@pytest.mark.parametrize("garbage", ["", "{}", "[]", '{"format": "x"}', "\x00"])
def test_a_damaged_format_file_is_named(tmp_path: Path, garbage: str) -> None:
    (tmp_path / "tapehouse.json").write_text(garbage)
    with pytest.raises(CorruptFile, match=r"tapehouse\.json: expected"):
        Lake(tmp_path)


def test_an_unwritable_place_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    """A file where the folder should be: the system's reason, and what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(
        LakeUnwritable, match=r"cannot write the lake at .* with --lake or TAPEHOUSE_LAKE"
    ) as caught:
        Lake(tmp_path / "file" / "lake").commit(TRADES, frame(TRADES, a_trade()))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "overwritten", "gone"])
def test_a_damaged_data_file_is_named_and_never_read_as_nothing(tmp_path: Path, damage: str) -> None:
    """Polars takes a 0-byte Parquet file for no rows; every reader and writer here refuses it."""
    lake = a_lake(tmp_path)
    path = data_file(lake)
    whole = path.read_bytes()
    damaged = {"empty": b"", "cut": whole[:100], "overwritten": bytes(len(whole))}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    for use in (
        lambda: lake.scan(TRADES),
        lambda: lake.commit(TRADES, frame(TRADES, a_trade("t3"))),
        lake.publish,
    ):
        with pytest.raises(CorruptFile, match=r"\.parquet: .*restore the file from a copy") as caught:
            use()
        assert str(path) in str(caught.value)
    assert lake.version(TRADES) == 2


def test_damage_inside_a_file_is_an_error_in_our_words(tmp_path: Path) -> None:
    """Size and ends are right, the pages are not: found when they are read, by whoever reads them."""
    lake = a_lake(tmp_path)
    path = data_file(lake)
    whole = bytearray(path.read_bytes())
    whole[4:-8] = bytes(len(whole) - 12)
    path.write_bytes(whole)
    for use in (
        lambda: lake.commit(TRADES, frame(TRADES, a_trade("t3"))),
        lambda: lake.trades(ticker="unlisted"),
        lambda: status(lake),
        lambda: list(batches(lake.scan(TRADES), "trades")),
    ):
        with pytest.raises(CorruptFile, match=r"a data file cannot be read \(") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_a_bucket_has_no_catalog() -> None:
    """DuckDB reads buckets with an extension only; polars reads the tables as they are."""
    place = located("s3://bucket/lake", {})
    with pytest.raises(NeedsFolder, match="needs a lake in a folder"):
        _ = place.path


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    for entry in (tmp_path / "trades" / "_delta_log").glob("*.json"):
        entry.write_text("garbage")
    with pytest.raises(CorruptFile, match="its log cannot be read"):
        lake.scan(TRADES)


def test_a_pinned_version_reads_what_was_there_then(tmp_path: Path) -> None:
    """Version 1 has t1 only, whatever came after."""
    lake = a_lake(tmp_path)
    assert lake.versions() == {"trades": 2}
    assert lake.scan(TRADES, version=1).collect()["trade_id"].to_list() == ["t1"]
    assert lake.pinned({"trades": 1}).scan(TRADES).collect().height == 1
    assert lake.pinned({}).scan(TRADES).collect().height == 0


def test_a_pinned_lake_stays_where_it_is_and_is_not_written(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    pinned = lake.pinned()
    lake.commit(TRADES, frame(TRADES, a_trade("t3")))
    assert pinned.scan(TRADES).collect().height == 2
    assert pinned.versions() == {"trades": 2}
    with pytest.raises(LakeUnwritable, match="a pinned lake is for reading"):
        pinned.commit(TRADES, frame(TRADES, a_trade("t4")))


def test_a_version_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    with pytest.raises(NoSuchVersion, match="no version 9; the newest is 2"):
        lake.scan(TRADES, version=9)
    with pytest.raises(NoSuchVersion, match="does not exist"):
        Lake(tmp_path / "nowhere").scan(TRADES, version=0)


def test_reading_a_lake_that_is_not_there_gives_no_rows_and_makes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert lake.scan(TRADES).collect().schema == TRADES.polars_schema
    assert (lake.exists(), lake.version(TRADES), lake.versions()) == (False, None, {})
    assert not (tmp_path / "lake").exists()


def test_a_moved_lake_reads_the_same(tmp_path: Path) -> None:
    """Nothing in the tables names the place; only the catalog does, and it is published again."""
    a_lake(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert Lake(tmp_path / "there").scan(TRADES).collect().height == 2


@pytest.mark.parametrize("n_versions", [1, 2, 3, 4, 6])
def test_versions_of_others_are_seen_at_once_also_of_a_lake_made_anew(
    tmp_path: Path, n_versions: int
) -> None:
    """Another process adds entries to the log of a lake that has three; or puts another lake in its place."""
    made, here = tmp_path / "made", tmp_path / "here"
    for number in range(n_versions):
        Lake(made).commit(TRADES, frame(TRADES, a_trade(f"u{number}")))
    lake = a_lake(here)
    assert (lake.version(TRADES), lake.scan(TRADES).collect().height) == (2, 2)
    shutil.rmtree(here)
    copied = shutil.copytree(made, here)
    entries = sorted((copied / "trades" / "_delta_log").glob("*.json"))
    later = {each: each.read_bytes() for each in entries[2:]}
    for each in later:
        each.unlink()
    assert lake.version(TRADES) == len(entries) - len(later) - 1
    for n_rows, (entry, text) in enumerate(later.items(), 2):
        entry.write_bytes(text)
        assert lake.version(TRADES) == n_rows
        assert lake.scan(TRADES).collect().height == n_rows


def test_files_are_those_of_now_also_when_they_were_listed_before(tmp_path: Path) -> None:
    """What was read of a log serves again only while it has not moved, also for a lake that was made anew."""
    lake = a_lake(tmp_path)
    assert lake.version(TRADES) == 2
    lake.commit(TRADES, frame(TRADES, a_trade("t3")))
    assert (lake.version(TRADES), lake.scan(TRADES).collect().height) == (3, 3)
    assert lake.scan(TRADES, version=1).collect()["trade_id"].to_list() == ["t1"]
    shutil.rmtree(tmp_path)
    assert lake.version(TRADES) is None
    other = Lake(tmp_path)
    for trade_id in ("u1", "u2", "u3"):
        other.commit(TRADES, frame(TRADES, a_trade(trade_id)))
    assert other.scan(TRADES).collect()["trade_id"].sort().to_list() == ["u1", "u2", "u3"]
