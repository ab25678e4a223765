"""The markets of a run, and what a round makes of them: rows, gaps, refused books."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from exchange.units import to_us
from pipelines.client import WireError
from pipelines.poller.asking import Round
from pipelines.poller.book_rows import book_rows, unread
from pipelines.poller.spells import LEFT, SESSION_END, SOURCE, Gap, Spell


@dataclass(slots=True)
class Taken:
    """What waits for the lake: rows of `book_snapshots`, gaps, and refused books per REFUSED."""

    rows: list[pl.DataFrame] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    refused: list[pl.DataFrame] = field(default_factory=list)

    @property
    def n_books(self) -> int:
        """How many books wait."""
        return sum(rows.height for rows in self.rows)

    @property
    def n_refused(self) -> int:
        """How many books could not be read."""
        return sum(rows.height for rows in self.refused)

    def add(self, other: "Taken") -> None:
        """Let more wait."""
        self.rows += other.rows
        self.gaps += other.gaps
        self.refused += other.refused


class Markets:
    """Which markets are polled, each in a spell of its own.

    A market that comes back after it was left begins a session anew: in the one before, its book is unknown
    for good.
    """

    def __init__(self, run: str) -> None:
        self.spells: dict[str, Spell] = {}
        self._run = run
        self._n_spells: dict[str, int] = {}
        self._n_sids = 0

    def watch(self, tickers: Iterable[str], *, now_us: int) -> None:
        """Poll markets that are not polled yet."""
        for ticker in tickers:
            if ticker not in self.spells:
                nth = self._n_spells[ticker] = self._n_spells.get(ticker, 0) + 1
                self._n_sids += 1
                session = self._run if nth == 1 else f"{self._run}.{nth}"
                self.spells[ticker] = Spell(ticker, session, self._n_sids, good_us=now_us)

    def leave(self, tickers: Iterable[str]) -> list[Gap]:
        """Poll markets no more; return the ends of what is known of them."""
        return [gap for each in tickers if each in self.spells for gap in self.spells.pop(each).ended(LEFT)]

    def end(self) -> list[Gap]:
        """End the run; return the ends of what is known of all markets."""
        return [gap for spell in self.spells.values() for gap in spell.ended(SESSION_END)]

    def ask(self) -> list[Spell]:
        """Begin a round: return who is asked for."""
        for spell in self.spells.values():
            spell.asked_seq += 1
        return list(self.spells.values())

    def take(self, asked: Sequence[Spell], heard: Round, *, stale_us: int) -> Taken:
        """Return what a round makes; what came of a market that was left meanwhile counts no more."""
        ours = {each.ticker: each for each in asked if self.spells.get(each.ticker) is each}
        books = [book for book in heard.books if book.ticker in ours]
        good, refused = book_rows(books)
        gaps = []
        for ticker, captured_ts in good.select("ticker", "captured_ts").iter_rows():
            gap = ours[ticker].saw(to_us(captured_ts), stale_us=stale_us)
            if gap is not None:
                gaps.append(gap)
        spells = [ours[ticker] for ticker in good["ticker"]]
        rows = good.with_columns(
            session=pl.Series([each.session for each in spells], dtype=pl.String),
            sid=pl.Series([each.sid for each in spells], dtype=pl.Int64),
            seq=pl.Series([each.good_seq for each in spells], dtype=pl.Int64),
            method=pl.lit("rest"),
            depth=pl.lit(None, pl.Int64),
            source=pl.lit(SOURCE),
        )
        wrong = [
            unread(ticker, error) for ticker, error in heard.missed.items() if isinstance(error, WireError)
        ]
        return Taken([rows], gaps, [each for each in (refused, *wrong) if not each.is_empty()])
