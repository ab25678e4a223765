"""Exports: what is in them, read back by plain clients in another process, and what is refused."""

import csv
import gzip
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.warehouse.rows import a_candle, a_gap, a_market, a_snapshot, a_trade, an_event, at, frame
from warehouse import Lake
from warehouse.errors import (
    ExportDamaged,
    ExportRefused,
    NoLake,
    ReversedInterval,
    UnknownSeries,
    UnknownTable,
    UnknownTicker,
)
from warehouse.exporting import export
from warehouse.exporting_manifest import verify_export
from warehouse.exporting_selection import EXPORTED, Asked
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS, CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES


def a_lake(folder: Path) -> Lake:
    """Make a lake of two series: KX with one market and two days of trades, KY with another."""
    lake = Lake(folder)
    series = (
        {"ticker": each, "observed_ts": at(), "source": "rest", "tags": ["a,b"]} for each in ("KX", "KY")
    )
    lake.commit(SERIES, frame(SERIES, *series))
    lake.commit(EVENTS, frame(EVENTS, an_event(), an_event("KYA", series_ticker="KY")))
    states = (
        a_market(),
        a_market(observed_ts=at(days=1), result="yes", settlement_value_cc=10_000),
        a_market("KYA-1", event_ticker="KYA", series_ticker=None),
    )
    lake.commit(MARKETS, frame(MARKETS, *states))
    trades = (
        a_trade("t2", event_ts=at(1), yes_price_cc=75, count_centi=1),
        a_trade("t1", event_ts=at(0), count_centi=1_050, source="rest"),
        a_trade("t3", event_ts=at(days=1), taker_side="no"),
        a_trade("t4", event_ts=at(days=2), ticker="KYA-1", is_block_trade=None),
    )
    lake.commit(TRADES, frame(TRADES, *trades))
    lake.commit(CANDLES, frame(CANDLES, a_candle(), a_candle(ticker="KYA-1")))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot()))
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(3), a_gap(9, tickers=["KYA-1"])))
    fees = (
        {"scope": scope, "ticker": ticker, "effective_ts": at(), "fee_type": "quadratic", "source": "rest"}
        for scope, ticker in (("series", "KX"), ("event", "KYA"), ("series", "KY"), ("event", "KXA"))
    )
    lake.commit(FEE_CHANGES, frame(FEE_CHANGES, *fees))
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Hand out a lake that no test changes."""
    return a_lake(tmp_path_factory.mktemp("given") / "lake")


def exported(lake: Lake, target: Path, **asked: Any) -> list[str]:  # noqa: ANN401 -- what export takes
    """Export, and return the paths of the files."""
    manifest = export(lake, target, made_ts=at(), **asked)
    assert verify_export(target) == manifest
    return [each.path for each in manifest.files]


def test_parquet_has_the_declared_rows_in_order_a_file_a_day(lake: Lake, tmp_path: Path) -> None:
    """Plain files that pyarrow reads alone: declared columns, text ids, rows by market and time."""
    paths = exported(lake, tmp_path / "out")
    days = ["trades/2026-05-13.parquet", "trades/2026-05-14.parquet", "trades/2026-05-15.parquet"]
    assert [path for path in paths if path.startswith("trades/")] == days
    assert {"series.parquet", "events.parquet", "markets.parquet", "fee_changes.parquet"} < set(paths)
    first = pq.read_table(tmp_path / "out" / days[0])
    assert first.column_names == list(TRADES.columns)
    assert first["trade_id"].to_pylist() == ["t1", "t2"]
    assert first["source"].to_pylist() == ["rest", "test"]
    for name, table in EXPORTED.items():
        files = [tmp_path / "out" / path for path in paths if path.split("/")[0].split(".")[0] == name]
        read = [pl.DataFrame(pq.read_table(path)) for path in files]
        kept = lake.scan(table).sort(table.sort).collect()
        found = pl.concat(read).sort(table.sort) if read else table.empty()
        assert found.select(kept.columns).equals(kept), name


def test_the_manifest_says_what_it_is(lake: Lake, tmp_path: Path) -> None:
    """Versions of the lake, filters, rows, bytes, digests and whose data they are; the page says it too."""
    asked = Asked(ticker="KXA-1", end_ts=at(days=1))
    exported(lake, tmp_path / "out", asked=asked, tables=["trades"])
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["lake_versions"] == {"trades": lake.version(TRADES)}
    assert told["filters"] == {
        "series": None,
        "event": None,
        "ticker": "KXA-1",
        "start_ts": None,
        "end_ts": "2026-05-14T12:00:00Z",
    }
    assert [(each["table"], each["n_rows"]) for each in told["files"]] == [("trades", 2)]
    assert (told["made_ts"], told["format"], told["kind"]) == ("2026-05-13T12:00:00Z", 1, "parquet")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "Kalshi's terms" in page
    assert "no warranty" in " ".join(page.split())
    assert "* trades: 2 rows" in page
    assert str(tmp_path) not in page + json.dumps(told)


def rows_of(target: Path, table: str, column: str) -> list[Any]:
    """Return a column of all files of one table."""
    files = [target / each.path for each in verify_export(target).files if each.table == table]
    return sorted(value for path in files for value in pq.read_table(path)[column].to_pylist())


@pytest.mark.parametrize(
    ("asked", "trades", "markets", "fees", "gaps"),
    [
        (Asked(series="KX"), ["t1", "t2", "t3"], ["KXA-1", "KXA-1"], ["KX", "KXA"], [3]),
        (Asked(series="KY"), ["t4"], ["KYA-1"], ["KY", "KYA"], [9]),
        (Asked(event="KYA"), ["t4"], ["KYA-1"], ["KY", "KYA"], [9]),
        (Asked(start_ts=at(1), end_ts=at(days=1)), ["t2"], ["KXA-1", "KXA-1", "KYA-1"], None, [3, 9]),
        (Asked(start_ts=at(days=1)), ["t3", "t4"], ["KXA-1", "KXA-1", "KYA-1"], None, [3, 9]),
    ],
)
def test_filters_choose_rows_and_the_facts_that_belong_to_them(
    lake: Lake,
    tmp_path: Path,
    asked: Asked,
    trades: list[str],
    markets: list[str],
    fees: list[str] | None,
    gaps: list[int],
) -> None:
    """By series or event, with terms and fees; by half-open time, where terms go along whole."""
    target = tmp_path / "out"
    exported(lake, target, asked=asked)
    assert rows_of(target, "trades", "trade_id") == trades
    assert rows_of(target, "markets", "ticker") == markets
    assert rows_of(target, "fee_changes", "ticker") == (fees or ["KX", "KXA", "KY", "KYA"])
    assert rows_of(target, "book_gaps", "from_seq") == gaps


def test_csv_is_in_dollars_and_contracts_exactly(lake: Lake, tmp_path: Path) -> None:
    """75 centicents are 0.0075 and 1050 hundredths are 10.50, as text; times are RFC 3339, lists JSON."""
    target = tmp_path / "out"
    paths = exported(lake, target, kind="csv", tables=["trades", "markets", "series"])
    assert [path for path in paths if "trades" not in path] == ["markets.csv", "series.csv"]
    with (target / "trades" / "2026-05-13.csv").open() as stream:
        first, second = csv.DictReader(stream)
    assert (first["yes_price"], first["no_price"], first["contracts"]) == ("0.5600", "0.4400", "10.50")
    assert (second["yes_price"], second["contracts"]) == ("0.0075", "0.01")
    assert first["event_ts"] == "2026-05-13T12:00:00.000000Z"
    with (target / "markets.csv").open() as stream:
        markets = list(csv.DictReader(stream))
    assert [(each["ticker"], each["result"], each["series_ticker"]) for each in markets] == [
        ("KXA-1", "yes", "KX"),
        ("KYA-1", "", "KY"),  # the event tells the series, though no event was asked for
    ]
    assert json.loads(markets[0]["price_ranges"]) == [{"start": 0, "end": 1, "step": 0.01}]
    with (target / "series.csv").open() as stream:
        assert json.loads(next(csv.DictReader(stream))["tags"]) == ["a,b"]


def test_csv_can_be_compressed(lake: Lake, tmp_path: Path) -> None:
    """The same rows behind gzip."""
    exported(lake, tmp_path / "plain", kind="csv", tables=["trades", "book_snapshots"])
    paths = exported(lake, tmp_path / "out", kind="csv", is_gzip=True, tables=["trades", "book_snapshots"])
    assert "book_levels/2026-05-13.csv.gz" in paths
    for path in paths:
        packed = gzip.decompress((tmp_path / "out" / path).read_bytes())
        assert packed == (tmp_path / "plain" / path.removesuffix(".gz")).read_bytes()


PLAIN_CLIENT = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    connection.execute("set TimeZone = 'UTC'")
    print(json.dumps([connection.execute(query).fetchall() for query in sys.argv[2:]], default=str))
"""


