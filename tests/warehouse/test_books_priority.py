"""Whose book is the market's: cases by hand, and four readers against a slow oracle at random instants."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.book_faces import (
    Levels,
    Tables,
    by_book,
    by_books,
    by_oracle,
    by_sql,
    by_tape,
    catalog,
)
from tests.warehouse.rows import a_delta, a_gap, a_snapshot, at

A: Final = "KXA-1"
EMPTY: Final[dict[str, Any]] = {
    "yes_prices_cc": [],
    "yes_counts_centi": [],
    "no_prices_cc": [],
    "no_counts_centi": [],
}


def a_book(
    seconds: float, price_cc: int, session: str = "s1", seq: int | None = 1, **changes: object
) -> dict[str, Any]:
    """Return a stream's snapshot: 10 YES bid at one price, which says whose it is."""
    told: dict[str, object] = {"captured_ts": at(seconds), "session": session, **EMPTY}
    return a_snapshot(seq, **(told | {"yes_prices_cc": [price_cc], "yes_counts_centi": [1_000]} | changes))


def a_poll(seconds: float, price_cc: int, session: str = "p1") -> dict[str, Any]:
    return a_book(seconds, price_cc, session, sid=None, seq=None, method="rest")


def a_break(
    seconds: float, session: str = "s1", until: float | None = None, **changes: object
) -> dict[str, Any]:
    told: dict[str, object] = {"session": session, "from_ts": at(seconds)}
    return a_gap(2, **(told | {"until_ts": None if until is None else at(until)} | changes))


def bid(price_cc: int, count_centi: int = 1_000) -> Levels:
    return [("yes", price_cc, count_centi)]


