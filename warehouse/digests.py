"""Digests of rows: what they say, whatever their order, their page, and who told it when.

The ledger keeps one for every window, so that the lake can be held against what once came; the check of days
keeps one for every day. A column that is empty says nothing, so rows keep their digest when the exchange
gains a field and the table a column.
"""

import hashlib
import sys
from array import array
from typing import Final

import polars as pl

from warehouse.tables import Table

# Of the digests that this module makes. Others came from an earlier way and cannot be compared.
FORMAT: Final = "2:"
PROVENANCE: Final = ("source", "fetched_ts", "observed_ts")
_ROW_BYTES: Final = 8
_END: Final = "\x1f"


def row_digests(table: Table, rows: pl.DataFrame) -> pl.Series:
    """Return one UInt64 for every row, from its content: the table's columns but those of provenance."""
    if rows.is_empty():  # polars 2.1 refuses to join the texts of no rows
        return pl.Series(dtype=pl.UInt64)
    content = [name for name in table.columns if name in rows.columns and name not in PROVENANCE]
    told = [_told(name, rows.schema[name]) for name in content]
    texts = rows.select(pl.concat_str(told, ignore_nulls=True).cast(pl.Binary)).to_series()
    digests = array("Q", b"".join([hashlib.blake2b(text, digest_size=_ROW_BYTES).digest() for text in texts]))
    if sys.byteorder == "little":
        digests.byteswap()
    return pl.Series(digests, dtype=pl.UInt64)


def summed_up(digests: pl.Series) -> tuple[int, str]:
    """Return how many different rows there are, and one digest of them all, in whatever order they came."""
    distinct = digests.unique().sort()
    return len(distinct), FORMAT + hashlib.sha256(distinct.to_numpy().tobytes()).hexdigest()


def _told(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        value = value.dt.epoch("us")
    elif dtype.is_nested():
        value = pl.when(value.is_not_null()).then(pl.struct(value).struct.json_encode())
    return pl.lit(f"{name}=") + value.cast(pl.String) + pl.lit(_END)
