"""`tapehouse warehouse`: status, sql, publish."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake
from warehouse.cli import app
from warehouse.errors import NoLake, QueryFailed
from warehouse.tables import TRADES

ROOT = Path(__file__).resolve().parents[2]


def a_lake(folder: Path) -> Lake:
    """Make a lake with two trades, two windows with a hole between them, and a failed one in the hole."""
    lake = Lake(folder, now=lambda: at(100))
    lake.commit(TRADES, frame(TRADES, a_trade("t1"), a_trade("t2", event_ts=at(1))))
    for start, end in ((0, 10), (20, 30)):
        lake.record_window("trades", "all", at(start), at(end), n_rows=1, digest=str(start))
    lake.record_window(
        "trades", "all", at(5), at(20), n_rows=0, digest="", status="failed", reason="HTTP 500"
    )
    return lake


def run(*arguments: str, lake: Path) -> Result:
    """Run the commands in this process, errors as they are raised."""
    return CliRunner().invoke(app, [*arguments, "--lake", str(lake)], catch_exceptions=False)


def test_status_tells_tables_and_coverage_with_holes_and_failures(tmp_path: Path) -> None:
    """Asked for [0, 10) and [20, 30); [5, 20) failed, of which [10, 20) is still missing."""
    a_lake(tmp_path)
    told: dict[str, Any] = json.loads(run("status", "--json", lake=tmp_path).stdout)
    trades = next(each for each in told["tables"] if each["table"] == "trades")
    assert (trades["version"], trades["n_rows"], trades["n_files"]) == (1, 2, 1)
    assert trades["n_bytes"] > 0
    assert (trades["first_ts"], trades["last_ts"]) == ("2026-05-13T12:00:00Z", "2026-05-13T12:00:01Z")
    (covered,) = told["coverage"]
    hole = {"start_ts": "2026-05-13T12:00:10Z", "end_ts": "2026-05-13T12:00:20Z"}
    assert covered["holes"] == [hole]
    assert covered["failed"] == [hole | {"reason": "HTTP 500"}]
    assert (covered["resource"], covered["scope"], covered["n_windows"]) == ("trades", "all", 3)


def test_status_for_people_has_a_line_for_every_table(tmp_path: Path) -> None:
    a_lake(tmp_path)
    shown = run("status", lake=tmp_path).stdout
    assert "book_snapshots" in shown
    assert "2026-05-13T12:00:10Z .. 2026-05-13T12:00:20Z" in shown
    assert "HTTP 500" in shown


def test_sql_publishes_first_and_prints_a_table_json_or_csv(tmp_path: Path) -> None:
    """Decimals stay exact: text in JSON."""
    a_lake(tmp_path)
    query = "select trade_id, yes_price, event_ts, fetched_ts from trades order by trade_id limit 1"
    shown = run("sql", query, lake=tmp_path).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["trade_id", "yes_price", "event_ts", "fetched_ts"],
        ["t1", "0.5600", "2026-05-13T12:00:00Z"],
    ]
    row = {"trade_id": "t1", "yes_price": "0.5600", "event_ts": "2026-05-13T12:00:00Z", "fetched_ts": None}
    assert json.loads(run("sql", query, "--json", lake=tmp_path).stdout) == {
        "columns": list(row),
        "rows": [row],
    }
    (line,) = csv.DictReader(io.StringIO(run("sql", query, "--csv", lake=tmp_path).stdout))
    assert line == {key: value or "" for key, value in row.items()}


def test_long_answers_are_cut_on_the_screen_and_whole_in_csv(tmp_path: Path) -> None:
    a_lake(tmp_path)
    query = "select i from range(250) t(i)"
    result = run("sql", query, lake=tmp_path)
    assert len(result.stdout.splitlines()) == 101
    assert "only the first 100 rows" in result.stderr
    assert len(run("sql", query, "--csv", lake=tmp_path).stdout.splitlines()) == 251


def test_sql_says_when_the_catalog_is_older_than_the_lake(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    assert run("sql", "from trades", lake=tmp_path).stderr == ""
    lake.commit(TRADES, frame(TRADES, a_trade("t3")))
    assert "`tapehouse warehouse publish` renews it" in run("sql", "from trades", lake=tmp_path).stderr
    assert json.loads(run("publish", "--json", lake=tmp_path).stdout)["versions"]["trades"] == 2
    assert run("sql", "from trades", lake=tmp_path).stderr == ""


@pytest.mark.parametrize("query", ["selec 1", "from nothing", "drop view trades", "select 1 / 'x'"])
def test_bad_sql_is_one_line(tmp_path: Path, query: str) -> None:
    a_lake(tmp_path)
    with pytest.raises(QueryFailed) as caught:
        run("sql", query, lake=tmp_path)
    assert str(caught.value).startswith("DuckDB: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_empty_query_is_answered_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(QueryFailed, match="from trades limit 5"):
        run("sql", " ", lake=tmp_path)


def test_a_lake_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    for command in (("status",), ("sql", "select 1"), ("publish",)):
        with pytest.raises(NoLake, match="no lake there"):
            run(*command, lake=tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_the_program_ends_with_code_2_and_one_line(tmp_path: Path) -> None:
    """As a user meets it: `tapehouse warehouse sql` with a mistake."""
    a_lake(tmp_path)
    command = [sys.executable, "tapehouse.py", "warehouse", "sql", "selec 1", "--lake", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: DuckDB: Parser Error")
    assert len(done.stderr.splitlines()) == 1


def test_a_copied_lake_answers_from_its_own_files(tmp_path: Path) -> None:
    """The catalog that came along with the copy names the files of the original: it is published anew."""
    lake = Lake(tmp_path / "original")
    lake.commit(TRADES, frame(TRADES, a_trade("t1")))
    lake.publish()
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    lake.commit(TRADES, frame(TRADES, a_trade("t2")))
    lake.publish()
    said = run("sql", "select count(*) as n from trades", "--json", lake=tmp_path / "copy")
    assert json.loads(said.stdout)["rows"] == [{"n": 1}]


@pytest.mark.parametrize(
    ("query", "near"),
    [
        ("from tradez", "trades"),
        ("from market_asof(now())", "markets_asof"),
        ("from coverige('KX')", "coverage"),
        ("select fe(1, 0.5, 'KX', now())", "fee"),
        ("select yes_prise from trades", "yes_price"),
        ("from event_board('KXA')", "event_board(event, ts)"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(tmp_path: Path, query: str, near: str) -> None:
    """A view, a macro, an expression, a column; and a macro without all of its arguments."""
    a_lake(tmp_path)
    with pytest.raises(QueryFailed, match=re.escape(near)):
        run("sql", query, lake=tmp_path)


def test_an_answer_without_rows_says_so(tmp_path: Path) -> None:
    """A ticker is never misspelt to DuckDB: it finds nothing; what it says is not part of the answer."""
    a_lake(tmp_path)
    told = run("sql", "from ohlc('KXTYPO', '1 hour')", lake=tmp_path)
    assert told.stderr == "no rows\n"
    assert told.stdout.split() == ["bar_ts", "open", "high", "low", "close", "volume", "n_trades"]
