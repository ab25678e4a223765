"""Ids that are UUIDs lie as 16 bytes; every text comes back as it was, through polars and through DuckDB."""

import uuid

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from warehouse.packing import packed, sql_text, unpacked, unpacking

ID = "5bd7cfdb-472b-40ae-a3a7-c9d1d65e97e0"
texts = st.lists(st.none() | st.uuids().map(str) | st.text(max_size=40), max_size=8)


@given(texts)
@example([])
@example([None])
@example([ID, None, "t1"])
@example(["sixteen letters!", "\x00", "\x00sixteen letters", ""])
@example([ID.upper(), ID.replace("-", ""), f"{ID}\n", f"{ID} "])
def test_every_text_comes_back_as_it_was(values: list[str | None]) -> None:
    """Also what is no UUID, in upper case, empty, as long as a UUID's bytes, or missing."""
    given_texts = pl.Series("trade_id", values, dtype=pl.String)
    stored = packed(given_texts)
    assert (stored.dtype, stored.name) == (pl.Binary(), "trade_id")
    assert unpacked(stored).to_list() == values


def test_a_uuid_takes_sixteen_bytes_and_nothing_else_does() -> None:
    """The oracle is Python's uuid module."""
    stored = packed(pl.Series([ID, "sixteen letters!"]))
    assert stored.to_list() == [uuid.UUID(ID).bytes, b"\x00sixteen letters!"]


@given(st.lists(st.uuids(), min_size=1, max_size=50))
def test_uuids_are_printed_as_python_prints_them(ids: list[uuid.UUID]) -> None:
    stored = pl.Series([each.bytes for each in ids])
    assert unpacked(stored).to_list() == [str(each) for each in ids]
    assert unpacked(stored[1:]).to_list() == [str(each) for each in ids[1:]]
    in_pieces = pl.concat([stored[1:], stored], rechunk=False)
    assert unpacked(in_pieces).to_list() == [str(each) for each in ids[1:] + ids]


@given(texts)
@settings(max_examples=40)
@example(["sixteen letters!", "\x00", "\x00sixteen letters", ""])
def test_duckdb_reads_the_same_texts(values: list[str | None]) -> None:
    rows = pl.DataFrame({"id": packed(pl.Series(values, dtype=pl.String))}).with_row_index("n")
    with duckdb.connect() as connection:
        connection.register("rows", rows.to_arrow())
        told = connection.execute(f"select {sql_text('id')} from rows order by n").fetchall()
    assert [each for (each,) in told] == values


@pytest.mark.parametrize("n_rows", [0, 1, 8_191, 8_192, 20_000])
def test_any_number_of_rows_is_unpacked_lazily(n_rows: int) -> None:
    """The work is cut into pieces; their borders do not show."""
    ids = [str(uuid.UUID(int=number * 2**100 + number)) for number in range(n_rows)]
    rows = pl.DataFrame({"id": packed(pl.Series(ids, dtype=pl.String)), "n": range(n_rows)})
    assert rows.lazy().with_columns(unpacking("id")).collect()["id"].to_list() == ids


def test_filters_and_projections_pass_through_the_unpacking() -> None:
    """A query that does not need the ids does not print them."""
    rows = pl.LazyFrame({"id": packed(pl.Series([ID])), "n": [1]}).with_columns(unpacking("id"))
    assert "python_udf" not in rows.filter(pl.col("n") == 1).select("n").explain()
