"""Tables that an earlier or a later Tapehouse wrote: nothing is rewritten, nothing is lost."""

import dataclasses
from pathlib import Path
from typing import Final

import deltalake
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake, tape_schemas
from warehouse.columns import Sourced
from warehouse.errors import LakeTooNew
from warehouse.layout import arrow_schema
from warehouse.storage import TableFiles
from warehouse.tables import TRADES, Table

_OLD_COLUMNS: Final = {
    name: column
    for name, column in tape_schemas.Trades.columns().items()
    if name not in {"is_block_trade", *Sourced.columns()}
}
BEFORE: Final = dataclasses.replace(TRADES, schema=type("TradesOfBefore", (Sourced,), _OLD_COLUMNS))


def an_old_trade(trade_id: str) -> pl.DataFrame:
    """Return a trade as the program of before stored it."""
    row = a_trade(trade_id)
    del row["is_block_trade"]
    return frame(BEFORE, row)


def files(lake: Lake, table: Table = TRADES) -> TableFiles:
    """Return the files of the newest version."""
    found = lake.files(table)
    assert found is not None
    return found


def asked(lake: Lake, query: str) -> list[tuple[object, ...]]:
    """Publish the lake and ask DuckDB."""
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_lake_of_an_earlier_tapehouse_keeps_its_ids_as_text(tmp_path: Path) -> None:
    """Its files have text where ours have 16 bytes; rows are known, added, read, published all the same."""
    schema = arrow_schema(TRADES, is_packed=False)
    nothing = pa.Table.from_pylist([], schema)
    deltalake.write_deltalake(tmp_path / "trades", nothing, partition_by=["date"])
    (tmp_path / "tapehouse.json").write_text('{"format": 1}')
    lake = Lake(tmp_path)
    assert lake.commit(TRADES, frame(TRADES, a_trade("t1"), a_trade("t2"))).n_new == 2
    assert lake.commit(TRADES, frame(TRADES, a_trade("t2"), a_trade("t3"))).n_new == 1
    lake.compact()
    assert lake.scan(TRADES).collect()["trade_id"].to_list() == ["t1", "t2", "t3"]
    assert str(pq.ParquetFile(files(lake).paths[0]).schema_arrow.field("trade_id").type) == "string"
    assert asked(lake, "select max(trade_id) from trades") == [("t3",)]


def test_a_column_that_a_later_tapehouse_declares_appears_without_rewriting(tmp_path: Path) -> None:
    """Rows of before have it empty, in polars and in DuckDB; the program of before still reads and writes."""
    old, new = Lake(tmp_path), Lake(tmp_path)
    old.commit(BEFORE, an_old_trade("t1"))
    first = files(new)
    new.commit(TRADES, frame(TRADES, a_trade("t2", is_block_trade=True, event_ts=at(days=1))))
    old.commit(BEFORE, an_old_trade("t3"))
    kinds = new.scan(TRADES).sort("trade_id").select("trade_id", "is_block_trade")
    assert kinds.collect().rows() == [("t1", None), ("t2", True), ("t3", None)]
    assert old.scan(BEFORE).collect().height == 3
    assert set(first.paths) <= set(files(new).paths)
    query = "select trade_id, is_block_trade from trades order by trade_id"
    assert asked(new, query) == kinds.collect().rows()
    new.compact()
    assert kinds.collect().rows() == asked(new, query) == [("t1", None), ("t2", True), ("t3", None)]


def test_a_lake_that_no_file_of_the_new_column_is_in_yet_is_published_all_the_same(tmp_path: Path) -> None:
    """Upgraded, and asked before anything was written."""
    Lake(tmp_path).commit(BEFORE, an_old_trade("t1"))
    assert asked(Lake(tmp_path), "select trade_id, is_block_trade from trades") == [("t1", None)]


def test_a_program_that_does_not_know_a_column_does_not_compact_it_away(tmp_path: Path) -> None:
    """The earlier program would write files without it."""
    new, old = Lake(tmp_path), Lake(tmp_path)
    new.commit(TRADES, frame(TRADES, a_trade("t1", is_block_trade=True)))
    new.commit(TRADES, frame(TRADES, a_trade("t2")))
    with pytest.raises(LakeTooNew, match=r"trades: has the column is_block_trade, .*; upgrade Tapehouse"):
        old.compact([BEFORE])
    assert new.scan(TRADES).sort("trade_id").collect()["is_block_trade"].to_list() == [True, False]
