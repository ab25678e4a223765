"""What checks of recorded books call wrong, what they explain, and that they look at a day once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.warehouse import book_defects as books
from tests.warehouse.catalogs import Row, lake_of
from tests.warehouse.rows import a_delta, a_gap, a_market, a_quote, a_snapshot, at, frame
from warehouse import Lake
from warehouse.checks import Finding, run_checks
from warehouse.checks.book_checks import BOOK_CHECKS
from warehouse.tables import BOOK_DELTAS


def found(lake: Lake, *names: str, keep: bool = False) -> dict[str, Finding]:
    return {each.check.name: each for each in run_checks(lake, names, keep=keep).findings}


def classes(lake: Lake, name: str) -> Mapping[str, int]:
    (finding,) = run_checks(lake, [name], keep=False).findings
    return finding.classes


def test_a_sound_recording_is_found_sound(tmp_path: Path) -> None:
    """Ten minutes, a change a second, ended as it should be: 600 s known, 11 minutes with changes."""
    names = [each.name for each in BOOK_CHECKS]
    findings = found(lake_of(tmp_path, **books.a_recording("KXA-1")), *names)
    told = {name: dict(each.classes) for name, each in findings.items()}
    assert told == {
        "book_coverage": {"ok": 600},
        "book_ends": {"ok": 1},
        "book_quotes": {},
        "book_trades": {},
        "book_states": {"ok": 1},
        "book_clocks": {"ok": 10, "too_few": 1},
    }


def test_seconds_are_counted_by_why_the_book_was_unknown(tmp_path: Path) -> None:
    """20 s of changes before the first book, 5 s in a hole, 30 s after the end of the only session."""
    lake = lake_of(
        tmp_path,
        markets=[a_market(open_ts=at(-20), close_ts=at(100))],
        book_snapshots=[
            a_snapshot(),
            a_snapshot(9, captured_ts=at(25)),
            a_snapshot(session="s2", captured_ts=at(90)),
        ],
        book_deltas=[
            a_delta(1, event_ts=at(-20), received_ts=at(-20), session="s0"),
            a_delta(9, event_ts=at(200), received_ts=at(200), session="s2"),
        ],
        book_gaps=[
            a_gap(5, from_ts=at(20), until_ts=at(25), is_recovered=True),
            a_gap(10, from_ts=at(60), cause="stalled"),
            a_gap(10, from_ts=at(200), cause="session_end", session="s2"),
        ],
    )
    assert classes(lake, "book_coverage") == {"not_recorded": 20, "ok": 65, "broken": 5, "stalled": 30}


def test_markets_of_which_no_whole_book_was_recorded_decide_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, book_deltas=[a_delta(1), a_delta(31)])
    finding = found(lake, "book_coverage")["book_coverage"]
    assert (finding.classes, finding.status) == ({"no_book": 30}, "nothing")


def test_a_recording_that_goes_on_needs_no_end_yet(tmp_path: Path) -> None:
    """An hour after the last that was heard of it, it does."""
    rows = books.a_recording("KXA-1")
    lake = lake_of(tmp_path, book_snapshots=rows["book_snapshots"], book_deltas=rows["book_deltas"])
    assert classes(lake, "book_ends") == {"running": 1}
    later = books.a_recording("KXA-2", start_s=3_602)["book_deltas"]
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *later))
    assert classes(lake, "book_ends") == {"flagged": 1, "running": 1}


@pytest.mark.parametrize(("lasts_s", "kind"), [(0.9, "crossed_briefly"), (1.0, "flagged")])
def test_a_book_may_be_crossed_for_less_than_a_second(tmp_path: Path, lasts_s: float, kind: str) -> None:
    """One state before, one that is crossed, one after."""
    crossing = {"side": "no", "price_cc": 5_600}
    rows: list[Row] = [
        a_delta(2, **crossing, delta_centi=100),
        a_delta(3, **crossing, delta_centi=-100, event_ts=at(2 + lasts_s), received_ts=at(2 + lasts_s)),
    ]
    lake = lake_of(tmp_path, book_snapshots=[a_snapshot()], book_deltas=rows)
    assert classes(lake, "book_states") == {"ok": 2, kind: 1}


def test_a_few_messages_may_differ_and_more_are_flagged_with_the_kinds_of_all(tmp_path: Path) -> None:
    """Two of ten are a size off; the third makes them an alarm."""
    quotes = [
        a_quote(n, bid_size_centi=999 if n > 8 else 1_000, ask_cc=5_100 if n == 1 else 5_000)
        for n in range(1, 11)
    ]
    rows: dict[str, list[Row]] = {
        "book_snapshots": [a_snapshot()],
        "book_deltas": [a_delta(60, price_cc=100)],
    }
    few = lake_of(tmp_path / "few", **rows, quotes=quotes[1:])
    assert classes(few, "book_quotes") == {"ok": 7, "sizes": 2}
    more = found(lake_of(tmp_path / "more", **rows, quotes=quotes), "book_quotes")["book_quotes"]
    assert more.classes == {"ok": 7, "flagged": 3}
    (example,) = more.examples
    assert example.place == "KXA-1, session s1"
    assert example.expected == "the top that the exchange told for at least 99.5 % of 10"
    assert example.found.startswith(
        "2 sizes, 1 one_side; for example bid $0.4500 x 9.99 contracts, ask $0.5000 x 30.00 contracts at "
    )


def test_a_day_is_looked_at_again_when_its_files_have_changed(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, **books.a_recording("KXA-1"))
    both = ("book_quotes", "book_states")
    assert dict(found(lake, *both, keep=True)["book_states"].classes) == {"ok": 1}
    assert dict(found(lake, *both)["book_states"].classes) == {"unchanged": 600}
    more = a_delta(900, session="KXA-1", price_cc=200, event_ts=books.NOON, received_ts=books.NOON)
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, more))
    assert "unchanged" not in found(lake, *both)["book_states"].classes


def test_what_was_flagged_is_looked_at_again_whatever_changed(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, **books.a_recording_that_takes_too_much("KXA-1"))
    both = ("book_quotes", "book_states")
    for _ in range(2):
        assert found(lake, *both, keep=True)["book_states"].status == "failed"
