"""The declarations keep the rules of the house."""

import polars as pl
import pytest

from warehouse.tables import TABLES, Table

INT_SUFFIXES = ("_cc", "_centi", "_micros", "_ppm", "_bps", "_s", "_ms", "_us")
LIST_SUFFIXES = ("_cc", "_centi")
# Whole numbers that measure nothing: ordinals, names, and the depth that everybody calls so.
ORDINALS = {"sid", "seq", "from_seq", "to_seq", "depth", "exchange_index"}
# In the underlying's own unit, which differs by market: degrees, dollars, points.
FLOATS = {"floor_strike", "cap_strike"}
ALL = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


@ALL
def test_names_tell_the_unit(table: Table) -> None:
    """Whole numbers end in their unit or start with n_; times end in _ts; floats are listed exceptions."""
    for name, dtype in table.polars_schema.items():
        if dtype.is_integer():
            assert name.endswith(INT_SUFFIXES) or name.startswith("n_") or name in ORDINALS, name
        elif isinstance(dtype, pl.List) and dtype.inner in (pl.Int32, pl.Int64):
            assert name.endswith(LIST_SUFFIXES), name
        elif dtype.is_float():
            assert name in FLOATS, name
        assert isinstance(dtype, pl.Datetime) == name.endswith("_ts"), name


@ALL
def test_times_are_microseconds_in_utc(table: Table) -> None:
    for name, dtype in table.polars_schema.items():
        if isinstance(dtype, pl.Datetime):
            assert dtype == pl.Datetime("us", "UTC"), name


@ALL
def test_units_in_the_declaration_agree_with_the_names(table: Table) -> None:
    """What ends in _cc is declared in centicents, and so on: the name and the page say the same."""
    units = {"_cc": "centicents ($0.0001)", "_centi": "1/100 contract", "_ppm": "parts per million"}
    units |= {"_s": "seconds", "_ts": "UTC, microseconds"}
    for name, column in table.columns.items():
        for suffix, unit in units.items():
            if name.endswith(suffix):
                assert (column.metadata or {}).get("unit") == unit, name


@ALL
def test_every_table_and_column_has_one_sentence(table: Table) -> None:
    for sentence in (table.sentence, *(column.description for column in table.columns.values())):
        assert sentence, table.name
        assert sentence[0].isupper() or sentence.split()[0].strip(",") in VALUE_WORDS, sentence
        assert sentence.endswith("."), sentence


@ALL
def test_keys_partitions_and_sorts_are_columns(table: Table) -> None:
    columns = set(table.columns)
    assert set(table.key) <= columns
    assert set(table.sort) <= columns
    assert table.partition_by is None or table.partition_by in columns
    assert set(table.known_ts.expr.meta.root_names()) <= columns


@ALL
def test_facts_end_with_where_they_came_from(table: Table) -> None:
    """All tables but the ledgers of our own work carry source and fetched_ts, last."""
    if table.name not in ("windows", "quarantine", "drift", "checks", "day_digests"):
        assert list(table.columns)[-2:] == ["source", "fetched_ts"]


# Sentences may open with the very value a column holds.
VALUE_WORDS = {"yes", "no", "binary", "initialized", "greater", "series", "ws", "hole", "all", "complete"}
