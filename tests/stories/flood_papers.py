"""What a flood really did, read from its own papers: its books at any time, its holes and its silences."""

import json
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

Book = dict[tuple[str, int], int]
"""What rests, by side and price."""

NEVER_US: Final = 2**62


@dataclass(frozen=True, slots=True)
class Hole:
    """A frame that the exchange numbered and never sent, and whose books that puts in doubt."""

    line: int
    sid: int
    seq: int
    tickers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Silence:
    """While a connection was silent, what it carried grew old."""

    from_us: int
    until_us: int
    tickers: frozenset[str]


@dataclass(slots=True)
class Papers:
    """The truth of a flood."""

    first: dict[str, Book]
    changes: pl.DataFrame
    sent: list[dict[str, Any]]
    holes: list[Hole] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(each["what"] == what for each in self.sent)

    def oldest_us(self, ticker: str, at_us: int, within_us: int) -> int:
        """Return how old a book may be that is told at an instant: a silent connection tells nothing new."""
        oldest_us = at_us - within_us
        for silence in self.silences:
            if ticker in silence.tickers and silence.from_us <= at_us <= silence.until_us + within_us:
                oldest_us = min(oldest_us, silence.from_us - within_us)
        return oldest_us


def read_papers(folder: Path) -> Papers:
    """Read a truth."""
    first: dict[str, Book] = {}
    for line in map(json.loads, (folder / "books.jsonl").read_text().splitlines()):
        first[line["ticker"]] = {
            (side, price_cc): count_centi for side in ("yes", "no") for price_cc, count_centi in line[side]
        }
    changes = pl.read_csv(folder / "changes.csv")
    sent = [json.loads(line) for line in (folder / "sent.jsonl").read_text().splitlines()]
    papers = Papers(first, changes, sent)
    carried: dict[int, frozenset[str]] = {}
    for told in sent:
        line = told["line"]
        if told["what"] == "subscribed":
            carried[line] = frozenset(told["tickers"])
        elif told["what"] == "ws_hole":
            # The truth notes a subscription after its first snapshots, and one of those may be what is lost.
            tickers = carried.get(line, frozenset()) | {told["ticker"]}
            papers.holes.append(Hole(line, told["sid"], told["seq"], tickers))
        elif told["what"] == "ws_stall":
            papers.silences.append(Silence(told["at_us"], told["until_us"], carried.get(line, frozenset())))
    return papers


def applied(book: Book, side: str, price_cc: int, delta_centi: int) -> None:
    """Change one level of a book."""
    count_centi = book.get((side, price_cc), 0) + delta_centi
    if count_centi > 0:
        book[side, price_cc] = count_centi
    else:
        book.pop((side, price_cc), None)


class Walk:
    """One market's books as the exchange had them, walked forward once."""

    def __init__(self, papers: Papers, ticker: str) -> None:
        rows = papers.changes.filter(pl.col("ticker") == ticker)
        self._times_us = rows["time_us"].to_list()
        self._rows = list(rows.select("side", "price_cc", "delta_centi").iter_rows())
        self._book = dict(papers.first[ticker])
        self._done = 0

    def late_us(self, told: Book, since_us: int, at_us: int) -> int | None:
        """Return how long before `at_us` the exchange last had this book; None if not since `since_us`."""
        while self._done < len(self._rows) and self._times_us[self._done] <= since_us:
            applied(self._book, *self._rows[self._done])
            self._done += 1
        book, found = dict(self._book), None
        end = bisect_right(self._times_us, at_us)
        for done in range(self._done, end + 1):
            if book == told:
                ended_us = self._times_us[done] if done < len(self._rows) else NEVER_US
                found = max(at_us - ended_us, 0)
            if done < end:
                applied(book, *self._rows[done])
        return found
