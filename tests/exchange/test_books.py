"""A book is bids for YES and bids for NO; asks are implied."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.books import Level, OrderBook


def a_book() -> OrderBook:
    book = OrderBook("M")
    book.apply_snapshot(yes=[(4_500, 1_000), (4_600, 500)], no=[(5_000, 700), (5_200, 300)])
    return book


def test_the_best_ask_is_the_best_no_bid_from_the_other_side() -> None:
    """A NO bid of 300 at $0.52 is an offer of 300 YES at $0.48."""
    assert a_book().best_bid() == Level(4_600, 500)
    assert a_book().best_no_bid() == Level(5_200, 300)
    assert a_book().best_ask() == Level(4_800, 300)


def test_both_sides_are_walked_best_first() -> None:
    assert list(a_book().bids()) == [(4_600, 500), (4_500, 1_000)]
    assert list(a_book().asks()) == [(4_800, 300), (5_000, 700)]


def test_an_empty_side_has_no_price() -> None:
    """Not $0 and not $1: nobody is there (KALSHI.md §12.8)."""
    book = OrderBook("M")
    assert book.best_bid() is None
    assert book.best_ask() is None
    assert book.total_centi() == 0


def test_a_level_at_or_below_zero_is_gone() -> None:
    book = a_book()
    assert book.apply_delta("yes", 4_600, -500) == 0
    assert book.best_bid() == Level(4_500, 1_000)
    assert book.apply_delta("yes", 4_500, -1_200) == -200
    assert book.best_bid() is None


def test_a_snapshot_replaces_everything() -> None:
    book = a_book()
    book.apply_snapshot(yes=[], no=[(100, 1)])
    assert book.best_bid() is None
    assert book.total_centi() == 1


@given(st.dictionaries(st.integers(1, 9_999), st.integers(1, 10**9)))
def test_deltas_from_nothing_build_the_same_book_as_a_snapshot(levels: dict[int, int]) -> None:
    by_snapshot, by_deltas = OrderBook("M"), OrderBook("M")
    by_snapshot.apply_snapshot(yes=levels.items(), no=())
    for price_cc, count_centi in levels.items():
        by_deltas.apply_delta("yes", price_cc, count_centi)
    assert by_snapshot == by_deltas
    assert by_snapshot.levels("yes") == sorted(levels.items())
