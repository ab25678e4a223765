"""Streams of changes that others recorded: what goes where, what is unknown, what is refused."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingest import import_books as books_module
from pipelines.ingest import tape_files
from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.import_books import import_books
from tests.ingest.made_books import ADD, BOOK, BOUGHT, BUY, CHANGES_HEADER, SELL, SOLD, a_file, imported
from warehouse import Lake
from warehouse.errors import BookUnknown
from warehouse.lake import Commit
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, QUARANTINE, QUOTES, TRADES, Table


def at(second: int, micros: int = 0) -> datetime:
    """Return a moment of 2026-01-08 02:13."""
    return datetime(2026, 1, 8, 2, 13, second, micros, tzinfo=UTC)


def rows(lake: Lake, table: Table, *by: str) -> list[dict[str, Any]]:
    """Return a table's rows, sorted."""
    return lake.scan(table).collect().sort(*by or table.key).to_dicts()


def test_changes_become_deltas_of_bids_and_what_is_the_best_becomes_quotes(tmp_path: Path) -> None:
    """A SELL change is of YES asks: NO bids at $1 minus it. A SELL trade names the NO price: 0.6 is 0.40."""
    lake = Lake(tmp_path / "lake")
    path = a_file(tmp_path / "a.csv.gz", CHANGES_HEADER, *BOOK, BUY, BOUGHT, SELL, SOLD, ADD)
    receipt = imported(lake, path)
    assert (receipt.n_rows, receipt.n_quarantined, receipt.ignored) == (7, 0, {})
    assert receipt.seen == {"trades with a change of minus their size within 60 rows": 2}
    told = [
        (each["seq"], each["side"], each["price_cc"], each["delta_centi"], each["event_ts"])
        for each in rows(lake, BOOK_DELTAS, "seq")
    ]
    assert told == [
        (4, "no", 5_800, -500, at(20, 500_000)),
        (6, "yes", 4_000, -700, at(21, 250_000)),
        (8, "yes", 4_100, 250, at(22, 54)),
    ]
    quotes = [
        (each["event_ts"], each["bid_cc"], each["ask_cc"], each["last_price_cc"])
        for each in rows(lake, QUOTES, "event_ts")
    ]
    # A trade's second is not earlier than the change above it: at 20.5 s the first, at 21.25 s the other.
    assert quotes == [
        (at(20, 500_000), 4_000, 4_200, 4_200),
        (at(21, 250_000), 4_000, 4_200, 4_000),
        (at(22, 54), 4_100, 4_200, 4_000),
    ]
    assert lake.version(TRADES) is None


def test_the_best_levels_at_a_start_are_no_book_and_the_book_stays_unknown(tmp_path: Path) -> None:
    """`book` rows have no time: known with the next change. One level a side was told, and that is kept."""
    lake = Lake(tmp_path / "lake")
    imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, *BOOK, BUY, ADD))
    (book,) = rows(lake, BOOK_SNAPSHOTS)
    assert (book["captured_ts"], book["method"], book["depth"]) == (at(20, 500_000), "import", 1)
    assert (book["yes_prices_cc"], book["yes_counts_centi"]) == ([4_000], [3_500])
    assert (book["no_prices_cc"], book["no_counts_centi"]) == ([5_800], [4_900])
    gaps = [(gap["cause"], gap["from_seq"], gap["from_ts"], gap["until_ts"]) for gap in rows(lake, BOOK_GAPS)]
    assert gaps == [("no_snapshot", 4, at(20, 500_000), None), ("session_end", 6, at(22, 54), None)]
    with pytest.raises(BookUnknown):
        lake.book("KXA-1", at(21))


def test_half_a_start_is_left_out_and_an_empty_side_is_not(tmp_path: Path) -> None:
    """One side alone says nothing of the other; a side that is told to be empty is empty."""
    halves = (BOOK[0], BUY, BOOK[1], ",book,,BUY,,,0.42", ",book,0.42,SELL,49,,0.42", ADD, *BOOK)
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, *halves))
    (book,) = rows(lake, BOOK_SNAPSHOTS)
    assert (book["yes_prices_cc"], book["no_prices_cc"], book["seq"]) == ([], [5_800], 6)
    assert receipt.ignored == {"book rows of one side alone, or with no change after them": 4}


