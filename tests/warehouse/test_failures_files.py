"""Files that are damaged, lost or of a later program: named in one error, never read as other rows."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.stories.commands import Said, say
from tests.warehouse.disks import files_below
from tests.warehouse.rows import a_market, a_trade, frame
from warehouse import Lake
from warehouse.errors import CorruptFile, LakeTooNew
from warehouse.tables import MARKETS, TRADES

Damage = Callable[[Path], object]
CATALOG: Final = "warehouse.duckdb"
COUNT: Final = "select count(*) as n from trades"
HELD: Final = ["t1", "t2", "t3", "t4"]
LAST: Final = 4  # version of the trades: a table, then a trade a commit


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a published lake once: a market, and four trades in four files of one day."""
    folder = tmp_path_factory.mktemp("damaged")
    lake = Lake(folder / "lake")
    lake.commit(MARKETS, frame(MARKETS, a_market()))
    for each in HELD:
        lake.commit(TRADES, frame(TRADES, a_trade(each)))
        if each == "t3":
            shutil.copytree(lake.path, folder / "earlier")
    lake.publish()
    shutil.copytree(lake.path, folder / "good")
    return folder


@pytest.fixture
def lake(kept: Path) -> Path:
    """Put the whole lake in its place: the catalog knows it by its address."""
    put_back(kept / "good", kept / "lake")
    return kept / "lake"


def put_back(copy: Path, lake: Path) -> None:
    """Replace a lake by a copy; its files are younger, as they are after `cp -r`."""
    shutil.rmtree(lake)
    shutil.copytree(copy, lake, copy_function=shutil.copy)


def part(lake: Path) -> Path:
    return min((lake / "trades").rglob("*.parquet"))


def entry(lake: Path, number: int, table: str = "trades") -> Path:
    return lake / table / "_delta_log" / f"{number:020}.json"


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def asks_for(**protocol: object) -> Damage:
    """Return surgery on the first entry of the log, where a table says what its readers must know."""

    def operate(lake: Path) -> None:
        actions = [json.loads(line) for line in entry(lake, 0).read_text().splitlines()]
        for each in actions:
            if "protocol" in each:
                each["protocol"] = protocol
        entry(lake, 0).write_text("\n".join(json.dumps(each) for each in actions))

    return operate


def renames_columns(lake: Path) -> None:
    """Make the log say, as column mapping does, that columns have other names in the files."""
    asks_for(minReaderVersion=2, minWriterVersion=5)(lake)
    actions = [json.loads(line) for line in entry(lake, 0).read_text().splitlines()]
    metadata = next(each["metaData"] for each in actions if "metaData" in each)
    schema = json.loads(metadata["schemaString"])
    for number, field in enumerate(schema["fields"], 1):
        field["metadata"] |= {
            "delta.columnMapping.id": number,
            "delta.columnMapping.physicalName": field["name"] if field["name"] == "date" else f"col-{number}",
        }
    metadata["schemaString"] = json.dumps(schema)
    metadata["configuration"] |= {
        "delta.columnMapping.mode": "name",
        "delta.columnMapping.maxColumnId": str(len(schema["fields"])),
    }
    entry(lake, 0).write_text("\n".join(json.dumps(each) for each in actions))


def with_checkpoint(damage: Damage) -> Damage:
    def operate(lake: Path) -> None:
        DeltaTable(str(lake / "trades")).create_checkpoint()
        damage(lake / "trades" / "_delta_log")

    return operate


FEATURES: Final = {"minReaderVersion": 3, "minWriterVersion": 7}
NO_COPY: Final = "restore"
UPGRADE: Final = "upgrade Tapehouse"

