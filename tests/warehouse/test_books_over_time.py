"""Books of many markets over time: rows, instants, depth, anomalies, refusals; computed when collected."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from exchange.errors import UnitError
from tests.warehouse.book_faces import Tables, in_frame, levels_of
from tests.warehouse.rows import a_delta, a_gap, a_snapshot, at, frame
from warehouse import Lake
from warehouse.errors import BadDepth, BookUnknown, NaiveTime, ReversedInterval, UnknownTicker
from warehouse.rebuilding import showing
from warehouse.rebuilding.reading import SIDES
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS

# A snapshot at 0 s (20 YES at .40, 10 at .45; 30 NO at .50, which is an ask of .50), then three changes.
STREAM: Final = Tables(
    [a_snapshot(1)],
    [
        a_delta(2),  # 5 more YES at .45: 15
        a_delta(3, side="no", price_cc=5_200, delta_centi=700),  # 7 NO at .52: the best ask is .48
        a_delta(4, price_cc=4_000, delta_centi=-2_000),  # YES at .40 is gone
    ],
    [a_gap(5, from_ts=at(6), cause="session_end")],
)


def told(tables: Tables, first: float, end: float, ticker: str = "KXA-1", **asked: Any) -> pl.DataFrame:  # noqa: ANN401 - of `books`
    rows = showing.books(tables.lake(), ticker, at(first), at(end), **asked).collect()
    assert rows.schema == showing.BOOKS
    return rows


def seconds(rows: pl.DataFrame) -> list[float]:
    return [(each - at(0)).total_seconds() for each in rows["ts"]]


def test_a_row_for_every_change_and_the_first_at_the_start() -> None:
    """Worked by hand from STREAM; the last instant before the gap is known, the next is not."""
    rows = told(STREAM, -1, 9)
    assert seconds(rows) == [-1, 0, 2, 3, 4, 6.000001]
    assert rows["is_known"].to_list() == [False, True, True, True, True, False]
    assert rows["cause"].to_list() == ["not_recorded", None, None, None, None, "session_end"]
    assert rows["session"].to_list() == [None, "s1", "s1", "s1", "s1", None]
    assert rows["method"].to_list() == [None, "ws", "ws", "ws", "ws", None]
    assert rows["bid_prices_cc"].to_list() == [
        None,
        [4_500, 4_000],
        [4_500, 4_000],
        [4_500, 4_000],
        [4_500],
        None,
    ]
    assert rows["bid_counts_centi"].to_list()[1:4] == [[1_000, 2_000], [1_500, 2_000], [1_500, 2_000]]
    assert rows["ask_prices_cc"].to_list() == [None, [5_000], [5_000], [4_800, 5_000], [4_800, 5_000], None]
    assert rows["ask_counts_centi"].to_list()[3] == [700, 3_000]
    assert rows["anomaly"].null_count() == 6


def test_a_start_between_changes_shows_the_book_as_it_was() -> None:
    rows = told(STREAM, 2.5, 3.5)
    assert seconds(rows) == [2.5, 3]
    assert rows["bid_counts_centi"].to_list() == [[1_500, 2_000], [1_500, 2_000]]


def test_the_end_is_excluded() -> None:
    assert seconds(told(STREAM, 1, 2)) == [1]
    assert seconds(told(STREAM, 1, 2.000001)) == [1, 2]


def test_of_every_length_there_is_the_book_as_it_was_then() -> None:
    """start, start + 1.5 s and so on, before the end; the change of 3 s counts at 3 s."""
    rows = told(STREAM, 0, 4.5, every="1500ms")
    assert seconds(rows) == [0, 1.5, 3]
    assert rows["ask_prices_cc"].to_list() == [[5_000], [5_000], [4_800, 5_000]]
    assert seconds(told(STREAM, 0, 4.500001, every=timedelta(seconds=1.5))) == [0, 1.5, 3, 4.5]
    unknown = told(STREAM, 5, 8, every="1s")
    assert unknown["cause"].to_list() == [None, None, "session_end"]


def test_of_so_many_levels_only_their_changes_make_rows() -> None:
    """The level at .40 is the second: that it goes at 4 s is no change of the best bid."""
    rows = told(STREAM, 0, 5, depth=1)
    assert seconds(rows) == [0, 2, 3]
    assert rows["bid_prices_cc"].to_list() == [[4_500]] * 3
    assert rows["ask_prices_cc"].to_list() == [[5_000], [5_000], [4_800]]


def test_changes_of_one_instant_are_one_row() -> None:
    deltas = [a_delta(seq, event_ts=at(2), received_ts=at(2)) for seq in (2, 3, 4)]
    rows = told(Tables([a_snapshot(1)], deltas), 0, 9)
    assert seconds(rows) == [0, 2]
    assert rows["bid_counts_centi"].to_list()[1] == [2_500, 2_000]


def test_what_comes_between_two_levels_in_one_instant_is_seen() -> None:
    """At 2 s the best bid of .45 goes, which leaves .40, and then .42 comes: that is the best."""
    gone = a_delta(2, price_cc=4_500, delta_centi=-1_000, event_ts=at(2), received_ts=at(2))
    come = a_delta(3, price_cc=4_200, delta_centi=100, event_ts=at(2), received_ts=at(2))
    rows = told(Tables([a_snapshot(1)], [gone, come]), 0, 9, depth=1)
    assert rows["bid_prices_cc"].to_list() == [[4_500], [4_200]]


def test_an_empty_book_is_known_and_has_empty_lists() -> None:
    nothing: dict[str, list[int]] = {name: [] for name in SIDES}
    (row,) = told(Tables([a_snapshot(None, **nothing)]), 1, 2).to_dicts()
    assert (row["is_known"], row["method"], row["bid_prices_cc"], row["ask_counts_centi"]) == (
        True,
        "rest",
        [],
        [],
    )


def test_a_crossed_book_is_shown_and_marked_as_long_as_it_is_crossed() -> None:
    """A NO bid of .55 is an ask of .45, where a YES bid rests: both sides pay $1 together."""
    cross = a_delta(2, side="no", price_cc=5_500, delta_centi=100)
    rows = told(
        Tables([a_snapshot(1)], [cross, a_delta(3, side="no", price_cc=5_500, delta_centi=-100)]), 0, 9
    )
    assert rows["anomaly"].to_list() == [None, "crossed", None]
    assert rows["ask_prices_cc"].to_list()[1] == [4_500, 5_000]


def test_a_level_below_zero_is_gone_and_marked_until_the_next_snapshot() -> None:
    """10 less 12 is a fault; 3 more are 3, not 1; the mark outlives it and a window that begins later."""
    deltas = [a_delta(2, delta_centi=-1_200), a_delta(3, delta_centi=300)]
    tables = Tables([a_snapshot(1), a_snapshot(4, captured_ts=at(4))], deltas)
    rows = told(tables, 0, 9)
    assert rows["anomaly"].to_list() == [None, "negative", "negative", None]
    assert rows["bid_counts_centi"].to_list() == [[1_000, 2_000], [2_000], [300, 2_000], [1_000, 2_000]]
    assert told(tables, 3.5, 4)["anomaly"].to_list() == ["negative"]


def test_strict_refuses_the_first_instant_at_which_a_book_is_unknown() -> None:
    assert told(STREAM, 0, 6.000001, gaps="strict").height == 4
    with pytest.raises(BookUnknown, match=r"KXA-1: unknown at 2026-05-13T12:00:06.000001Z \(session_end\)"):
        told(STREAM, 0, 7, gaps="strict")
    assert told(STREAM, 0, 6.5, every="2s", gaps="strict").height == 4
    with pytest.raises(BookUnknown, match=r"unknown at 2026-05-13T11:59:59Z \(not_recorded\)"):
        told(STREAM, -1, 9, gaps="strict", every="1m")


def test_what_cannot_be_asked_is_refused_at_once() -> None:
    lake = STREAM.lake()
    for error, asked in (
        (UnknownTicker, ("KXB-1", at(0), at(1), {})),
        (ReversedInterval, ("KXA-1", at(1), at(1), {})),
        (NaiveTime, ("KXA-1", at(0).replace(tzinfo=None), at(1), {})),
        (BadDepth, ("KXA-1", at(0), at(1), {"depth": 0})),
        (BadDepth, ("KXA-1", at(0), at(1), {"every": timedelta(0)})),
        (UnitError, ("KXA-1", at(0), at(1), {"every": "soon"})),
    ):
        ticker, start, end, more = asked
        with pytest.raises(error):
            showing.books(lake, ticker, start, end, **more)
    assert showing.books(lake, [], at(0), at(1)).collect().is_empty()


def test_markets_come_in_their_order_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fits into memory or a batch: 1,000 markets at once, seven at a time, rows by threes."""
    names = [f"KXA-{n:04}" for n in range(1_000)]
    polls = [a_snapshot(None, ticker=name, session="p") for name in names]
    deltas = [a_delta(seq, ticker=names[0]) for seq in range(2, 12)]
    tables = Tables([*polls, a_snapshot(1, ticker=names[0])], deltas)
    whole = showing.books(tables.lake(), names[::-1], at(0), at(60)).collect()
    assert whole["ticker"].to_list() == [*[names[0]] * 11, *names[1:]]
    some = names[:9]
    monkeypatch.setattr(showing, "_GROUP_MARKETS", 7)
    monkeypatch.setattr(showing, "_ROWS", 3)
    monkeypatch.setattr(showing, "_LEVELS", 1)
    assert showing.books(tables.lake(), some, at(0), at(60)).collect().equals(whole[:19])
    every = showing.books(tables.lake(), some, at(0), at(60), every="20s")
    assert every.collect()["ts"].to_list() == [at(0), at(20), at(40)] * 9


