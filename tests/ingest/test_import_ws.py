"""Recordings of the order book stream: rows, sessions, refused lines, facts of markets."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.receipts import ImportReceipt
from tests.ingest.made_files import Recorder
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, MARKETS, QUARANTINE, QUOTES, Table

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def imported(lake: Lake, *paths: Path, markets: Path | None = None) -> ImportReceipt:
    return import_ws(lake, paths, observed_ts=NOW, markets=markets)


def rows(lake: Lake, table: Table, *sort: str) -> list[dict[str, Any]]:
    return list(lake.scan(table).sort(*(sort or table.key)).collect().iter_rows(named=True))


def a_book(recorder: Recorder) -> Recorder:
    """Subscribe, and receive a snapshot and two deltas: numbers 1 to 3."""
    recorder.subscribed()
    recorder.snapshot(1, yes=[("0.4000", "10.00"), ("0.3900", "5.50")], no=[("0.5500", "7.00")])
    recorder.delta(2, price="0.4100", size="3.25")
    recorder.delta(3, price="0.5500", size="-7.00", side="no")
    return recorder


def test_frames_become_exact_rows(tmp_path: Path) -> None:
    """A snapshot's levels ascend; a delta is signed; NO prices stay NO prices."""
    lake = Lake(tmp_path / "lake")
    imported(lake, a_book(Recorder()).write(tmp_path / "rec.jsonl"))
    (snapshot,) = rows(lake, BOOK_SNAPSHOTS)
    assert (snapshot["yes_prices_cc"], snapshot["yes_counts_centi"]) == ([3_900, 4_000], [550, 1_000])
    assert (snapshot["no_prices_cc"], snapshot["no_counts_centi"]) == ([5_500], [700])
    assert (snapshot["sid"], snapshot["seq"], snapshot["method"]) == (2, 1, "ws")
    first, second = rows(lake, BOOK_DELTAS, "seq")
    assert (first["side"], first["price_cc"], first["delta_centi"]) == ("yes", 4_100, 325)
    assert (second["side"], second["price_cc"], second["delta_centi"]) == ("no", 5_500, -700)


def test_a_snapshot_without_sides_is_an_empty_book(tmp_path: Path) -> None:
    """Kalshi leaves an empty side out; both left out is an observation, not an error."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    recorder.snapshot(1)
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    (snapshot,) = rows(lake, BOOK_SNAPSHOTS)
    assert snapshot["yes_prices_cc"] == snapshot["no_prices_cc"] == []


def test_the_finer_time_of_a_delta_wins(tmp_path: Path) -> None:
    """`ts` text has microseconds, `ts_ms` milliseconds; a bare number of seconds in `ts` is passed over."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    recorder.snapshot(1)
    told: dict[str, Any] = {
        "market_ticker": "KXA-1-Y",
        "price_dollars": "0.4",
        "delta_fp": "1",
        "side": "yes",
    }
    recorder.frame("orderbook_delta", 2, **told, ts="2026-05-13T12:59:43.873364Z", ts_ms=1_778_677_183_873)
    recorder.frame("orderbook_delta", 3, **told, ts=1_778_677_183, ts_ms=1_778_677_183_878)
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    at = [row["event_ts"] for row in rows(lake, BOOK_DELTAS, "seq")]
    assert [each.microsecond for each in at] == [873_364, 878_000]


def test_the_ticker_channel_becomes_quotes_and_boundaries_become_null(tmp_path: Path) -> None:
    """A bid of $0 and an ask of $1 mean that nobody quotes: no price, and no size either."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    recorder.ticker()
    recorder.ticker(yes_bid_dollars="0.0000", yes_bid_size_fp="0.00", yes_ask_dollars="1.0000")
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    full, empty = rows(lake, QUOTES, "received_ts")
    assert [full[name] for name in ("bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi")] == [
        4_000,
        500,
        4_500,
        700,
    ]
    assert (full["last_price_cc"], full["volume_centi"], full["open_interest_centi"]) == (
        4_200,
        10_000,
        6_000,
    )
    assert [empty[name] for name in ("bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi")] == [None] * 4


def test_a_capture_gives_the_same_book_as_json_lines(tmp_path: Path) -> None:
    """One pretty-printed document or one line a frame: the same rows but for the connection's name."""
    lines, capture = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    imported(lines, a_book(Recorder("rec")).write(tmp_path / "rec.jsonl"))
    imported(capture, a_book(Recorder("rec")).write_capture(tmp_path / "rec.json"))
    for table in (BOOK_DELTAS, BOOK_SNAPSHOTS, BOOK_GAPS):
        ours = [row | {"source": ""} for row in rows(lines, table)]
        assert ours == [row | {"source": ""} for row in rows(capture, table)]


