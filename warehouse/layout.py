"""How rows of a table lie in its Parquet files: order, Arrow types, encodings, statistics, row groups.

Appends go through delta-rs, compaction through pyarrow; both are told the same here. Rows are `stored` when
their ids are packed (warehouse.packing); a lake of an earlier Tapehouse keeps those as text, and goes on so.
"""

from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa
from deltalake import ColumnProperties, WriterProperties

from warehouse import packing
from warehouse.tables import Table

DATE: Final = "date"
ZSTD_LEVEL: Final = 3
ROWS_PER_GROUP: Final = 131_072  # one market's rows are read from one group; PERF.md §2a

# Numbers that grow and times: differences pack them far better than a dictionary does (PERF.md §2a).
_GROWING: Final = frozenset({"seq", "from_seq", "to_seq"})
_UNIQUE: Final = frozenset({"trade_id", "digest", "payload"})
_DIFFERENCES: Final = "DELTA_BINARY_PACKED"
_LENGTHS_APART: Final = "DELTA_LENGTH_BYTE_ARRAY"  # ids are of one length: 0.2 bytes a row less, and quicker


def in_order(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort rows as they lie in a file: by date, then as declared; with the column `date` if there is one."""
    if not table.partition_by:
        return rows.sort(*table.sort)
    first, *others = table.sort
    # Names repeat: numbers in the names' order sort in two thirds of the time.
    order = pl.col(first).cast(pl.Enum(rows[first].unique().drop_nulls().sort())).to_physical()
    dated = rows.with_columns(pl.col(table.partition_by).dt.date().alias(DATE), _order=order)
    return dated.sort(DATE, "_order", *others).drop("_order")


def stored(table: Table, rows: pl.DataFrame, *, is_packed: bool) -> pl.DataFrame:
    """Return rows as the files keep them."""
    return rows.with_columns(packing.packed(rows[each]) for each in table.packed) if is_packed else rows


def told(table: Table, rows: pl.LazyFrame, *, is_packed: bool) -> pl.LazyFrame:
    """Return stored rows with their ids as text."""
    return rows.with_columns(packing.unpacking(each) for each in table.packed) if is_packed else rows


def stored_schema(table: Table, *, is_packed: bool) -> pl.Schema:
    """Return names and dtypes of stored rows, without the date."""
    binary = dict.fromkeys(table.packed if is_packed else (), pl.Binary())
    return pl.Schema({**table.polars_schema, **binary})


def arrow(table: Table, rows: pl.DataFrame, *, is_packed: bool) -> pa.Table:
    """Hand stored rows over, sorted, with Arrow string columns (other readers trip over views)."""
    ordered = in_order(table, rows).to_arrow(compat_level=pl.CompatLevel.oldest())
    return ordered.cast(arrow_schema(table, is_packed=is_packed))


def arrow_schema(table: Table, *, is_packed: bool = True) -> pa.Schema:
    """Return the columns of stored rows as Delta knows them, `date` last."""
    empty = pl.DataFrame(schema=stored_schema(table, is_packed=is_packed))
    declared = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    fields = [pa.field(each.name, _small(each.type), nullable=True) for each in declared]
    return pa.schema([*fields, pa.field(DATE, pa.date32())] if table.partition_by else fields)


def delta_writer(table: Table) -> WriterProperties:
    """Choose an encoding for each column; statistics only for what is measured."""
    special: dict[str, ColumnProperties] = {}
    for column in table.columns:
        statistics: Literal["CHUNK", "NONE"] = "CHUNK" if column in table.measured else "NONE"
        encoding = _encoding(table, column)
        if encoding is not None:
            special[column] = ColumnProperties(
                dictionary_enabled=False, encoding=encoding, statistics_enabled=statistics
            )
        else:
            special[column] = ColumnProperties(
                dictionary_enabled=column not in _UNIQUE, statistics_enabled=statistics
            )
    return WriterProperties(
        compression="ZSTD",
        compression_level=ZSTD_LEVEL,
        max_row_group_size=ROWS_PER_GROUP,
        column_properties=special,
    )


def arrow_writer(table: Table) -> dict[str, Any]:
    """Return the same choices in the words of pyarrow's ParquetWriter."""
    encodings = {each: _encoding(table, each) for each in table.columns}
    special = {column: encoding for column, encoding in encodings.items() if encoding is not None}
    return {
        "compression": "zstd",
        "compression_level": ZSTD_LEVEL,
        "use_dictionary": [each for each in table.columns if each not in special and each not in _UNIQUE],
        "column_encoding": special,
        "write_statistics": list(table.measured),
        "write_page_checksum": True,  # `verify` reads them; delta-rs cannot write any
    }


def _encoding(table: Table, column: str) -> Literal["DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY"] | None:
    """Return the encoding of a column that neither a dictionary nor plain values serve best."""
    is_time = isinstance(table.polars_schema[column], pl.Datetime)
    if column in _GROWING or (is_time and column != "fetched_ts"):
        return _DIFFERENCES
    return _LENGTHS_APART if column in table.packed else None


def _small(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype):
        return pa.binary()
    if pa.types.is_large_list(dtype):
        return pa.list_(_small(dtype.value_type))
    return dtype