def test_a_frame_is_lazy_and_its_filters_reach_it(tmp_path: Path) -> None:
    """What is asked for later was already pinned: rows that came since are not in it."""
    lake = Lake(tmp_path)
    for table, rows in ((BOOK_SNAPSHOTS, STREAM.book_snapshots), (BOOK_GAPS, STREAM.book_gaps)):
        lake.commit(table, frame(table, *map(dict, rows)))
    before = lake.books("KXA-1", at(0), at(9))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *map(dict, STREAM.book_deltas)))
    assert before.collect().height == 2
    after = lake.books(["KXA-1"], "2026-05-13T12:00:00Z", at(9))
    assert after.filter(pl.col("ts") > at(2), "is_known").select("ts").collect()["ts"].to_list() == [
        at(3),
        at(4),
    ]
    assert after.head(2).collect().height == 2
    for row in after.collect().iter_rows(named=True):
        if row["is_known"]:
            assert in_frame(row) == levels_of(lake.book("KXA-1", row["ts"]))


def test_whoever_asks_for_no_books_over_time_does_not_wait_for_numba(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    program = (
        "import sys; from warehouse import Lake; lake = Lake(sys.argv[1]); lake.book('KXA-1', sys.argv[2]); "
        "lake.books('KXA-1', sys.argv[2], sys.argv[3]); sys.exit('numba' in sys.modules)"
    )
    moments = [at(seconds).isoformat() for seconds in (0, 1)]
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *moments], check=True)


def test_a_book_can_rest_on_a_snapshot_of_long_ago(tmp_path: Path) -> None:
    """Thirty days lie between what two sessions last told of the whole book; both are found."""
    lake = Lake(tmp_path)
    old = a_snapshot(1, session="s0", yes_prices_cc=[1_000, 2_000], captured_ts=at(0, days=-30))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, old, a_snapshot(1)))
    gone = a_gap(2, to_seq=None, from_ts=at(5), cause="session_end")
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, gone))
    change = a_delta(9, session="s0", price_cc=2_000, event_ts=at(-1), received_ts=at(-1))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, change))
    rows = lake.books("KXA-1", at(1), at(9)).collect()
    assert rows["ticker"].flags["SORTED_ASC"]
    assert rows["session"].to_list() == ["s1", "s0"]
    assert rows["bid_prices_cc"].to_list() == [[4_500, 4_000], [2_000, 1_000]]
    assert rows["bid_counts_centi"].to_list()[1] == [1_500, 2_000]
    assert lake.book("KXA-1", at(8)).levels("yes") == [(1_000, 2_000), (2_000, 1_500)]
