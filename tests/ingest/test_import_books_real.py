"""The books that others recorded of the real exchange, out of a lake made from them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from pipelines.ingest.import_books import import_books
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.errors import BookUnknown
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES

pytestmark = [needs_real_data, pytest.mark.slow]

FOLDER: Final = DATA / "l2_csv"
# Changes, trades and times of `book` rows, counted with csv and collections.Counter.
STREAMS: Final = {
    "Kalshi_BOS_JAN07_WIN": (3_602, 1_229, 9),
    "Kalshi_HOU_JAN07_WIN": (85, 31, 1),
    "Kalshi_Jokic": (3_875, 14, 29),
    "Kalshi_LAC_JAN07_WIN": (7_676, 1_295, 2),
    "Kalshi_Luka_YES": (930, 0, 0),
    "Kalshi_NYK_JAN07_WIN": (6_039, 818, 2),
    "Kalshi_TOR_JAN07_WIN": (32_464, 4_340, 2),
}


def test_every_trade_of_the_streams_has_its_change_and_no_book_is_known(tmp_path: Path) -> None:
    """7,727 trades, each with a change of exactly minus its size at its level within 60 rows."""
    files = sorted(FOLDER.glob("Kalshi_*.csv.gz"))
    tickers = {path.name: f"KXNBA-{path.name.removesuffix('.csv.gz')}" for path in files}
    lake = Lake(tmp_path / "lake")
    receipt = import_books(lake, files, tickers=tickers)
    assert receipt.n_quarantined == 0
    assert receipt.seen == {"trades with a change of minus their size within 60 rows": 7_727}
    assert sum(n_trades for _, n_trades, _ in STREAMS.values()) == 7_727
    by_ticker = lake.scan(BOOK_DELTAS).group_by("ticker").len().collect().rows()
    starts = dict(lake.scan(BOOK_SNAPSHOTS).group_by("ticker").len().collect().rows())
    assert {name.removeprefix("KXNBA-"): n for name, n in by_ticker} == {
        n: each[0] for n, each in STREAMS.items()
    }
    assert {name: starts.get(f"KXNBA-{name}", 0) for name in STREAMS} == {
        n: each[2] for n, each in STREAMS.items()
    }
    assert lake.scan(BOOK_SNAPSHOTS).select(pl.col("depth").unique()).collect().rows() == [(1,)]
    assert lake.scan(BOOK_GAPS).group_by("cause").len().collect().sort("cause").rows() == [
        ("no_snapshot", 7),
        ("session_end", 7),
    ]
    with pytest.raises(BookUnknown):
        lake.book("KXNBA-Kalshi_TOR_JAN07_WIN", datetime(2026, 1, 8, 2, 20, tzinfo=UTC))
    assert import_books(lake, files, tickers=tickers).n_new == 0


def test_the_logs_and_polls_become_quotes_row_by_row(tmp_path: Path) -> None:
    """Of the log that holds a git conflict, three lines are none; every other line of all is a quote."""
    tops = sorted(FOLDER.glob("top_of_book_*.csv.gz"))
    superbowl = FOLDER / "superbowl_top_of_book_1s_2026-02-08_with_git_conflict_markers.csv.gz"
    polls = FOLDER / "market_poll_history_KXHIGHNY_2025-11-24.csv"
    lake = Lake(tmp_path / "lake")
    receipt = import_books(lake, [*tops, superbowl, polls], zone="America/New_York")
    assert [bad.location.rpartition(":")[2] for bad in receipt.bad_rows] == ["118", "25823", "51108"]
    assert receipt.tables["quotes"].n_new == 61_166 + 61_169 + 35_938 + 51_104 + 804
    quotes = lake.scan(QUOTES).collect()
    is_empty = pl.col("bid_cc").is_null() | pl.col("ask_cc").is_null()
    of_game = quotes.filter(pl.col("ticker").str.starts_with("KXSB-"))
    assert of_game.filter(is_empty).height == 9_689
    crossed = quotes.filter(pl.col("bid_cc") > pl.col("ask_cc"))
    assert crossed.height == 0
