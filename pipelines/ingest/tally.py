"""Rows on their way into the lake: committed in batches of bounded size, counted, summed up in a digest."""

from typing import Final

import polars as pl

from pipelines.ingest.pages import Rows
from warehouse.digests import row_digests, summed_up
from warehouse.lake import Lake
from warehouse.tables import Table

COMMIT_ROWS: Final = 50_000


class Tally:
    """Holds at most `COMMIT_ROWS` rows and eight bytes for every row that came."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self._lake = lake
        self._table = table
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        self._digests: list[pl.Series] = []
        self.n_new = 0
        self.n_rejected = 0

    def add(self, rows: Rows) -> None:
        """Take rows of the table; commit when enough are waiting."""
        if rows.rejected:
            self._lake.quarantine(self._table.name, rows.rejected)
            self.n_rejected += len(rows.rejected)
        if rows.frame.is_empty():
            return
        self._digests.append(row_digests(self._table, rows.frame))
        self._waiting.append(rows.frame)
        self._n_waiting += rows.frame.height
        if self._n_waiting >= COMMIT_ROWS:
            self.flush()

    def flush(self) -> None:
        """Commit what is waiting."""
        if not self._waiting:
            return
        # Nullable columns may be left out, and what the lake itself tells of vanished markets has them all.
        rows = pl.concat(self._waiting, how="diagonal")
        commit = self._lake.commit(self._table, rows, location=self._table.name)
        self.n_new += commit.n_new
        self.n_rejected += commit.n_quarantined
        self._waiting, self._n_waiting = [], 0

    def summed_up(self) -> tuple[int, str]:
        """Return the number of distinct rows and a digest of them that does not depend on their order."""
        return summed_up(pl.concat([pl.Series(dtype=pl.UInt64), *self._digests]))
