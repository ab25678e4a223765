"""A disk that is full or read-only: one clear error, what was committed stays, and later it works again."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from sandbox.serve import running
from sandbox.world import World
from tests.stories.commands import Said, say
from tests.warehouse.disks import files_below, filled, read_only, small_disk, without_files_left
from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake
from warehouse.errors import DiskFull, LakeUnwritable
from warehouse.place import place, unwritable
from warehouse.tables import QUARANTINE, TRADES, WINDOWS

ROOT = Path(__file__).resolve().parents[2]
TAPE = """\
trade_id,ticker,count,created_time,yes_price,no_price,taker_side
{},KXB-1,10,2026-05-13T12:00:00Z,56,44,yes
"""
HELD = ["t1", "t2", "t3"]
Change = Callable[[Lake], object]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def a_lake(folder: Path) -> Lake:
    """Make a published lake with three trades in three files of one day."""
    lake = Lake(folder, now=lambda: at(100))
    for each in HELD:
        lake.commit(TRADES, frame(TRADES, a_trade(each)))
    lake.publish()
    return lake


def held(lake: Lake) -> list[str]:
    """Return the trades that a new reader finds."""
    return Lake(lake.uri).scan(TRADES).collect()["trade_id"].sort().to_list()


def catalog_holds(lake: Lake) -> list[str]:
    with duckdb.connect(str(lake.path / "warehouse.duckdb"), read_only=True) as connection:
        return [each for (each,) in connection.execute("select trade_id from trades order by 1").fetchall()]


def a_commit(lake: Lake) -> object:
    return lake.commit(TRADES, frame(TRADES, a_trade("t4"), a_trade("t5", event_ts=at(days=1))))


def a_quarantined_row(lake: Lake) -> object:
    return lake.commit(TRADES, frame(TRADES, a_trade("bad", yes_price_cc=-1)))


def a_window(lake: Lake) -> object:
    return lake.record_window("trades", "all", at(0), at(10), n_rows=3, digest="d")


CHANGES: dict[str, Change] = {
    "commit": a_commit,
    "quarantine": a_quarantined_row,
    "window": a_window,
    "compact": lambda lake: lake.compact([TRADES]),
    "publish": lambda lake: lake.publish(),
}


@pytest.mark.parametrize(
    ("change", "leave"),
    [*((each, 0) for each in CHANGES), *((each, 40_000) for each in ("commit", "compact", "publish"))],
)
def test_a_full_disk_is_one_error_and_nothing_is_half_written(disk: Path, change: str, leave: int) -> None:
    """No byte is left, or too few for what comes: rows and catalog are as before, and no data file is new."""
    lake = a_lake(disk / "lake")
    before = files_below(lake.path)
    with filled(disk, leave=leave):
        with pytest.raises(
            DiskFull, match=r"its disk is full \(.*\); free some space and run it again"
        ) as caught:
            CHANGES[change](lake)
        assert str(caught.value).startswith(f"cannot write the lake at {lake.uri}: ")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 1
        assert held(lake) == catalog_holds(lake) == HELD
    # A table that was made and is still empty does no harm.
    assert files_below(lake.path) - before <= {
        f"{each.name}/_delta_log/{0:020}.json" for each in (QUARANTINE, WINDOWS)
    }
    CHANGES[change](lake)
    lake.publish()
    assert held(lake) == catalog_holds(lake) == [*HELD, *(["t4", "t5"] if change == "commit" else [])]


@pytest.mark.parametrize(
    ("change", "leave"), [("commit", 0), ("commit", 1), ("compact", 0), ("publish", 0), ("publish", 1)]
)
def test_a_disk_that_fills_while_writing_is_the_same_error(disk: Path, change: str, leave: int) -> None:
    """There is room, so the write begins; then the first or the second file cannot be made."""
    lake = a_lake(disk / "lake")
    before = files_below(lake.path)
    with without_files_left(disk, leave=leave):
        try:
            CHANGES[change](lake)
        except DiskFull as error:
            assert "No space left on device" in str(error)  # noqa: PT017 - with files enough it succeeds
            assert not [
                each for each in files_below(lake.path) - before if each.endswith((".wal", ".duckdb"))
            ]
            assert held(lake) == HELD
        else:
            assert leave > 0
        assert catalog_holds(lake) == HELD
    CHANGES[change](lake)
    lake.publish()
    assert held(lake) == catalog_holds(lake) == [*HELD, *(["t4", "t5"] if change == "commit" else [])]


def test_a_full_disk_by_any_library_is_told_alike() -> None:
    """delta-rs, pyarrow, DuckDB and the system; colours and lines of delta-rs do not reach the terminal."""
    lake = place("/lake")
    delta = OSError(
        "Generic error\n  \x1b[31m↳\x1b[0m Unable to copy\n  ↳ No space left on device (os error 28)\n"
    )
    assert str(unwritable(lake, delta)) == (
        "cannot write the lake at /lake: its disk is full (Generic error ↳ Unable to copy ↳ No space left on "
        "device (os error 28)); free some space and run it again, what was committed is whole"
    )
    for each in (OSError(28, "No space left on device"), duckdb.FatalException("… No space left on device")):
        assert isinstance(unwritable(lake, each), DiskFull)
    assert isinstance(unwritable(lake, OSError(122, "Disk quota exceeded")), DiskFull)
    assert isinstance(unwritable(lake, PermissionError(13, "Permission denied")), LakeUnwritable)


def test_an_import_on_a_full_disk_ends_with_code_1_and_is_simply_run_again(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = a_lake(disk / "lake")
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE.format("t4"))
    with filled(disk):
        refused(
            say(capsys, "import", "trades", tape, "--lake", lake.uri), 1, lake.uri, "full", "free some space"
        )
    assert say(capsys, "import", "trades", tape, "--lake", lake.uri).code == 0
    assert held(lake) == catalog_holds(lake) == [*HELD, "t4"]


@pytest.mark.slow
def test_the_program_says_one_line_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    """As a user meets it: no traceback, and no panic of the library that writes."""
    lake = a_lake(disk / "lake")
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE.format("t4"))
    command = [sys.executable, "tapehouse.py", "import", "trades", str(tape), "--lake", lake.uri, "--json"]
    with filled(disk):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if not line.startswith("import trades: ")]
    assert (done.returncode, done.stdout, len(told)) == (1, "", 1), done.stderr
    assert told[0].startswith("error: cannot write the lake at ")


READING = (
    ("warehouse", "status"),
    ("warehouse", "history"),
    ("warehouse", "sql", "select count(*) as n from trades"),
    ("warehouse", "verify"),
)
WRITING = (("warehouse", "publish"), ("warehouse", "compact", "--today"), ("import", "trades"))


@pytest.mark.parametrize("has_catalog", [True, False])
def test_a_read_only_lake_is_read_and_refuses_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, has_catalog: bool
) -> None:
    """Without a catalog sql answers from one in memory; what writes says where, why and what to do."""
    lake = a_lake(tmp_path / "lake")
    new, known = tmp_path / "new.csv", tmp_path / "known.csv"
    new.write_text(TAPE.format("t4"))
    known.write_text(TAPE.format("t1").replace("KXB-1", "KXA-1"))
    if not has_catalog:
        (lake.path / "warehouse.duckdb").unlink()
    before = files_below(lake.path)
    with read_only(lake.path):
        for command in READING:
            assert say(capsys, *command, "--lake", lake.uri).code == 0, command
        for command in WRITING:
            for tape in (new, known) if command[0] == "import" else ("",):
                said = say(capsys, *command, *filter(None, [tape]), "--lake", lake.uri)
                refused(said, 2, lake.uri, "read-only", "--lake or TAPEHOUSE_LAKE")
        with pytest.raises(LakeUnwritable, match="Read-only file system"):
            a_window(lake)  # its table is not there yet
        assert held(lake) == HELD
    assert files_below(lake.path) == before
    for command in WRITING:
        assert say(capsys, *command, *([new] if command[0] == "import" else []), "--lake", lake.uri).code == 0
    assert held(lake) == catalog_holds(lake) == [*HELD, "t4"]


@pytest.mark.slow
def test_a_sync_into_a_lake_that_cannot_be_written_says_so_once(
    disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only or full: the first write ends the run, no window counts as pulled; then all comes in."""
    lake = a_lake(disk / "lake")
    with running(World(7, days=6, activity=0.2), tier="prestige") as exchange:
        for name in [each for each in os.environ if each.startswith(("KALSHI_", "TAPEHOUSE_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("KALSHI_BASE_URL", exchange.base_url)
        command = ("sync", "events", "--series", "KXSIMBTC15M", "--lake", lake.uri)
        with read_only(lake.path):
            refused(say(capsys, *command), 2, lake.uri, "read-only", "--lake or TAPEHOUSE_LAKE")
        with filled(disk):
            refused(say(capsys, *command), 1, lake.uri, "full", "free some space")
        assert Lake(lake.uri).scan(WINDOWS).collect().is_empty()
        assert held(lake) == catalog_holds(lake) == HELD
        assert say(capsys, *command).code == 0
        assert not Lake(lake.uri).scan(WINDOWS).collect().is_empty()


def test_a_lake_that_is_not_there_yet_on_a_read_only_disk(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with read_only(folder), pytest.raises(LakeUnwritable, match="Read-only file system"):
        Lake(folder / "lake").commit(TRADES, frame(TRADES, a_trade()))
    assert list(folder.iterdir()) == []


def test_rows_that_a_full_disk_refused_are_not_half_there(disk: Path) -> None:
    """Two days in one commit, room for one file: both or none."""
    lake = a_lake(disk / "lake")
    rows = pl.concat([frame(TRADES, a_trade(f"u{each}", event_ts=at(days=each))) for each in range(6)])
    with without_files_left(disk, leave=9), pytest.raises(DiskFull):
        lake.commit(TRADES, rows)
    assert held(lake) == HELD
    assert lake.commit(TRADES, rows).n_new == 6


def refused(said: Said, code: int, *words: str) -> None:
    """One line on stderr begins with error, and has these words."""
    lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert (said.code, len(lines)) == (code, 1), said
    assert "Traceback" not in said.err
    for word in words:
        assert word.casefold() in lines[0].casefold(), lines[0]
