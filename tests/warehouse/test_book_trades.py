"""Pairs of trades and changes: the rule, its border, and that no pairing has more pairs."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.book_trades import PRINTS, TradeMatcher, matched

Print = tuple[int, bool, str, int, int]


def prints(*told: Print) -> pl.DataFrame:
    """Lay out (line, is_trade, side, price_cc, count_centi)."""
    return pl.DataFrame(list(told), schema=PRINTS, orient="row")


def most_pairs(told: pl.DataFrame, within: int) -> int:
    """Return how many pairs there can be at most: augmenting paths, tried one by one."""
    trades = told.filter("is_trade").rows()
    changes = told.filter(~pl.col("is_trade")).rows()
    taken: dict[int, int] = {}

    def placed(trade: int, tried: set[int]) -> bool:
        for number, change in enumerate(changes):
            fits = change[2:] == trades[trade][2:] and abs(change[0] - trades[trade][0]) <= within
            if fits and number not in tried:
                tried.add(number)
                if number not in taken or placed(taken[number], tried):
                    taken[number] = trade
                    return True
        return False

    return sum(placed(number, set()) for number in range(len(trades)))


def test_a_trade_is_paired_with_a_change_of_its_level_and_size() -> None:
    """Before or after it; not with another side, price or size, nor with one that added as much."""
    change, trade = (3, False, "yes", 4_000, 500), (4, True, "yes", 4_000, 500)
    assert matched(prints(change, trade)).rows() == [(4, 3)]
    assert matched(prints((3, *trade[1:]), (4, *change[1:]))).rows() == [(3, 4)]
    for other in (("no", 4_000, 500), ("yes", 4_100, 500), ("yes", 4_000, 499), ("yes", 4_000, -500)):
        assert matched(prints((3, False, *other), trade)).is_empty()


def test_a_change_is_used_once_and_sixty_rows_are_the_most() -> None:
    level = ("yes", 4_000, 500)
    assert matched(prints((1, False, *level), (2, True, *level), (3, True, *level))).rows() == [(2, 1)]
    assert matched(prints((1, False, *level), (61, True, *level))).height == 1
    assert matched(prints((1, False, *level), (62, True, *level))).is_empty()


PRINT = st.tuples(st.booleans(), st.sampled_from(["yes", "no"]), st.just(4_000), st.sampled_from([100, 200]))


@settings(max_examples=50)
@given(st.lists(PRINT, max_size=24), st.integers(1, 5), st.integers(1, 9))
def test_no_pairing_has_more_pairs_and_parts_count_as_the_whole_does(
    told: list[tuple[bool, str, int, int]], within: int, part: int
) -> None:
    """The earliest free change, against a search of all; fed in parts of any length."""
    rows = prints(*((line, *each) for line, each in enumerate(told, 2)))
    most = most_pairs(rows, within)
    assert matched(rows, within_rows=within).height == most
    matcher = TradeMatcher(within)
    for first in range(0, rows.height, part):
        matcher.feed(rows.slice(first, part))
    matcher.feed(rows.clear(), is_last=True)
    assert (matcher.n_trades, matcher.n_matched) == (rows["is_trade"].sum(), most)
