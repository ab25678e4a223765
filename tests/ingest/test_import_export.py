"""Out of one lake and into another: the same rows, all columns."""

import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tapehouse
from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.import_export import import_export
from tests.ingest.test_cli import Run, run
from tests.warehouse.rows import (
    a_candle,
    a_delta,
    a_gap,
    a_market,
    a_quote,
    a_snapshot,
    a_trade,
    an_event,
    at,
    frame,
)
from warehouse import Lake
from warehouse.errors import ExportDamaged
from warehouse.exporting import export
from warehouse.exporting_selection import EXPORTED
from warehouse.tables import WINDOWS, Table

__all__ = ["run"]  # the fixture


def round_trip(lake: Lake, folder: Path) -> Lake:
    """Export everything and import it into a new lake."""
    export(lake, folder / "out", made_ts=at())
    other = Lake(folder / "other")
    receipt = import_export(other, folder / "out")
    assert receipt.n_quarantined == 0
    assert receipt.n_new == receipt.n_rows
    return other


def rows_in(lake: Lake, table: Table) -> pl.DataFrame:
    return lake.scan(table).collect().sort(table.sort)


def test_every_table_comes_through_unchanged(tmp_path: Path) -> None:
    """One row of each, with sources and times of download; windows stay behind."""
    lake = Lake(tmp_path / "lake")
    told: dict[str, list[dict[str, Any]]] = {
        "series": [{"ticker": "KX", "observed_ts": at(), "tags": ["a", "b"], "source": "rest"}],
        "events": [an_event(mutually_exclusive=True, fetched_ts=at(5))],
        "markets": [a_market(), a_market(observed_ts=at(9), result="yes", settlement_value_cc=10_000)],
        "trades": [a_trade(source="historical", fetched_ts=at(9)), a_trade("t2", source="archive:x")],
        "candles": [a_candle(yes_bid_low_cc=None)],
        "quotes": [a_quote(bid_cc=None)],
        "book_snapshots": [a_snapshot(), a_snapshot(None, captured_ts=at(3), session="poll")],
        "book_deltas": [a_delta(2), a_delta(3, side="no", delta_centi=-500)],
        "book_gaps": [a_gap(4)],
        "fee_changes": [{"scope": "series", "ticker": "KX", "effective_ts": at(), "source": "rest"}],
    }
    assert set(told) == set(EXPORTED)
    for name, rows in told.items():
        lake.commit(EXPORTED[name], frame(EXPORTED[name], *rows))
    lake.record_window("trades", "all", at(), at(1), n_rows=1, digest="x")
    other = round_trip(lake, tmp_path)
    for table in EXPORTED.values():
        assert rows_in(other, table).equals(rows_in(lake, table)), table.name
    assert other.version(WINDOWS) is None


PRICES = st.integers(1, 9_999)
TRADES = st.builds(
    lambda number, ticker, hours, cc, centi, block, source: a_trade(
        f"{number:08x}-0000-4000-8000-000000000000" if number % 2 else f"old-{number}",
        ticker=ticker,
        event_ts=at() + timedelta(hours=hours, microseconds=number),
        yes_price_cc=cc,
        count_centi=centi,
        is_block_trade=block,
        source=source,
    ),
    st.integers(0, 10**6),
    st.sampled_from(["KXA-1", "KXB-1"]),
    st.integers(-30, 30),
    PRICES,
    st.integers(1, 10**9),
    st.sampled_from([True, False, None]),
    st.sampled_from(["rest", "historical", "import:x.csv", "archive:x"]),
)
MARKETS = st.builds(
    lambda ticker, hours, volume, result, grid: a_market(
        ticker,
        observed_ts=at() + timedelta(hours=hours),
        volume_centi=volume,
        result=result,
        price_ranges=grid,
        rules_primary='"quoted", with\nline and \u20ac',
    ),
    st.sampled_from(["KXA-1", "KXB-1"]),
    st.integers(-9, 9),
    st.one_of(st.none(), st.integers(0, 10**12)),
    st.sampled_from(["", "yes", "no", "scalar"]),
    st.sampled_from([None, [], [{"start_cc": 0, "end_cc": 10_000, "step_cc": 10}]]),
)


