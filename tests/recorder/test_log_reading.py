"""A log read in parts says what it says when it is read whole, wherever it is cut."""

import json
import random
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.frame_logs import Position
from pipelines.ingest.log_reading import CARRIED_LINES, Carried, Part, read_part
from pipelines.ingest.ws_recording import read_lines
from tests.ingest.made_files import Recorder

A, B, C = "KXA-1-Y", "KXB-1-Y", "KXC-1-Y"


def parts_of(lines: Sequence[str], cuts: Sequence[int] = (), *, is_over: bool = True) -> list[Part]:
    """Read lines in parts that end at `cuts`; a part that waits for snapshots is joined with the next."""
    carried, first, parts = Carried(), 0, list[Part]()
    for end in [*cuts, len(lines)]:
        text = "".join(line + "\n" for line in lines[first:end]).encode()
        recording = read_lines("log", CARRIED_LINES + first + 1, text)
        is_last = end == len(lines)
        part = read_part(recording, carried, is_last=is_last and is_over)
        if part.is_settled or is_last:
            carried, first = Carried(Position(1, 0, end), part.sessions), end
            parts.append(part)
    return parts


def gaps_of(parts: Sequence[Part]) -> list[dict[str, Any]]:
    rows = pl.concat([part.gaps for part in parts]).sort("session", "sid", "from_seq", "cause")
    return list(rows.iter_rows(named=True))


def told(parts: Sequence[Part]) -> list[tuple[str, int, int | None, list[str], bool]]:
    """Return (cause, from_seq, to_seq, tickers, is_recovered) of every gap."""
    names = ("cause", "from_seq", "to_seq", "tickers", "is_recovered")
    return [tuple(gap[name] for name in names) for gap in gaps_of(parts)]


def a_start() -> Recorder:
    recorder = Recorder("c-1")
    recorder.subscribed()
    recorder.snapshot(1, A)
    recorder.snapshot(2, B)
    recorder.delta(3, A)
    return recorder


def test_a_log_that_simply_stops_was_killed_and_one_with_a_last_word_was_ended() -> None:
    recorder = a_start()
    assert told(parts_of(recorder.lines)) == [("killed", 4, None, [A, B], False)]
    recorder.note("recorder_ended")
    assert told(parts_of(recorder.lines)) == [("session_end", 4, None, [A, B], False)]


def test_while_it_is_being_written_nothing_ends() -> None:
    (part,) = parts_of(a_start().lines, is_over=False)
    assert told([part]) == []
    assert [(each.conn, each.streams[0].seq, each.streams[0].tickers) for each in part.sessions] == [
        ("c-1", 3, [A, B])
    ]


def test_a_hole_between_two_parts_is_found_and_waits_for_its_snapshots() -> None:
    """Number 4 is missing; B has its snapshot with 6 and A with 7: neither part alone knows."""
    recorder = a_start()
    recorder.delta(5, A)
    recorder.snapshot(6, B)
    recorder.snapshot(7, A)
    expected = [
        ("hole", 4, 4, [A, B], True),
        ("hole", 6, None, [A], True),
        ("killed", 8, None, [A, B], False),
    ]
    assert told(parts_of(recorder.lines)) == expected
    parts = parts_of(recorder.lines, [4, 5, 6])
    assert len(parts) == 2
    assert told(parts) == expected


def test_frames_that_came_again_or_late_are_left_out_also_across_parts() -> None:
    recorder = a_start()
    recorder.delta(3, A)
    recorder.delta(2, B)
    recorder.delta(4, B)
    whole, cut = parts_of(recorder.lines), parts_of(recorder.lines, [4, 5])
    assert [sum(part.n_repeats for part in parts) for parts in (whole, cut)] == [2, 2]
    assert told(whole) == told(cut) == [("killed", 5, None, [A, B], False)]


@pytest.mark.parametrize(("code", "cause"), [(25, "overflow"), (10, "channel_error")])
def test_a_subscription_that_the_exchange_ended_ends_the_session(code: int, cause: str) -> None:
    """The next one has a sid of its own, begins with snapshots, and is a session of its own."""
    recorder = a_start()
    failed(recorder, 2, code)
    recorder.subscribed(sid=3)
    recorder.snapshot(1, A, sid=3)
    for cuts in ([], [4], [5], [4, 5]):
        parts = parts_of(recorder.lines, cuts)
        assert [(gap["cause"], gap["sid"], gap["from_seq"], gap["tickers"]) for gap in gaps_of(parts)] == [
            (cause, 2, 4, [A, B]),
            ("killed", 3, 2, [A]),
        ]
        assert len({gap["session"] for gap in gaps_of(parts)}) == 2


