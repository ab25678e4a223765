"""The catalog that analysts open with nothing but DuckDB."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from exchange.units import format_cc, format_centi
from tests.warehouse.rows import a_delta, a_gap, a_market, a_snapshot, a_trade, an_event, at, frame
from tests.warehouse.writer import batch
from warehouse import Lake
from warehouse.errors import NoLake
from warehouse.macros import MACROS
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, EVENTS, MARKETS, TABLES, TRADES, WINDOWS
from warehouse.views import VIEWS

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Publish, and open the catalog as an analyst would."""
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def a_lake(folder: Path) -> Lake:
    """Make a lake of one market with its event and four trades within two hours, one of them a block."""
    lake = Lake(folder)
    lake.commit(EVENTS, frame(EVENTS, an_event()))
    lake.commit(MARKETS, frame(MARKETS, a_market(series_ticker=None)))
    trades = (
        a_trade("t1", event_ts=at(0), yes_price_cc=5_600, count_centi=1_050),
        a_trade("t2", event_ts=at(1), yes_price_cc=5_000, count_centi=1),
        a_trade("t3", event_ts=at(2), yes_price_cc=9_900, is_block_trade=True),
        a_trade("t4", event_ts=at(3_600), yes_price_cc=75, is_block_trade=None),
    )
    lake.commit(TRADES, frame(TRADES, *trades))
    return lake


def test_trades_are_in_dollars_and_contracts_exactly(tmp_path: Path) -> None:
    """5600 cc and 1050 centi are $0.5600 and 10.50 contracts, as decimals; the integers are there too."""
    with opened(a_lake(tmp_path)) as connection:
        query = (
            "select yes_price, no_price, contracts, yes_price_cc, count_centi from trades order by event_ts"
        )
        rows = connection.execute(query).fetchall()
        types = connection.execute(
            "select column_type from (describe trades) where column_name = 'yes_price'"
        )
        assert types.fetchall() == [("DECIMAL(9,4)",)]
    assert rows[0] == (Decimal("0.5600"), Decimal("0.4400"), Decimal("10.50"), 5_600, 1_050)
    assert rows[3][:3] == (Decimal("0.0075"), Decimal("0.9925"), Decimal("10.00"))
    assert [(str(row[0]), str(row[2])) for row in rows] == [
        (format_cc(row[3]), format_centi(row[4])) for row in rows
    ]


def test_ohlc_makes_bars_without_blocks(tmp_path: Path) -> None:
    """12:00: 0.56 and 0.50, 10.50 + 0.01 contracts, no block at 0.99. 13:00: one trade at 0.0075."""
    with opened(a_lake(tmp_path)) as connection:
        bars = connection.execute(
            "select epoch(bar_ts)::bigint, open, high, low, close, volume, n_trades "
            "from ohlc('KXA-1', interval 1 hour)"
        ).fetchall()
        assert connection.execute("from ohlc('other', interval 1 hour)").fetchall() == []
    noon = int(at().timestamp())
    first = (noon, *map(Decimal, ("0.56", "0.56", "0.50", "0.50", "10.51")), 2)
    second = (noon + 3_600, *map(Decimal, ("0.0075",) * 4), Decimal(10), 1)
    assert bars == [first, second]


def test_markets_show_the_latest_state_and_history_all(tmp_path: Path) -> None:
    """In dollars, with the series told by the event."""
    lake = a_lake(tmp_path)
    later = a_market(observed_ts=at(9), series_ticker=None, result="yes", settlement_value_cc=10_000)
    lake.commit(MARKETS, frame(MARKETS, later))
    with opened(lake) as connection:
        latest = connection.execute("select result, settlement_value, series_ticker from markets").fetchall()
        assert latest == [("yes", Decimal(1), "KX")]
        assert connection.execute("select count(*) from markets_history").fetchall() == [(2,)]
        assert connection.execute("select price_ranges[1].step from markets").fetchall() == [
            (Decimal("0.01"),)
        ]


def test_book_at_gives_the_book_that_the_lake_rebuilds(tmp_path: Path) -> None:
    """Snapshot at 0 s, deltas at 2 s and 3 s, a hole after 3 s."""
    lake = Lake(tmp_path)
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    deltas = (a_delta(2), a_delta(3, side="no", price_cc=5_000, delta_centi=-3_000))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *deltas))
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(4)))
    query = "select side, (price * 10000)::int, (contracts * 100)::int from book_at('KXA-1', ?::timestamptz)"
    with opened(lake) as connection:
        for second in (0, 1, 2, 3):
            book = lake.book("KXA-1", at(second))
            levels = [(side, *level) for side in ("yes", "no") for level in reversed(book.levels(side))]
            assert connection.execute(query, [at(second)]).fetchall() == levels
        assert connection.execute(query, [at(4)]).fetchall() == []
        assert connection.execute("select count(*), sum(contracts) from book_levels").fetchall() == [(3, 60)]


