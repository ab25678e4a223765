"""The flood: its books can be followed, its truth is what was sent, and its misfortunes are as scripted."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from exchange.books import OrderBook
from exchange.units import parse_cc, parse_centi, to_us
from sandbox.errors import BadWorld
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.flood import MOST_CENTI, Flood, FloodSize
from sandbox.flood_fates import Fate, Fates
from sandbox.flood_stream import framed
from tests.sandbox.streams import Json, Reader, a_reader

BOOKS: dict[str, Any] = {"channels": ["orderbook_delta"], "use_yes_price": False}
ON_BOOKS: dict[str, Any] = {"route": "orderbook_delta"}


class Ticking:
    """A clock that moves a millisecond at every look."""

    def __init__(self) -> None:
        self.at_us = 1_790_000_000_000_000

    def __call__(self) -> int:
        self.at_us += 1_000
        return self.at_us


def followed(frames: Iterable[Json]) -> dict[str, OrderBook]:
    books: dict[str, OrderBook] = {}
    for frame in frames:
        msg = frame.get("msg", {})
        if frame["type"] == "orderbook_snapshot":
            book = books.setdefault(msg["market_ticker"], OrderBook(msg["market_ticker"]))
            sides = ([(parse_cc(p), parse_centi(n)) for p, n in msg.get(f"{side}_dollars_fp", [])]
                     for side in ("yes", "no"))  # fmt: skip
            book.apply_snapshot(*sides)
        elif frame["type"] == "orderbook_delta":
            change = parse_cc(msg["price_dollars"]), parse_centi(msg["delta_fp"])
            books[msg["market_ticker"]].apply_delta(msg["side"], *change)
    return books


def written(folder: Path) -> tuple[dict[str, OrderBook], list[list[str]], list[dict[str, Any]]]:
    """Read a truth without code of the flood's: books before the first change, the changes, what was sent."""
    books = {}
    for line in map(json.loads, (folder / "books.jsonl").read_text().splitlines()):
        books[line["ticker"]] = OrderBook(line["ticker"])
        books[line["ticker"]].apply_snapshot(line["yes"], line["no"])
    changes = [line.split(",") for line in (folder / "changes.csv").read_text().splitlines()[1:]]
    return books, changes, [json.loads(line) for line in (folder / "sent.jsonl").read_text().splitlines()]


def moment_us(frames: Sequence[Json]) -> int:
    """Return the time of the last change among frames."""
    last = [frame["msg"] for frame in frames if frame["type"] == "orderbook_delta"][-1]
    return to_us(datetime.fromisoformat(last["ts"]))


def read_until(reader: Reader, n_deltas: int) -> list[Json]:
    reader.until("orderbook_delta", n_deltas)
    return reader.frames


def test_the_same_seed_is_the_same_changes_whatever_the_clock_does() -> None:
    size = FloodSize(seed=3, n_markets=5, per_s=1_000)
    often, seldom = Flood(size, now_us=Ticking()), Flood(size, now_us=Ticking())
    changes = [change for _ in range(50) for change in often.due(n_most=1)]
    assert [each[2:] for each in seldom.due(n_most=1)] == [changes[0][2:]]
    told = [change for _ in range(200) for change in seldom.due(n_most=3)]
    assert [each[2:] for each in told][: len(changes) - 1] == [each[2:] for each in changes[1:]]
    assert [each.number for each in changes] == list(range(len(changes)))


def test_changes_come_at_their_rate_each_with_a_time_of_its_own_and_never_before_it() -> None:
    clock = Ticking()
    flood = Flood(FloodSize(n_markets=3, per_s=2_500), now_us=clock)
    changes = [(change, clock.at_us) for _ in range(400) for change in flood.due(n_most=100)]
    # 400 looks, a millisecond apart, at 2.5 changes a millisecond
    assert len(changes) == 1_000
    assert all(change.time_us <= now_us for change, now_us in changes)
    times = [change.time_us for change, _ in changes]
    assert times == sorted(set(times))


def test_nothing_happens_while_nobody_listens() -> None:
    clock = Ticking()
    flood = Flood(FloodSize(n_markets=3, per_s=1_000), now_us=clock)
    clock.at_us += 3_600 * 1_000_000
    flood.resume()
    assert len(flood.due(n_most=10_000)) == 1


