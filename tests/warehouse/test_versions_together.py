"""Versions that are read one after the other while somebody writes must still hold together."""

from pathlib import Path

import duckdb

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake
from warehouse.storage import TableFiles
from warehouse.tables import TRADES, WINDOWS, Table


class Written(Lake):
    """A lake into which somebody brings a trade and its window whenever one looks at a table."""

    n_looks = 0

    def version(self, table: Table) -> int | None:
        self._bring()
        return super().version(table)

    def files(self, table: Table, *, version: int | None = None) -> TableFiles | None:
        self._bring()
        return super().files(table, version=version)

    def _bring(self) -> None:
        n = self.n_looks = self.n_looks + 1
        lake = Lake(self.uri)
        lake.commit(TRADES, frame(TRADES, a_trade(f"t{n}", event_ts=at(n))))
        lake.record_window("trades", "all", at(n), at(n + 1), n_rows=1, digest=str(n))


def test_a_pinned_lake_has_the_rows_of_every_window_that_it_calls_complete(tmp_path: Path) -> None:
    """The ledger is written after the rows, so it is read before them."""
    pinned = Lake(tmp_path).pinned(Written(tmp_path).versions())
    n_windows = pinned.scan(WINDOWS).collect().height
    assert 0 < n_windows <= pinned.scan(TRADES).collect().height


def test_a_catalog_has_the_rows_of_every_window_that_it_calls_complete(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(TRADES, frame(TRADES, a_trade("t0", event_ts=at(0))))
    with duckdb.connect(str(Written(tmp_path).publish()), read_only=True) as connection:
        [(n_windows, n_trades)] = connection.execute(
            "select (select count(*) from raw.windows), (select count(*) from raw.trades)"
        ).fetchall()
    assert 0 < n_windows <= n_trades
