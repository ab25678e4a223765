"""What a run of the poller has done so far: for the state line, and for the summary at the end."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class PollTally:
    """Counts since the start.

    Attributes:
        run: how the sessions of this run begin; empty before it began.
        n_rounds: rounds that were begun.
        n_books: polls that brought a book.
        n_empty: of them, books without a level.
        n_missed: polls that brought none: an error, a market that the answer left out.
        n_refused: of them, books that came and could not be read; they are in quarantine.
        n_gaps: stretches between two polls of a market in which its book is unknown.
        n_late: rounds that took longer than there is between two.
        n_skipped: rounds that never began for that.
        n_relists_failed: listings that failed, and were tried again later.
        n_commits_failed: visits to the lake that failed; rows waited in memory.
        n_rows: rows that the lake did not have.
        longest_round_ms: how long a round took at most.
        last_round_ms: and how long the last one took.
    """

    run: str = ""
    n_rounds: int = 0
    n_books: int = 0
    n_empty: int = 0
    n_missed: int = 0
    n_refused: int = 0
    n_gaps: int = 0
    n_late: int = 0
    n_skipped: int = 0
    n_relists_failed: int = 0
    n_commits_failed: int = 0
    n_rows: int = 0
    longest_round_ms: int = 0
    last_round_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """Where a run stands, for people."""

    tally: PollTally
    n_markets: int
    n_waiting: int

    def __str__(self) -> str:
        """Return the state as a line."""
        tally = self.tally
        return (
            f"{self.n_markets:,} markets | "
            f"{tally.n_rounds:,} rounds, the last in {tally.last_round_ms:,} ms | "
            f"{tally.n_books:,} books, {tally.n_missed:,} missed | "
            f"{tally.n_late:,} rounds late, {tally.n_skipped:,} skipped | "
            f"{self.n_waiting:,} books not in the lake | {tally.n_rows:,} rows"
        )