def test_a_duckdb_file_stands_alone(tmp_path: Path) -> None:
    """Another process reads it after the lake is gone: tables, views, macros, comments."""
    lake = a_lake(tmp_path / "lake")
    with duckdb.connect(str(lake.publish()), read_only=True) as catalog:
        catalog.execute("set TimeZone = 'UTC'")
        wanted = catalog.execute("select * from trades order by all").fetchall()
    assert exported(lake, tmp_path / "out", kind="duckdb") == ["tapehouse.duckdb"]
    (tmp_path / "lake").rename(tmp_path / "gone")
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            PLAIN_CLIENT,
            str(tmp_path / "out" / "tapehouse.duckdb"),
            "select * from trades order by all",
            "select count(*) from markets_history",
            "select open, volume from ohlc('KXA-1', interval 1 day)",
            "select count(*) from duckdb_tables() where schema_name = 'raw' and coalesce(comment, '') = ''",
            (
                "select count(*) from duckdb_columns() where schema_name in ('raw', 'main') and not internal "
                "and coalesce(comment, '') = ''"
            ),
            "select distinct lake from _snapshot",
            "select count(*) from raw.trades_all",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    trades, history, ohlc, silent, silent_columns, place, every = json.loads(told.stdout)
    assert trades == json.loads(json.dumps(wanted, default=str))
    assert history == [[3]]
    assert ohlc == [["0.5600", "10.51"], ["0.5600", "10.00"]]
    assert (silent, silent_columns, place, every) == ([[0]], [[0]], [["an export"]], [[4]])


