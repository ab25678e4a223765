"""`tapehouse books show`: the ladder in a terminal, and what it says where nobody knows the book."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from exchange.books import Level
from tests.warehouse.rows import a_delta, a_gap, a_market, a_snapshot, at, frame
from tests.warehouse.test_books_priority import CASES
from warehouse import Lake
from warehouse.errors import BookUnknown, NoLake, UnknownTicker
from warehouse.ladder import Ladder, Unknown, ladder
from warehouse.ladder_cli import show
from warehouse.ladder_screen import drawn
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, MARKETS

ROOT = Path(__file__).resolve().parents[2]


def a_lake(folder: Path) -> Lake:
    """Make one stream: a snapshot at 0 s (seq 1), changes at 2 s and 3 s; unknown from 4 s until 9 s."""
    lake = Lake(folder)
    later = a_snapshot(6, captured_ts=at(9), no_prices_cc=[5_100])
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1), later))
    deltas = (
        a_delta(2),  # 5 more YES at 0.45: 15
        a_delta(3, side="no", price_cc=5_200, delta_centi=700),  # 7 NO at 0.52: the best ask is 0.48
        a_delta(4, price_cc=4_000, delta_centi=0 - 2_000),  # YES at 0.40 is gone
    )
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, *deltas))
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(5, until_ts=at(9), is_recovered=True)))
    return lake


def a_ladder(**changes: object) -> Ladder:
    """Return a known book of two levels a side."""
    told: dict[str, Any] = {
        "ticker": "KXA-1",
        "title": None,
        "at_ts": at(3),
        "bids": (Level(4_500, 1_500), Level(4_000, 2_000)),
        "asks": (Level(4_800, 700), Level(5_000, 3_000)),
        "session": "s1",
        "method": "ws",
        "anomaly": None,
        "snapshot_ts": at(),
        "snapshot_seq": 1,
        "n_changes": 2,
        "last_event_ts": at(3),
    }
    return Ladder(**told | changes)


def lines(shown: Ladder, *, depth: int = 10, width: int = 60, is_ascii: bool = False) -> list[str]:
    """Return the picture as plain lines."""
    return [
        each.rstrip() for each in drawn(shown, depth=depth, width=width, is_ascii=is_ascii).plain.split("\n")
    ]


def run(*arguments: str, lake: Path) -> Result:
    """Run the command in this process, errors as they are raised."""
    app = typer.Typer()
    app.command()(show)
    return CliRunner().invoke(app, [*arguments, "--lake", str(lake)], catch_exceptions=False)


def test_a_ladder_has_asks_above_bids_below_and_bars_in_proportion() -> None:
    """Worked by hand: 22 cells are 30 contracts, so 7 are 5 1/8 cells, 15 are 11, 20 are 14 5/8."""
    assert lines(a_ladder()) == [
        "KXA-1 at 2026-05-13T12:00:03Z",
        "",
        "    YES price  contracts  cumulative",
        "ask    0.5000      30.00       37.00  ██████████████████████",
        "ask    0.4800       7.00        7.00  █████▏",
        "    ── spread 0.0300, middle 0.4650 ────────────────────────",
        "bid    0.4500      15.00       15.00  ███████████",
        "bid    0.4000      20.00       35.00  ██████████████▋",
        "",
        "session     s1",
        "method      ws",
        "snapshot    2026-05-13T12:00:00Z (seq 1), 2 changes since",
        "last event  2026-05-13T12:00:03Z, at that moment",
    ]


def test_levels_beyond_the_depth_are_added_up() -> None:
    """One level a side is shown; the one that is not is told with its price and size."""
    shown = lines(a_ladder(bids=(*a_ladder().bids, Level(100, 123_456))), depth=1)
    assert shown[3:8] == [
        "ask 1 more level to 0.5000: 30.00 contracts",
        "ask    0.4800       7.00        7.00  ██████████▎",
        "    ── spread 0.0300, middle 0.4650 ────────────────────────",
        "bid    0.4500      15.00       15.00  ██████████████████████",
        "bid 2 more levels to 0.0100: 1,254.56 contracts",
    ]


def test_a_narrow_terminal_loses_bars_first_and_the_running_total_next() -> None:
    """36 columns hold three numbers, 43 no bar of 6 yet, 44 one; 35 hold two numbers."""
    assert lines(a_ladder(), width=44)[3] == "ask    0.5000      30.00       37.00  ██████"
    for width in (43, 36):
        assert lines(a_ladder(), width=width)[3] == "ask    0.5000      30.00       37.00"
    assert lines(a_ladder(), width=35)[2:4] == ["    YES price  contracts", "ask    0.5000      30.00"]


def test_a_terminal_without_unicode_gets_other_bars() -> None:
    shown = "\n".join(lines(a_ladder(), is_ascii=True))
    assert shown.isascii()
    assert "ask    0.4800       7.00        7.00  #####\n" in shown
    assert "    -- spread 0.0300" in shown


@pytest.mark.parametrize(
    ("changes", "middle"),
    [
        ({"bids": (), "asks": ()}, "no asks and no bids"),
        ({"bids": ()}, "no bids"),
        ({"asks": ()}, "no asks"),
        ({"bids": (Level(4_900, 100),)}, "spread -0.0100, middle 0.4850"),
        ({"bids": (Level(4_799, 100),)}, "spread 0.0001, middle 0.479950"),
    ],
)
def test_the_line_between_tells_what_is_missing_crossed_or_between_two_ticks(
    changes: dict[str, Any], middle: str
) -> None:
    (told,) = [each for each in lines(a_ladder(**changes)) if each.startswith("    ──")]
    assert told.strip("─ ") == middle


def test_an_anomaly_is_said_in_words() -> None:
    shown = lines(a_ladder(bids=(Level(4_900, 100),), anomaly="crossed"))
    assert shown[-1].startswith("crossed: somebody bids as much as somebody asks")
    assert lines(a_ladder(anomaly="negative"))[-1].startswith("negative: more was taken from a level")


@given(
    levels=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 10**9)), max_size=30),
    width=st.integers(26, 200),
    depth=st.integers(1, 12),
    is_ascii=st.booleans(),
)
def test_no_row_is_wider_than_the_terminal_and_every_level_has_a_bar_or_none_has(
    levels: list[tuple[int, int]], width: int, depth: int, *, is_ascii: bool
) -> None:
    """Whatever rests: rows fit, totals grow away from the middle, the largest has the longest bar."""
    sides = {
        "bids": [Level(*each) for each in levels[::2]],
        "asks": [Level(*each) for each in levels[1::2]],
    }
    shown = lines(a_ladder(**sides), depth=depth, width=width, is_ascii=is_ascii)
    rows = [each for each in shown if each[:3] in ("ask", "bid") and " more " not in each]
    assert len(rows) == sum(min(depth, len(each)) for each in sides.values())
    bars = [len(each.split()[4]) if len(each.split()) > 4 else 0 for each in rows]
    assert all(bars) or not any(bars)
    if any(bars):
        assert max(cell_len(each) for each in rows) <= width
        largest = max(level.count_centi for each in sides.values() for level in each[:depth])
        assert bars[[row.split()[2] for row in rows].index(f"{largest / 100:,.2f}")] == max(bars)


def test_a_ladder_of_the_lake_says_what_it_rests_on(tmp_path: Path) -> None:
    """At 3.5 s: the snapshot of 0 s and two changes, the last half a second ago."""
    found = ladder(a_lake(tmp_path), "KXA-1", at(3.5))
    assert found == a_ladder(at_ts=at(3.5))


def test_the_title_of_the_market_is_shown_where_the_lake_has_its_listing(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, a_market(title="Rain?", yes_sub_title="above 5")))
    assert lines(ladder(lake, "KXA-1", at(3)))[1] == "Rain? / above 5"  # type: ignore[arg-type]  # known, as above


def test_without_a_moment_the_last_known_one_is_shown(tmp_path: Path) -> None:
    """The snapshot of 9 s is the last event; once the stream broke after it without repair, still that."""
    lake = a_lake(tmp_path)
    found = ladder(lake, "KXA-1")
    assert isinstance(found, Ladder)
    assert (found.at_ts, found.snapshot_seq, found.n_changes) == (at(9), 6, 0)
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, a_gap(7, from_ts=at(9))))
    blind = a_delta(8, event_ts=at(12), received_ts=at(12))
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, blind))
    assert ladder(lake, "KXA-1") == found


def test_inside_a_gap_cause_since_and_until_are_told(tmp_path: Path) -> None:
    """Seq 5 is missing: known at 4 s and at 9 s, nothing between."""
    lake = a_lake(tmp_path)
    found = ladder(lake, "KXA-1", at(6))
    assert found == Unknown(ticker="KXA-1", at_ts=at(6), cause="hole", since_ts=at(4), until_ts=at(9))
    for each in (found.since_ts, found.until_ts):
        assert each is not None
        assert isinstance(ladder(lake, "KXA-1", each), Ladder)
    instant = timedelta(microseconds=1)
    assert isinstance(ladder(lake, "KXA-1", at(4) + instant), Unknown)
    assert isinstance(ladder(lake, "KXA-1", at(9) - instant), Unknown)


@pytest.mark.parametrize("case", CASES)
def test_a_ladder_is_the_book_of_who_speaks_and_knows_the_nearest_moments(case: str) -> None:
    """Streams, polls and breaks as in the priority's own cases: next to `since` and `until` it is unknown."""
    tables, told = CASES[case]
    lake, instant = tables.lake(), timedelta(microseconds=1)
    for seconds, price_cc in told.items():
        found = ladder(lake, "KXA-1", at(seconds))
        if isinstance(found, Ladder):
            assert [each.price_cc for each in found.bids] == ([price_cc] if price_cc else [])
            continue
        assert price_cc is None
        for near_ts, inward in ((found.since_ts, instant), (found.until_ts, -instant)):
            if near_ts is not None:
                assert isinstance(ladder(lake, "KXA-1", near_ts), Ladder)
                assert isinstance(ladder(lake, "KXA-1", near_ts + inward), Unknown)


