"""A market in a run of the poller: which polls it had, and from when until when its book is unknown.

A poll stands until the next one. Where the next one failed, or came far too late, nobody knows how long the
book stayed as it was: then nothing is known after the last good poll.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from pipelines.ingest import exact
from warehouse.tables import BOOK_GAPS

SOURCE: Final = "rest"
MISSED: Final = "missed_poll"
SESSION_END: Final = "session_end"
KILLED: Final = "killed"
LEFT: Final = "unsubscribed"

Gap = Mapping[str, Any]

_GAP: Final = {
    name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype
    for name, dtype in BOOK_GAPS.polars_schema.items()
    if name not in ("source", "fetched_ts")
}


@dataclass(slots=True)
class Spell:
    """A market from when it is taken up until it is left, or the run ends.

    Attributes:
        session, sid: as in the lake; no two spells share both.
        good_us: when its last book was had; before the first, when it was taken up.
        good_seq: the number of that poll; 0 before the first.
        asked_seq: the number of the last poll that was tried, or should have been.
    """

    ticker: str
    session: str
    sid: int
    good_us: int
    good_seq: int = 0
    asked_seq: int = 0
    has_book: bool = False

    def saw(self, captured_us: int, *, stale_us: int) -> Gap | None:
        """Note that the poll `asked_seq` brought a book; return the gap before it, if there is one.

        A poll that comes more than `stale_us` after the one before leaves a number out: whatever kept us from
        asking (a machine that slept, retries without end), a poll is missing there.
        """
        if self.has_book and captured_us - self.good_us > stale_us and self.asked_seq == self.good_seq + 1:
            self.asked_seq += 1
        gap = None
        if self.asked_seq > self.good_seq + 1:
            gap = self._gap(MISSED) | {
                "to_seq": self.asked_seq - 1,
                "until_ts": captured_us,
                "is_recovered": True,
            }
        self.good_us, self.good_seq, self.has_book = captured_us, self.asked_seq, True
        return gap

    def ended(self, cause: str) -> list[Gap]:
        """Return the end of what is known of it: nothing where nothing ever was."""
        return [self._gap(cause)] if self.has_book else []

    def _gap(self, cause: str) -> dict[str, Any]:
        return end_of(self.session, self.sid, self.ticker, seq=self.good_seq, at_us=self.good_us, cause=cause)


def end_of(session: str, sid: int, ticker: str, *, seq: int, at_us: int, cause: str) -> dict[str, Any]:
    """Return the gap that begins after the poll `seq`, had at `at_us`, and that nothing ends."""
    return {
        "session": session,
        "sid": sid,
        "from_seq": seq + 1,
        "to_seq": None,
        "tickers": [ticker],
        "from_ts": at_us,
        "until_ts": None,
        "cause": cause,
        "is_recovered": False,
    }


def gap_rows(gaps: Sequence[Gap]) -> pl.DataFrame:
    """Lay gaps out as rows of `book_gaps`."""
    rows = pl.DataFrame(list(gaps), schema=_GAP)
    times = [pl.col(name).cast(exact.TIME) for name in ("from_ts", "until_ts")]
    return rows.with_columns(*times, source=pl.lit(SOURCE))