# What was done to the lake, and what every command that reads or writes trades says of it.
DAMAGES: Final[dict[str, tuple[Damage, tuple[str, ...]]]] = {
    "data cut": (
        lambda lake: changed(part(lake), lambda old: old[:-30]),
        (".parquet: has ", "log says", NO_COPY),
    ),
    "data zeroed": (
        lambda lake: changed(part(lake), lambda old: bytes(len(old))),
        ("not a Parquet file", NO_COPY),
    ),
    "data gone": (lambda lake: part(lake).unlink(), (".parquet: No such file", NO_COPY)),
    "data of another table": (
        lambda lake: shutil.copy(next((lake / "markets").rglob("*.parquet")), part(lake)),
        (".parquet: has ", "log says", NO_COPY),
    ),
    "entry garbage": (
        lambda lake: entry(lake, 2).write_text("garbage"),
        (f"{2:020}.json is no JSON", NO_COPY),
    ),
    "entry cut": (
        lambda lake: changed(entry(lake, LAST), lambda old: old[: len(old) // 2]),
        (f"{LAST:020}.json is no JSON", NO_COPY),
    ),
    "entry empty": (
        lambda lake: entry(lake, LAST).write_text(""),
        (f"{LAST:020}.json: is empty, so a commit is lost", NO_COPY),
    ),
    "entry gone": (lambda lake: entry(lake, 2).unlink(), (f"{2:020}.json is gone", NO_COPY)),
    "log gone": (lambda lake: shutil.rmtree(lake / "trades/_delta_log"), ("_delta_log, is gone", NO_COPY)),
    "checkpoint garbage": (
        with_checkpoint(lambda log: next(log.glob("*.checkpoint.parquet")).write_text("garbage")),
        (f"{LAST:020}.checkpoint.parquet is no checkpoint any more", NO_COPY),
    ),
    "checkpoint gone": (
        with_checkpoint(lambda log: next(log.glob("*.checkpoint.parquet")).unlink()),
        ("_last_checkpoint names a checkpoint that is gone", NO_COPY),
    ),
    "format gone": (
        lambda lake: (lake / "tapehouse.json").unlink(),
        ("is gone though tables are there", NO_COPY),
    ),
    "format garbage": (
        lambda lake: (lake / "tapehouse.json").write_text("[]"),
        ("tapehouse.json: expected", NO_COPY),
    ),
    "format 99": (
        lambda lake: (lake / "tapehouse.json").write_text('{"format": 99}'),
        ("has format 99, this Tapehouse reads up to 1", UPGRADE),
    ),
    "deletion vectors": (
        asks_for(**FEATURES, readerFeatures=["deletionVectors"], writerFeatures=["deletionVectors"]),
        ("reading it takes", "(deletionVectors)", UPGRADE),
    ),
    "column mapping": (renames_columns, ("reading it takes", "(version 2)", UPGRADE)),
    "a feature of the future": (
        asks_for(**FEATURES, readerFeatures=["teleport"], writerFeatures=["teleport"]),
        ("teleport", UPGRADE),
    ),
    "readers of the future": (
        asks_for(minReaderVersion=9, minWriterVersion=9),
        ("reader version 9", UPGRADE),
    ),
}
COMMANDS: Final = (
    ("warehouse", "status"),
    ("warehouse", "publish"),
    ("warehouse", "compact", "--today"),
    ("warehouse", "sql", COUNT),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_by_every_command_and_nothing_else_changes(
    lake: Path, kept: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """One line says what, where and what to do, code 2; with the file back in place all is as before."""
    operate, words = DAMAGES[damage]
    operate(lake)
    before = files_below(lake)
    for command in COMMANDS:
        said = say(capsys, *command, "--lake", lake)
        if command[1] == "sql" and said.code == 0:
            # The catalog names the files by itself, so it may still answer: with all rows or not at all.
            assert str(len(HELD)) in said.out.split()
            continue
        refused(said, str(lake), *words)
    with pytest.raises((CorruptFile, LakeTooNew), match=str(lake)):
        Lake(lake).commit(TRADES, frame(TRADES, a_trade("t5")))
    assert files_below(lake) == before
    put_back(kept / "good", lake)
    assert Lake(lake).commit(TRADES, frame(TRADES, a_trade("t5"))).n_new == 1
    assert held(lake) == [*HELD, "t5"]


def test_a_log_that_lost_its_last_entry_is_not_published(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can tell from the log alone; the catalog remembers, and is not replaced by one of fewer rows."""
    entry(lake, LAST).unlink()
    words = (f"its log ends at version {LAST - 1}, the catalog names version {LAST}", NO_COPY, CATALOG)
    refused(say(capsys, "warehouse", "publish", "--lake", lake), f"{lake}/trades", *words)
    assert str(len(HELD)) in say(capsys, "warehouse", "sql", COUNT, "--lake", lake).out.split()
    (lake / CATALOG).unlink()
    assert say(capsys, "warehouse", "publish", "--lake", lake).code == 0
    assert held(lake) == HELD[:-1]


def test_an_earlier_copy_of_a_whole_lake_is_published(lake: Path, kept: Path) -> None:
    """Who puts back a copy puts back its catalog too, or none."""
    put_back(kept / "earlier", lake)
    Lake(lake).publish()
    assert held(lake) == HELD[:-1]


def test_a_table_with_rules_for_writers_that_we_do_not_know_is_read_only(lake: Path) -> None:
    """At once, not after forty tries that look like lost races."""
    asks_for(minReaderVersion=1, minWriterVersion=9)(lake)
    assert held(lake) == HELD
    for change in (
        lambda: Lake(lake).commit(TRADES, frame(TRADES, a_trade("t5"))),
        lambda: Lake(lake).compact([TRADES]),
    ):
        with pytest.raises(
            LakeTooNew, match=r"trades: writing it takes .* \(version 9\), .*; upgrade Tapehouse"
        ):
            change()


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1_000, None])
def test_a_damaged_catalog_is_published_anew(
    lake: Path, capsys: pytest.CaptureFixture[str], damage: bytes | None
) -> None:
    """It holds nothing that the lake does not know."""
    changed(lake / CATALOG, lambda old: old[: len(old) // 2] if damage is None else damage)
    said = say(capsys, "warehouse", "sql", COUNT, "--lake", lake, "--json")
    assert (said.code, json.loads(said.out)["rows"]) == (0, [{"n": len(HELD)}])


@pytest.mark.parametrize("version", [70, 999])
def test_a_catalog_of_a_newer_duckdb_is_told_and_left_alone(
    lake: Path, capsys: pytest.CaptureFixture[str], version: int
) -> None:
    """The main header names the version under a right checksum; publishing replaces it when asked to.

    Source: DuckDB 2.0.0 accepts versions 64 to 69; a block's checksum is 5381 xor its words times a constant.
    """
    changed(lake / CATALOG, lambda old: _of_version(old, version))
    newer = (lake / CATALOG).read_bytes()
    said = say(capsys, "warehouse", "sql", COUNT, "--lake", lake)
    refused(said, str(lake / CATALOG), "a newer DuckDB wrote this catalog", "upgrade", "warehouse publish")
    assert (lake / CATALOG).read_bytes() == newer
    assert say(capsys, "warehouse", "publish", "--lake", lake).code == 0
    assert say(capsys, "warehouse", "sql", COUNT, "--lake", lake).code == 0


def test_a_file_that_cannot_be_opened_is_named_by_sql(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Size and ends are right, the footer is not: DuckDB alone would say "don't know what type"."""
    path = part(lake)
    changed(path, lambda old: old[:-60] + bytes(each ^ 255 for each in old[-60:-30]) + old[-30:])
    refused(
        say(capsys, "warehouse", "sql", "select max(ticker) from trades", "--lake", lake), str(path), NO_COPY
    )
    refused(say(capsys, "warehouse", "status", "--lake", lake), str(lake), "verify", NO_COPY)


def test_verify_finds_any_bit_that_changed_in_a_compacted_file(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bit of every column's pages, one at a time: readers would take most of them for other rows."""
    Lake(lake).compact([TRADES])
    found = Lake(lake).files(TRADES)
    assert found is not None
    (path,) = map(Path, found.paths)
    assert say(capsys, "warehouse", "verify", "--lake", lake).code == 0
    whole, group = path.read_bytes(), pq.read_metadata(path).row_group(0)
    for column in (group.column(each) for each in range(group.num_columns)):
        place = column.data_page_offset + column.total_compressed_size - 1
        start = column.dictionary_page_offset or column.data_page_offset
        place = start + column.total_compressed_size - 1
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        said = say(capsys, "warehouse", "verify", "--lake", lake, "--json")
        refused(said, str(lake), "1 of ", "files are damaged", NO_COPY)
        told: list[dict[str, Any]] = json.loads(said.out)["damages"]
        assert [each["path"] for each in told] == [str(path)], column.path_in_schema
    path.write_bytes(whole)
    assert say(capsys, "warehouse", "verify", "--lake", lake).code == 0


def test_verify_names_what_is_gone_cut_or_of_another_table(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, cut, other, _ = sorted((lake / "trades").rglob("*.parquet"))
    gone.unlink()
    changed(cut, lambda old: old[:-1])
    shutil.copy(next((lake / "markets").rglob("*.parquet")), other)
    said = say(capsys, "warehouse", "verify", "--lake", lake)
    refused(said, "3 of 5 files are damaged")
    lines = dict(line.split(": ", 1) for line in said.out.splitlines() if ": " in line)
    assert lines[str(gone)] == "No such file or directory"
    assert lines[str(cut)].startswith("has ")
    assert lines[str(other)].startswith("has ")


def held(lake: Path) -> list[str]:
    return Lake(lake).scan(TRADES).collect()["trade_id"].sort().to_list()


def refused(said: Said, *words: str) -> None:
    """One line on stderr begins with error, and has these words; exit code 2."""
    lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert (said.code, len(lines)) == (2, 1), said
    assert "Traceback" not in said.err
    for word in words:
        assert word in lines[0], lines[0]


def _of_version(database: bytes, version: int) -> bytes:
    assert duckdb.__version__.startswith("2."), "the header may be another now"
    header = database[8:12] + version.to_bytes(8, "little") + database[20:4_096]
    checksum = 5_381
    for (word,) in struct.iter_unpack("<Q", header):
        checksum ^= (word * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    return struct.pack("<Q", checksum) + header + database[4_096:]
