"""Books rebuilt from snapshots and deltas, and the moments at which nobody knows them."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.books import Level, OrderBook
from tests.warehouse.rows import a_delta, a_gap, a_snapshot, at, frame
from warehouse import Lake
from warehouse.errors import BookUnknown, UnknownTicker
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS


def a_lake(folder: Path) -> Lake:
    """Make one stream: a snapshot at 0 s (seq 1), deltas 2, 3, 4 at 2 s, 3 s, 4 s."""
    lake = Lake(folder)
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    deltas = (
        a_delta(2),  # 5 more YES at 0.45: 15
        a_delta(3, side="no", price_cc=5_200, delta_centi=700),  # 7 NO at 0.52: the best ask is 0.48
        a_delta(4, price_cc=4_000, delta_centi=-2_000),  # YES at 0.40 is gone
    )
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *deltas))
    return lake


def test_a_book_is_its_last_snapshot_and_the_deltas_since(tmp_path: Path) -> None:
    """Worked by hand, one delta after the other."""
    lake = a_lake(tmp_path)
    assert lake.book("KXA-1", at(0)).best_bid() == Level(4_500, 1_000)
    assert lake.book("KXA-1", at(2)).best_bid() == Level(4_500, 1_500)
    assert lake.book("KXA-1", at(2)).best_ask() == Level(5_000, 3_000)
    assert lake.book("KXA-1", at(3)).best_ask() == Level(4_800, 700)
    assert lake.book("KXA-1", "2026-05-13T12:00:04Z").levels("yes") == [Level(4_500, 1_500)]


def test_a_delta_is_not_known_before_it_was_received(tmp_path: Path) -> None:
    """Happened at 2 s, received at 5 s; what follows in the stream cannot be known earlier either."""
    lake = Lake(tmp_path)
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, a_delta(2, received_ts=at(5)), a_delta(3)))
    assert lake.book("KXA-1", at(4)).best_bid() == Level(4_500, 1_000)
    assert lake.book("KXA-1", at(5)).best_bid() == Level(4_500, 2_000)


def test_there_is_no_book_before_the_first_snapshot(tmp_path: Path) -> None:
    with pytest.raises(BookUnknown, match="KXA-1: no snapshot known at 2026-05-13T11:59:59Z"):
        a_lake(tmp_path).book("KXA-1", at(-1))
    with pytest.raises(UnknownTicker, match="did you mean KXA-1"):
        a_lake(tmp_path).book("KXA-9", at(0))


def test_a_book_of_which_only_some_levels_were_recorded_is_never_taken_for_the_book(tmp_path: Path) -> None:
    """The best level a side at 5 s and 6 s: the whole book is the one of 0 s, and without it nobody knows."""
    top = a_snapshot(None, session="vendor", method="import", depth=1, no_prices_cc=[4_900])
    tops = frame(
        BOOK_SNAPSHOTS, top | {"captured_ts": at(5)}, top | {"captured_ts": at(6), "ticker": "KXA-2"}
    )
    lake = a_lake(tmp_path)
    lake.commit(BOOK_SNAPSHOTS, tops)
    assert lake.book("KXA-1", at(9)) == a_lake(tmp_path / "whole").book("KXA-1", at(9))
    with pytest.raises(
        BookUnknown, match=r"KXA-2: no snapshot known .* only some of its levels were recorded"
    ):
        lake.book("KXA-2", at(9))
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        assert levels_of(connection, 9) == as_levels(lake.book("KXA-1", at(9)))
        query = "select count(*) from book_at('KXA-2', ?::timestamptz)"
        assert connection.execute(query, [at(9)]).fetchall() == [(0,)]
        assert connection.execute(
            "select distinct depth from book_levels where ticker = 'KXA-2'"
        ).fetchall() == [(1,)]


def test_a_gap_blinds_its_books_until_it_is_repaired(tmp_path: Path) -> None:
    """Seq 5 is missing: known at 4 s, unknown after, known again with the snapshot at 9 s (seq 6)."""
    lake = a_lake(tmp_path)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(5, until_ts=at(9), is_recovered=True)))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(6, captured_ts=at(9), no_prices_cc=[5_100])))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, a_delta(7, event_ts=at(10), received_ts=at(10))))
    assert lake.book("KXA-1", at(4)).best_ask() == Level(4_800, 700)
    with pytest.raises(BookUnknown, match=r"the stream was broken \(hole since 2026-05-13T12:00:04Z\)"):
        lake.book("KXA-1", at(8.5))
    assert lake.book("KXA-1", at(9)).best_ask() == Level(4_900, 3_000)
    assert lake.book("KXA-1", at(10)).best_bid() == Level(4_500, 1_500)


def test_the_last_book_of_a_session_can_be_read_and_nothing_after_it(tmp_path: Path) -> None:
    """The recorder's clock lags: the session ended at 3.9 s of it, the last delta came at 4 s."""
    lake = a_lake(tmp_path)
    end = a_gap(5, to_seq=None, from_ts=at(3.9), cause="session_end")
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, end))
    assert lake.book("KXA-1", at(4)).levels("yes") == [Level(4_500, 1_500)]
    with pytest.raises(BookUnknown, match="session_end"):
        lake.book("KXA-1", at(4.1))


