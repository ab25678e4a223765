"""What a check keeps, what the next one makes of it, and how `tapehouse warehouse check` tells it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tests.warehouse.defects import rewrite
from tests.warehouse.rows import a_market, a_trade, at, frame
from warehouse import Lake
from warehouse.checks import Finding, run_checks
from warehouse.cli import app
from warehouse.digests import row_digests, summed_up
from warehouse.errors import ChecksFailed, CorruptFile, NoLake, UnknownCheck
from warehouse.quarantine import Rejected
from warehouse.tables import CHECKS, DAY_DIGESTS, DRIFT, MARKETS, TRADES

PULLED = {"source": "rest", "fetched_ts": at(100)}


def a_lake(folder: Path) -> Lake:
    """Make a lake of two trades that one window brought."""
    lake = Lake(folder, now=lambda: at(100))
    rows = frame(TRADES, a_trade("t1", **PULLED), a_trade("t2", event_ts=at(1), **PULLED))
    lake.commit(TRADES, rows)
    lake.commit(MARKETS, frame(MARKETS, a_market("KXA-1", source="rest")))
    n_rows, digest = summed_up(row_digests(TRADES, rows))
    lake.record_window("trades", "all", at(-60), at(60), n_rows=n_rows, digest=digest, asked_ts=at(90))
    return lake


def found(lake: Lake, name: str, seconds: float = 200, **options: Any) -> Finding:  # noqa: ANN401 -- as run_checks
    (finding,) = run_checks(lake, [name], now=lambda: at(seconds), **options).findings
    return finding


def classes(lake: Lake, name: str, seconds: float = 200, **options: Any) -> dict[str, int]:  # noqa: ANN401
    return dict(found(lake, name, seconds, **options).classes)


def run(*arguments: str, lake: Path) -> Result:
    return CliRunner().invoke(app, ["check", *arguments, "--lake", str(lake)], catch_exceptions=False)


def test_every_run_keeps_a_row_for_every_check_with_the_versions_that_it_read(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    report = run_checks(lake, ["volume", "trade_ids"], now=lambda: at(200))
    rows = lake.scan(CHECKS).sort("check_name").collect()
    assert rows["check_name"].to_list() == ["trade_ids", "volume"]
    assert rows["status"].to_list() == ["ok", "nothing"]
    assert rows["n_looked_at"].to_list() == [2, 0]
    assert set(rows["run_ts"]) == {at(200)}
    assert (
        json.loads(rows["versions"][0]) == dict(report.versions) == {"markets": 1, "trades": 1, "windows": 1}
    )


def test_without_keeping_there_is_no_trace(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    before = lake.versions()
    run_checks(lake, ["days", "trade_ids"], keep=False)
    assert lake.versions() == before


def test_windows_of_unchanged_files_are_not_digested_again(tmp_path: Path) -> None:
    """The first run finds the window in order; after a new trade of the same day it is looked at again."""
    lake = a_lake(tmp_path)
    assert classes(lake, "window_rows", 200) == {"ok": 1}
    assert classes(lake, "window_rows", 300) == {"unchanged": 1}
    lake.commit(TRADES, frame(TRADES, a_trade("t3", **PULLED | {"fetched_ts": at(5_000)})))
    assert classes(lake, "window_rows", 400) == {"late": 1}


def test_what_was_flagged_is_looked_at_until_it_is_right(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    rewrite(lake, TRADES, lambda rows: rows.filter(pl.col("trade_id") != "t2"))
    assert classes(lake, "window_rows", 200) == {"flagged": 1}
    assert classes(lake, "window_rows", 300) == {"flagged": 1}
    lake.commit(TRADES, frame(TRADES, a_trade("t2", event_ts=at(1), **PULLED)))
    assert classes(lake, "window_rows", 400) == {"ok": 1}


def test_a_day_may_grow_and_lie_in_other_files_but_not_shrink(tmp_path: Path) -> None:
    """It is flagged until the loss is accepted, and then the smaller day is what counts."""
    lake = a_lake(tmp_path)
    days = 3  # of trades, markets, windows
    assert classes(lake, "days", 200) == {"first_seen": days}
    assert classes(lake, "days", 300) == {"ok": days}
    lake.commit(TRADES, frame(TRADES, a_trade("t3", **PULLED)))
    assert classes(lake, "days", 400) == {"grown": 1, "ok": days - 1}
    rewrite(lake, TRADES, lambda rows: rows)
    assert classes(lake, "days", 500) == {"rewritten": 1, "ok": days - 1}
    rewrite(lake, TRADES, lambda rows: rows.filter(pl.col("trade_id") != "t3"))
    (example,) = found(lake, "days", 600).examples
    assert example.place == "trades 2026-05-13"
    assert (example.expected[:6], example.found[:6]) == ("3 rows", "2 rows")
    assert classes(lake, "days", 700, accept=True) == {"flagged": 1, "ok": days - 1}
    assert classes(lake, "days", 800) == {"ok": days}
    assert lake.scan(DAY_DIGESTS).collect().height == days + 3  # grown, rewritten, accepted


def test_a_changed_row_is_flagged_where_the_number_of_rows_is_the_same(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    run_checks(lake, ["days"], now=lambda: at(200))
    rewrite(lake, MARKETS, lambda rows: rows.with_columns(close_ts=pl.lit(at(days=2))))
    assert classes(lake, "days", 300)["flagged"] == 1


def test_a_day_that_is_gone_altogether_is_flagged(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    run_checks(lake, ["days"], now=lambda: at(200))
    rewrite(lake, TRADES, lambda rows: rows.clear())
    assert [each.found[:6] for each in found(lake, "days", 300).examples] == ["0 rows"]


def test_the_command_ends_with_1_names_what_it_flagged_and_what_to_do(tmp_path: Path) -> None:
    """A window lost its only other row: three columns of numbers, then the window and the way out."""
    lake = a_lake(tmp_path)
    rewrite(lake, TRADES, lambda rows: rows.filter(pl.col("trade_id") != "t2"))
    with pytest.raises(ChecksFailed, match="window_rows failed") as caught:
        run(lake=tmp_path)
    assert caught.value.exit_code == 1
    told = CliRunner().invoke(app, ["check", "--only", "window_rows", "--lake", str(tmp_path)])
    lines = [line.rstrip() for line in told.stdout.splitlines()]
    assert lines[1].split() == ["window_rows", "1", "1", "failed"]
    assert "window_rows failed: 1 of 1 complete windows" in lines
    place = "  trades all [2026-05-13T11:59:00.000000Z, 2026-05-13T12:01:00.000000Z): 1 rows, digest 2:"
    assert any(line.startswith(place) for line in lines)
    assert any(line.startswith("  what to do: Rows were lost") for line in lines)
    assert lines[-1] == "1 checks: 1 failed"


def test_the_command_ends_well_where_nothing_is_flagged_and_prints_json(tmp_path: Path) -> None:
    a_lake(tmp_path)
    result = run("--json", "--no-keep", lake=tmp_path)
    told = json.loads(result.stdout)
    by_name = {each["name"]: each for each in told["checks"]}
    assert result.exit_code == 0
    assert told["failed"] == []
    assert told["versions"] == {"markets": 1, "trades": 1, "windows": 1}
    assert by_name["window_rows"]["classes"] == {"ok": 1}
    assert by_name["quotes"]["status"] == "nothing"


def test_a_misspelt_check_is_told_what_comes_close(tmp_path: Path) -> None:
    a_lake(tmp_path)
    with pytest.raises(UnknownCheck, match="did you mean volume") as caught:
        run("--only", "volum", lake=tmp_path)
    assert caught.value.exit_code == 2


def test_a_lake_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match="no lake there"):
        run(lake=tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_new_word_or_an_unreadable_payload_is_told_once_and_fails_nothing(tmp_path: Path) -> None:
    """However long ago a run met it: what counts is whether the last kept check had read of it."""
    lake = a_lake(tmp_path)
    run_checks(lake, ["drift", "quarantine"], now=lambda: at(200))
    word = {"kind": "value", "place": "Market.status", "word": "resting", "example": "1", "n_seen": 2}
    lake.commit(DRIFT, frame(DRIFT, word | {"first_seen_ts": at(150)}))
    lake.quarantine("trades", [Rejected(location="/markets/trades", reason="torn", payload="{")])
    for name in ("drift", "quarantine"):
        first = found(lake, name, 300)
        assert (first.status, first.n_flagged) == ("warned", 1)
        assert classes(lake, name, 400) == {"told_before": 1}
    again = word | {"first_seen_ts": at(350)}
    lake.commit(DRIFT, frame(DRIFT, again))
    assert classes(lake, "drift", 500) == {"told_before": 1}


def test_a_file_that_is_damaged_inside_is_named_as_such_and_nothing_is_kept(tmp_path: Path) -> None:
    """Its size and its ends are as they were, so that only reading it tells."""
    lake = a_lake(tmp_path)
    files = lake.files(TRADES)
    assert files is not None
    path = Path(files.paths[0])
    content = bytearray(path.read_bytes())
    content[4:-200] = b"\xff" * (len(content) - 204)
    path.write_bytes(bytes(content))
    with pytest.raises(CorruptFile, match="restore it from a copy"):
        run_checks(lake)
    assert "checks" not in lake.versions()
