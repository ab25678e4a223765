"""What becomes of polls between a round and the lake: spells of markets, rows that wait, runs that died."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from exchange.units import to_us
from pipelines.ingest.receipts import ImportReceipt
from pipelines.poller.asking import Round
from pipelines.poller.errors import MarkUnwritable, TooManyWaiting
from pipelines.poller.markets import Markets, Taken
from pipelines.poller.unended import end_killed, run_mark
from pipelines.poller.waiting import Waiting
from tests.poller.test_book_rows import a_book
from tests.warehouse.rows import at
from warehouse import Lake
from warehouse.errors import BookUnknown, WarehouseError
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

STALE_US = 180_000_000


def a_round(markets: Markets, seconds: float, *tickers: str) -> Taken:
    """Ask for all, hear of some."""
    asked = markets.ask()
    books = [a_book(ticker, captured_ts=at(seconds)) for ticker in tickers]
    missed = {each.ticker: None for each in asked if each.ticker not in tickers}
    return markets.take(asked, Round(books, {**missed}), stale_us=STALE_US)


def kept(lake: Lake) -> list[tuple[str, int, int]]:
    rows = lake.scan(BOOK_SNAPSHOTS).sort("session", "sid", "seq").select("session", "sid", "seq")
    return rows.collect().rows()


def test_every_market_has_a_number_and_every_poll_of_it(tmp_path: Path) -> None:
    """Two rounds; in the second only one is heard of."""
    markets, lake, waiting = Markets("run"), Lake(tmp_path), Waiting()
    markets.watch(["KXA-1", "KXA-2", "KXA-1"], now_us=0)
    waiting.add(a_round(markets, 0, "KXA-1", "KXA-2"))
    waiting.add(a_round(markets, 60, "KXA-2"))
    assert waiting.n_books == 3
    waiting.flush(lake, "run", ImportReceipt("poll"))
    assert (waiting.n_books, kept(lake)) == (0, [("run", 1, 1), ("run", 2, 1), ("run", 2, 2)])


def test_a_market_that_comes_back_begins_another_session_and_is_known_in_it(tmp_path: Path) -> None:
    """Left after 0 s for good; taken up again and had at 120 s."""
    markets, lake, waiting = Markets("run"), Lake(tmp_path), Waiting()
    markets.watch(["KXA-1"], now_us=0)
    waiting.add(a_round(markets, 0, "KXA-1"))
    waiting.add(Taken(gaps=markets.leave(["KXA-1", "KXA-9"])))
    markets.watch(["KXA-1"], now_us=0)
    waiting.add(a_round(markets, 120, "KXA-1"))
    waiting.flush(lake, "run", ImportReceipt("poll"))
    assert kept(lake) == [("run", 1, 1), ("run.2", 2, 1)]
    with pytest.raises(BookUnknown, match="unsubscribed"):
        lake.book("KXA-1", at(60))
    assert lake.book("KXA-1", at(121)).total_centi() == 3_050


def test_what_comes_of_a_market_that_was_left_meanwhile_counts_no_more() -> None:
    markets = Markets("run")
    markets.watch(["KXA-1"], now_us=0)
    asked = markets.ask()
    markets.leave(["KXA-1"])
    assert markets.take(asked, Round([a_book()]), stale_us=STALE_US).n_books == 0


def test_rows_wait_while_the_lake_takes_none_and_go_in_once(tmp_path: Path) -> None:
    """The lake's folder is a file at first. A second flush brings nothing."""
    place = tmp_path / "lake"
    place.write_text("in the way")
    markets, waiting, receipt = Markets("run"), Waiting(most_books=2), ImportReceipt("poll")
    markets.watch(["KXA-1"], now_us=0)
    waiting.add(a_round(markets, 0, "KXA-1"))
    lake = Lake(tmp_path / "other")
    with pytest.raises(WarehouseError):
        waiting.flush(Lake(place / "below"), "run", receipt)
    waiting.add(a_round(markets, 60, "KXA-1"))
    assert waiting.n_books == 2
    with pytest.raises(TooManyWaiting, match="3 books wait for a lake that takes none"):
        waiting.add(a_round(markets, 120, "KXA-1"))
    waiting.flush(lake, "run", receipt)
    waiting.flush(lake, "run", receipt)
    assert kept(lake) == [("run", 1, 1), ("run", 1, 2), ("run", 1, 3)]