def test_views_of_tables_that_do_not_exist_are_empty_and_typed(tmp_path: Path) -> None:
    """With one window and nothing else, every view answers; columns and types are those of a full lake."""
    lake = Lake(tmp_path / "little")
    lake.record_window("trades", "all", at(0), at(1), n_rows=0, digest="")
    full = Lake(tmp_path / "full")
    full.commit(TRADES, frame(TRADES, a_trade()))
    full.commit(MARKETS, frame(MARKETS, a_market()))
    full.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    with opened(lake) as connection, opened(full) as other:
        for name in (*(view.name for view in VIEWS), *(f"raw.{name}" for name in TABLES)):
            n_rows = connection.execute(f"select count(*) from {name}").fetchall()[0][0]
            assert n_rows == (1 if name in ("coverage", "raw.windows") else 0), name
            described = f"select column_name, column_type from (describe {name})"
            assert connection.execute(described).fetchall() == other.execute(described).fetchall()


def test_everything_has_a_comment(tmp_path: Path) -> None:
    """Every view, every column of every view, every macro: an analyst needs no other page."""
    with opened(a_lake(tmp_path)) as connection:
        silent = connection.execute(
            "select view_name from duckdb_views() where not internal and coalesce(comment, '') = '' "
            "union all select table_name || '.' || column_name from duckdb_columns() "
            "where not internal and schema_name in ('main', 'raw') and coalesce(comment, '') = '' "
            "union all select function_name from duckdb_functions() "
            "where not internal and coalesce(comment, '') = ''"
        ).fetchall()
        macros = connection.execute(
            "select function_name from duckdb_functions() where not internal"
        ).fetchall()
    assert silent == []
    assert sorted(macros) == sorted((each.name,) for each in MACROS)


def test_the_snapshot_names_the_versions_that_the_views_read(tmp_path: Path) -> None:
    """A commit after publishing is not seen until the next publishing."""
    lake = a_lake(tmp_path)
    with opened(lake) as connection:
        lake.commit(TRADES, frame(TRADES, a_trade("t5")))
        versions = connection.execute(
            "select table_name, version, n_rows, n_files from _snapshot where version is not null"
        ).fetchall()
        assert versions == [("events", 1, 1, 1), ("markets", 1, 1, 1), ("trades", 1, 4, 1)]
        assert connection.execute("select count(*) from trades").fetchall() == [(4,)]
    with opened(lake) as connection:
        assert connection.execute("select count(*) from trades").fetchall() == [(5,)]


def test_the_catalog_can_be_attached_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views by their full name; macros after `use`."""
    path = a_lake(tmp_path / "lake").publish()
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as wh (read_only)")
        assert connection.execute("select count(*) from wh.trades").fetchall() == [(4,)]
        connection.execute("use wh")
        assert len(connection.execute("from ohlc('KXA-1', interval 1 minute)").fetchall()) == 2


def test_older_clients_can_open_the_file(tmp_path: Path) -> None:
    """Storage version 64 is what DuckDB 1.2 writes; the default of 2.0 is 69, which 1.5 refuses.

    Source: the main header of the file, bytes 12 to 20 (duckdb.org internals page, storage).
    """
    header = a_lake(tmp_path).publish().read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") < 69


def test_publishing_needs_a_lake_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match="no lake there"):
        Lake(tmp_path / "nowhere").publish()
    a_lake(tmp_path / "lake").publish()
    left = {path.name for path in (tmp_path / "lake").iterdir() if path.is_file()}
    assert left == {"tapehouse.json", "warehouse.duckdb", ".publish.lock"}


@pytest.mark.slow
def test_analysts_read_while_a_writer_commits_and_publishes(tmp_path: Path) -> None:
    """A plain DuckDB process opens the catalog all the time; six publishings later it has seen no half."""
    lake = Lake(tmp_path / "lake")
    lake.commit(TRADES, batch(0, 50))
    catalog, stop_file = lake.publish(), tmp_path / "stop"
    command = [sys.executable, "-m", "tests.warehouse.analyst", str(catalog), str(stop_file)]
    analyst = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for number in range(1, 7):
        lake.commit(TRADES, batch(number, 50))
        lake.publish()
    stop_file.touch()
    out, said = analyst.communicate(timeout=60)
    assert analyst.returncode == 0, said
    n_opened, n_different = map(int, out.split())
    assert n_opened > 0
    assert n_different == 0


def test_windows_are_the_coverage_view(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.record_window("trades", "all", at(0), at(1), n_rows=7, digest="d")
    assert lake.scan(WINDOWS).collect().height == 1
    with opened(lake) as connection:
        assert connection.execute("select resource, n_rows, status from coverage").fetchall() == [
            ("trades", 7, "complete")
        ]
