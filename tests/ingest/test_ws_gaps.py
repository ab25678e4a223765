"""Where a recorded stream broke, what that blinds, and until when."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.import_ws import import_ws
from tests.ingest.made_files import Recorder
from warehouse import Lake
from warehouse.tables import BOOK_GAPS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
A, B, C = "KXA-1-Y", "KXB-1-Y", "KXC-1-Y"


def gaps_of(recorder: Recorder, tmp_path: Path) -> list[dict[str, Any]]:
    """Import a recording and return its gaps but for the end of its session, in order."""
    lake = Lake(tmp_path / "lake")
    import_ws(lake, [recorder.write(tmp_path / "rec.jsonl")], observed_ts=NOW)
    rows = lake.scan(BOOK_GAPS).sort("from_seq").collect().iter_rows(named=True)
    return [row for row in rows if row["cause"] != "session_end"]


def at_ms(gap: dict[str, Any], name: str, recorder: Recorder) -> int | None:
    """Return a time of a gap as line number: the recorder writes a line a millisecond."""
    start_ms = recorder.at_ms - len(recorder.lines)
    at: datetime | None = gap[name]
    return None if at is None else round(at.timestamp() * 1_000) - start_ms


def test_an_unbroken_stream_has_only_its_end(tmp_path: Path) -> None:
    """After the last frame nobody knows the book: from the next number on, for good."""
    recorder = Recorder()
    recorder.snapshot(1, A)
    recorder.delta(2, A)
    lake = Lake(tmp_path / "lake")
    import_ws(lake, [recorder.write(tmp_path / "rec.jsonl")], observed_ts=NOW)
    (end,) = lake.scan(BOOK_GAPS).collect().iter_rows(named=True)
    assert (end["cause"], end["from_seq"], end["to_seq"], end["tickers"]) == ("session_end", 3, None, [A])
    assert (at_ms(end, "from_ts", recorder), end["until_ts"], end["is_recovered"]) == (2, None, False)


def test_confirmations_and_snapshots_consume_numbers_too(tmp_path: Path) -> None:
    """One counter over all frames and markets of a sid: per market there would seem to be holes."""
    recorder = Recorder()
    recorder.subscribed()
    recorder.snapshot(1, A)
    recorder.frame("ok", 2, market_tickers=[A, B])
    recorder.snapshot(3, B)
    recorder.delta(4, A)
    recorder.delta(5, B)
    recorder.ticker()
    recorder.delta(6, A)
    assert gaps_of(recorder, tmp_path) == []


@pytest.mark.parametrize(("ahead_ms", "causes"), [(86_399_000, []), (86_401_000, ["bad_frame"])])
def test_a_change_of_the_next_day_is_none_and_delays_nothing(
    tmp_path: Path, ahead_ms: int, causes: list[str]
) -> None:
    """Nothing is known before what came before it: a time of next year would hide all that follows."""
    recorder = Recorder()
    recorder.snapshot(1, A)
    change: dict[str, Any] = {
        "market_ticker": A,
        "price_dollars": "0.4000",
        "delta_fp": "1.00",
        "side": "yes",
    }
    recorder.frame("orderbook_delta", 2, **change, ts_ms=recorder.at_ms + ahead_ms)
    recorder.snapshot(3, A)
    assert [gap["cause"] for gap in gaps_of(recorder, tmp_path)] == causes
    known_ts = Lake(tmp_path / "lake").book_events([A]).snapshots["known_ts"].to_list()[-1]
    is_late = known_ts.timestamp() * 1_000 - recorder.at_ms > 1_000
    assert is_late == (causes == [])


def test_a_hole_blinds_every_market_of_its_sid_until_the_markets_own_snapshot(tmp_path: Path) -> None:
    """Numbers 4 and 5 are missing. A is back with number 7, B with 8, C never."""
    recorder = Recorder()
    recorder.snapshot(1, A)  # line 1
    recorder.snapshot(2, B)
    recorder.snapshot(3, C)  # line 3: the last thing before the hole
    recorder.delta(6, A)
    recorder.snapshot(7, A)  # line 5
    recorder.snapshot(8, B)  # line 6
    recorder.delta(9, C)
    gaps = gaps_of(recorder, tmp_path)
    assert [(gap["from_seq"], gap["to_seq"], gap["tickers"], gap["is_recovered"]) for gap in gaps] == [
        (4, 5, [A, B, C], True),
        (7, None, [B, C], True),
        (8, None, [C], False),
    ]
    times = [(at_ms(gap, "from_ts", recorder), at_ms(gap, "until_ts", recorder)) for gap in gaps]
    assert times == [(3, 5), (5, 6), (6, None)]
    assert {gap["cause"] for gap in gaps} == {"hole"}
    # Neither end of a gap belongs to it: without an overlap B would be known at the instant of A's snapshot.
    assert [later["from_ts"] < gap["until_ts"] for gap, later in pairwise(gaps)] == [True, True]


def test_a_hole_blinds_no_market_of_another_sid(tmp_path: Path) -> None:
    """Each subscription has its own numbers."""
    recorder = Recorder()
    recorder.snapshot(1, A, sid=2)
    recorder.snapshot(1, B, sid=3)
    recorder.delta(9, A, sid=2)
    recorder.delta(2, B, sid=3)
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["sid"], gap["tickers"], gap["from_seq"], gap["to_seq"]) == (2, [A], 2, 8)


def test_the_snapshot_that_ends_a_hole_may_be_the_first_frame_after_it(tmp_path: Path) -> None:
    """A recorder dropped its deltas: snapshot 1, then the empty book at 9471, both good."""
    recorder = Recorder()
    recorder.snapshot(1, A, yes=[("0.4000", "1.00")])
    recorder.snapshot(9_471, A)
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["from_seq"], gap["to_seq"], gap["is_recovered"]) == (2, 9_470, True)
    assert (at_ms(gap, "from_ts", recorder), at_ms(gap, "until_ts", recorder)) == (1, 2)


def test_a_line_of_garbage_is_a_hole_where_it_had_a_number(tmp_path: Path) -> None:
    """Whatever number 2 was, it is lost."""
    recorder = Recorder()
    recorder.snapshot(1, A)
    recorder.garbage("{")
    recorder.delta(3, A)
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["cause"], gap["from_seq"], gap["to_seq"], gap["until_ts"]) == ("hole", 2, 2, None)


def test_a_frame_that_cannot_be_read_blinds_its_own_market_only(tmp_path: Path) -> None:
    """Its number is there, so there is no hole; A's book is unknown until A's next snapshot, B's is known."""
    recorder = Recorder()
    recorder.snapshot(1, A)
    recorder.snapshot(2, B)
    recorder.delta(3, A, price="cheap")  # line 3
    recorder.delta(4, B)
    recorder.snapshot(5, A)  # line 5
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["cause"], gap["from_seq"], gap["to_seq"], gap["tickers"]) == ("bad_frame", 3, 3, [A])
    assert (at_ms(gap, "from_ts", recorder), at_ms(gap, "until_ts", recorder)) == (3, 5)