def test_importing_again_changes_nothing_and_gzip_is_no_difference(tmp_path: Path) -> None:
    """The connection's name and the numbers are the key, whatever the file is called."""
    lake = Lake(tmp_path / "lake")
    imported(lake, a_book(Recorder()).write(tmp_path / "rec.jsonl"))
    versions = lake.versions()
    receipt = imported(lake, a_book(Recorder()).write(tmp_path / "copy.jsonl.gz"))
    assert (receipt.n_new, lake.versions()) == (0, versions)


@pytest.mark.parametrize("begins_with", ["ws_connected", "subscribed", "nothing"])
def test_a_new_connection_under_an_old_name_is_a_session_of_its_own(tmp_path: Path, begins_with: str) -> None:
    """Numbers start again at 1: the same (sid, seq) means something else now."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    if begins_with == "ws_connected":
        recorder.note("ws_connected")
    if begins_with != "nothing":
        recorder.subscribed()
    recorder.snapshot(1, yes=[("0.2000", "1.00")])
    recorder.delta(2, price="0.4100", size="9.00")
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    deltas = rows(lake, BOOK_DELTAS, "session", "seq")
    assert [row["delta_centi"] for row in deltas] == [325, -700, 900]
    assert len({row["session"] for row in deltas}) == 2
    assert [gap["cause"] for gap in rows(lake, BOOK_GAPS)] == ["session_end", "session_end"]


def test_a_second_confirmation_on_the_same_connection_changes_nothing(tmp_path: Path) -> None:
    """Subscribing again merges; the numbers go on, so it is the same session."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    recorder.subscribed()
    recorder.delta(4)
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert len({row["session"] for row in rows(lake, BOOK_DELTAS)}) == 1


def test_a_recording_cut_in_two_keeps_what_it_can(tmp_path: Path) -> None:
    """The second half has no snapshot: its deltas are kept, and its books are unknown from its first on."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    head, tail = Recorder(), Recorder()
    head.lines, tail.lines = recorder.lines[:3], recorder.lines[3:]
    imported(lake, head.write(tmp_path / "head.jsonl"), tail.write(tmp_path / "tail.jsonl"))
    assert [row["seq"] for row in rows(lake, BOOK_DELTAS, "seq")] == [2, 3]
    gaps = {gap["cause"]: gap for gap in rows(lake, BOOK_GAPS)}
    assert (gaps["no_snapshot"]["from_seq"], gaps["no_snapshot"]["until_ts"]) == (3, None)


def test_a_recording_that_has_grown_since_gives_the_books_of_the_whole(tmp_path: Path) -> None:
    """Imported after three frames and again after five: no gap where the first import ended."""
    grown, whole = Lake(tmp_path / "grown"), Lake(tmp_path / "whole")
    recorder = a_book(Recorder())
    imported(grown, recorder.write(tmp_path / "rec.jsonl"))
    recorder.delta(4, price="0.4200", size="1.00")
    recorder.delta(5, price="0.4200", size="2.00")
    for lake in (grown, whole):
        imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert grown.scan(BOOK_GAPS).collect().height == 2
    for ours, expected in zip(grown.book_events(), whole.book_events(), strict=True):
        assert ours.equals(expected)
    for known_ts in whole.book_events().deltas["known_ts"]:
        assert grown.book("KXA-1-Y", known_ts) == whole.book("KXA-1-Y", known_ts)


def test_lines_that_are_no_frames_are_named_and_the_rest_goes_in(tmp_path: Path) -> None:
    """Garbage in line 3, a delta without a readable price in line 6: both kept whole, with their lines."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    recorder.snapshot(1)
    recorder.delta(2)
    recorder.garbage('{"recv_ns": 17786')
    recorder.garbage("")
    recorder.delta(3)
    recorder.delta(4, price="cheap")
    receipt = imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert [row["seq"] for row in rows(lake, BOOK_DELTAS, "seq")] == [2, 3]
    named = {bad.location: (bad.field, bad.value) for bad in receipt.bad_rows}
    assert named == {"rec.jsonl:3": (None, None), "rec.jsonl:6": ("price_dollars", "cheap")}
    kept = {row["location"]: row["payload"] for row in rows(lake, QUARANTINE)}
    assert kept["rec.jsonl:3"] == '{"recv_ns": 17786'