def an_end(from_seq: int, seconds: float) -> dict[str, Any]:
    """Return the end of session s1, whose last frame came at `seconds`."""
    return a_gap(from_seq, to_seq=None, from_ts=at(seconds), cause="session_end")


def levels_of(connection: duckdb.DuckDBPyConnection, seconds: float) -> list[tuple[str, int, int]]:
    """Return what the macro says of KXA-1: side, price and count, best bids first."""
    query = "select side, (price * 10000)::int, (contracts * 100)::int from book_at('KXA-1', ?::timestamptz)"
    return connection.execute(query, [at(seconds)]).fetchall()


def as_levels(book: OrderBook) -> list[tuple[str, int, int]]:
    return [(side, *level) for side in ("yes", "no") for level in reversed(book.levels(side))]


@pytest.mark.parametrize("ticker", ["KXA-1", "KXA-2"])
def test_the_end_of_a_recording_that_has_grown_is_no_end(tmp_path: Path, ticker: str) -> None:
    """Imported to seq 4, then again to seq 5: whole at 4.5 s and at 5 s, in whatever market seq 5 came."""
    lake = a_lake(tmp_path)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, an_end(5, 4), an_end(6, 5)))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, a_delta(5, ticker=ticker)))
    assert lake.book_events(["KXA-1"]).gaps["from_seq"].to_list() == [6]
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        for seconds in (4, 4.5, 5):
            book = lake.book("KXA-1", at(seconds))
            has_grown = ticker == "KXA-1" and seconds == 5
            assert book.best_bid() == Level(4_500, 2_000 if has_grown else 1_500)
            assert levels_of(connection, seconds) == as_levels(book)
        assert levels_of(connection, 5.1) == []
    with pytest.raises(BookUnknown, match="session_end since 2026-05-13T12:00:05Z"):
        lake.book("KXA-1", at(5.1))


def test_a_market_that_was_unsubscribed_stays_unknown_though_its_session_goes_on(tmp_path: Path) -> None:
    """Seq 5 came in another market of the subscription: it says nothing of this one."""
    lake = a_lake(tmp_path)
    left = a_gap(5, to_seq=None, from_ts=at(4), cause="unsubscribed", tickers=["KXA-1"])
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, left))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, a_delta(5, ticker="KXA-2")))
    with pytest.raises(BookUnknown, match="unsubscribed since 2026-05-13T12:00:04Z"):
        lake.book("KXA-1", at(5))
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        assert levels_of(connection, 5) == []
        assert levels_of(connection, 4) == as_levels(lake.book("KXA-1", at(4)))


def test_an_end_with_missing_numbers_lasts_until_the_stream_is_heard_again(tmp_path: Path) -> None:
    """Seq 5 and 6 never came, the snapshot of 9 s is seq 7: unknown at 8.9 s, known at 9 s."""
    lake = a_lake(tmp_path)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, an_end(5, 4), an_end(8, 9)))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(7, captured_ts=at(9))))
    assert lake.book_events().gaps.select("from_seq", "until_ts").rows() == [(5, at(9)), (8, None)]
    with pytest.raises(BookUnknown, match="session_end since 2026-05-13T12:00:04Z"):
        lake.book("KXA-1", at(8.9))
    assert lake.book("KXA-1", at(9)).best_bid() == Level(4_500, 1_000)
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        assert levels_of(connection, 8.9) == []
        assert levels_of(connection, 9) == as_levels(lake.book("KXA-1", at(9)))