def test_all_three_forms_hold_the_same_trades(tmp_path: Path) -> None:
    """Ids, prices and sizes agree; the best source of a day is what goes out."""
    lake = a_lake(tmp_path / "lake")
    copies = (a_trade(each, source="archive:x", yes_price_cc=100) for each in ("t1", "t2"))
    lake.commit(TRADES, frame(TRADES, *copies))
    for kind in ("parquet", "csv", "duckdb"):
        exported(lake, tmp_path / kind, kind=kind, tables=["trades"])
    parquet = pl.scan_parquet(tmp_path / "parquet" / "trades" / "*.parquet").collect()
    facts = {(row["trade_id"], row["yes_price_cc"], row["count_centi"]) for row in parquet.to_dicts()}
    assert len(facts) == 4
    assert ("t2", 75, 1) in facts
    read: set[tuple[str, int, int]] = set()
    for path in (tmp_path / "csv" / "trades").iterdir():
        with path.open() as stream:
            for row in csv.DictReader(stream):
                cc, centi = Decimal(row["yes_price"]) * 10_000, Decimal(row["contracts"]) * 100
                read.add((row["trade_id"], int(cc), int(centi)))
    assert read == facts
    with duckdb.connect(str(tmp_path / "duckdb" / "tapehouse.duckdb"), read_only=True) as connection:
        query = "select trade_id, yes_price_cc, count_centi from raw.trades"
        assert set(connection.execute(query).fetchall()) == facts


