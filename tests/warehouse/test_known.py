"""A lake as it could be known at a moment: its readers, less what came later."""

from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from tests.warehouse.rows import (
    a_candle,
    a_delta,
    a_market,
    a_quote,
    a_snapshot,
    a_trade,
    an_event,
    at,
    frame,
)
from warehouse import Lake
from warehouse.tables import (
    BOOK_DELTAS,
    BOOK_SNAPSHOTS,
    CANDLES,
    EVENTS,
    MARKETS,
    QUOTES,
    SERIES,
    TABLES,
    TRADES,
    Table,
)

HOUR: Final = 3_600
OVER: Final[dict[str, Any]] = {
    "observed_ts": at(days=3),
    "close_ts": at(HOUR),
    "updated_ts": at(days=1),
    "expected_expiration_ts": at(days=1),
    "can_close_early": True,
    "status": "finalized",
    "result": "yes",
    "settlement_value_cc": 10_000,
    "settlement_ts": at(2 * HOUR),
}


def a_lake(folder: Path) -> Lake:
    """The tape of A-1 around noon; of A-2 a bar of an hour and one of a minute; B, listed an hour after noon.

    A-2 was seen a day before, open; all others when everything was over.
    """
    lake = Lake(folder / "lake")
    listed = {"event_ticker": "KXB", "created_ts": at(HOUR), "open_ts": at(HOUR)}
    commit(
        lake,
        MARKETS,
        a_market("KXA-2", observed_ts=at(days=-1)),
        *(a_market(ticker, **OVER) for ticker in ("KXA-1", "KXA-2")),
        a_market("KXB-1", **OVER | listed),
    )
    seen_ts = at(days=3)
    commit(
        lake,
        EVENTS,
        an_event("KXA", observed_ts=seen_ts, last_updated_ts=at(HOUR)),
        an_event("KXB", observed_ts=seen_ts),
    )
    commit(lake, SERIES, {"ticker": "KX", "observed_ts": seen_ts, "source": "test"})
    commit(lake, TRADES, *(a_trade(f"t{n}", event_ts=at(n)) for n in (-60, 0, 60)))
    commit(lake, QUOTES, *(a_quote(n, received_ts=at(n + 30)) for n in (-60, -30, 0, 60)))
    bars = ((HOUR, -HOUR), (60, 60))
    commit(
        lake, CANDLES, *(a_candle(ticker="KXA-2", period_s=length, end_ts=at(end)) for length, end in bars)
    )
    commit(lake, BOOK_SNAPSHOTS, a_snapshot(1, captured_ts=at(-60)))
    changes = ((2, 0), (3, 60))
    commit(lake, BOOK_DELTAS, *(a_delta(seq, event_ts=at(n), received_ts=at(n)) for seq, n in changes))
    return lake


