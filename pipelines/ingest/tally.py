"""Rows on their way into the lake: committed in batches of bounded size, counted, summed up in a digest."""

import hashlib
from typing import Final

import polars as pl

from pipelines.ingest.pages import Rows
from warehouse.lake import Lake
from warehouse.tables import Table

COMMIT_ROWS: Final = 50_000
_DIGEST_BYTES: Final = 8


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
        self._digests.append(_row_digests(self._table, rows.frame))
        self._waiting.append(rows.frame)
        self._n_waiting += rows.frame.height
        if self._n_waiting >= COMMIT_ROWS:
            self.flush()

    def flush(self) -> None:
        """Commit what is waiting."""
        if not self._waiting:
            return
        commit = self._lake.commit(self._table, pl.concat(self._waiting), location=self._table.name)
        self.n_new += commit.n_new
        self.n_rejected += commit.n_quarantined
        self._waiting, self._n_waiting = [], 0

    def summed_up(self) -> tuple[int, str]:
        """Return the number of distinct rows and a digest of them that does not depend on their order."""
        digests = pl.concat([pl.Series(dtype=pl.UInt64), *self._digests]).unique().sort()
        return len(digests), hashlib.sha256(digests.to_numpy().tobytes()).hexdigest()


def _row_digests(table: Table, rows: pl.DataFrame) -> pl.Series:
    provenance = ("source", "fetched_ts", "observed_ts")
    content = [name for name in table.columns if name in rows.columns and name not in provenance]
    texts = rows.select(pl.struct(content).struct.json_encode()).to_series()
    values = [
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()) for text in texts
    ]
    return pl.Series(values, dtype=pl.UInt64)