def test_an_import_is_done_once_whatever_the_name_and_a_longer_file_adds_its_rest(tmp_path: Path) -> None:
    """The first end is passed then: `lake.book` has nothing to lose, quotes go on."""
    lake = Lake(tmp_path / "lake")
    imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, *BOOK, BUY))
    again = imported(lake, a_file(tmp_path / "b.csv.gz", CHANGES_HEADER, *BOOK, BUY))
    assert (again.n_new, again.tables["book_deltas"].n_known) == (0, 1)
    longer = imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, *BOOK, BUY, BOUGHT, ADD))
    assert {name: told.n_new for name, told in longer.tables.items()} == {
        "book_gaps": 1,
        "book_deltas": 1,
        "quotes": 1,
        "book_snapshots": 0,
    }
    assert len({each["session"] for each in rows(lake, BOOK_DELTAS)}) == 1


def test_the_same_name_in_another_folder_is_another_recording(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for folder, change in (("one", BUY), ("two", SELL)):
        (tmp_path / folder).mkdir()
        imported(lake, a_file(tmp_path / folder / "a.csv", CHANGES_HEADER, change))
    assert [each["delta_centi"] for each in rows(lake, BOOK_DELTAS, "event_ts")] == [-500, -700]


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (BUY.replace("0.4200,SELL", "0.42001,SELL"), "price", "0.42001"),
        (BUY.replace("0.4200,SELL", "1.0000,SELL"), "price", "1.0000"),
        (BUY.replace("-5", "-0.005"), "size", "-0.005"),
        (BUY.replace("-5", "0"), "size", "0"),
        (BOUGHT.replace(",5,", ",-5,"), "size", "-5"),
        (BUY.replace("20.5Z", "60.5Z"), "timestamp", "2026-01-08T02:13:60.5Z"),
        (BUY.replace("2026-01-08T02:13:20.5Z", "1767838400"), "timestamp", "1767838400"),
        (BUY.replace("price_change", "heartbeat"), "event_type", "heartbeat"),
        (BUY.replace("SELL", "ASK"), "side", "ASK"),
        (BUY.replace(",0.4,", ",?,"), "best_bid", "?"),
        ("<<<<<<< HEAD", None, None),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_rest_goes_in(
    tmp_path: Path, row: str, field: str | None, value: str | None
) -> None:
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, row, ADD))
    (bad,) = receipt.bad_rows
    assert (bad.location, bad.field, bad.value) == ("a.csv:2", field, value)
    (kept,) = rows(lake, QUARANTINE)
    assert (kept["payload"], kept["table_name"]) == (row, "book_deltas")
    assert len(rows(lake, BOOK_DELTAS)) == 1


def test_what_a_float_made_of_a_price_is_that_price(tmp_path: Path) -> None:
    """1 - 0.89 and 1 - 0.83 as a recorder of 2025-12 wrote them; one nine less is no noise."""
    noisy = [
        ADD.replace(",0.41,", f",{text},")
        for text in ("0.10999999999999999", "0.17000000000000004", "0.1099999")
    ]
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER, *noisy))
    assert [each["price_cc"] for each in rows(lake, BOOK_DELTAS, "seq")] == [1_100, 1_700]
    assert [bad.value for bad in receipt.bad_rows] == ["0.1099999"]


def test_trades_without_their_change_are_told(tmp_path: Path) -> None:
    """5 went from 0.42, and 6 were sold."""
    lake = Lake(tmp_path / "lake")
    path = a_file(tmp_path / "a.csv", CHANGES_HEADER, BUY, BOUGHT, BOUGHT.replace(",5,", ",6,"), ADD)
    assert imported(lake, path).seen == {
        "trades with a change of minus their size within 60 rows": 1,
        "trades without one, the first at a.csv:4: changes are missing there": 1,
    }


class Interrupted(Lake):
    """A lake that takes so many commits, and then the power goes."""

    def __init__(self, folder: Path, n_commits: int) -> None:
        super().__init__(folder)
        self.n_left = n_commits

    def commit(self, table: Table, rows: pl.DataFrame, *, location: str = "") -> Commit:
        """Commit, or stop the program."""
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        return super().commit(table, rows, location=location)


