"""Fills against displayed depth: the walk, what stays taken, and when nobody knows the book."""

import polars as pl
import pytest

import backtest as bt
from tests.backtest.worlds import (
    MemoryLake,
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_snapshot,
    assert_conserved,
    replayed,
    settled,
)

# YES asks are NO bids seen from the other side: 10 at .50, 20 at .52.
DEEP = a_snapshot(0, yes={4_800: 1_000}, no={5_000: 1_000, 4_800: 2_000})


def a_book(
    *deltas: dict[str, object], gaps: list[dict[str, object]] | None = None, more: int = 0
) -> MemoryLake:
    """Return a lake with DEEP and changes of it; `more` re-snapshots the same book at that second."""
    again = [a_snapshot(more, yes={4_800: 1_000}, no={5_000: 1_000, 4_800: 2_000}, seq=90)] if more else []
    return a_lake(
        markets=[settled(pays_cc=10_000)],
        book_snapshots=[DEEP, *again],
        book_deltas=deltas,
        book_gaps=gaps or [],
    )


def test_a_large_order_walks_the_book_level_by_level() -> None:
    """Trap 3: 25 = 10 at .50 + 15 at .52; fees .07 x 10 x .25 = .175, .07 x 15 x .2496 = .26208 -> .2621."""
    run = replayed(a_book(), (1, "A", bt.buy_yes(25)), fills="book")
    assert run.fills.select("price_cc", "count_centi", "fee_micros", "evidence").rows() == [
        (5_000, 1_000, 175_000, "book"),
        (5_200, 1_500, 262_100, "book"),
    ]
    assert run.orders["status"].to_list() == ["filled"]
    assert_conserved(run)


def test_a_limit_stops_the_walk_and_depth_ends_it() -> None:
    run = replayed(a_book(), (1, "A", bt.buy_yes(25, limit=5_100)), (2, "A", bt.buy_yes(25)), fills="book")
    assert run.orders.select("filled_centi", "reason").rows() == [
        (1_000, "beyond limit"),
        (2_000, "no size left"),
    ]


def test_selling_walks_the_bids() -> None:
    """NO bought at 1 - .48: the YES bid is its ask."""
    run = replayed(a_book(), (1, "A", bt.buy_no(4, limit=5_200)), fills="book")
    assert run.fills.select("price_cc", "yes_price_cc", "cash_micros").rows() == [(5_200, 4_800, -2_080_000)]


def test_own_fills_stay_consumed() -> None:
    """Traps 3, 7: the 10 at .50 are ours at 2 s; what is added later is free, the rest is gone."""
    lake = a_book(a_delta(5, "no", 5_000, 300, seq=2))
    run = replayed(
        lake,
        *((t, "A", bt.buy_yes(50, limit=5_000)) for t in (1, 3, 6)),
        fills="book",
    )
    assert run.orders["filled_centi"].to_list() == [1_000, 0, 300]


def test_a_level_that_shrinks_shows_less_of_what_we_took() -> None:
    """10 taken of 10; 4 remain displayed, so 4 count as taken; 6 come back and are free."""
    lake = a_book(a_delta(5, "no", 5_000, -600, seq=2), a_delta(6, "no", 5_000, 600, seq=3))
    run = replayed(
        lake, (1, "A", bt.buy_yes(50, limit=5_000)), (8, "A", bt.buy_yes(50, limit=5_000)), fills="book"
    )
    assert run.orders["filled_centi"].to_list() == [1_000, 600]


def test_a_new_snapshot_does_not_give_back_what_we_took() -> None:
    """History never saw our fill, so a snapshot still displays it; forgetting would double the depth."""
    run = replayed(
        a_book(more=5),
        (1, "A", bt.buy_yes(50, limit=5_000)),
        (8, "A", bt.buy_yes(50, limit=5_000)),
        fills="book",
    )
    assert run.orders["filled_centi"].to_list() == [1_000, 0]


def test_fills_of_a_level_never_exceed_what_it_displayed() -> None:
    """Trap 3, conservation: however many orders, 10 at .50 and 20 at .52 are all there is."""
    run = replayed(a_book(), *((t, "A", bt.buy_yes(7)) for t in range(1, 9)), fills="book")
    by_level = run.fills.group_by("price_cc").agg(pl.col("count_centi").sum()).sort("price_cc")
    assert by_level.rows() == [(5_000, 1_000), (5_200, 2_000)]


def test_cancels_alone_fill_nothing() -> None:
    """Trap 5: a bid below the market sees levels vanish, and that is not a trade."""
    lake = a_book(*(a_delta(t, "yes", 4_800, -250, seq=t) for t in range(2, 6)))
    run = replayed(lake, (1, "A", bt.buy_yes(10, limit=4_800, ttl="1h")), fills="book")
    assert run.fills.is_empty()


