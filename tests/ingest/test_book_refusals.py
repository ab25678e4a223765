"""A refused book of a recording does not leave the one before it standing."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tests.ingest.test_import_books_depth import LONG, NOON, a_long_file, imported
from warehouse import Lake
from warehouse.errors import BookUnknown
from warehouse.tables import BOOK_GAPS


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def gaps(lake: Lake) -> list[tuple[str, int, int | None, float, float | None, bool]]:
    """Return ticker, from_seq, to_seq, from and until in seconds, is_recovered."""
    rows = lake.scan(BOOK_GAPS).sort("from_ts", "from_seq").collect().to_dicts()
    return [
        (
            row["tickers"][0],
            row["from_seq"],
            row["to_seq"],
            (row["from_ts"] - NOON).total_seconds(),
            None if row["until_ts"] is None else (row["until_ts"] - NOON).total_seconds(),
            row["is_recovered"],
        )
        for row in rows
        if row["cause"] == "bad_frame"
    ]


def n_levels(lake: Lake, ticker: str, seconds: float) -> int:
    """Return how many levels SQL knows of a book."""
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        query = "select count(*) from book_at(?, ?::timestamptz)"
        ((found,),) = connection.execute(query, [ticker, at(seconds)]).fetchall()
        return int(found)


def test_the_book_is_unknown_from_the_good_one_before_to_the_good_one_after(tmp_path: Path) -> None:
    """Lines 1, 2: good; 3 and 4, at 2 s and 3 s: no side; 5, at 4 s: good. The other market stands."""
    lake = Lake(tmp_path / "lake")
    rows = ("01,KXB-1,B,30,1", "01,KXA-1,B,45,1", "02,KXA-1,X,45,1", "03,KXA-1,B,x,1", "04,KXA-1,B,46,1")
    imported(lake, a_long_file(tmp_path, *rows, "09,KXB-1,B,31,1"), LONG)
    assert gaps(lake) == [("KXA-1", 3 + 1, 5, 1.0, 4.0, True)]
    assert lake.book("KXA-1", at(1)).best_bid() == (4_500, 1)
    with pytest.raises(BookUnknown, match="bad_frame"):
        lake.book("KXA-1", at(3.5))
    assert lake.book("KXA-1", at(4)).best_bid() == (4_600, 1)
    assert lake.book("KXB-1", at(3.5)).best_bid() == (3_000, 1)
    assert [n_levels(lake, "KXA-1", each) for each in (1, 3.5, 4)] == [1, 0, 1]


def test_a_row_that_does_not_say_whose_it_is_blinds_every_market(tmp_path: Path) -> None:
    """It spoils its neighbours too; KXA-1 is told again at 5 s, KXB-1 never: the end says that, too."""
    lake = Lake(tmp_path / "lake")
    rows = ("00,KXA-1,B,45,1", "00,KXB-1,B,30,1", "01,KXA-1,B,45,1", "02,,B,44,1", "04,KXA-1,B,45,1")
    imported(lake, a_long_file(tmp_path, *rows, "05,KXA-1,B,47,1"), LONG)
    assert [(gap[0], *gap[3:]) for gap in gaps(lake)] == [
        ("KXA-1", 0.0, 5.0, True),
        ("KXB-1", 0.0, None, False),
    ]
    for ticker in ("KXA-1", "KXB-1"):
        with pytest.raises(BookUnknown, match="bad_frame"):
            lake.book(ticker, at(4.5))
    assert lake.book("KXA-1", at(5)).best_bid() == (4_700, 1)


def test_refused_books_before_the_first_good_one_leave_nothing_to_blind(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    imported(lake, a_long_file(tmp_path, "00,KXA-1,X,45,1", "01,KXA-1,B,45,1"), LONG)
    assert gaps(lake) == []


def test_what_is_imported_again_leaves_the_same_gaps(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    path = a_long_file(tmp_path, "01,KXA-1,B,45,1", "02,KXA-1,X,45,1", "04,KXA-1,B,46,1")
    imported(lake, path, LONG)
    before = gaps(lake)
    assert imported(lake, path, LONG).n_new == 0
    assert gaps(lake) == before
