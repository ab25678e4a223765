"""Numbers before meaning: every hole is told once, none is invented."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.client import Telemetry
from pipelines.client.drift import Drift
from pipelines.client.stream import Feed, Gap, Item, Message, Repeated, Reply, Unreadable
from pipelines.client.stream.feeds import Wanted
from pipelines.client.stream.reading import Reading
from tests.client.streams import BOOKS, A, B, a_delta, a_snapshot, of
from tests.realdata import DATA, needs_real_data

NS = 1_790_000_000_000_000_000
CAPTURE = DATA / "ws" / "cockpit_ws_orderbook_stream_2026-08-07.json.gz"


def a_reading(*feeds: Feed) -> Reading:
    return Reading(
        "one",
        wanted=Wanted(feeds or (BOOKS,)),
        channel_of_command=lambda _id: "",
        drift=Drift(),
        telemetry=Telemetry(),
        path="/trade-api/ws/v2",
    )


def heard(reading: Reading, *frames: dict[str, Any]) -> list[Item]:
    return [item for frame in frames for item in reading.hear(json.dumps(frame).encode(), NS)]


def subscribed(sid: int = 1, channel: str = "orderbook_delta") -> dict[str, Any]:
    return {"type": "subscribed", "id": 1, "msg": {"channel": channel, "sid": sid}}


def delta(seq: int, ticker: str = A, sid: int = 1) -> dict[str, Any]:
    return {"type": "orderbook_delta", "sid": sid, "seq": seq, "msg": a_delta(ticker)}


def numbers(items: list[Item]) -> list[tuple[int, int | None]]:
    return [(gap.expected, gap.got) for gap in of(Gap, items)]


def test_confirmations_and_snapshots_consume_numbers() -> None:
    """KALSHI.md §10.5: one counter over all frames and markets of a sid."""
    items = heard(
        a_reading(),
        subscribed(),
        {"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": a_snapshot(A)},
        {"type": "ok", "id": 2, "sid": 1, "seq": 2, "msg": {"market_tickers": [A, B]}},
        {"type": "orderbook_snapshot", "sid": 1, "seq": 3, "id": 3, "msg": a_snapshot(B)},
        delta(4, A),
        {"type": "error", "id": 4, "sid": 1, "seq": 5, "msg": {"code": 13, "msg": "Unsupported action"}},
        {"type": "something_new", "sid": 1, "seq": 6, "msg": None},
        {"type": "orderbook_delta", "sid": 1, "seq": 7, "msg": {"side": "yes"}},
        delta(8, B),
    )
    assert numbers(items) == []
    assert [item.seq for item in of(Message, items)] == [1, 3, 4, 8]


def test_a_hole_is_told_before_the_message_that_shows_it_and_names_what_it_blinds() -> None:
    items = heard(a_reading(), subscribed(), delta(1), delta(4))
    gap, message = items[-2:]
    assert gap == Gap(
        connection="one",
        received_ns=NS,
        channel="orderbook_delta",
        sid=1,
        expected=2,
        got=4,
        tickers=(A, B),
    )
    assert isinstance(message, Message)
    assert message.seq == 4


def test_numbers_begin_with_one_on_a_connection() -> None:
    """The first event after `subscribed` could be dropped (changelog of 2026-09-17): that is a hole too."""
    assert numbers(heard(a_reading(), subscribed(), delta(2))) == [(1, 2)]


def test_each_subscription_counts_for_itself() -> None:
    items = heard(
        a_reading(BOOKS, Feed("trade")),
        subscribed(1),
        subscribed(2, "trade"),
        delta(1, sid=1),
        {"type": "trade", "sid": 2, "seq": 1, "msg": {}},
        delta(2, sid=1),
        {"type": "trade", "sid": 2, "seq": 3, "msg": {}},
    )
    assert [(gap.sid, gap.channel, gap.tickers) for gap in of(Gap, items)] == [(2, "trade", ())]


def test_a_number_that_comes_again_is_told_and_its_message_is_not_delivered_twice() -> None:
    """Applied a second time, a delta would falsify the book."""
    items = heard(a_reading(), subscribed(), delta(1), delta(2), delta(2), delta(1), delta(3))
    assert [(one.expected, one.got) for one in of(Repeated, items)] == [(3, 2), (3, 1)]
    assert [item.seq for item in of(Message, items)] == [1, 2, 3]
    assert json.loads(of(Repeated, items)[0].payload)["seq"] == 2


def test_a_second_subscribe_to_a_channel_goes_on_counting() -> None:
    """KALSHI.md §17: two subscribes to one channel share one sid."""
    assert numbers(heard(a_reading(), subscribed(), delta(1), subscribed(), delta(2))) == []


def test_what_comes_after_unsubscribing_is_nobodys_gap() -> None:
    items = heard(
        a_reading(),
        subscribed(),
        delta(1),
        {"type": "unsubscribed", "id": 2, "sid": 1, "seq": 2},
        delta(9),
        subscribed(),
        delta(1),
    )
    assert numbers(items) == []
    assert [one.type for one in of(Reply, items)] == ["subscribed", "unsubscribed", "subscribed"]


def test_frames_without_numbers_are_not_counted() -> None:
    """`ticker` has none."""
    ticker = {"type": "ticker", "sid": 3, "msg": {}}
    items = heard(a_reading(), subscribed(), delta(1), ticker, delta(2), ticker)
    assert (numbers(items), len(of(Unreadable, items))) == ([], 2)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b'{"sid":1}', b'{"type":7}', b'{"type":"ticker","sid":"one"}', b"\xff",
     b'{"type":"\xff"}', b"[" * 100_000, b'{"type":"ticker","seq":1e400}',
     b'{"type":"ticker","seq":99999999999999999999}'],
)  # fmt: skip
def test_garbage_is_told_whole_and_the_number_it_may_have_had_is_missed(payload: bytes) -> None:
    reading = a_reading()
    heard(reading, subscribed(), delta(1))
    (told,) = reading.hear(payload, NS)
    assert isinstance(told, Unreadable)
    assert told.payload == payload
    assert numbers(heard(reading, delta(3))) == [(2, 3)]


@st.composite
def losses(draw: st.DrawFn) -> tuple[list[tuple[int, int, str]], set[tuple[int, int]]]:
    """Return frames (sid, seq, kind) as sent over some subscriptions, and which of them are lost."""
    sent: list[tuple[int, int, str]] = []
    counts = {1: 0, 2: 0, 7: 0}
    for sid in draw(st.lists(st.sampled_from(sorted(counts)), max_size=60)):
        counts[sid] += 1
        kind = draw(st.sampled_from(["orderbook_delta", "orderbook_snapshot", "ok", "news", "error"]))
        sent.append((sid, counts[sid], kind))
    lost = draw(st.sets(st.sampled_from([(sid, seq) for sid, seq, _ in sent]))) if sent else set()
    return sent, lost


@given(losses())
def test_every_hole_is_told_exactly_once_and_none_is_invented(
    story: tuple[list[tuple[int, int, str]], set[tuple[int, int]]],
) -> None:
    """What the gaps name is what was lost, but for losses that nothing came after: nobody can know them."""
    sent, lost = story
    messages: dict[str, Any] = {
        "orderbook_delta": a_delta(),
        "orderbook_snapshot": a_snapshot(),
        "ok": {},
        "error": {"code": 27, "msg": "Too many requests"},
        "news": None,
    }
    reading = a_reading()
    heard(reading, *(subscribed(sid) for sid in (1, 2, 7)))
    arrived = [
        {"type": kind, "sid": sid, "seq": seq, "msg": messages[kind]}
        for sid, seq, kind in sent
        if (sid, seq) not in lost
    ]
    items = heard(reading, *arrived)
    told = [(gap.sid, seq) for gap in of(Gap, items) for seq in range(gap.expected, gap.got or 0)]
    last = {frame["sid"]: frame["seq"] for frame in arrived}
    assert sorted(told) == sorted((sid, seq) for sid, seq in lost if seq < last.get(sid, 0))
    assert len(items) == len(arrived) + len(of(Gap, items))


@needs_real_data
def test_the_capture_of_twelve_markets_on_one_sid_has_no_hole() -> None:
    """269 frames off the socket: 1 subscribed, then 12 snapshots, 11 ok and 245 deltas numbered 1 to 268."""
    frames = [line["frame"] for line in json.loads(gzip.decompress(CAPTURE.read_bytes()))["frames"]]
    reading = a_reading(Feed("orderbook_delta", ("KXMLBGAME-26AUG072140LADAZ-LAD",)))
    items = heard(reading, *frames)
    assert len(items) == len(frames) == 269
    assert (len(of(Message, items)), len(of(Reply, items))) == (12 + 245, 12)
    assert [getattr(item, "seq", None) for item in items] == [None, *range(1, 269)]


class Line(msgspec.Struct):
    """A line of a recording; its frame still as it came."""

    conn: str = ""
    frame: msgspec.Raw = msgspec.Raw(b"null")


class Head(msgspec.Struct):
    """What a plain count looks at."""

    sid: int = 0
    seq: int = 0


def sessions(path: Path) -> Iterator[list[bytes]]:
    """Yield the frames of a recording, connection by connection: the numbers of each begin with 1."""
    session: list[bytes] = []
    last: dict[tuple[str, int], int] = {}
    read_line, read_head = msgspec.json.Decoder(Line), msgspec.json.Decoder(Head)
    with gzip.open(path, "rb") as lines:
        for line in lines:
            told = read_line.decode(line)
            if bytes(told.frame) == b"null":
                continue
            head = read_head.decode(told.frame)
            key = (told.conn, head.sid)
            if head.seq and head.seq <= last.get(key, 0):
                yield session
                session, last = [], {}
            if head.seq:
                last[key] = head.seq
            session.append(bytes(told.frame))
    yield session


@needs_real_data
@pytest.mark.long
def test_the_recordings_have_the_ten_holes_that_a_plain_count_finds() -> None:
    """1.4 million frames of May 2026: 10 recordings lack numbers once each, such as 2 to 9,470 of 12:20."""
    holes: list[tuple[str, int, int | None]] = []
    n_frames = n_unreadable = 0
    for path in sorted((DATA / "ws").glob("*.jsonl.gz")):
        for session in sessions(path):
            reading = a_reading()
            heard(reading, subscribed(2))
            for payload in session:
                for item in reading.hear(payload, NS):
                    n_frames += not isinstance(item, Gap)
                    n_unreadable += isinstance(item, Unreadable | Repeated)
                    if isinstance(item, Gap):
                        holes.append((path.name[-21:-9], item.expected, item.got))
    assert len(holes) == 10
    assert ("0513T1220Z", 2, 9_471) in [(name[-10:], expected, got) for name, expected, got in holes]
    assert n_frames == 1_384_798 + 18_779 + 126 + 93
    assert n_unreadable == 0