# What the rows are, and the price of the only bid at some seconds; None where nobody knows the book.
CASES: Final[dict[str, tuple[Tables, dict[float, int | None]]]] = {
    "nobody knows a book before it was recorded": (
        Tables([a_book(2, 4_000)]),
        {1: None, 1.999999: None, 2: 4_000, 9_999: 4_000},
    ),
    "of two streams the one with the latest snapshot speaks": (
        Tables([a_book(0, 4_000), a_book(5, 3_000, "s0")]),
        {4.999999: 4_000, 5: 3_000},
    ),
    "of two snapshots of one instant the session whose name comes last speaks": (
        Tables([a_book(0, 4_000, "s1"), a_book(0, 3_000, "s2")]),
        {0: 3_000},
    ),
    "a broken stream gives way to an older one, which goes on where it is": (
        Tables(
            [a_book(0, 4_000, "s0"), a_book(5, 3_000)],
            [
                a_delta(2, session="s0", price_cc=4_000, delta_centi=-1_000),
                a_delta(6, session="s0", price_cc=4_500, delta_centi=1_000),
            ],
            [a_break(7)],
        ),
        {5: 3_000, 7: 3_000, 7.000001: 4_500},
    ),
    "a healed stream speaks again, the later snapshot first": (
        Tables([a_book(0, 4_000), a_book(9, 3_000, seq=5)], [], [a_break(4, until=9)]),
        {4: 4_000, 4.000001: None, 8.999999: None, 9: 3_000},
    ),
    "polls are silent where a stream is known, however old it is": (
        Tables([a_book(0, 4_000), a_poll(5, 3_000)]),
        {1: 4_000, 5: 4_000, 999: 4_000},
    ),
    "polls speak before any stream": (
        Tables([a_book(5, 4_000), a_poll(1, 3_000)]),
        {0: None, 1: 3_000, 5: 4_000},
    ),
    "after a break only polls speak that were taken after it": (
        Tables([a_book(0, 4_000), a_poll(3, 3_000), a_poll(8, 2_000)], [], [a_break(5)]),
        {5: 4_000, 6: None, 8: 2_000},
    ),
    "a poll of the very instant of the break is not after it": (
        Tables([a_book(0, 4_000), a_poll(5, 3_000), a_poll(6, 2_000)], [], [a_break(5)]),
        {5: 4_000, 5.5: None, 6: 2_000},
    ),
    "of polls the latest speaks": (
        Tables([a_poll(1, 3_000), a_poll(2, 2_000, "p0"), a_poll(3, 1_000)]),
        {1: 3_000, 2: 2_000, 3: 1_000},
    ),
    "a poller that has ended says nothing more, and its end breaks no stream": (
        Tables([a_poll(1, 3_000), a_poll(0, 2_000, "p0")], [], [a_break(4, "p1", cause="session_end")]),
        {4: 3_000, 5: 2_000},
    ),
    "an import is a stream": (
        Tables([a_book(0, 4_000, method="import", sid=0), a_poll(5, 3_000)]),
        {5: 4_000},
    ),
    "a stream that never had a book silences no polls": (
        Tables([a_poll(1, 3_000)], [], [a_break(2, "s1", cause="no_snapshot")]),
        {2: 3_000, 3: 3_000},
    ),
    "an empty book is a book": (Tables([a_book(0, 4_000), a_book(5, 0, seq=2, **EMPTY)]), {4: 4_000, 5: 0}),
    "a level that fell below zero counts from zero again": (
        Tables(
            [a_book(0, 4_000)],
            [
                a_delta(2, price_cc=4_000, delta_centi=-1_500),
                a_delta(3, price_cc=4_500, delta_centi=1_000),
                a_delta(4, price_cc=4_500, delta_centi=-1_000),
                a_delta(5, price_cc=4_000, delta_centi=1_000),
            ],
        ),
        {1: 4_000, 2: 0, 3: 4_500, 4: 0, 5: 4_000},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_whose_book_it_is(case: str) -> None:
    """Four readers, and the oracle of the test below, say what was worked out by hand."""
    tables, expected = CASES[case]
    with catalog(tables) as connection:
        for seconds, price_cc in expected.items():
            levels = None if price_cc is None else bid(price_cc) if price_cc else []
            told = [face(tables, A, at(seconds)) for face in (by_oracle, by_book, by_books, by_tape)]
            assert told == [levels] * 4, seconds
            assert by_sql(connection, A, at(seconds)) == (levels or []), seconds


TICKERS: Final = (A, "KXA-2")


def random_tables(rng: Random, *, has_lags: bool) -> Tables:
    """Make overlapping sessions and pollers, with holes, ends, clocks that go back, and levels below zero."""
    snapshots: list[dict[str, Any]] = []
    deltas: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    for session in rng.sample(["s1", "s2", "s3"], rng.randint(0, 3)):
        seconds, seq = rng.randint(0, 20), 0
        method, open_gaps = rng.choice(["ws", "ws", "import"]), dict[str, dict[str, Any]]()
        for _ in range(rng.randint(1, 25)):
            seconds, seq, ticker = seconds + rng.choice([0, 0, 1, 3]), seq + 1, rng.choice(TICKERS)
            chance, lag = rng.random(), rng.choice([-2, 0, 0, 4]) if has_lags else 0
            if seq <= 2 or chance < 0.2:
                ticker = TICKERS[seq - 1] if seq <= 2 else ticker
                row = random_book(rng) | {
                    "session": session,
                    "method": method,
                    "captured_ts": at(seconds + lag),
                }
                snapshots.append(a_snapshot(seq, ticker=ticker, **row))
                healed = open_gaps.pop(ticker, None)
                if healed is not None:
                    healed["until_ts"] = at(seconds + rng.choice([0, 0, 2]))
            elif chance < 0.35 and ticker not in open_gaps:
                gap = a_gap(seq, session=session, from_ts=at(seconds), tickers=[ticker])
                open_gaps[ticker] = gap
                gaps.append(gap)
            else:
                deltas.append(
                    a_delta(
                        seq,
                        session=session,
                        ticker=ticker,
                        side=rng.choice(["yes", "no"]),
                        price_cc=rng.choice([4_000, 4_500, 5_500]),
                        delta_centi=rng.choice([-300, -100, 100, 200]),
                        event_ts=at(seconds),
                        received_ts=at(seconds + lag),
                    )
                )
        if rng.random() < 0.6:
            cause = rng.choice(["session_end", "killed", "stalled", "no_snapshot"])
            end = a_gap(seq + 1, session=session, from_ts=at(seconds), cause=cause, tickers=list(TICKERS))
            gaps.append(end | {"to_seq": None})
    for session in rng.sample(["p1", "p2"], rng.randint(0, 2)):
        is_numbered, ticker = rng.random() < 0.7, rng.choice(TICKERS)
        times = sorted(rng.sample(range(50), rng.randint(1, 6)))
        for n, seconds in enumerate(times, start=1):
            numbers = {"sid": 1, "seq": n} if is_numbered else {}
            row = random_book(rng) | {"session": session, "captured_ts": at(seconds)}
            snapshots.append(a_snapshot(None, ticker=ticker, **row) | numbers)
            if n < len(times) and rng.random() < 0.3:
                missed = a_gap(n + 1, session=session, tickers=[ticker], cause="missed_poll")
                gaps.append(missed | {"from_ts": at(seconds), "until_ts": at(times[n])})
        if rng.random() < 0.4:
            end = a_break(times[-1] + rng.randint(0, 5), session, tickers=[ticker], cause="session_end")
            gaps.append(end | {"from_seq": len(times) + 1, "to_seq": None})
    return Tables(unique(snapshots), deltas, gaps)


def random_book(rng: Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for side in ("yes", "no"):
        prices = sorted(rng.sample([3_000, 4_000, 4_500, 5_500], rng.randint(0, 3)))
        made |= {
            f"{side}_prices_cc": prices,
            f"{side}_counts_centi": [rng.choice([100, 300]) for _ in prices],
        }
    return made


def unique(snapshots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the first row of each key, as the lake does."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in snapshots:
        found.setdefault((row["ticker"], row["session"], row["captured_ts"]), row)
    return list(found.values())


def instants(rng: Random, n: int) -> list[datetime]:
    """Return moments at, just before and just after whole seconds, and one far behind all of them."""
    near = [at(rng.randint(0, 70)) + rng.choice([-1, 0, 0, 1]) * timedelta(microseconds=1) for _ in range(n)]
    return [*near, at(5_000)]


def compare(seed: int, n_instants: int) -> None:
    """Ask everything of random rows; the tape has a clock of its own, so only where clocks agree."""
    rng = Random(seed)
    has_lags = rng.random() < 0.5
    tables = random_tables(rng, has_lags=has_lags)
    tickers = sorted({row["ticker"] for row in tables.book_snapshots})
    with catalog(tables) as connection:
        for ticker in tickers[:1]:
            for at_ts in instants(rng, n_instants):
                expected, asked = by_oracle(tables, ticker, at_ts), (seed, ticker, at_ts)
                assert by_book(tables, ticker, at_ts) == expected, asked
                assert by_books(tables, ticker, at_ts) == expected, asked
                since = timedelta(seconds=rng.randint(1, 60))
                assert by_books(tables, ticker, at_ts, since) == expected, asked
                assert by_sql(connection, ticker, at_ts) == (expected or []), asked
                if not has_lags:
                    assert by_tape(tables, ticker, at_ts) == expected, asked


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_all_readers_agree_with_the_oracle(seed: int) -> None:
    """Sessions overlap, break and heal, polls come between, clocks go back, levels fall below zero."""
    compare(seed, 2)


@pytest.mark.long
def test_all_readers_agree_with_the_oracle_on_many_more() -> None:
    for seed in range(400):
        compare(seed, 12)