@pytest.mark.parametrize(("seconds", "reason"), [(2, None), (5, "book unknown"), (12, None)])
def test_a_hole_makes_the_book_unknown_until_the_next_snapshot(seconds: float, reason: str | None) -> None:
    """Trap 17: blind from 4 s on, whatever deltas say, known again at 10 s."""
    lake = a_book(a_delta(5, "no", 5_500, 500, seq=5), gaps=[a_gap(4, from_seq=4, until=10)], more=10)
    run = replayed(lake, (seconds, "A", bt.buy_yes(1)), fills="book")
    assert run.orders["reason"].to_list() == [reason]
    assert run.coverage.select("n_gaps", "n_events").row(0)[0] == 1


def test_the_end_of_a_session_leaves_the_book_unknown() -> None:
    """Trap 17: silence after the last frame, still known at 4 s, is not a steady market."""
    lake = a_book(gaps=[a_gap(4, from_seq=2, cause="session_end")])
    run = replayed(lake, (3, "A", bt.buy_yes(1)), (3.000001, "A", bt.buy_yes(1)), fills="book")
    assert run.orders["reason"].to_list() == [None, "book unknown"]
    assert run.coverage["known_share"].to_list() == [4_000_001 / 1_000_000_000]


def test_a_book_of_limited_depth_fills_nothing() -> None:
    """One level a side was recorded at 2 s: the market goes on in the whole book of 0 s."""
    top = a_snapshot(2, yes={4_800: 1}, no={5_000: 1}, session="vendor", method="import") | {"depth": 1}
    for snapshots, reason in (([DEEP, top], None), ([top], "book unknown")):
        lake = a_lake(markets=[settled(pays_cc=10_000)], book_snapshots=snapshots)
        run = replayed(lake, (3, "A", bt.buy_yes(10)), fills="book")
        assert run.orders["reason"].to_list() == [reason]


def test_before_any_snapshot_the_book_is_unknown() -> None:
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[a_snapshot(5)],
        book_deltas=[a_delta(1, "no", 5_000, 100, seq=0)],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (6, "A", bt.buy_yes(1)), fills="book")
    assert run.orders["reason"].to_list() == ["book unknown", "no size left"]


def test_one_session_at_a_time_the_one_with_the_latest_snapshot() -> None:
    """Trap 17: numbers mean nothing across sessions: t takes over at 3 s and s is not mixed in."""
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[
            a_snapshot(0, no={5_000: 100}, session="s"),
            a_snapshot(3, no={4_000: 100}, session="t"),
        ],
        book_deltas=[
            a_delta(5, "no", 6_000, 700, seq=2, session="s"),
            a_delta(6, "no", 4_000, 50, seq=2, session="t"),
        ],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(9)), (8, "A", bt.buy_yes(9)), fills="book")
    assert run.fills.select("price_cc", "count_centi").rows() == [(5_000, 100), (6_000, 150)]


def test_deltas_take_effect_by_number_even_when_their_clock_is_behind() -> None:
    """The recorder's clock ran ahead: a change of 2 s after a snapshot of 3 s counts from 3 s on."""
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[a_snapshot(3, no={5_000: 100})],
        book_deltas=[a_delta(2, "no", 5_000, 200, seq=2)],
    )
    run = replayed(lake, (1.5, "A", bt.buy_yes(9)), (2, "A", bt.buy_yes(9)), fills="book")
    assert run.orders.select("filled_centi", "reason").rows() == [(0, "book unknown"), (300, "no size left")]


def test_polled_books_serve_markets_without_a_stream() -> None:
    polls = [a_snapshot(t, no={5_000: 100 * t}, method="rest", session="poll") for t in (2, 8)]
    run = replayed(
        a_lake(markets=[a_market()], book_snapshots=polls),
        (3, "A", bt.buy_yes(9)),
        (9, "A", bt.buy_yes(9)),
        fills="book",
    )
    assert run.fills["count_centi"].to_list() == [200, 600]
    streamed = [*polls, a_snapshot(0, no={4_000: 100})]
    run = replayed(
        a_lake(markets=[a_market()], book_snapshots=streamed), (3, "A", bt.buy_yes(9)), fills="book"
    )
    assert run.fills["price_cc"].to_list() == [6_000]


def test_an_order_waits_through_depth_at_its_limit() -> None:
    """A NO bid of .56 appears at 5 s: our .45 bid for YES meets it at its own .45, not at .44."""
    lake = a_book(
        a_delta(4, "yes", 4_800, -1_000, seq=2),
        a_delta(5, "no", 5_600, 400, seq=3),
        a_delta(7, "no", 5_500, 1_000, seq=4),
    )
    run = replayed(lake, (1, "A", bt.buy_yes(10, limit=4_500, ttl="1h")), fills="book")
    assert run.fills.select("price_cc", "count_centi").rows() == [(4_500, 400), (4_500, 600)]


def test_a_crossed_book_fills_nothing() -> None:
    """Trap 12: a NO bid of .56 against a YES bid of .48 is a fault of the data, not money on the street."""
    run = replayed(a_book(a_delta(5, "no", 5_600, 400, seq=2)), (6, "A", bt.buy_yes(1)), fills="book")
    assert run.orders["reason"].to_list() == ["book unknown"]