def test_books_are_never_crossed_and_no_level_falls_below_nothing() -> None:
    clock = Ticking()
    flood = Flood(FloodSize(n_markets=4, per_s=1_000_000), now_us=clock)
    books = {ticker: flood.book(ticker) for ticker in flood.tickers}
    for _ in range(5):
        for change in flood.due(n_most=1_000):
            book = books[flood.tickers[change.market]]
            assert book.apply_delta(change.side, change.price_cc, change.delta_centi) >= 0
            assert abs(change.delta_centi) <= MOST_CENTI or change.delta_centi < 0
            bid, ask = book.best_bid(), book.best_ask()
            assert bid is None or ask is None or bid.price_cc < ask.price_cc
    assert books == {ticker: flood.book(ticker) for ticker in flood.tickers}


@pytest.mark.parametrize("size", [{"n_markets": 0}, {"per_s": 0}, {"per_s": 1_000_001}])
def test_what_is_no_flood_is_refused(size: dict[str, int]) -> None:
    with pytest.raises(BadWorld, match="at least one market"):
        FloodSize(**size)


def test_a_truth_goes_into_a_folder_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadWorld, match="new folder"):
        Flood(FloodSize(n_markets=1), truth=tmp_path)


@pytest.mark.parametrize(
    ("n_bytes", "head"),
    [(125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_536, b"\x81\x7f" + bytes(5) + b"\x01\x00\x00")],
)
def test_frames_tell_their_length_in_one_three_or_nine_bytes(n_bytes: int, head: bytes) -> None:
    """RFC 6455 §5.2: 7 bits, or 126 and 16 bits, or 127 and 64 bits."""
    assert framed(b"x" * n_bytes) == head + b"x" * n_bytes


def test_drawing_ahead_strikes_as_often_as_drawing_every_frame() -> None:
    """A chance of 1 in 50 over 20,000 frames: 400 expected, standard deviation 20."""
    injected: Counter[str] = Counter()
    script = Faults(
        (fault("ws_hole", chance=0.02, **ON_BOOKS), fault("ws_stall", chance=0.5, limit=3)), seed=5
    )
    fate = Fate(Fates(script, injected, lambda: 0.0), "1")
    for _ in range(20_000):
        fate.n_calm -= 1
        if not fate.n_calm:
            fate.strike()
    assert 300 < injected["ws_hole"] < 500
    assert injected["ws_stall"] == 3


def test_a_line_strikes_only_in_its_window_and_on_its_frames() -> None:
    injected: Counter[str] = Counter()
    lines = (
        fault("ws_hole", first=3, last=4),
        fault("ws_duplicate", after_s=10.0),
        fault("ws_overflow", route="trade"),
        fault("error", status=503),
    )
    fate = Fate(Fates(Faults(lines), injected, lambda: 0.0), "1")
    struck = []
    for number in range(1, 7):
        fate.n_calm -= 1
        if not fate.n_calm and fate.strike() is not None:
            struck.append(number)
    assert (struck, injected) == ([3, 4], {"ws_hole": 2})


@pytest.mark.slow
def test_a_reader_rebuilds_the_books_that_the_truth_tells(tmp_path: Path) -> None:
    flood = Flood(FloodSize(n_markets=6, per_s=2_000), truth=tmp_path / "truth")
    with a_reader(flood) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=flood.tickers[:4])
        read_until(reader, 600)
        reader.say("update_subscription", 2, sids=[1], action="add_markets", market_tickers=flood.tickers[4:])
        reader.say("update_subscription", 3, sids=[1], action="get_snapshot", market_tickers=["NOBODY"])
        frames = read_until(reader, 600)
    flood.close()
    seqs = [frame["seq"] for frame in frames if "seq" in frame]
    assert seqs == list(range(1, len(seqs) + 1))
    last_us = moment_us(frames)
    books, changes, sent = written(tmp_path / "truth")
    for _, time_us, ticker, side, price_cc, delta_centi in changes:
        if int(time_us) <= last_us:
            books[ticker].apply_delta(side, int(price_cc), int(delta_centi))  # type: ignore[arg-type]
    assert followed(frames) == books
    assert [each["what"] for each in sent if each["what"] != "snapshot"] == [
        "connected",
        "subscribed",
        "subscribed",
        "gone",
    ]
    assert Counter(each["ticker"] for each in sent if each["what"] == "snapshot") == dict.fromkeys(
        flood.tickers, 1
    )