def commit(lake: Lake, table: Table, *rows: dict[str, Any]) -> None:
    lake.commit(table, frame(table, *rows))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for who only reads it."""
    return a_lake(tmp_path_factory.mktemp("known"))


@pytest.mark.parametrize("name", ["trades", "candles", "quotes"])
@pytest.mark.parametrize("seconds", [-HOUR - 1, -30, -1, 0, 30, 60, HOUR])
def test_readers_of_tapes_give_what_they_give_of_the_whole_until_then(
    lake: Lake, name: str, seconds: float
) -> None:
    """Of whatever they choose among, too: the hour of candles speaks, for the minute came after it."""
    for asked in ({}, {"series": "KX"}, {"ticker": "KXA-1", "start": at(-45), "end": at(45)}):
        whole = getattr(lake, name)(**asked).filter(pl.col("known_ts") <= at(seconds)).collect()
        assert getattr(lake.known_by(at(seconds)), name)(**asked).collect().equals(whole)


def test_a_row_is_there_from_its_known_ts_on(lake: Lake) -> None:
    """Of the tables themselves; a quote of 12:00:00 that was received half a minute later is not, before."""
    moments = (-61, -30, 0, 29, 30, 60, 90)
    tables = (TRADES, QUOTES, BOOK_DELTAS)
    counted = {
        seconds: [lake.known_by(at(seconds)).scan(each).collect().height for each in tables]
        for seconds in moments
    }
    assert counted == {
        -61: [0, 0, 0],
        -30: [1, 1, 0],
        0: [2, 2, 1],
        29: [2, 2, 1],
        30: [2, 3, 1],
        60: [3, 3, 2],
        90: [3, 4, 2],
    }
    assert lake.known_by(at(29)).tops(["KXA-1"]).collect().height == 2


def test_a_market_is_known_as_of_then_and_its_expected_expiration_as_listed(lake: Lake) -> None:
    """Before, between and after close and payout: what `markets(asof=...)` says, but for that time."""
    for seconds in (-3 * 24 * HOUR, 0, HOUR, 2 * HOUR, 4 * 24 * HOUR):
        asof = lake.markets(asof=at(seconds)).drop("basis", "expected_expiration_ts").collect()
        known = lake.known_by(at(seconds)).markets().collect()
        assert known.drop("expected_expiration_ts").equals(asof)
        unseen = known.filter(pl.col("ticker") != "KXA-2")  # which was seen without one
        assert unseen["expected_expiration_ts"].to_list() == [at(days=1)] * unseen.height
    assert lake.known_by(at(days=4)).markets().collect().equals(lake.markets().collect())


def test_an_outcome_is_not_known_before_it_was_one(lake: Lake) -> None:
    """Traps 29, 30: A-1 closes early, an hour after noon, and is paid after two; A-2 was seen open."""
    first, second = pl.col("ticker") == "KXA-1", pl.col("ticker") == "KXA-2"
    rows = [
        lake.known_by(at(hours * HOUR)).scan(MARKETS).filter(first).collect().row(0, named=True)
        for hours in (0.5, 1, 2)
    ]
    told = [(row["close_ts"], row["result"], row["status"], row["settlement_value_cc"]) for row in rows]
    assert told == [
        (None, None, None, None),
        (at(HOUR), None, None, None),
        (at(HOUR), "yes", "finalized", 10_000),
    ]
    assert {row["observed_ts"] for row in rows} == {at(days=3)}
    (seen,) = lake.known_by(at(2 * HOUR)).scan(MARKETS).filter(second).collect().to_dicts()
    assert (seen["close_ts"], seen["result"], seen["status"]) == (at(days=1), "", "active")


def test_an_event_is_there_from_its_first_market_on(lake: Lake) -> None:
    """B's market is created an hour after noon; A's event was changed then, which nobody knew before."""
    before, then = (lake.known_by(at(seconds)).events().collect() for seconds in (0, HOUR))
    assert before.select("ticker", "last_updated_ts").rows() == [("KXA", None)]
    assert then.select("ticker", "last_updated_ts").rows() == [("KXA", at(HOUR)), ("KXB", None)]
    assert lake.known_by(at(0)).series().collect()["ticker"].to_list() == ["KX"]


def test_a_book_of_a_later_moment_is_the_last_one_known(lake: Lake) -> None:
    """10 YES at .45, 15 from noon and 20 from a minute later on."""
    known = lake.known_by(at(30))
    assert known.book("KXA-1", at(60)) == lake.book("KXA-1", at(30)) != lake.book("KXA-1", at(60))
    whole = lake.books("KXA-1", at(-60), at(120)).filter(pl.col("ts") <= at(30)).collect()
    assert known.books("KXA-1", at(-60), at(120)).collect().equals(whole)
    assert known.books("KXA-1", at(31), at(120)).collect().is_empty()


def test_a_known_lake_reads_every_table_and_is_pinned(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    known = lake.known_by("2026-05-13T12:00:00Z")
    lake.commit(TRADES, frame(TRADES, a_trade("late", event_ts=at(-1))))
    assert known.scan(TRADES).collect().height == 2
    for table in TABLES.values():
        assert known.scan(table).collect().columns == list(table.columns)
    assert (known.pinned(), known.uri) == (known, lake.uri)
    assert known.versions()["trades"] == lake.versions()["trades"] - 1


@pytest.mark.parametrize("name", ["path", "files", "read", "commit", "is_complete"])
def test_what_would_read_past_the_cut_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(AttributeError, match=f"has no '{name}'; it has .*quotes, scan, series"):
        getattr(Lake(tmp_path).known_by(at()), name)
