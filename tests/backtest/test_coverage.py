"""For what share of its time there was anything to fill against in a market."""

import pytest

import backtest as bt
from backtest.metrics import known_time
from backtest.results import Run
from tests.backtest.worlds import MemoryLake, a_gap, a_lake, a_market, a_quote, a_snapshot, at, replayed

DAY = 86_400
ORDER = (1, "A", bt.buy_yes(1))
US = 1e-6 / 1_000  # the last instant before a gap is known: one microsecond of 1,000 s


def known_share(run: Run) -> float:
    """Return the share of the one market, which is that of the whole run as well."""
    (share,) = run.coverage["known_share"]
    assert known_time(run.coverage)["known_share"] == pytest.approx(share)
    return float(share)


def booked(from_s: float) -> MemoryLake:
    """A book recorded from some second on, with a hole from 100 to 900 s; open from 0 to 1,000 s."""
    yes, no = {4_900: 1_000}, {5_000: 1_000}
    return a_lake(
        markets=[a_market()],
        book_snapshots=[a_snapshot(from_s, yes=yes, no=no), a_snapshot(900, yes=yes, no=no, seq=9)],
        book_gaps=[a_gap(100, from_seq=5, until=900)],
    )


@pytest.mark.parametrize("from_s", [-1_000, -1, 0])
def test_what_was_recorded_before_the_opening_does_not_count(from_s: float) -> None:
    """0 to 100 and 900 to 1,000 s are 200 of 1,000 s, whenever the recording began."""
    assert known_share(replayed(booked(from_s), ORDER, fills="book")) == pytest.approx(0.2 + US)


def test_a_recording_that_ended_before_the_opening_tells_nothing() -> None:
    """Recorded from -1,000 to -500 s, and again from 750 s on: a quarter."""
    lake = a_lake(
        markets=[a_market()],
        quotes=[a_quote(-1_000, 4_900, 5_000), a_quote(750, 4_900, 5_000, session="t")],
        book_gaps=[a_gap(-500, from_seq=2, cause="session_end")],
    )
    assert known_share(replayed(lake, ORDER)) == 0.25


def test_a_quote_of_before_the_opening_counts_for_what_is_left_of_its_time() -> None:
    """It stands from -3 s for 10 s: 7 of 1,000 s."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(-3, 4_900, 5_000)])
    assert known_share(replayed(lake, ORDER, max_age="10s")) == 0.007


@pytest.mark.parametrize(("seen_s", "days"), [(DAY, 1), (2 * DAY, 2), (-1, 0.5), (200 * DAY, 100)])
def test_nobody_knows_what_is_to_come(seen_s: float, days: float) -> None:
    """Open for 100 days: known until the market was last seen, or until its last quote, after 12 hours."""
    lake = a_lake(
        markets=[a_market(close_ts=at(100 * DAY), observed_ts=at(seen_s))],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(DAY / 2, 4_900, 5_000)],
    )
    assert known_share(replayed(lake, ORDER)) == days / 100


def test_without_a_close_on_record_the_last_event_is_the_end() -> None:
    """Recorded from 0 to 20 s, and with quotes at 40 and 50 s: 30 of 50 s."""
    later = [a_quote(each, 4_900, 5_000, session="t") for each in (40, 50)]
    lake = a_lake(
        markets=[a_market(close_ts=None)],
        quotes=[a_quote(0, 4_900, 5_000), *later],
        book_gaps=[a_gap(20, from_seq=2, cause="session_end")],
    )
    assert known_share(replayed(lake, ORDER)) == pytest.approx(0.6)