def test_frames_of_other_kinds_are_counted_and_passed_over(tmp_path: Path) -> None:
    """An error, a listing of subscriptions (its msg is a list), a kind nobody knows: no table holds them."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    recorder.frame("error", sid=None, code=8, msg="unknown channel")
    recorder.garbage(recorder.lines[-1].replace('{"code": 8, "msg": "unknown channel"}', '[{"sid": 2}]'))
    recorder.frame("weather", sid=9, degrees="21")
    receipt = imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert (receipt.ignored, receipt.n_quarantined) == ({"subscribed": 1, "error": 2, "weather": 1}, 0)


def test_a_frame_that_came_twice_counts_once(tmp_path: Path) -> None:
    """A number repeats only where a recorder wrote a frame twice."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    recorder.lines.append(recorder.lines[-1])
    receipt = imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert receipt.ignored["repeated"] == 1
    assert [row["seq"] for row in rows(lake, BOOK_DELTAS, "seq")] == [2, 3]


def test_a_recording_cut_short_by_a_killed_recorder_is_read_up_to_the_cut(tmp_path: Path) -> None:
    """The gzip stream ends early, in the middle of a line: what is whole goes in."""
    lake = Lake(tmp_path / "lake")
    recorder = a_book(Recorder())
    for seq in range(4, 4_000):
        recorder.delta(seq, size=f"{seq}.00")
    path = recorder.write(tmp_path / "rec.jsonl.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    receipt = imported(lake, path)
    assert receipt.n_quarantined == 1
    seqs = [row["seq"] for row in rows(lake, BOOK_DELTAS, "seq")]
    assert seqs == list(range(2, len(seqs) + 2))


@pytest.mark.parametrize("content", ["no JSON here\n", '{"a": 1}\n', '{\n "no_frames": []\n}'])
def test_a_file_without_a_single_frame_is_refused(tmp_path: Path, content: str) -> None:
    """Nothing of it goes in, not even into quarantine."""
    path = tmp_path / "rec.jsonl"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=r"rec\.jsonl"):
        imported(Lake(tmp_path / "lake"), path)
    assert Lake(tmp_path / "lake").versions() == {}


def test_a_recorder_that_heard_nothing_does_not_stop_the_others(tmp_path: Path) -> None:
    """An empty file, gzipped or not, holds no frames; the recording beside it goes in."""
    silent, silent_gz = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    silent.write_bytes(b"")
    silent_gz.write_bytes(gzip.compress(b""))
    good = a_book(Recorder()).write(tmp_path / "rec.jsonl")
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, silent, good, silent_gz)
    assert (len(rows(lake, BOOK_DELTAS)), receipt.n_quarantined) == (2, 0)
    assert imported(Lake(tmp_path / "none"), silent).n_rows == 0


@pytest.mark.parametrize("n_bytes", [0, 2, 10])
def test_an_empty_gzip_file_that_was_cut_is_refused(tmp_path: Path, n_bytes: int) -> None:
    """Nobody knows what it held."""
    path = tmp_path / "rec.jsonl.gz"
    path.write_bytes(gzip.compress(b"")[:n_bytes])
    with pytest.raises(UnreadableFile, match=r"rec\.jsonl\.gz"):
        imported(Lake(tmp_path / "lake"), path)