def test_a_full_target_is_refused_and_stays(lake: Lake, tmp_path: Path) -> None:
    """A folder with a file, or a file; an empty folder is as good as none."""
    full, file, empty = tmp_path / "full", tmp_path / "file", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "mine").write_text("keep")
    file.write_text("keep")
    for target in (full, file):
        with pytest.raises(ExportRefused, match="is there and not an empty folder"):
            export(lake, target, made_ts=at())
    assert (full / "mine").read_text() == file.read_text() == "keep"
    exported(lake, empty)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "file", "full"]


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"kind": "excel"}, ExportRefused, "parquet, csv, duckdb"),
        ({"is_gzip": True}, ExportRefused, "--gzip is for csv"),
        ({"tables": ["trade"]}, UnknownTable, "did you mean trades"),
        ({"tables": ["windows"]}, UnknownTable, "what can be exported"),
        ({"asked": Asked(series="KXX")}, UnknownSeries, "did you mean KX"),
        ({"asked": Asked(ticker="KXA-9")}, UnknownTicker, "did you mean KXA-1"),
        ({"asked": Asked(start_ts=at(days=9)), "tables": ["trades"]}, ExportRefused, "nothing to export"),
        ({"asked": Asked(start_ts=at(9), end_ts=at(9))}, ReversedInterval, "start"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    lake: Lake, tmp_path: Path, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Said before anything is written, or cleared away after it."""
    with pytest.raises(error, match=message):
        export(lake, tmp_path / "out", made_ts=at(), **asked)
    assert [*tmp_path.iterdir()] == []


def test_there_has_to_be_a_lake(tmp_path: Path) -> None:
    """An empty place is no lake."""
    with pytest.raises(NoLake):
        export(Lake(tmp_path / "none"), tmp_path / "out", made_ts=at())


def test_a_day_larger_than_memory_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut between markets, never inside one; the file is the same."""
    lake = Lake(tmp_path / "lake")
    rows = (
        a_trade(f"{market}{n}", ticker=f"KX{market}", event_ts=at(n)) for n in range(5) for market in "cab"
    )
    lake.commit(TRADES, frame(TRADES, *rows))
    exported(lake, tmp_path / "whole")
    monkeypatch.setattr("warehouse.exporting_selection._ROWS_AT_ONCE", 6)
    (path,) = exported(lake, tmp_path / "pieces")
    assert pq.ParquetFile(tmp_path / "pieces" / path).num_row_groups == 2
    whole, pieces = (pq.read_table(tmp_path / each / path) for each in ("whole", "pieces"))
    assert whole.equals(pieces)


def test_what_a_killed_export_left_goes_with_the_next_one(lake: Lake, tmp_path: Path) -> None:
    """A hidden folder whose lock nobody holds; folders of other exports stay."""
    dead, other = tmp_path / ".out.1234.exporting", tmp_path / ".other.1234.exporting"
    for folder in (dead, other):
        folder.mkdir()
        (folder / "lock").touch()
    exported(lake, tmp_path / "out")
    assert not dead.exists()
    assert other.exists()


def test_what_is_committed_meanwhile_is_not_in_it(tmp_path: Path) -> None:
    """All tables are read at the versions of the beginning."""
    lake = a_lake(tmp_path / "lake")

    def writing(stage: str, done: int, total: int | None) -> None:
        lake.commit(TRADES, frame(TRADES, a_trade(f"late-{stage}-{done}-{total}")))

    exported(lake, tmp_path / "out", progress=writing)
    assert rows_of(tmp_path / "out", "trades", "trade_id") == ["t1", "t2", "t3", "t4"]


@pytest.mark.parametrize("harm", ["gone", "longer", "changed", "no manifest", "torn manifest", "outside"])
def test_harm_is_found(lake: Lake, tmp_path: Path, harm: str) -> None:
    """One file gone, longer by a byte, changed in one byte; a manifest that is none or leads elsewhere."""
    target = tmp_path / "out"
    exported(lake, target, tables=["trades"])
    path, manifest = target / "trades" / "2026-05-14.parquet", target / "manifest.json"
    content = bytearray(path.read_bytes())
    if harm == "gone":
        path.unlink()
    elif harm == "longer":
        path.write_bytes(content + b"\0")
    elif harm == "changed":
        content[20] ^= 1
        path.write_bytes(content)
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "torn manifest":
        manifest.write_text(manifest.read_text()[:100])
    else:
        manifest.write_text(manifest.read_text().replace("trades/2026-05-14", "../2026-05-14"))
    named = "outside the export" if harm == "outside" else "manifest" if "manifest" in harm else path.name
    with pytest.raises(ExportDamaged, match=named):
        verify_export(target)


def test_a_manifest_of_a_later_format_says_so(lake: Lake, tmp_path: Path) -> None:
    """Not damage: an upgrade is what helps."""
    target = tmp_path / "out"
    exported(lake, target, tables=["trades"])
    manifest = target / "manifest.json"
    told = json.loads(manifest.read_text()) | {"format": 2}
    manifest.write_text(json.dumps(told))
    with pytest.raises(ExportDamaged, match="upgrade Tapehouse"):
        verify_export(target)
