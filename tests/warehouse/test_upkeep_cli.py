"""`tapehouse warehouse`: compact, vacuum, history, and SQL over the lake as it stood."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.rows import a_trade, at, frame
from tests.warehouse.test_cli import run
from tests.warehouse.test_compacting import a_lake, files
from warehouse import Lake
from warehouse.errors import LakeUnwritable, NoLake, UnknownTable
from warehouse.tables import TRADES


def told(*arguments: str, lake: Path) -> dict[str, Any]:
    """Return what a command prints as JSON."""
    answer: dict[str, Any] = json.loads(run(*arguments, "--json", lake=lake).stdout)
    return answer


def test_compact_says_what_became_of_days_that_are_over_and_publishes(tmp_path: Path) -> None:
    """5 commits of 2 days in May: 10 files become 2, and the catalog reads those."""
    lake = a_lake(tmp_path)
    said = run("compact", lake=tmp_path).stdout
    assert said.startswith("trades: 2 days, 10 files -> 2, ")
    assert said.endswith(", 30 rows\n")
    rows = told("sql", "select n_files, n_rows from _snapshot where table_name = 'trades'", lake=tmp_path)
    assert rows["rows"] == [{"n_files": 2, "n_rows": 30}]
    assert (
        run("compact", lake=tmp_path).stdout == "nothing to compact: every day has as few files as it needs\n"
    )
    assert files(lake).files.height == 2


def test_days_that_still_grow_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for name in ("a", "b"):
        lake.commit(TRADES, frame(TRADES, a_trade(name, event_ts=datetime.now(UTC))))
    (untouched,) = told("compact", "--table", "trades", lake=tmp_path)["tables"]
    (rewritten,) = told("compact", "--table", "trades", "--today", lake=tmp_path)["tables"]
    assert (untouched["n_partitions"], rewritten["n_partitions"]) == (0, 1)


def test_vacuum_says_what_it_deleted(tmp_path: Path) -> None:
    a_lake(tmp_path)
    run("compact", lake=tmp_path)
    said = run("vacuum", lake=tmp_path).stdout
    assert said == "deleted 0 files replaced over 400 days ago, 0 of killed writers: 0.0 MB\n"
    assert told("vacuum", "--keep-days", "7", lake=tmp_path)["keep_days"] == 7
    with pytest.raises(LakeUnwritable, match="--keep-days is 0"):
        run("vacuum", "--keep-days", "0", lake=tmp_path)


def test_history_lists_versions_the_newest_first(tmp_path: Path) -> None:
    a_lake(tmp_path, commits=2, dates=1)
    lines = run("history", "--table", "trades", lake=tmp_path).stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "trades 2: rows, 3 rows in 1 files",
        "trades 1: rows, 3 rows in 1 files",
        "trades 0: created",
    ]
    shown = run("history", "--limit", "1", lake=tmp_path)
    assert len(shown.stdout.splitlines()) == 1
    assert "2 earlier ones: give a larger --limit" in shown.stderr


def test_sql_asks_the_lake_as_it_stood(tmp_path: Path) -> None:
    """One trade then, two now; a moment before the lake has none."""
    lake = Lake(tmp_path)
    lake.commit(TRADES, frame(TRADES, a_trade("t1")))
    time.sleep(0.01)
    then_ts = datetime.now(UTC)
    time.sleep(0.01)
    lake.commit(TRADES, frame(TRADES, a_trade("t2", event_ts=at(1))))
    query = "select count(*) as n from trades"
    asked = [told("sql", query, *more, lake=tmp_path)["rows"] for more in ([], ["--at", then_ts.isoformat()])]
    assert asked == [[{"n": 2}], [{"n": 1}]]
    assert told("sql", query, "--at", "2020-01-01", lake=tmp_path)["rows"] == [{"n": 0}]


def test_a_table_that_is_none_or_a_lake_that_is_none_is_an_error(tmp_path: Path) -> None:
    a_lake(tmp_path / "lake", commits=1)
    with pytest.raises(UnknownTable, match="unknown table 'trade' in the lake: did you mean trades"):
        run("compact", "--table", "trade", lake=tmp_path / "lake")
    for command in ("compact", "vacuum", "history"):
        with pytest.raises(NoLake):
            run(command, lake=tmp_path / "none")
    with pytest.raises(NoLake):
        run("sql", "from trades", "--at", "2026-01-01", lake=tmp_path / "none")