@pytest.mark.parametrize(
    ("noted", "kept"), [("open", "active"), ("unopened", "initialized"), ("settled", "finalized")]
)
def test_a_filters_word_for_a_state_becomes_the_states_own(tmp_path: Path, noted: str, kept: str) -> None:
    """Recorders note the word they asked with; the lake knows those of the answers."""
    lake, recorder = Lake(tmp_path / "lake"), Recorder()
    recorder.note("watch_market", market_ticker="KXA-1-Y", close_time="2026-05-13T13:00:00Z", status=noted)
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    assert rows(lake, MARKETS)[0]["status"] == kept


def test_a_watched_market_is_listed_with_what_the_recorder_noted(tmp_path: Path) -> None:
    """Event and series are read off the ticker for lack of anything better, and the row says so."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    recorder.note(
        "watch_market",
        market_ticker="KXBTC15M-26MAY130900-00",
        close_time="2026-05-13T13:00:00Z",
        status="active",
        strike=80_077.29,
    )
    imported(lake, recorder.write(tmp_path / "rec.jsonl"))
    (market,) = rows(lake, MARKETS)
    assert (market["event_ticker"], market["series_ticker"]) == ("KXBTC15M-26MAY130900", "KXBTC15M")
    assert (market["status"], market["floor_strike"]) == ("active", 80_077.29)
    assert market["close_ts"] == datetime(2026, 5, 13, 13, tzinfo=UTC)
    assert market["source"] == "import:rec.jsonl (event and series read off the ticker)"


def test_a_table_of_results_adds_a_final_state_and_keeps_what_was_known(tmp_path: Path) -> None:
    """Result no: pays $0, final; when it was paid is unknown. A market without a result stays as it was."""
    lake = Lake(tmp_path / "lake")
    recorder = Recorder()
    for ticker in ("KXA-1-Y", "KXB-1-Y"):
        recorder.note(
            "watch_market", market_ticker=ticker, close_time="2026-05-13T13:00:00Z", status="active"
        )
    path = recorder.write(tmp_path / "rec.jsonl")
    results = tmp_path / "results.csv"
    results.write_text(
        "ticker,close_time,strike,expiration_value,result\n"
        "KXA-1-Y,2026-05-13T13:00:00Z,10.5,9.75,no\n"
        "KXB-1-Y,2026-05-13T13:00:00Z,10.5,,\n"
    )
    imported(lake, path, markets=results)
    a, b = lake.markets().collect().iter_rows(named=True)
    assert (a["result"], a["status"], a["settlement_value_cc"], a["settlement_ts"]) == (
        "no",
        "finalized",
        0,
        None,
    )
    assert (a["expiration_value"], a["floor_strike"], a["observed_ts"]) == ("9.75", 10.5, NOW)
    assert (b["result"], b["status"], b["floor_strike"]) == (None, "active", 10.5)
    versions = lake.versions()
    import_ws(lake, [path], observed_ts=NOW + timedelta(days=1), markets=results)
    assert lake.versions() == versions


def test_a_bad_row_of_results_is_named(tmp_path: Path) -> None:
    """A result that is no word for one: the row is quarantined, the others count."""
    lake = Lake(tmp_path / "lake")
    results = tmp_path / "results.csv"
    results.write_text(
        "ticker,close_time,strike,expiration_value,result\n"
        "KXA-1-Y,2026-05-13T13:00:00Z,10.5,9.75,perhaps\n"
        "KXB-1-Y,2026-05-13T13:00:00Z,10.5,9.75,yes\n"
    )
    receipt = imported(lake, a_book(Recorder()).write(tmp_path / "rec.jsonl"), markets=results)
    assert [(bad.location, bad.field, bad.value) for bad in receipt.bad_rows] == [
        ("results.csv:2", "result", "perhaps")
    ]
    assert lake.scan(MARKETS).select(pl.col("ticker")).collect().to_series().to_list() == ["KXB-1-Y"]
