"""Rows that cannot be read: named one by one, and kept whole in the quarantine table."""

from typing import Final

import polars as pl

from pipelines.ingest.receipts import BadRow, ImportReceipt
from warehouse.lake import Lake
from warehouse.quarantine import Rejected
from warehouse.tables import Table

REFUSED: Final = pl.Schema(
    {
        "location": pl.String(),
        "field": pl.String(),
        "value": pl.String(),
        "reason": pl.String(),
        "payload": pl.String(),
    }
)
"""A refused row: "file:line", the field at fault and what it held (or null), why, and the row."""


def as_refused(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns and dtypes of REFUSED."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in REFUSED.items())


def quarantine(lake: Lake, table: Table, rows: pl.DataFrame, receipt: ImportReceipt) -> None:
    """Keep rows (per REFUSED) that were meant for `table` aside, and name them in the receipt."""
    if rows.is_empty():
        return
    rejected = [Rejected(**row) for row in rows.select(list(REFUSED)).iter_rows(named=True)]
    lake.quarantine(table.name, rejected)
    receipt.count(table.name, n_quarantined=len(rejected))
    receipt.keep([BadRow(each.location, each.field, each.value, each.reason) for each in rejected])