def a_killed_run(folder: Path, lake: Lake) -> str:
    """Leave a run of two markets that nobody ended: one had at 0 s and 60 s, the other left after 0 s."""
    with suppress(InterruptedError), run_mark(folder, at()) as run:
        markets, waiting = Markets(run), Waiting()
        markets.watch(["KXA-1", "KXA-2"], now_us=to_us(at()))
        waiting.add(a_round(markets, 0, "KXA-1", "KXA-2"))
        waiting.add(Taken(gaps=markets.leave(["KXA-2"])))
        waiting.add(a_round(markets, 60, "KXA-1"))
        waiting.flush(lake, run, ImportReceipt("poll"))
        raise InterruptedError
    return run


def test_the_next_run_ends_one_that_was_killed_market_by_market_and_only_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    run = a_killed_run(tmp_path, lake)
    assert lake.book("KXA-1", at(3_600)).total_centi() == 3_050
    assert end_killed(lake, tmp_path) == [run]
    gaps = lake.scan(BOOK_GAPS).sort("cause").select("cause", "tickers", "sid", "from_seq", "from_ts")
    assert gaps.collect().rows() == [
        ("killed", ["KXA-1"], 1, 3, at(60)),
        ("unsubscribed", ["KXA-2"], 2, 2, at(0)),
    ]
    with pytest.raises(BookUnknown, match="killed since 2026-05-13T12:01:00Z"):
        lake.book("KXA-1", at(61))
    assert end_killed(lake, tmp_path) == []


def test_a_run_that_lives_is_left_alone_and_one_that_ended_leaves_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with run_mark(tmp_path, at()) as run:
        assert run.startswith("poll-20260513T120000Z-")
        assert end_killed(lake, tmp_path) == []
    assert list(tmp_path.glob("*.run")) == []


def test_a_run_that_was_killed_before_its_first_rows_has_nothing_to_end(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with suppress(InterruptedError), run_mark(tmp_path, at()) as run:
        raise InterruptedError
    assert len(list(tmp_path.glob(f"{run}.run"))) == 1
    assert end_killed(lake, tmp_path) == []
    assert not lake.exists()
    assert list(tmp_path.glob("*.run")) == []


def test_a_folder_where_runs_cannot_be_marked_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(MarkUnwritable, match="choose another folder with --marks"),
        run_mark(tmp_path / "file", at()),
    ):
        pass


def test_a_missed_poll_is_unknown_until_the_market_is_had_again(tmp_path: Path) -> None:
    """Had at 0 s, missed at 60 s, had at 120 s and 180 s, when the run ends: at one moment and over time."""
    markets, lake, waiting = Markets("run"), Lake(tmp_path), Waiting()
    markets.watch(["KXA-1"], now_us=0)
    for seconds, had in ((0, True), (60, False), (120, True), (180, True)):
        waiting.add(a_round(markets, seconds, *(["KXA-1"] if had else [])))
    waiting.add(Taken(gaps=markets.end()))
    waiting.flush(lake, "run", ImportReceipt("poll"))
    gap, _ = lake.scan(BOOK_GAPS).sort("from_seq").collect().to_dicts()
    assert (gap["from_seq"], gap["to_seq"], gap["from_ts"], gap["until_ts"]) == (2, 2, at(0), at(120))
    assert (gap["cause"], gap["is_recovered"]) == ("missed_poll", True)
    microsecond = timedelta(microseconds=1)
    for known_ts in (at(0), at(120), at(150), at(180)):
        assert lake.book("KXA-1", known_ts).total_centi() == 3_050
    for unknown_ts in (at(0) + microsecond, at(60), at(120) - microsecond):
        with pytest.raises(BookUnknown, match="missed_poll"):
            lake.book("KXA-1", unknown_ts)
    told = lake.books(["KXA-1"], at(-1), at(300)).select("ts", "is_known", "cause", "method").collect()
    assert told.rows() == [
        (at(-1), False, "not_recorded", None),
        (at(0), True, None, "rest"),
        (at(0) + microsecond, False, "missed_poll", None),
        (at(120), True, None, "rest"),
        (at(180), True, None, "rest"),
        (at(180) + microsecond, False, "session_end", None),
    ]
