"""Whose book is the market's, and since when: one rule for `Lake.book`, `Lake.books` and the backtest.

At any moment: of the streams (methods ws and import) that have a snapshot and are not broken, the one with
the latest snapshot. Where no stream is known, the latest poll (method rest) whose session is not broken, if
it was taken after every break of a stream so far. Else nobody knows the book. Of equals, the session whose
name comes last. docs/decisions/0018 says why; the SQL macro `book_at` says the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from warehouse.rebuilding.ops import I64
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.reading import POLLS

NOT_RECORDED: Final = "not_recorded"
"""Why a book is unknown where no gap says it: nobody had recorded the whole of it by then."""
_UNBROKEN: Final = "no_snapshot"  # a stream that had no book yet cannot have broken
_BASE, _BLIND, _SIGHT, _BREAK = range(4)


class Turns(NamedTuple):
    """What a market's book is from `at_us` on, until its next turn; sorted by market and time.

    `base` is the row of the snapshot that the book is rebuilt from, -1 where the book is unknown; `gap` then
    is the row of the gap that says why, -1 if none does.
    """

    offsets: I64  # of each market
    at_us: I64
    base: I64
    gap: I64


@dataclass(slots=True)
class _Market:
    """One market on its way through time: `bases` and `n_blind` by session, `blind` gaps by row."""

    captured_us: Sequence[int]
    sessions: Sequence[str]
    gap_sessions: Sequence[str]
    gap_from_us: Sequence[int]
    gap_said_us: Sequence[int]
    polls: set[str]
    bases: dict[str, int] = field(default_factory=dict)
    blind: dict[int, str] = field(default_factory=dict)
    broke_us: int = -1

    def meet(self, kind: int, row: int) -> None:
        """Let a snapshot become known, or a gap begin, end, or count as a break."""
        if kind == _BASE:
            session = self.sessions[row]
            self.bases[session] = max(row, self.bases.get(session, -1))
        elif kind == _BLIND:
            self.blind[row] = self.gap_sessions[row]
        elif kind == _SIGHT:
            del self.blind[row]
        else:
            self.broke_us = max(self.broke_us, self.gap_said_us[row])

    def speaker(self) -> tuple[int, int]:
        """Return base and gap, one of which is -1; both, where nothing was recorded."""
        blind = set(self.blind.values())
        sound = [(self.captured_us[row], name, row) for name, row in self.bases.items() if name not in blind]
        streams = [each for each in sound if each[1] not in self.polls]
        told = streams or [each for each in sound if each[0] > self.broke_us]
        if told:
            return max(told)[2], -1
        return -1, max(((self.gap_from_us[row], row) for row in self.blind), default=(0, -1))[1]


def turns(streams: Streams, tickers: Sequence[str]) -> Turns:
    """Return the turns of markets in the order given, from the beginning of what was read."""
    snapshots, gaps = streams.snapshots, streams.gaps
    known_us, captured_us = (_us(snapshots, each) for each in ("known_ts", "captured_ts"))
    from_us, said_us = (_us(gaps, each) for each in ("from_ts", "said_ts"))
    until_us = gaps["until_ts"].dt.epoch("us").to_list()
    causes, rest = gaps["cause"].to_list(), snapshots["method"] == POLLS
    sessions, gap_sessions = snapshots["session"].to_list(), gaps["session"].to_list()
    of_snapshots, of_gaps = _rows_by_ticker(snapshots), _rows_by_ticker(gaps)
    found: list[tuple[int, int, int]] = []
    offsets = [0]
    for ticker in tickers:
        rows, holes = of_snapshots.get(ticker, range(0)), of_gaps.get(ticker, range(0))
        polls = set(snapshots["session"][rows.start : rows.stop].filter(rest[rows.start : rows.stop]))
        market = _Market(captured_us, sessions, gap_sessions, from_us, said_us, polls)
        events = [(known_us[row], _BASE, row) for row in rows]
        for row in holes:
            end = until_us[row]
            if end is None or end > from_us[row] + 1:
                events.append((from_us[row] + 1, _BLIND, row))
                if end is not None:
                    events.append((end, _SIGHT, row))
            if causes[row] != _UNBROKEN and gap_sessions[row] not in polls:
                events.append((said_us[row] + 1, _BREAK, row))
        found.extend(_turns(market, events))
        offsets.append(len(found))
    columns = np.array(found, np.int64).reshape(-1, 3)
    return Turns(np.array(offsets, np.int64), *(np.ascontiguousarray(columns[:, i]) for i in range(3)))


def _turns(market: _Market, events: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield at_us, base and gap whenever they change, of events (at_us, kind, row)."""
    events.sort()
    last = (-1, -1)
    for place, (at_us, kind, row) in enumerate(events, start=1):
        market.meet(kind, row)
        if place < len(events) and events[place][0] == at_us:
            continue
        now = market.speaker()
        if now != last:
            yield at_us, *now
        last = now


def between(told: Turns, start_us: int, end_us: int) -> Turns:
    """Return the turns of `[start_us, end_us)`; each market's first one is at the start."""
    n = len(told.offsets) - 1
    market = np.repeat(np.arange(n), np.diff(told.offsets))
    at_us = np.maximum(told.at_us, start_us)
    # Of those at or before the start, the last one of each market counts.
    is_last = np.append((market[1:] != market[:-1]) | (told.at_us[1:] > start_us), True)
    kept = (is_last | (told.at_us > start_us)) & (told.at_us < end_us) if len(at_us) else np.zeros(0, bool)
    silent = np.setdiff1d(np.arange(n), market[kept & (told.at_us <= start_us)])
    market = np.concatenate([market[kept], silent])
    columns = [np.append(each[kept], np.full(len(silent), value)) for each, value in
               ((at_us, start_us), (told.base, -1), (told.gap, -1))]  # fmt: skip
    order = np.lexsort((columns[0], market))
    return Turns(
        np.searchsorted(market[order], np.arange(n + 1)).astype(np.int64), *(each[order] for each in columns)
    )


def _rows_by_ticker(rows: pl.DataFrame) -> dict[str, range]:
    """Return where each ticker's rows stand; they stand together."""
    runs = rows["ticker"].rle().struct.unnest()
    ends = runs["len"].cum_sum().to_list()
    return {
        ticker: range(end - n, end) for ticker, n, end in zip(runs["value"], runs["len"], ends, strict=True)
    }


def _us(rows: pl.DataFrame, column: str) -> list[int]:
    return rows[column].dt.epoch("us").to_list()
