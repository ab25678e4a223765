"""`book_coverage(series)`: spans by hand, and against the books themselves on made-up recordings."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from tests.warehouse.catalogs import Row, asked, lake_of, opened
from tests.warehouse.rows import a_delta, a_gap, a_market, a_snapshot, at
from warehouse import Lake
from warehouse.rebuilding.speaking import NOT_RECORDED

COVERAGE = "from book_coverage('KX')"
SHARES = ("known", "known_ws", "known_import", "known_rest")


def a_life(**changes: object) -> Row:
    """Return a market that is open for 100 s from noon on."""
    return a_market(open_ts=at(0), close_ts=at(100)) | changes


def an_end(from_seq: int, seconds: float, **changes: object) -> Row:
    return a_gap(from_seq, to_seq=None, from_ts=at(seconds), cause="session_end") | changes


def a_poll(seconds: float, **changes: object) -> Row:
    return a_snapshot(None, session="p", captured_ts=at(seconds)) | changes


def told(lake: Lake) -> list[Row]:
    with opened(lake) as connection:
        return asked(connection, COVERAGE)


def pieces(row: Row) -> list[tuple[datetime, datetime, str]]:
    return [(each["start_ts"], each["end_ts"], each["cause"]) for each in row["unknown"]]


def test_streams_are_known_outside_their_gaps_and_polls_where_no_stream_is(tmp_path: Path) -> None:
    """Recorded from 10 to 90: 40 s by the stream, 20 s by the polls at 70 and 90, so 60 of 80 s."""
    lake = lake_of(
        tmp_path,
        markets=[a_life()],
        book_snapshots=[
            a_snapshot(1, captured_ts=at(10)),
            a_snapshot(6, captured_ts=at(40)),
            a_poll(50),
            a_poll(70),
            a_poll(90),
        ],
        book_deltas=[a_delta(7, event_ts=at(60), received_ts=at(60))],
        book_gaps=[a_gap(5, from_ts=at(30), until_ts=at(40), is_recovered=True), an_end(8, 60)],
    )
    (row,) = told(lake)
    assert (row["from_ts"], row["until_ts"]) == (at(10), at(90))
    assert [row[each] for each in SHARES] == [0.75, 0.5, 0, 0.25]
    assert pieces(row) == [(at(30), at(40), "hole"), (at(60), at(70), "session_end")]
    assert (row["n_unknown"], row["longest_unknown"]) == (2, timedelta(seconds=10))


def test_a_market_counts_while_it_is_open_and_each_day_for_itself(tmp_path: Path) -> None:
    """Open from 23:59:00 to 00:02:00, recorded from 23:58 on, lost at 00:01."""
    midnight_s = 12 * 3_600
    lake = lake_of(
        tmp_path,
        markets=[a_life(open_ts=at(midnight_s - 60), close_ts=at(midnight_s + 120))],
        book_snapshots=[a_snapshot(1, captured_ts=at(midnight_s - 120))],
        book_deltas=[a_delta(9, event_ts=at(midnight_s + 300), received_ts=at(midnight_s + 300))],
        book_gaps=[a_gap(2, from_ts=at(midnight_s + 60))],
    )
    second, first = told(lake)
    assert [str(first["day"]), str(second["day"])] == ["2026-05-13", "2026-05-14"]
    assert (first["from_ts"], first["until_ts"]) == (at(midnight_s - 60), at(midnight_s))
    assert (second["from_ts"], second["until_ts"]) == (at(midnight_s), at(midnight_s + 120))
    assert (first["known"], second["known"]) == (1, 0.5)
    assert pieces(first) == []
    assert pieces(second) == [(at(midnight_s + 60), at(midnight_s + 120), "hole")]


def test_another_session_fills_the_gap_and_the_last_cause_counts(tmp_path: Path) -> None:
    """s1 breaks at 20 and ends at 30; s2 begins at 50: unknown for 30 s, first for the hole, then the end."""
    lake = lake_of(
        tmp_path,
        markets=[a_life()],
        book_snapshots=[
            a_snapshot(1),
            a_snapshot(1, session="s2", captured_ts=at(50), method="import"),
        ],
        book_deltas=[a_delta(9, session="s2", event_ts=at(100), received_ts=at(100))],
        book_gaps=[a_gap(5, from_ts=at(20)), an_end(9, 30), an_end(10, 100, session="s2")],
    )
    (row,) = told(lake)
    assert [row[each] for each in SHARES] == [0.7, 0.2, 0.5, 0]
    assert pieces(row) == [(at(20), at(30), "hole"), (at(30), at(50), "session_end")]


def test_the_end_of_a_recording_that_has_grown_is_none(tmp_path: Path) -> None:
    """Its next number came; were numbers missing, the book would be unknown until it was heard again."""
    rows = {"markets": [a_life()], "book_snapshots": [a_snapshot(1)]}
    grown = lake_of(
        tmp_path / "grown", **rows, book_deltas=[a_delta(5), a_delta(40)], book_gaps=[an_end(5, 4)]
    )
    torn = lake_of(tmp_path / "torn", **rows, book_deltas=[a_delta(40)], book_gaps=[an_end(5, 4)])
    assert [(row["known"], pieces(row)) for row in told(grown)] == [(1, [])]
    assert [(row["known"], pieces(row)) for row in told(torn)] == [(0.1, [(at(4), at(40), "session_end")])]


def test_changes_without_a_whole_book_tell_none(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, markets=[a_life()], book_deltas=[a_delta(2), a_delta(12)])
    assert [(row["known"], pieces(row)) for row in told(lake)] == [(0, [(at(2), at(12), NOT_RECORDED)])]


def made_up(random: Random) -> dict[str, list[Row]]:
    """Return two recorded sessions and polls of one market within 100 s, with gaps that heal or do not."""
    rows: dict[str, list[Row]] = {"book_snapshots": [], "book_deltas": [], "book_gaps": []}
    for session in ("s1", "s2"):
        seconds = sorted(random.sample(range(100), 8))
        of: dict[str, Any] = {"session": session}
        rows["book_snapshots"].append(a_snapshot(1, captured_ts=at(seconds[0]), **of))
        seq = 2
        for second in seconds[1:-1]:
            kind = random.choice(["delta", "delta", "hole", "lost"])
            if kind == "delta":
                rows["book_deltas"].append(a_delta(seq, event_ts=at(second), received_ts=at(second), **of))
            elif kind == "hole":
                gap = a_gap(seq, from_ts=at(second), until_ts=at(second + 0.5), is_recovered=True, **of)
                rows["book_gaps"].append(gap)
                rows["book_snapshots"].append(a_snapshot(seq + 1, captured_ts=at(second + 0.5), **of))
            else:
                rows["book_gaps"].append(a_gap(seq, from_ts=at(second), **of))
            seq += 2
        rows["book_gaps"].append(an_end(seq, seconds[-1], **of))
    polled = sorted(random.sample(range(100), random.randrange(6)))
    for seq, (second, following) in enumerate(zip(polled, [*polled, None][1:], strict=True)):
        rows["book_snapshots"].append(a_poll(second + 0.25, sid=1, seq=seq))
        if random.random() < 0.3:  # the next one fails
            until_ts = None if following is None else at(following + 0.25)
            missed: dict[str, Any] = {"from_ts": at(second + 0.25), "until_ts": until_ts}
            rows["book_gaps"].append(a_gap(seq + 1, session="p", cause="missed_poll", **missed))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_same_is_known_as_of_the_books_themselves(tmp_path: Path, seed: int) -> None:
    """The sum of the pieces in which `Lake.books` knows the book, over what was recorded of the market."""
    lake = lake_of(tmp_path, markets=[a_life()], **made_up(Random(seed)))
    (row,) = told(lake)
    books = lake.books("KXA-1", row["from_ts"], row["until_ts"]).collect()
    lasts = books["ts"].shift(-1).fill_null(row["until_ts"]) - books["ts"]
    known = lasts.filter(books["is_known"]).sum() / (row["until_ts"] - row["from_ts"])
    assert row["known"] == pytest.approx(known, abs=1e-6)
    is_unknown = pl.Series([False])
    for start_ts, end_ts, _ in pieces(row):
        inside = books.filter(pl.col("ts").is_between(start_ts, end_ts, closed="none"))
        is_unknown.append(~inside["is_known"])
    assert is_unknown.slice(1).all()
