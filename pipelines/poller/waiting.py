"""What was polled and is not in the lake yet."""

from threading import Lock
from typing import Final

import polars as pl

from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from pipelines.poller.errors import TooManyWaiting
from pipelines.poller.markets import Taken
from pipelines.poller.spells import gap_rows
from warehouse.errors import WarehouseError
from warehouse.lake import Lake
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

MAX_WAITING_BOOKS: Final = 200_000
"""Some hundred megabytes of books with twenty levels."""


class Waiting:
    """Rows between the rounds, which add, and a thread that brings them into the lake."""

    def __init__(self, most_books: int = MAX_WAITING_BOOKS) -> None:
        self._taken = Taken()
        self._most_books = most_books
        self._changing = Lock()
        self._flushing = Lock()

    @property
    def n_books(self) -> int:
        """How many books a kill would lose now."""
        return self._taken.n_books

    def add(self, taken: Taken) -> None:
        """Let rows wait.

        Raises:
            TooManyWaiting: the lake has refused for so long that no more should.
        """
        with self._changing:
            self._taken.add(taken)
            n_books = self._taken.n_books
        if taken.rows and n_books > self._most_books:
            raise TooManyWaiting(
                f"{n_books:,} books wait for a lake that takes none: make it writable, then start again; "
                "what waited is lost, and the next run declares the gap"
            )

    def flush(self, lake: Lake, run: str, receipt: ImportReceipt) -> None:
        """Bring everything that waits into the lake, gaps first, so that no book hides one.

        Raises:
            WarehouseError: the lake does not take it; it waits on.
        """
        with self._flushing:
            with self._changing:
                taken, self._taken = self._taken, Taken()
            try:
                _bring(lake, run, taken, receipt)
            except WarehouseError:
                with self._changing:
                    taken.add(self._taken)
                    self._taken = taken
                raise


def _bring(lake: Lake, run: str, taken: Taken, receipt: ImportReceipt) -> None:
    if taken.refused:
        quarantine(lake, BOOK_SNAPSHOTS, pl.concat(taken.refused), receipt)
    books = pl.concat(taken.rows) if taken.rows else pl.DataFrame()
    for table, rows in ((BOOK_GAPS, gap_rows(taken.gaps)), (BOOK_SNAPSHOTS, books)):
        if rows.is_empty():
            continue
        commit = lake.commit(table, rows, location=run)
        receipt.n_rows += rows.height
        receipt.count(
            table.name, n_new=commit.n_new, n_known=commit.n_known, n_quarantined=commit.n_quarantined
        )