@given(
    st.lists(TRADES, min_size=1, max_size=12, unique_by=lambda row: row["trade_id"]),
    st.lists(MARKETS, max_size=6),
)
@settings(max_examples=6)
def test_random_lakes_come_through_unchanged(
    trades: list[dict[str, Any]], markets: list[dict[str, Any]]
) -> None:
    """Whatever the ids, days, sources and states: every row that readers see, and all of its columns."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(folder / "lake")
        lake.commit(EXPORTED["trades"], frame(EXPORTED["trades"], *trades))
        if markets:
            lake.commit(EXPORTED["markets"], frame(EXPORTED["markets"], *markets))
        other = round_trip(lake, folder)
        for table in (EXPORTED["trades"], EXPORTED["markets"]):
            assert rows_in(other, table).equals(rows_in(lake, table))


def a_small_export(folder: Path, kind: str = "parquet") -> Path:
    """Make a lake with two days of one trade each, and export it."""
    lake = Lake(folder / "lake")
    trades = EXPORTED["trades"]
    lake.commit(trades, frame(trades, a_trade("t1"), a_trade("t2", event_ts=at(days=1))))
    export(lake, folder / "out", made_ts=at(), kind=kind)
    return folder / "out"


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    """No new row and no new version."""
    out, other = a_small_export(tmp_path), Lake(tmp_path / "other")
    import_export(other, out)
    versions = other.versions()
    again = import_export(other, out)
    assert (again.n_new, again.tables["trades"].n_known) == (0, 2)
    assert other.versions() == versions


def test_a_changed_file_keeps_everything_out(tmp_path: Path) -> None:
    """The second file is torn; the first does not go in either."""
    out, other = a_small_export(tmp_path), Lake(tmp_path / "other")
    path = out / "trades" / "2026-05-14.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ExportDamaged, match=r"2026-05-14\.parquet: has \d+ bytes"):
        import_export(other, out)
    assert not other.exists()


def test_a_table_or_column_of_a_later_tapehouse_is_refused(tmp_path: Path) -> None:
    """Dropping it silently would lose facts."""
    out, other = a_small_export(tmp_path), Lake(tmp_path / "other")
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"table": "trades"', '"table": "moods"'))
    with pytest.raises(UnreadableFile, match="no table 'moods' here; upgrade Tapehouse"):
        import_export(other, out)
    assert not other.exists()


def test_the_command_tells_what_came_and_bad_input_is_one_line(run: Run, tmp_path: Path) -> None:
    """Counts and exit code 0; then nothing new; CSV, a changed file and no export at all are exit code 2."""
    out = a_small_export(tmp_path / "made")
    shutil.rmtree(tmp_path / "made" / "lake")
    said = run("import", "export", out, "--json")
    assert (said.code, said.json["n_rows"], said.json["n_new"]) == (0, 2, 2)
    told = run("warehouse", "sql", "select count(*) as n from trades", "--csv")
    assert told.out == "n\n2\n"
    as_csv = a_small_export(tmp_path / "csv", "csv")
    for folder, message in (
        (as_csv, "a csv export is for reading; export with --format parquet to import it"),
        (tmp_path, "no manifest.json there; name a folder that `warehouse export` made"),
    ):
        said = run("import", "export", folder)
        assert said.code == 2
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert errors == [f"error: {folder}: {message}"]


def test_export_and_verify_as_they_are_typed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By commas, format and time; the target is made; a second time it is refused with exit code 2."""
    lake = Lake(tmp_path / "lake")
    trades = EXPORTED["trades"]
    lake.commit(trades, frame(trades, a_trade("t1"), a_trade("t2", event_ts=at(days=1))))
    lake.commit(EXPORTED["markets"], frame(EXPORTED["markets"], a_market()))
    target = tmp_path / "deep" / "out"
    asked = ["--table", "trades,markets", "--series", "KX", "--end", "2026-05-14", "--gzip"]
    said = run("warehouse", "export", target, "--format", "csv", *asked, "--json")
    assert said.code == 0
    assert [each["path"] for each in said.json["files"]] == ["trades/2026-05-13.csv.gz", "markets.csv.gz"]
    assert said.json["n_rows"] == 2
    again = run("warehouse", "export", target)
    assert again.code == 2
    assert again.err == f"error: {target}: is there and not an empty folder; name a new one\n"
    assert run("warehouse", "export", tmp_path / "x", "--format", "excel").code == 2
    run("warehouse", "export", tmp_path / "plain")
    with pytest.raises(SystemExit):
        tapehouse.main(["warehouse", "verify-export", str(tmp_path / "plain")])
    assert capsys.readouterr().out.startswith(f"unchanged: {tmp_path / 'plain'}: 3 rows in 3 parquet files")