def test_before_the_first_snapshot_and_after_the_last_break_one_side_is_open(tmp_path: Path) -> None:
    """No gap says why nobody knew it before: it had not been recorded."""
    lake = a_lake(tmp_path)
    before = ladder(lake, "KXA-1", at(-60))
    assert isinstance(before, Unknown)
    assert (before.cause, before.since_ts, before.until_ts) == ("not_recorded", None, at())
    assert str(before).endswith(
        "not_recorded, since ever, until 2026-05-13T12:00:00Z; known, and nearest: --at 2026-05-13T12:00:00Z"
    )
    end = a_gap(7, to_seq=None, from_ts=at(9), cause="session_end")
    lake.commit(BOOK_GAPS, frame(BOOK_GAPS, end))
    after = ladder(lake, "KXA-1", at(60))
    assert isinstance(after, Unknown)
    assert (after.cause, after.since_ts, after.until_ts) == ("session_end", at(9), None)


def test_crossed_and_negative_books_are_called_what_lake_books_calls_them(tmp_path: Path) -> None:
    """NO at 0.60 crosses YES at 0.45; taking 40 YES at 0.40, where 20 rest, leaves none."""
    lake = Lake(tmp_path)
    lake.commit(BOOK_SNAPSHOTS, frame(BOOK_SNAPSHOTS, a_snapshot(1)))
    crossing = a_delta(2, side="no", price_cc=6_000)
    taking = a_delta(3, price_cc=4_000, delta_centi=-4_000)
    lake.commit(BOOK_DELTAS, frame(BOOK_DELTAS, crossing, taking))
    rows = lake.books(["KXA-1"], at(1), at(4), every="1s").collect()
    assert rows["anomaly"].to_list() == [None, "crossed", "negative"]
    for second, row in enumerate(rows.iter_rows(named=True), start=1):
        found = ladder(lake, "KXA-1", at(second))
        assert isinstance(found, Ladder)
        assert found.anomaly == row["anomaly"]
        for side, levels in (("bid", found.bids), ("ask", found.asks)):
            assert [each.price_cc for each in levels] == row[f"{side}_prices_cc"]
            assert [each.count_centi for each in levels] == row[f"{side}_counts_centi"]


