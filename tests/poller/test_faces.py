"""Numbered polls and their gaps, as everybody reads them: one book, books over time, SQL, the backtest."""

from typing import Any, Final

import pytest

from tests.warehouse.book_faces import Tables, by_book, by_books, by_oracle, by_sql, by_tape, catalog
from tests.warehouse.rows import a_gap, at
from tests.warehouse.test_books_priority import A, a_book, a_break, bid


def a_poll(seconds: float, price_cc: int, seq: int) -> dict[str, Any]:
    return a_book(seconds, price_cc, "poll-1", seq=seq, sid=7, method="rest")


def a_miss(
    from_seq: int, from_s: float, to_seq: int | None, until_s: float | None, cause: str
) -> dict[str, Any]:
    return a_gap(
        from_seq,
        session="poll-1",
        sid=7,
        to_seq=to_seq,
        from_ts=at(from_s),
        until_ts=None if until_s is None else at(until_s),
        cause=cause,
        is_recovered=until_s is not None,
    )


# The rows, and the price of the only bid at some seconds; None where nobody knows the book.
CASES: Final[dict[str, tuple[Tables, dict[float, int | None]]]] = {
    "a missed poll blinds from the good one before to the one after": (
        Tables(
            [a_poll(0, 4_000, 1), a_poll(60, 3_000, 2), a_poll(180, 2_000, 4)],
            [],
            [a_miss(3, 60, 3, 180, "missed_poll")],
        ),
        {0: 4_000, 59: 4_000, 60: 3_000, 60.000001: None, 179.999999: None, 180: 2_000, 999: 2_000},
    ),
    "after the end of a run nothing is known": (
        Tables([a_poll(0, 4_000, 1), a_poll(60, 3_000, 2)], [], [a_miss(3, 60, None, None, "session_end")]),
        {59: 4_000, 60: 3_000, 60.000001: None},
    ),
    "after a kill neither, missed polls before it or not": (
        Tables([a_poll(0, 4_000, 1)], [], [a_miss(2, 0, None, None, "killed")]),
        {0: 4_000, 1: None},
    ),
    "where a stream broke, the next poll speaks until it misses": (
        Tables(
            [a_book(0, 4_000), a_poll(10, 3_000, 1), a_poll(70, 2_000, 2), a_poll(190, 1_000, 4)],
            [],
            [a_break(30), a_miss(3, 70, 3, 190, "missed_poll")],
        ),
        {10: 4_000, 30: 4_000, 69: None, 70: 2_000, 71: None, 190: 1_000},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_polls_say_the_same_to_everybody(case: str) -> None:
    """Four readers and an oracle say what was worked out by hand."""
    tables, expected = CASES[case]
    with catalog(tables) as connection:
        for seconds, price_cc in expected.items():
            levels = None if price_cc is None else bid(price_cc)
            told = [face(tables, A, at(seconds)) for face in (by_oracle, by_book, by_books, by_tape)]
            assert told == [levels] * 4, seconds
            assert by_sql(connection, A, at(seconds)) == (levels or []), seconds
