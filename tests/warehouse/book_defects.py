"""Recorded books to plant into a clean lake, right but for one thing. See tests/warehouse/defects.py."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.warehouse.rows import a_delta, a_gap, a_quote, a_snapshot

Rows = dict[str, list[dict[str, Any]]]

_WAY_S: Final = 0.02
NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_recording(ticker: str, *, length_s: float = 600, start_s: float = 0, **changes: object) -> Rows:
    """Return a stream that tells of a market every second and ends as it should.

    The book is 0.45 x 10 / 0.50 x 30; at $0.01, somebody comes and goes. `changes` are the deltas' own.
    """
    of: dict[str, Any] = {"ticker": ticker, "session": ticker}
    n = int(length_s)
    beats = [
        a_delta(
            seq,
            price_cc=100,
            delta_centi=100 if seq % 2 else -100,
            event_ts=_at(start_s + seq - 2),
            received_ts=_at(start_s + seq - 2 + _WAY_S),
            **of,
        )
        for seq in range(3, n + 3)
    ]
    end = a_gap(n + 3, to_seq=None, from_ts=_at(start_s + n), cause="session_end", tickers=[ticker])
    return {
        "book_snapshots": [a_snapshot(captured_ts=_at(start_s), **of)],
        "book_deltas": [row | changes for row in beats],
        "book_gaps": [end | {"session": ticker}],
    }


def an_endless_recording(ticker: str) -> Rows:
    """Return one that nobody ended, two hours before the end of another."""
    endless, other = a_recording(ticker), a_recording(f"{ticker}-LATER", start_s=7_200)
    return {name: [*endless[name], *other[name]] for name in endless} | {"book_gaps": other["book_gaps"]}


def a_recording_with_a_hole(ticker: str) -> Rows:
    """Return one in which frames are missing after 10 s, and no snapshot comes."""
    rows = a_recording(ticker)
    hole = a_gap(12, to_seq=12, from_ts=_at(10), tickers=[ticker], session=ticker)
    return rows | {"book_gaps": [hole, *rows["book_gaps"]]}


def a_recording_that_lacks_changes(ticker: str) -> Rows:
    """Return one whose bid grew by 5 after 100 s, as the ticker channel says, but no change told it."""
    of: dict[str, Any] = {"ticker": ticker, "session": ticker}
    quotes = [
        a_quote(
            event_ts=_at(second),
            received_ts=_at(second),
            bid_size_centi=1_000 if second < 100 else 1_500,
            **of,
        )
        for second in range(1, 150)
    ]
    return a_recording(ticker) | {"quotes": quotes}


def a_recording_with_a_set_clock(ticker: str) -> Rows:
    """Return one whose clock was put forward by 5 s after 300 s."""
    rows = a_recording(ticker)
    for row in rows["book_deltas"]:
        if row["event_ts"] >= _at(300):
            row["received_ts"] += timedelta(seconds=5)
    return rows


def a_recording_that_takes_too_much(ticker: str) -> Rows:
    """Return one in which 11 contracts went from a level that held 10."""
    rows = a_recording(ticker)
    rows["book_deltas"][100] |= {"price_cc": 4_000, "delta_centi": -2_001}
    return rows


def a_recording_without_trades(ticker: str, start_ts: datetime, length: timedelta) -> Rows:
    """Return one of a market with trades, of which no change tells."""
    of: dict[str, Any] = {"ticker": ticker, "session": ticker}
    moment = {"event_ts": start_ts + length, "received_ts": start_ts + length}
    end = a_gap(3, to_seq=None, from_ts=start_ts + length, cause="session_end", tickers=[ticker])
    return {
        "book_snapshots": [a_snapshot(captured_ts=start_ts, **of)],
        "book_deltas": [a_delta(2, price_cc=100, **moment, **of)],
        "book_gaps": [end | {"session": ticker}],
    }
