"""The poller before a real exchange: the lake has the books as they were, and gaps where nobody knew."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from starlette.responses import JSONResponse, Response

from exchange.books import OrderBook
from pipelines.client.endpoints.tape import BOOKS_PATH
from pipelines.poller import polling
from pipelines.poller.polling import Pace
from pipelines.poller.unended import end_killed
from pipelines.recorder.errors import NothingToWatch
from pipelines.recorder.watching import Watch
from tests.poller.exchanges import CLOSING, OFTEN, House, polled, refusing, rounds
from tests.recorder.rooms import until
from warehouse import Lake
from warehouse.errors import BookUnknown
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS, QUARANTINE

SIDES = ("yes_prices_cc", "yes_counts_centi", "no_prices_cc", "no_counts_centi")
US = timedelta(microseconds=1)


def snapshots(lake: Lake, ticker: str) -> pl.DataFrame:
    return lake.scan(BOOK_SNAPSHOTS).filter(pl.col("ticker") == ticker).sort("seq").collect()


def gaps(lake: Lake, ticker: str) -> list[tuple[str, int, int | None]]:
    rows = lake.scan(BOOK_GAPS).filter(pl.col("tickers").list.contains(ticker)).sort("from_seq")
    return rows.select("cause", "from_seq", "to_seq").collect().rows()


def levels(book: OrderBook) -> tuple[list[int], ...]:
    sides = [book.levels("yes"), book.levels("no")]
    return tuple([level[which] for level in side] for side in sides for which in (0, 1))


@pytest.fixture(autouse=True)
def _no_poll_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls for 0.3 s makes gaps of its own, and is no part of these stories."""
    monkeypatch.setattr(polling, "STALE_ROUNDS", 1_000)


@pytest.mark.slow
def test_books_are_polled_until_markets_close_and_failures_are_gaps(house: House, tmp_path: Path) -> None:
    """One market closes and is left; the other's polls fail for a while, then go on; both books are exact."""
    (staying,) = house.staying()
    poller = house.poller(tmp_path, CLOSING, staying)
    single = f"/markets/{staying}/orderbook"
    expected = [levels(house.world.book(each)) for each in (staying, CLOSING)]

    async def story() -> None:
        await rounds(poller, 3)
        house.clock.jump(timedelta(minutes=10))
        await until(lambda: len(poller._markets.spells) == 1)  # noqa: SLF001  nothing outside tells
        house.answers[single] = refusing(500)
        await until(lambda: poller.tally.n_missed >= 2)
        house.answers.clear()
        await rounds(poller, 3)

    asyncio.run(polled(poller, story))
    lake, tally = poller.lake, poller.tally
    rows = snapshots(lake, staying)
    assert [snapshots(lake, each).select(SIDES).row(0) for each in (staying, CLOSING)] == expected
    assert rows["seq"].is_unique().all()
    assert (rows["method"].unique().to_list(), rows["source"].unique().to_list()) == (["rest"], ["rest"])
    assert rows["latency_us"].is_between(1, 60_000_000).all()
    assert [cause for cause, _, _ in gaps(lake, CLOSING)] == ["unsubscribed"]
    (missed, first, last), (cause, after, _) = gaps(lake, staying)
    assert (missed, cause) == ("missed_poll", "session_end")
    assert not set(rows["seq"]) & set(range(first, (last or 0) + 1))
    assert after == rows["seq"][-1] + 1
    assert tally.n_books == lake.scan(BOOK_SNAPSHOTS).collect().height
    assert (tally.n_gaps, poller.cost is not None and poller.cost.tokens) == (1, 10)
    _known_only_between_good_polls(lake, staying, rows)
    assert list((tmp_path / "marks").iterdir()) == []


def _known_only_between_good_polls(lake: Lake, ticker: str, rows: pl.DataFrame) -> None:
    """The book of a poll stands until the next number; nothing stands where one is missing, or at the end."""
    with duckdb.connect(str(lake.path / "warehouse.duckdb"), read_only=True) as connection:
        known = rows.select("seq", "captured_ts").rows()
        for (seq, captured_ts), (following, _) in zip(known, [*known[1:], (None, None)], strict=True):
            book = lake.book(ticker, captured_ts)
            query = "select count(*) from book_at(?, ?::timestamptz)"
            n_levels = len(book.levels("yes")) + len(book.levels("no"))
            assert connection.execute(query, [ticker, captured_ts]).fetchall() == [(n_levels,)]
            if following == seq + 1:
                assert lake.book(ticker, captured_ts + US) == book
                continue
            assert connection.execute(query, [ticker, captured_ts + US]).fetchall() == [(0,)]
            with pytest.raises(BookUnknown, match="missed_poll" if following else "session_end"):
                lake.book(ticker, captured_ts + US)


