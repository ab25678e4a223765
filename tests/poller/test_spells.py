"""What is known of a market between its polls, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.poller.polling import next_round
from pipelines.poller.spells import KILLED, SESSION_END, Spell, end_of, gap_rows
from tests.warehouse.rows import at
from warehouse.casting import conform
from warehouse.quarantine import split
from warehouse.tables import BOOK_GAPS

MINUTE_US = 60_000_000


def a_spell() -> Spell:
    return Spell("KXA-1", "poll-1", 3, good_us=0)


def asked(spell: Spell, *minutes: int | None) -> list[tuple[int, int, int, int]]:
    """Poll once for each: had at that minute, or missed; return numbers and minutes of the gaps."""
    gaps = []
    for minute in minutes:
        spell.asked_seq += 1
        if minute is not None and (gap := spell.saw(minute * MINUTE_US, stale_us=3 * MINUTE_US)):
            times = gap["from_ts"] // MINUTE_US, gap["until_ts"] // MINUTE_US
            gaps.append((gap["from_seq"], gap["to_seq"], *times))
    return gaps


def test_polls_without_a_miss_leave_no_gap() -> None:
    assert asked(a_spell(), 1, 2, 3, 6) == []


def test_a_missed_poll_blinds_from_the_poll_before_to_the_one_after() -> None:
    """Had at 1, missed twice, had at 4 and 5, missed, had at 7."""
    assert asked(a_spell(), 1, None, None, 4, 5, None, 7) == [(2, 3, 1, 4), (6, 6, 5, 7)]


def test_the_first_polls_missed_count_from_when_the_market_was_taken_up() -> None:
    assert asked(a_spell(), None, None, 3) == [(1, 2, 0, 3)]


def test_a_poll_far_too_late_leaves_a_number_out() -> None:
    """A machine that slept from 2 to 9: nobody asked, so poll 3 is missing and this is the fourth."""
    spell = a_spell()
    assert asked(spell, 1, 2, 9, 10) == [(3, 3, 2, 9)]
    assert (spell.good_seq, spell.asked_seq) == (5, 5)


def test_a_late_poll_after_a_miss_is_one_gap() -> None:
    assert asked(a_spell(), 1, None, 9, 10) == [(2, 2, 1, 9)]


def test_the_end_begins_with_the_last_good_poll_and_lasts_for_good() -> None:
    spell = a_spell()
    assert spell.ended(SESSION_END) == []
    asked(spell, 1, 2, None)
    (end,) = spell.ended(SESSION_END)
    assert end == end_of("poll-1", 3, "KXA-1", seq=2, at_us=2 * MINUTE_US, cause=SESSION_END)
    assert (end["from_seq"], end["to_seq"], end["until_ts"], end["is_recovered"]) == (3, None, None, False)


def test_gaps_become_rows_of_the_table() -> None:
    end = end_of("poll-1", 3, "KXA-1", seq=2, at_us=int(at().timestamp()) * 1_000_000, cause=KILLED)
    rows = conform(BOOK_GAPS, gap_rows([end]))
    good, rejected = split(BOOK_GAPS, rows, location="here")
    assert (good["from_ts"].to_list(), good["tickers"].to_list(), rejected) == ([at()], [["KXA-1"]], [])
    assert gap_rows([]).is_empty()


@pytest.mark.parametrize(
    ("nth", "elapsed_s", "following"),
    [(0, 3.0, 1), (0, 59.9, 1), (0, 60.0, 1), (0, 61.0, 1), (0, 119.0, 1), (0, 125.0, 2), (4, 900.0, 15)],
)
def test_the_next_round_is_the_next_instant_or_the_last_that_went_by(
    nth: int, elapsed_s: float, following: int
) -> None:
    """Every 60 s. After a round until 125 s, that of 60 s is passed over, that of 120 s begins now."""
    assert next_round(nth, elapsed_s=elapsed_s, every_s=60.0) == following


@given(st.lists(st.floats(0, 500), min_size=1, max_size=20))
def test_rounds_stay_on_the_grid_however_long_they_take(lengths_s: list[float]) -> None:
    """No instant twice, none before its time by the clock."""
    clock_s, nth = 0.0, 0
    for length_s in lengths_s:
        clock_s += length_s
        following = next_round(nth, elapsed_s=clock_s, every_s=60.0)
        assert following > nth
        nth, clock_s = following, max(clock_s, following * 60.0)
        assert clock_s - 60.0 < nth * 60.0 + length_s
