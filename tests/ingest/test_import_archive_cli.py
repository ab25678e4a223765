"""`tapehouse import archive` as it is typed: what it prints, and its exit codes."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tests.ingest.made_archives import a_market, a_trade, an_archive
from tests.ingest.test_cli import Run, run
from warehouse import Lake
from warehouse.tables import TRADES

__all__ = ["run"]  # the fixture


def test_an_archive_goes_in_and_the_catalog_shows_it(run: Run, tmp_path: Path) -> None:
    """One JSON object; dollars and contracts for anybody with DuckDB, found by series."""
    late = a_trade("late", created_time=datetime(2026, 4, 1, tzinfo=UTC))
    made = an_archive(tmp_path / "made", [[a_trade(), late]], [[a_market()]])
    said = run("import", "archive", made, "--json")
    assert said.code == 0
    assert (said.json["n_rows"], said.json["n_new"]) == (3, 2)
    assert "left out: 1 trades from the day on when counts may be cut" in said.err
    with duckdb.connect(str(tmp_path / "lake" / "warehouse.duckdb"), read_only=True) as catalog:
        query = "select yes_price::varchar, contracts::varchar, source from trades"
        assert catalog.execute(query).fetchall() == [("0.1400", "3.00", "archive:prediction-market-analysis")]
        assert catalog.execute("select series_ticker, result from markets").fetchall() == [("KXA", "yes")]


def test_bad_rows_are_named_and_the_exit_code_is_two(run: Run, tmp_path: Path) -> None:
    """The good row is in the lake, the bad one in quarantine, and both are said."""
    said = run("import", "archive", an_archive(tmp_path / "made", [[a_trade(), a_trade("t-2", count=-1)]]))
    assert said.code == 2
    assert "trades/trades_0_10000.parquet:2: count='-1' is no positive count" in said.err
    assert "trades: 1 new, 0 known, 1 quarantined" in said.out
    assert said.err.splitlines()[-1].startswith("error: 1 rows could not be read")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: nowhere: no data/kalshi/trades or markets/*.parquet below it"),
        (["nowhere", "--only", "candles"], "error: --only candles: say trades or markets"),
        (["nowhere", "--until", "tomorrow"], "error: "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    run: Run,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    """Nothing is made of the lake."""
    said = run("import", "archive", *arguments)
    assert said.code == 2
    assert [line for line in said.err.splitlines() if line.startswith("error: ")] == [said.err.strip()]
    assert said.err.startswith(message)
    assert not (tmp_path / "lake").exists()


KILLED = """
import sys
from pathlib import Path
from pipelines.ingest import import_archive, import_archive_runs
from warehouse import Lake

import_archive.RUN_ROWS = 40
import_archive_runs.COMMIT_ROWS = 30
print("ready", flush=True)
import_archive.import_archive(Lake(sys.argv[1]), Path(sys.argv[2]))
print("done", flush=True)
"""


@pytest.mark.long
def test_killed_for_real_it_ends_the_same(tmp_path: Path) -> None:
    """SIGKILL twice, then one run gets through: every trade once, no day in two files."""
    pieces = [[a_trade(f"t-{n}-{k}", 1 + (n + k) % 28) for k in range(10)] for n in range(24)]
    made = an_archive(tmp_path / "made", pieces, [[a_market()]])
    command = [sys.executable, "-c", KILLED, str(tmp_path / "lake"), str(made)]
    n_killed = 0
    for delay_ms in (100, 350, None):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as importing:
            assert importing.stdout is not None
            assert importing.stdout.readline() == "ready\n"
            try:
                importing.wait(None if delay_ms is None else delay_ms / 1_000)
            except subprocess.TimeoutExpired:
                importing.kill()
                n_killed += 1
    assert n_killed > 0
    lake = Lake(tmp_path / "lake")
    ids = lake.scan(TRADES).select("trade_id").collect()["trade_id"]
    assert sorted(ids) == sorted(f"t-{n}-{k}" for n in range(24) for k in range(10))
    files = lake.files(TRADES)
    assert files is not None
    assert files.files.height == 28
    assert sorted(path.name for path in lake.path.iterdir()) == ["markets", "tapehouse.json", "trades"]
