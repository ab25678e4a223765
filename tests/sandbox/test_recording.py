"""Recordings look like real ones, and the book they describe is the engine's."""

import gzip
import json
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exchange.books import OrderBook
from exchange.units import parse_cc, parse_centi, to_us
from sandbox.errors import UnknownTicker
from sandbox.recording import write_recording
from tests.realdata import DATA, needs_real_data
from tests.sandbox.places import a_world

Line = dict[str, Any]


def quarter_hours(n: int) -> list[str]:
    """Return the last finished quarter-hour markets."""
    finished = [m.ticker for m in a_world().markets() if m.status == "finalized" and "15M" in m.ticker]
    return finished[-n:]


def read(path: Path) -> list[Line]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in text.splitlines()]


def frames(lines: list[Line]) -> list[Line]:
    return [line["frame"] for line in lines if "frame" in line]


def apply(book: OrderBook, frame: Line) -> None:
    message = frame["msg"]
    if frame["type"] == "orderbook_snapshot":
        sides = [
            [(parse_cc(price), parse_centi(count)) for price, count in message.get(f"{side}_dollars_fp", [])]
            for side in ("yes", "no")
        ]
        book.apply_snapshot(*sides)
    elif frame["type"] == "orderbook_delta":
        book.apply_delta(
            message["side"], parse_cc(message["price_dollars"]), parse_centi(message["delta_fp"])
        )


def test_a_recording_has_every_kind_of_line_in_order(tmp_path: Path) -> None:
    """watch, connected, two subscribed, snapshot; then deltas and tickers; rotation between markets."""
    done = write_recording(a_world(), tmp_path / "r.jsonl", quarter_hours(2))
    lines = read(done.path)
    kinds = [line.get("recorder_event") or line["frame"]["type"] for line in lines]
    opening = ["watch_market", "ws_connected", "subscribed", "subscribed", "orderbook_snapshot"]
    assert kinds[:5] == opening
    turn = kinds.index("market_rotated")
    assert kinds[turn + 1 : turn + 6] == opening
    assert kinds.count("market_rotated") == 1
    assert Counter(kinds)["orderbook_delta"] == done.n_deltas > 100
    assert Counter(kinds)["ticker"] > 10
    assert (done.n_lines, done.n_markets, done.n_lost) == (len(lines), 2, 0)


def test_sequence_numbers_are_dense_and_the_clock_never_runs_back(tmp_path: Path) -> None:
    """Snapshots and deltas count 1, 2, 3 … per connection, tickers do not; recv_ns is behind ts_ms."""
    lines = read(write_recording(a_world(), tmp_path / "r.jsonl", quarter_hours(1)).path)
    seqs = [frame["seq"] for frame in frames(lines) if "seq" in frame]
    assert seqs == list(range(1, len(seqs) + 1))
    assert all("seq" not in frame for frame in frames(lines) if frame["type"] == "ticker")
    received = [line["recv_ns"] for line in lines]
    assert received == sorted(received)
    stamped = [line for line in lines if line.get("frame", {}).get("type") == "orderbook_delta"]
    assert all(line["recv_ns"] < line["frame"]["msg"]["ts_ms"] * 1_000_000 for line in stamped)


def test_the_recorded_book_is_the_engines_book_at_every_instant(tmp_path: Path) -> None:
    """Replaying snapshot and deltas gives the quotes of the market's history; at the end nothing rests."""
    ticker = quarter_hours(1)[0]
    lines = read(write_recording(a_world(), tmp_path / "r.jsonl", [ticker]).path)
    history = a_world().histories()[ticker]
    book, tops = OrderBook(ticker), {}
    for frame in frames(lines):
        apply(book, frame)
        if frame["type"] == "orderbook_delta":
            bid, ask = book.best_bid(), book.best_ask()
            tops[frame["msg"]["ts"]] = (bid.price_cc if bid else 0, ask.price_cc if ask else 10_000)
        if frame["type"] == "ticker":
            top = history.top_at(frame["msg"]["ts_ms"] * 1_000 + 999)
            shown = (parse_cc(frame["msg"]["yes_bid_dollars"]), parse_cc(frame["msg"]["yes_ask_dollars"]))
            assert shown == top
    assert book.total_centi() == 0
    open_ts = next(m.open_ts for m in a_world().markets() if m.ticker == ticker)
    assert open_ts is not None
    joined_us = to_us(open_ts) + 30_000_000
    assert [q[1:] for q in history.quotes if q.time_us > joined_us][-1] == list(tops.values())[-1]