def test_an_error_of_another_subscription_ends_no_book() -> None:
    recorder = a_start()
    failed(recorder, 1, 25)
    recorder.delta(4, A)
    for cuts in ([], [4], [5]):
        assert told(parts_of(recorder.lines, cuts)) == [("killed", 5, None, [A, B], False)]


def test_a_stall_is_the_cause_though_the_disconnect_follows() -> None:
    recorder = a_start()
    recorder.note("ws_stalled")
    recorder.note("ws_disconnected")
    for cuts in ([], [4], [5]):
        assert told(parts_of(recorder.lines, cuts)) == [("stalled", 4, None, [A, B], False)]


def test_a_market_that_is_watched_no_more_is_unknown_from_then_on_and_the_others_are_not() -> None:
    recorder = a_start()
    recorder.frame("ok", 4, market_tickers=[B])
    recorder.note("unwatch_market", market_ticker=A)
    recorder.delta(5, B)
    for cuts in ([], [4], [5], [6]):
        assert told(parts_of(recorder.lines, cuts)) == [
            ("unsubscribed", 5, None, [A], False),
            ("killed", 6, None, [B], False),
        ]


def test_a_market_without_a_snapshot_for_a_minute_is_given_up_and_the_rest_goes_on() -> None:
    recorder = a_start()
    recorder.delta(5, A)
    recorder.at_ms += 61_000
    recorder.delta(6, B)
    recorder.delta(7, B)
    parts = parts_of(recorder.lines, [5, 6])
    assert [part.is_settled for part in parts] == [True, True]
    assert told(parts)[0] == ("hole", 4, 4, [A, B], False)


@pytest.mark.parametrize("seed", range(5))
def test_cuts_never_show(seed: int) -> None:
    """A made-up stream of two connections with everything that can happen to it, cut at random places."""
    rng = random.Random(seed)
    lines = a_rough_stream(rng)
    whole = parts_of(lines)
    for _ in range(2):
        cuts = sorted(rng.sample(range(1, len(lines)), rng.randrange(1, 7)))
        parts = parts_of(lines, cuts)
        assert gaps_of(parts) == gaps_of(whole)
        names = ["line", "session", "kind", "sid", "seq"]
        assert pl.concat([part.frames.select(names) for part in parts]).equals(whole[0].frames.select(names))


def a_rough_stream(rng: random.Random) -> list[str]:
    """Two connections take turns: deltas, holes that heal, repeats, quotes, ended subscriptions."""
    lines: list[str] = []
    state = {f"c-{number}": {"sid": 1, "seq": 0} for number in (1, 2)}
    recorders = {conn: Recorder(conn) for conn in state}
    for conn, recorder in recorders.items():
        begin(recorder, state[conn])
    for step in range(60):
        conn = rng.choice(list(state))
        recorder, at = recorders[conn], state[conn]
        what = rng.choice(["delta"] * 6 + ["hole", "repeat", "ticker", "overflow", "garbage"])
        if what == "hole":
            at["seq"] += rng.randrange(1, 4)
            snapshots(recorder, at)
        elif what == "repeat":
            recorder.delta(max(at["seq"] - rng.randrange(2), 1), A, sid=at["sid"])
        elif what == "ticker":
            recorder.ticker()
        elif what == "overflow" and step > 5:
            failed(recorder, at["sid"], 25)
            at["sid"], at["seq"] = at["sid"] + 7, 0
            begin(recorder, at)
        elif what == "garbage":
            at["seq"] += 1
            recorder.frame("orderbook_delta", at["seq"], sid=at["sid"], market_ticker=B, side="maybe")
            snapshots(recorder, at)
        else:
            at["seq"] += 1
            recorder.delta(at["seq"], rng.choice([A, B, C]), sid=at["sid"])
        later = max(each.at_ms for each in recorders.values())
        for each in recorders.values():
            each.at_ms = later
            lines += each.lines
            each.lines = []
    assert all(json.loads(line) for line in lines)
    return lines


def begin(recorder: Recorder, at: dict[str, int]) -> None:
    recorder.subscribed(sid=at["sid"])
    snapshots(recorder, at)


def snapshots(recorder: Recorder, at: dict[str, int]) -> None:
    for ticker in (A, B, C):
        at["seq"] += 1
        recorder.snapshot(at["seq"], ticker, sid=at["sid"])


def failed(recorder: Recorder, sid: int, code: int) -> None:
    """Write the error that ends a subscription."""
    recorder.frame("error", sid=sid, code=code, msg="gone")