def test_a_broken_session_gives_way_to_a_sound_one(tmp_path: Path) -> None:
    """Two connections saw the market; at 6 s the first is blind, so the second answers."""
    lake = a_lake(tmp_path)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(5)))
    other = a_snapshot(1, session="s2", captured_ts=at(-5), yes_prices_cc=[100, 200])
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, other))
    assert lake.book("KXA-1", at(4)).best_bid() == Level(4_500, 1_500)
    assert lake.book("KXA-1", at(6)).best_bid() == Level(200, 1_000)
    assert lake.book("KXA-1", at(4), session="s2").best_bid() == Level(200, 1_000)
    with pytest.raises(BookUnknown, match="in session s3"):
        lake.book("KXA-1", at(4), session="s3")


def test_polled_books_need_no_sequence(tmp_path: Path) -> None:
    """Each poll replaces the one before; an empty book is an observation."""
    lake = Lake(tmp_path)
    sides = ("yes_prices_cc", "yes_counts_centi", "no_prices_cc", "no_counts_centi")
    nothing: dict[str, list[int]] = {each: [] for each in sides}
    polls = (
        a_snapshot(None, session="poll"),
        a_snapshot(None, session="poll", captured_ts=at(60), **nothing),
    )
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, *polls))
    assert lake.book("KXA-1", at(59)).total_centi() == 6_000
    assert lake.book("KXA-1", at(60)) == OrderBook("KXA-1")


def test_events_begin_with_the_last_snapshot_before_the_start(tmp_path: Path) -> None:
    """[3 s, 4 s): the snapshot of 0 s as base, the deltas 2 (before the start) and 3, not 4."""
    lake = a_lake(tmp_path)
    old = a_snapshot(1, session="s0", captured_ts=at(-3_600))
    newer = a_snapshot(2, session="s0", captured_ts=at(-1_800))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, old, newer))
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(5), a_gap(1, until_ts=at(-1), session="s0")))
    snapshots, deltas, gaps = lake.book_events(["KXA-1"], at(3), at(4))
    assert snapshots.select("session", "seq").rows() == [("s0", 2), ("s1", 1)]
    assert deltas.select("session", "seq", "known_ts").rows() == [("s1", 2, at(2)), ("s1", 3, at(3))]
    assert gaps.is_empty()
    everything = lake.book_events()
    assert [frame.height for frame in everything] == [3, 3, 2]


def test_gaps_are_told_for_every_market_they_blind(tmp_path: Path) -> None:
    """One hole in a stream of two markets: two rows, sorted by market."""
    lake = a_lake(tmp_path)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(5, tickers=["KXA-2", "KXA-1"])))
    gaps = lake.book_events().gaps
    assert gaps.columns == [
        "ticker", "session", "sid", "from_seq", "to_seq", "from_ts", "until_ts", "cause", "is_recovered",
    ]  # fmt: skip
    assert gaps.select("ticker", "from_ts").rows() == [("KXA-1", at(4)), ("KXA-2", at(4))]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 4), st.integers(-3, 3), st.integers(-2, 3)),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 14),
)
def test_books_equal_a_replay_in_order_of_the_stream(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[bool, int, int, int]], second: int
) -> None:
    """The slow way: take frames in order, stop at the first that is not known yet."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    deltas = [
        a_delta(seq, side="yes" if is_yes else "no", price_cc=level * 100, delta_centi=size * 100,
                received_ts=at(seq + lag))
        for seq, (is_yes, level, size, lag) in enumerate(changes, start=2)
    ]  # fmt: skip
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *deltas))
    expected = OrderBook("KXA-1")
    expected.apply_snapshot([(4_000, 2_000), (4_500, 1_000)], [(5_000, 3_000)])
    for delta in deltas:
        if max(delta["event_ts"], delta["received_ts"]) > at(second):
            break
        expected.apply_delta(delta["side"], delta["price_cc"], delta["delta_centi"])
    assert lake.book("KXA-1", at(second)) == expected
