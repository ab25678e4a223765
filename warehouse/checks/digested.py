"""Digests of rows, taken once for all who need them: a first check spends more on them than on all else."""

from typing import Final

import polars as pl

from warehouse.checks.turns import Turn
from warehouse.digests import row_digests
from warehouse.lake import Lake
from warehouse.storage import collected
from warehouse.tables import Table

ROWS_AT_ONCE: Final = 500_000  # their texts lie in memory
ROWS_REMEMBERED: Final = 50_000_000  # at eight bytes each
DIGEST: Final = "digest"


class Digested:
    """Reads a pinned lake turn by turn; remembers digests of the rows it read, as long as there is room."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[tuple[str, Turn], pl.Series] = {}
        self._n_known = 0

    def rows(self, table: Table, turn: Turn, columns: list[str]) -> pl.DataFrame:
        """Return columns of every source's rows on the days of a turn, and their `digest`."""
        known = self._known.get((table.name, turn))
        read = self._lake.scan(table, dates=turn, every_source=True)
        if known is not None:
            return collected(read.select(columns), self._lake.uri).with_columns(known)
        rows = collected(read, self._lake.uri)
        parts = [row_digests(table, part) for part in rows.iter_slices(ROWS_AT_ONCE)]
        digests = pl.concat([pl.Series(dtype=pl.UInt64), *parts]).alias(DIGEST)
        if self._n_known + len(digests) <= ROWS_REMEMBERED:
            self._known[table.name, turn] = digests
            self._n_known += len(digests)
        return rows.select(columns).with_columns(digests)