def test_markets_without_books_are_told_apart_from_unknown_ones(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, a_market("KXB-1")))
    with pytest.raises(BookUnknown, match=r"KXB-1: .* has no whole order book of it; `tapehouse"):
        ladder(lake, "KXB-1")
    with pytest.raises(UnknownTicker, match="did you mean KXA-1"):
        ladder(lake, "KXA-7")
    with pytest.raises(NoLake, match="no lake there; `tapehouse books record`"):
        run("KXA-1", lake=tmp_path / "nothing")


def test_the_command_prints_the_ladder_or_one_json_object(tmp_path: Path) -> None:
    a_lake(tmp_path)
    moment = ("--at", "2026-05-13T12:00:03Z")
    shown = run("KXA-1", *moment, lake=tmp_path).stdout
    assert "bid    0.4500      15.00       15.00" in shown
    assert "\x1b" not in shown
    told = json.loads(run("KXA-1", *moment, "--depth", "1", "--json", lake=tmp_path).stdout)
    assert told == {
        "is_known": True,
        "ticker": "KXA-1",
        "title": None,
        "at_ts": "2026-05-13T12:00:03Z",
        "session": "s1",
        "method": "ws",
        "anomaly": None,
        "bids": [{"yes_price": "0.4500", "contracts": "15.00"}],
        "asks": [{"yes_price": "0.4800", "contracts": "7.00"}],
        "n_bid_levels": 2,
        "n_ask_levels": 2,
        "snapshot_ts": "2026-05-13T12:00:00Z",
        "snapshot_seq": 1,
        "n_changes": 2,
        "last_event_ts": "2026-05-13T12:00:03Z",
    }


def test_an_unknown_book_is_exit_code_2_and_says_what_to_ask(tmp_path: Path) -> None:
    """The whole program: one line on stderr, and with --json the facts on stdout."""
    a_lake(tmp_path)
    command = [sys.executable, "-m", "tapehouse", "books", "show", "KXA-1", "--lake", str(tmp_path)]
    done = subprocess.run(
        [*command, "--at", "2026-05-13T12:00:06Z", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "error: KXA-1: the book is unknown at 2026-05-13T12:00:06Z: hole, since 2026-05-13T12:00:04Z, until "
        "2026-05-13T12:00:09Z; known, and nearest: --at 2026-05-13T12:00:04Z and --at 2026-05-13T12:00:09Z\n"
    )
    assert json.loads(done.stdout) == {
        "is_known": False,
        "ticker": "KXA-1",
        "at_ts": "2026-05-13T12:00:06Z",
        "cause": "hole",
        "since_ts": "2026-05-13T12:00:04Z",
        "until_ts": "2026-05-13T12:00:09Z",
    }