@pytest.mark.slow
def test_what_befalls_frames_is_what_the_truth_says(tmp_path: Path) -> None:
    """A hole, a frame twice, a silence, an end with error 25: each once, and the numbers show it."""
    script = (
        fault("ws_hole", first=30, limit=1, **ON_BOOKS),
        fault("ws_duplicate", first=60, limit=1, **ON_BOOKS),
        fault("ws_stall", first=90, limit=1, for_s=0.2, **ON_BOOKS),
        fault("ws_overflow", first=150, limit=1, **ON_BOOKS),
    )
    flood = Flood(FloodSize(n_markets=2, per_s=500), truth=tmp_path / "truth")
    with a_reader(flood, faults=Faults(script)) as (reader, server):
        reader.say("subscribe", **BOOKS, market_tickers=flood.tickers)
        (ended,) = reader.until("error")
        injected = dict(server.faults.injected)
    flood.close()
    assert (ended["sid"], ended["msg"]["code"]) == (1, 25)
    assert injected == dict.fromkeys(("ws_hole", "ws_duplicate", "ws_stall", "ws_overflow"), 1)
    _, changes, sent = written(tmp_path / "truth")
    befell = {each["what"]: each for each in sent if each["what"].startswith("ws_")}
    assert list(befell) == list(injected)
    hole, double = befell["ws_hole"], befell["ws_duplicate"]
    seqs = [frame["seq"] for frame in reader.frames if "seq" in frame]
    assert (hole["seq"], double["seq"]) == (30, 60)
    assert seqs == sorted([*(seq for seq in range(1, 150) if seq != 30), 60])
    assert changes[hole["change"]][2] == hole["ticker"]
    told = {frame["msg"]["ts_ms"] for frame in reader.frames if frame["type"] == "orderbook_delta"}
    assert int(changes[hole["change"]][1]) // 1_000 not in told


@pytest.mark.slow
def test_a_reader_that_does_not_read_loses_its_books_with_error_25(tmp_path: Path) -> None:
    """What the system's own buffers take (some megabytes) comes first; then the flood keeps 64 kB for it."""
    flood = Flood(FloodSize(n_markets=2, per_s=50_000), truth=tmp_path / "truth", max_waiting_bytes=64 << 10)
    with a_reader(flood) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=flood.tickers)
        reader.next()
        while not (tmp_path / "truth" / "sent.jsonl").read_text().count("ws_overflow"):
            time.sleep(0.05)
        (ended,) = reader.until("error")
    flood.close()
    assert ended["msg"]["code"] == 25


@pytest.mark.slow
def test_a_dropped_connection_ends_without_a_farewell() -> None:
    flood = Flood(FloodSize(n_markets=1, per_s=500))
    script = Faults((fault("ws_disconnect", first=5, limit=1, **ON_BOOKS),))
    with a_reader(flood, faults=script) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=flood.tickers)
        with pytest.raises(ConnectionClosedError):
            reader.until("error")


@pytest.mark.slow
def test_more_markets_than_allowed_are_refused_with_error_26() -> None:
    """Whole or not at all: of an addition that is too much, nothing is added."""
    flood = Flood(FloodSize(n_markets=5, per_s=100), max_markets=3)
    with a_reader(flood) as (reader, _):
        reader.say("subscribe", **BOOKS, market_tickers=flood.tickers)
        assert reader.until("error")[0]["msg"]["code"] == 26
        reader.say("subscribe", 2, **BOOKS, market_tickers=flood.tickers[:2])
        reader.say(
            "update_subscription", 3, sids=[1], action="add_markets", market_tickers=flood.tickers[2:4]
        )
        assert reader.until("error")[0]["msg"]["code"] == 26
        reader.say(
            "update_subscription", 4, sids=[1], action="add_markets", market_tickers=flood.tickers[2:3]
        )
        assert reader.until("ok")[0]["msg"]["market_tickers"] == flood.tickers[:3]