def everything(lake: Lake) -> list[list[dict[str, Any]]]:
    """Return all rows that an import of changes makes."""
    return [rows(lake, table) for table in (BOOK_DELTAS, BOOK_SNAPSHOTS, QUOTES, BOOK_GAPS)]


@pytest.fixture
def whole(tmp_path: Path) -> list[list[dict[str, Any]]]:
    """Return what two minutes of changes with trades bring in one piece."""
    lake = Lake(tmp_path / "whole")
    imported(lake, a_long_stream(tmp_path))
    return everything(lake)


def a_long_stream(folder: Path) -> Path:
    """Write starts, changes and trades, minute after minute; two changes of each share an instant."""
    lines = []
    for n in range(9):
        bought = BOUGHT.replace("1767838400", str(1_767_838_400 + 60 * n))
        sold = SOLD.replace("1767838401", str(1_767_838_401 + 60 * n))
        again = ADD.replace("0.41", "0.40")
        minute = (*BOOK, BUY, bought, SELL, sold, ADD, again)
        lines += [each.replace("T02:13:2", f"T02:{13 + n}:2") for each in minute]
    return a_file(folder / "stream.csv", CHANGES_HEADER, *lines, *BOOK)


@pytest.mark.parametrize("n_bytes", [90, 333])
def test_parts_of_a_file_bring_what_the_whole_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: list[list[dict[str, Any]]], n_bytes: int
) -> None:
    """Starts without their change, trades without theirs, quotes that go on: all stand at some border."""
    monkeypatch.setattr(tape_files, "_CHUNK_BYTES", n_bytes)
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_long_stream(tmp_path))
    assert everything(lake) == whole
    assert receipt.seen == {"trades with a change of minus their size within 60 rows": 18}
    assert receipt.ignored == {"book rows of one side alone, or with no change after them": 2}


@pytest.mark.parametrize("n_commits", [0, 2, 3, 5])
def test_an_import_that_was_stopped_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: list[list[dict[str, Any]]], n_commits: int
) -> None:
    """Committed in small pieces; what was in is known, and no book is known meanwhile."""
    monkeypatch.setattr(tape_files, "_CHUNK_BYTES", 1_500)
    monkeypatch.setattr(books_module, "COMMIT_ROWS", 10)
    path = a_long_stream(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        imported(Interrupted(tmp_path / "lake", n_commits), path)
    lake = Lake(tmp_path / "lake")
    imported(lake, path)
    assert everything(lake) == whole


def test_a_file_without_tickers_needs_one_unless_its_name_is_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match=r"Kalshi_BOS\.csv: .* say --ticker Kalshi_BOS\.csv=TICKER"):
        import_books(lake, [a_file(tmp_path / "Kalshi_BOS.csv", CHANGES_HEADER, BUY)])
    assert not lake.exists()
    import_books(lake, [a_file(tmp_path / "KXHIGHNY-26JAN02-B28.5.csv.gz", CHANGES_HEADER, BUY)])
    assert rows(lake, BOOK_DELTAS)[0]["ticker"] == "KXHIGHNY-26JAN02-B28.5"


def test_a_file_of_headers_alone_brings_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert imported(lake, a_file(tmp_path / "a.csv", CHANGES_HEADER)).n_new == 0
    assert not lake.exists()


def test_a_file_that_is_damaged_or_of_no_known_layout_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    """Also when a good file stands before it: all are checked first."""
    lake = Lake(tmp_path / "lake")
    good = a_file(tmp_path / "KXA-1.csv", CHANGES_HEADER, BUY)
    cut = a_file(tmp_path / "KXA-2.csv.gz", CHANGES_HEADER, *[BUY] * 99)
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(UnreadableFile, match=r"KXA-2\.csv\.gz: damaged"):
        import_books(lake, [good, cut])
    with pytest.raises(BadRequest, match=r"KXA-3\.csv: has no layout that is known; say --layout"):
        import_books(lake, [good, a_file(tmp_path / "KXA-3.csv", "a,b", "1,2")])
    assert not lake.exists()