def test_an_empty_side_is_left_out_of_a_snapshot(tmp_path: Path) -> None:
    """The last snapshot, seconds after the close, has neither side."""
    lines = read(write_recording(a_world(), tmp_path / "r.jsonl", quarter_hours(1)).path)
    last = frames(lines)[-1]
    assert last["type"] == "orderbook_snapshot"
    assert last["msg"].keys() == {"market_ticker", "market_id"}


def test_a_hole_skips_numbers_until_a_snapshot_repairs_the_book(tmp_path: Path) -> None:
    """5 to 25 deltas are missing, the numbers say so, and a later snapshot brings the true book back."""
    ticker = quarter_hours(1)[0]
    done = write_recording(a_world(), tmp_path / "r.jsonl", [ticker], hole_seed=5)
    book_frames = [frame for frame in frames(read(done.path)) if "seq" in frame]
    jumps = [b["seq"] - a["seq"] - 1 for a, b in pairwise(book_frames)]
    assert 5 <= done.n_lost == sum(jumps) <= 25
    assert sum(frame["type"] == "orderbook_snapshot" for frame in book_frames) == 3
    whole, holed = OrderBook(ticker), OrderBook(ticker)
    for frame in frames(read(write_recording(a_world(), tmp_path / "w.jsonl", [ticker]).path)):
        apply(whole, frame)
    for frame in book_frames:
        apply(holed, frame)
    assert whole == holed


def test_compressed_recordings_hold_the_same_lines(tmp_path: Path) -> None:
    """The suffix .gz compresses; twice the same recording is the same bytes."""
    one = write_recording(a_world(), tmp_path / "a.jsonl.gz", quarter_hours(1)).path
    two = write_recording(a_world(), tmp_path / "b.jsonl.gz", quarter_hours(1)).path
    plain = write_recording(a_world(), tmp_path / "c.jsonl", quarter_hours(1)).path
    assert one.read_bytes() == two.read_bytes()
    assert read(one) == read(plain)


def test_a_recorder_that_joins_late_or_a_silent_market_still_gets_a_snapshot(tmp_path: Path) -> None:
    """Joining after the last change: one snapshot and no deltas."""
    late = write_recording(
        a_world(), tmp_path / "r.jsonl", quarter_hours(1), join_after=timedelta(minutes=20)
    )
    assert late.n_deltas == 0
    assert [frame["type"] for frame in frames(read(late.path))].count("orderbook_snapshot") == 1


def test_recording_an_unknown_market_leaves_no_file(tmp_path: Path) -> None:
    """Bad input, named; nothing is written."""
    with pytest.raises(UnknownTicker, match="NOPE"):
        write_recording(a_world(), tmp_path / "r.jsonl", ["NOPE"])
    assert list(tmp_path.iterdir()) == []


@needs_real_data
def test_lines_have_the_shape_of_real_recordings(tmp_path: Path) -> None:
    """The same keys, per kind of line, as a recording of the exchange of 2026-05-13."""

    def shapes(lines: list[Line]) -> dict[str, set[tuple[str, ...]]]:
        found: dict[str, set[tuple[str, ...]]] = {}
        for line in lines:
            body = line.get("data") or line["frame"]["msg"]
            kind = line.get("recorder_event") or line["frame"]["type"]
            keys = (*sorted(line), *sorted(line.get("frame", {})), *sorted(body))
            found.setdefault(kind, set()).add(keys)
        return found

    real = shapes(read(DATA / "ws" / "next_evidence_shadow_20260513T195001Z.jsonl.gz"))
    made = shapes(read(write_recording(a_world(), tmp_path / "r.jsonl", quarter_hours(2)).path))
    assert made.keys() == real.keys()
    for kind, keys in made.items():
        assert keys <= real[kind], kind