def test_a_frame_without_a_market_blinds_all_markets_of_its_sid(tmp_path: Path) -> None:
    """Nobody can tell whose book it changed."""
    recorder = Recorder()
    recorder.snapshot(1, A)
    recorder.snapshot(2, B)
    recorder.frame("orderbook_delta", 3, price_dollars=0.4)
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["cause"], gap["tickers"], gap["is_recovered"]) == ("bad_frame", [A, B], False)


def test_a_market_whose_deltas_come_before_its_snapshot_is_unknown_until_then(tmp_path: Path) -> None:
    """The recording joins in the middle, at number 50: no hole, but no book of A either."""
    recorder = Recorder()
    recorder.delta(50, A)  # line 1
    recorder.delta(51, A)
    recorder.snapshot(52, A)  # line 3
    (gap,) = gaps_of(recorder, tmp_path)
    assert (gap["cause"], gap["from_seq"], gap["to_seq"]) == ("no_snapshot", 50, 51)
    assert (at_ms(gap, "from_ts", recorder), at_ms(gap, "until_ts", recorder)) == (1, 3)


def test_a_hole_in_a_subscription_of_many_markets_stays_a_few_rows(tmp_path: Path) -> None:
    """100 markets come back one by one: 32 steps, and those after the 31st count as back with the last."""
    recorder = Recorder()
    for n in range(100):
        recorder.snapshot(n + 1, f"KX-{n:03}")
    for n in range(100):
        recorder.snapshot(n + 102, f"KX-{n:03}")
    gaps = gaps_of(recorder, tmp_path)
    assert len(gaps) == 32
    assert all(gap["is_recovered"] for gap in gaps)
    assert len(gaps[-1]["tickers"]) == 100 - 31


def test_a_gap_lasts_until_the_snapshot_is_known_by_either_clock(tmp_path: Path) -> None:
    """The exchange's clock runs a second ahead: the frame before the snapshot was known a second later.

    Nothing is known before what came before it, so the snapshot in line 3 is not known before then either.
    """
    recorder = Recorder()
    recorder.snapshot(1, A)
    ahead_ms = recorder.at_ms + 1_000
    told: dict[str, Any] = {"market_ticker": A, "price_dollars": "0.4", "delta_fp": "1", "side": "yes"}
    recorder.frame("orderbook_delta", 5, **told, ts_ms=ahead_ms)
    recorder.snapshot(6, A)
    (gap,) = gaps_of(recorder, tmp_path)
    assert (at_ms(gap, "from_ts", recorder), at_ms(gap, "until_ts", recorder)) == (1, 1_001)
    lake = Lake(tmp_path / "lake")
    assert lake.book(A, gap["until_ts"]).levels("yes") == []