@pytest.mark.slow
def test_the_time_ends_a_run_and_a_late_round_is_told(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every 0.1 s for 0.25 s, and answers take 0.15 s: not one round is in time. Nobody bids."""
    tickers = house.staying(2)
    house.answers[BOOKS_PATH] = lambda _: _nobody_bids(tickers, after_s=0.15)
    poller = house.poller(tmp_path, *tickers, pace=Pace(every_s=0.1, for_s=0.25, commit_s=5))
    asyncio.run(polled(poller, lambda: until(lambda: bool(poller.receipt.tables))))
    tally = poller.tally
    assert tally.n_rounds == tally.n_late <= 2
    assert tally.n_rounds + tally.n_skipped >= 3
    assert "the next begins at once" in caplog.text
    rows = poller.lake.scan(BOOK_SNAPSHOTS).collect()
    assert rows.height == tally.n_books == tally.n_empty == 2 * tally.n_rounds
    assert rows.select(SIDES).unique().rows() == [([], [], [], [])]
    assert (rows["latency_us"] >= 150_000).all()


def _nobody_bids(tickers: list[str], *, after_s: float) -> Response:
    time.sleep(after_s)
    return JSONResponse({"orderbooks": [{"ticker": each, "orderbook_fp": {}} for each in tickers]})


@pytest.mark.slow
def test_a_refused_book_is_kept_aside_and_leaves_nothing_standing(house: House, tmp_path: Path) -> None:
    """A level of half a centicent: the book is in quarantine, and unknown since the poll before."""
    (ticker,) = house.staying()
    path = f"/markets/{ticker}/orderbook"
    poller = house.poller(tmp_path, ticker)

    async def story() -> None:
        await rounds(poller, 2)
        house.answers[path] = lambda _: JSONResponse({"orderbook_fp": {"yes_dollars": [["0.40005", "1.00"]]}})
        await until(lambda: poller.tally.n_refused > 0)

    asyncio.run(polled(poller, story))
    kept = poller.lake.scan(QUARANTINE).collect()
    assert kept.select("table_name", "location", "field").row(0) == ("book_snapshots", path, "yes_dollars_fp")
    last_ts = snapshots(poller.lake, ticker)["captured_ts"][-1]
    with pytest.raises(BookUnknown, match="session_end"):
        poller.lake.book(ticker, last_ts + US)


@pytest.mark.slow
def test_a_run_that_is_cancelled_still_ends_in_order(house: House, tmp_path: Path) -> None:
    """What came is in the lake, with its end; the next run finds nothing to declare."""
    (ticker,) = house.staying()
    poller = house.poller(tmp_path, ticker, pace=Pace(every_s=0.1, commit_s=60))

    async def story() -> None:
        async with poller.client:
            task = asyncio.create_task(poller.run(asyncio.Event()))
            await until(lambda: poller.tally.n_books >= 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    n_rows = snapshots(poller.lake, ticker).height
    assert n_rows == poller.tally.n_books >= 2
    assert gaps(poller.lake, ticker) == [("session_end", n_rows + 1, None)]
    assert end_killed(poller.lake, tmp_path / "marks") == []
    assert len(gaps(poller.lake, ticker)) == 1
    assert list((tmp_path / "marks").iterdir()) == []


def test_nothing_to_poll_is_refused(house: House, tmp_path: Path) -> None:
    for watch, said in (
        (Watch(), "--most-active"),
        (Watch(tickers=["KXNOBODY-1"]), "no market of KXNOBODY-1"),
    ):
        poller = house.poller(tmp_path, watch=watch, pace=OFTEN)
        with pytest.raises(NothingToWatch, match=said):
            asyncio.run(polled(poller, lambda: asyncio.sleep(30)))
    assert not (tmp_path / "lake").exists()
