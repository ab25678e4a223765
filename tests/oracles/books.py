"""Whose book a market's is, in plain words: the rule of docs/decisions/0018, row by row, at one moment.

It shares no code with the readers. Rows are dicts as in the lake's tables, of one market.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exchange.books import OrderBook

Row = Any
Clock = Callable[[Row], datetime]
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Spoken:
    """A snapshot and the changes of its stream that followed, each with the time at which it was known."""

    base: Row
    base_ts: datetime
    changes: list[tuple[datetime, Row]]

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.base[each] for each in ("session", "sid", "seq", "captured_ts"))

    def book(self, at_ts: datetime) -> OrderBook:
        book = OrderBook(self.base["ticker"])
        sides = (("yes_prices_cc", "yes_counts_centi"), ("no_prices_cc", "no_counts_centi"))
        book.apply_snapshot(*(zip(self.base[p], self.base[n], strict=True) for p, n in sides))
        for known_ts, row in self.changes:
            if known_ts <= at_ts:
                book.apply_delta(row["side"], row["price_cc"], row["delta_centi"])
        return book


def received(delta: Row) -> datetime:
    """Return when we could know of a change."""
    at_ts: datetime = max(delta["event_ts"], delta["received_ts"])
    return at_ts


def told(snapshots: Sequence[Row], deltas: Sequence[Row], clock: Clock) -> list[tuple[datetime, Row, bool]]:
    """Return known time, row and whether it is a snapshot, of all rows by session, sid and number."""
    rows = [
        (row["session"], row["sid"] or 0, row["seq"] or 0, row["captured_ts"], True, row) for row in snapshots
    ]
    rows += [(row["session"], row["sid"], row["seq"], LONG_AGO, False, row) for row in deltas]
    found: list[tuple[datetime, Row, bool]] = []
    stream, clock_ts = ("", 0), LONG_AGO
    for session, sid, _, captured_ts, is_snapshot, row in sorted(rows, key=lambda each: each[:4]):
        clock_ts = LONG_AGO if (session, sid) != stream else clock_ts
        stream, clock_ts = (session, sid), max(clock_ts, captured_ts if is_snapshot else clock(row))
        found.append((clock_ts, row, is_snapshot))
    return found


def speaker(
    snapshots: Sequence[Row],
    deltas: Sequence[Row],
    gaps: Sequence[Row],
    at_ts: datetime,
    clock: Clock = received,
) -> Spoken | None:
    """Return whose book is the market's at a moment; None where nobody knows it."""
    rows = told(snapshots, deltas, clock)
    bases: dict[str, Spoken] = {}
    for known_ts, row, is_snapshot in rows:
        base = bases.get(row["session"])
        if is_snapshot and known_ts <= at_ts:
            bases[row["session"]] = Spoken(row, known_ts, [])
        elif not is_snapshot and base is not None and base.base["sid"] == row["sid"]:
            base.changes.append((known_ts, row))
    polls = {row["session"] for row in snapshots if row["method"] == "rest"}
    blind, broke_ts = set(), LONG_AGO
    for gap in gaps:
        stream, from_ts, until_ts = (gap["session"], gap["sid"]), gap["from_ts"], gap.get("until_ts")
        if from_ts < at_ts and gap["cause"] != "no_snapshot" and gap["session"] not in polls:
            broke_ts = max(broke_ts, from_ts)
        before = [
            t for t, row, _ in rows if (row["session"], row["sid"]) == stream and row["seq"] < gap["from_seq"]
        ]
        if max([from_ts, *before]) < at_ts and (until_ts is None or until_ts > at_ts):
            blind.add(gap["session"])
    sound = [(each.base["captured_ts"], name, each) for name, each in bases.items() if name not in blind]
    found = [each for each in sound if each[1] not in polls] or [each for each in sound if each[0] > broke_ts]
    return max(found, key=lambda each: each[:2])[2] if found else None
