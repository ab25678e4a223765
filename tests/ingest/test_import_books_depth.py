"""Vendors' depth files by a declared layout: one row a book, one row a level, some levels or all."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from exchange.books import Level
from pipelines.ingest import tape_files
from pipelines.ingest.book_layouts import layout_of
from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.import_books import import_books
from pipelines.ingest.receipts import ImportReceipt
from tests.ingest.made_books import a_file
from warehouse import Lake
from warehouse.errors import BookUnknown
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS, QUOTES

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIDES: Final = ("yes_prices_cc", "yes_counts_centi", "no_prices_cc", "no_counts_centi")

WIDE: Final = """
name = "acme"
kind = "depth"
prices = "dollars"
depth = 2
levels = [1, 2]
[time]
column = "ts"
unit = "ms"
[ticker]
file = '^(?P<ticker>.+)_\\d{4}-\\d{2}-\\d{2}$'
[columns]
bid_price = "bid_px_{k}"
bid_size = "bid_sz_{k}"
ask_price = "ask_px_{k}"
ask_size = "ask_sz_{k}"
"""

LONG: Final = """
name = "lob"
kind = "depth"
prices = "cents"
sizes = "hundredths"
depth = "all"
[time]
column = "at"
zone = "UTC"
[ticker]
column = "symbol"
[columns]
side = "side"
price = "price"
size = "size"
[sides]
bid = ["B", "bid"]
no = ["N"]
"""


def a_layout(folder: Path, text: str) -> str:
    """Write a declaration; return its address."""
    path = folder / "layout.toml"
    path.write_text(text)
    return str(path)


def a_parquet(path: Path, *rows: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> Path:
    """Write a vendor's file."""
    pl.DataFrame(list(rows), schema=schema).write_parquet(path)
    return path


def a_wide_row(seconds: float = 0, **changes: float | None) -> dict[str, Any]:
    """Return a book of two levels: bids 0.45 x 10 and 0.44 x 2.5, asks 0.47 x 7 and 0.5 x 1."""
    return {
        "ts": int((NOON.timestamp() + seconds) * 1_000),
        "bid_px_1": 0.45,
        "bid_sz_1": 10.0,
        "bid_px_2": 0.44,
        "bid_sz_2": 2.5,
        "ask_px_1": 0.47,
        "ask_sz_1": 7.0,
        "ask_px_2": 0.5,
        "ask_sz_2": 1.0,
    } | changes


def imported(lake: Lake, path: Path, declaration: str) -> ImportReceipt:
    return import_books(lake, [path], layout=layout_of(a_layout(path.parent, declaration)))


def books(lake: Lake) -> list[tuple[Any, ...]]:
    """Return ticker, captured_ts and the levels, oldest first."""
    rows = lake.scan(BOOK_SNAPSHOTS).collect().sort("captured_ts", "ticker")
    return rows.select("ticker", "captured_ts", *SIDES).rows()


def test_a_row_of_levels_becomes_a_book_of_that_depth(tmp_path: Path) -> None:
    """Floats of dollars are read exactly; an ask at 0.47 is a NO bid at 0.53. It is not *the* book."""
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", a_wide_row()), WIDE)
    assert (receipt.n_rows, receipt.n_quarantined) == (1, 0)
    assert books(lake) == [("KXA-1", NOON, [4_400, 4_500], [250, 1_000], [5_000, 5_300], [100, 700])]
    (row,) = lake.scan(BOOK_SNAPSHOTS).collect().to_dicts()
    assert (row["method"], row["depth"], row["source"]) == ("import", 2, "import:KXA-1_2026-03-01.parquet")
    with pytest.raises(BookUnknown):
        lake.book("KXA-1", NOON)


def test_padding_is_no_level(tmp_path: Path) -> None:
    """Null, NaN, and size 0: the market is thin there; a book without any level is an observation too."""
    nothing = {f"{side}_{what}_{k}": None for side in ("bid", "ask") for what in ("px", "sz") for k in (1, 2)}
    lake = Lake(tmp_path / "lake")
    rows = (
        a_wide_row(bid_px_2=None, bid_sz_2=None, ask_px_1=float("nan"), ask_sz_1=float("nan"), ask_sz_2=0.0),
        a_wide_row(1, bid_px_1=0.0, bid_sz_1=0.0),
        a_wide_row(2, **nothing),
    )
    assert imported(lake, a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", *rows), WIDE).n_quarantined == 0
    assert [book[2:] for book in books(lake)] == [
        ([4_500], [1_000], [], []),
        ([4_400], [250], [5_000, 5_300], [100, 700]),
        ([], [], [], []),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bid_px_2": 0.44001}, "bid_px_2"),
        ({"ask_px_1": 1.0}, "ask_px_1"),
        ({"bid_px_1": None}, "bid_px_1"),
        ({"bid_sz_1": None}, "bid_sz_1"),
        ({"ask_sz_2": -1.0}, "ask_sz_2"),
        ({"bid_sz_2": 2.505}, "bid_sz_2"),
        ({"ts": None}, "ts"),
    ],
)
def test_a_book_with_a_level_that_cannot_be_read_is_none(
    tmp_path: Path, changes: dict[str, float | None], field: str
) -> None:
    lake = Lake(tmp_path / "lake")
    rows = (a_wide_row(0, **changes), a_wide_row(1))
    receipt = imported(lake, a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", *rows), WIDE)
    assert [(bad.location, bad.field) for bad in receipt.bad_rows] == [("KXA-1_2026-03-01.parquet:1", field)]
    assert [book[1] for book in books(lake)] == [NOON + timedelta(seconds=1)]


def test_a_book_with_one_price_twice_is_quarantined(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    path = a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", a_wide_row(bid_px_2=0.45), a_wide_row(1))
    assert imported(lake, path, WIDE).n_quarantined == 1
    assert len(books(lake)) == 1


def a_long_file(folder: Path, *rows: str) -> Path:
    """Write levels: seconds after noon, symbol, side, price in cents, size in hundredths."""
    told = [f"2026-03-01T12:00:{each}" for each in rows]
    return a_file(folder / "levels.csv.gz", "at,symbol,side,price,size", *told)


LEVELS: Final = ("00,KXA-1,B,45,1000", "00,KXA-1,bid,44.5,250", "00,KXA-1,N,53,700", "00,KXB-1,N,60,5")


def test_rows_of_levels_become_whole_books_where_all_levels_were_recorded(tmp_path: Path) -> None:
    """KXB-1 has no YES bids, and the books stand until the recording's last moment."""
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_long_file(tmp_path, *LEVELS, "03,KXA-1,B,46,1"), LONG)
    assert (receipt.n_rows, receipt.n_new) == (5, 4)
    assert books(lake)[:2] == [
        ("KXA-1", NOON, [4_450, 4_500], [250, 1_000], [5_300], [700]),
        ("KXB-1", NOON, [], [], [6_000], [5]),
    ]
    assert lake.book("KXA-1", NOON).best_ask() == Level(4_700, 700)
    with pytest.raises(BookUnknown, match="session_end"):
        lake.book("KXA-1", NOON + timedelta(seconds=4))


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 99])
def test_a_book_whose_rows_come_in_several_parts_is_one_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    """Parquet in batches of any length gives what one batch gives, also where a row says not whose it is."""
    monkeypatch.setattr(tape_files, "_CHUNK_ROWS", rows_at_once)
    later = ("03,KXA-1,B,46,1", "03,KXA-1,B,4x,1", "04,KXA-1,B,4,1", "-,KXA-1,B,4,1", "05,KXA-1,N,4,1")
    rows = [
        {
            "at": None if second == "-" else NOON.replace(tzinfo=None, second=int(second)),
            "symbol": symbol,
            "side": side,
            "price": price,
            "size": size,
        }
        for second, symbol, side, price, size in (
            each.split(",") for each in (*LEVELS, *later, "06,KXA-1,B,47,1")
        )
    ]
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_parquet(tmp_path / "levels.parquet", *rows), LONG)
    assert [(book[0], book[1].second, len(book[2]) + len(book[4])) for book in books(lake)] == [
        ("KXA-1", 0, 3),
        ("KXB-1", 0, 1),
        ("KXA-1", 6, 1),
    ]
    assert (receipt.n_rows, receipt.n_quarantined) == (10, 5)


def test_one_level_that_cannot_be_read_spoils_its_book_and_no_other(tmp_path: Path) -> None:
    """A row that does not say whose it is may be of the book before it or after it."""
    rows = ("01,KXA-1,B,45,1", "02,KXA-1,B,45,1", "02,KXA-1,X,45,1", "03,KXA-1,B,45,1", "0x,KXA-1,B,44,1")
    lake = Lake(tmp_path / "lake")
    receipt = imported(lake, a_long_file(tmp_path, *rows, "04,KXA-1,B,45,1", "05,KXA-1,B,45,1"), LONG)
    assert [book[1].second for book in books(lake)] == [1, 5]
    assert [(bad.location, bad.field) for bad in receipt.bad_rows] == [
        ("levels.csv.gz:3", None),
        ("levels.csv.gz:4", "side"),
        ("levels.csv.gz:5", None),
        ("levels.csv.gz:6", "at"),
        ("levels.csv.gz:7", None),
    ]


def test_a_file_whose_books_lie_in_pieces_is_refused(tmp_path: Path) -> None:
    """Sorted by level, every piece would pass for a whole book."""
    lake = Lake(tmp_path / "lake")
    rows = ("00,KXA-1,B,45,1", "01,KXA-1,B,45,1", "00,KXA-1,B,44,1")
    with pytest.raises(UnreadableFile, match=r"levels\.csv\.gz:4: KXA-1 comes again .* sort the rows by"):
        imported(lake, a_long_file(tmp_path, *rows), LONG)
    assert not lake.exists()


def test_a_file_that_has_grown_goes_on_where_it_ended(tmp_path: Path) -> None:
    """The first end is no end any more, the second is."""
    lake = Lake(tmp_path / "lake")
    imported(lake, a_long_file(tmp_path, *LEVELS), LONG)
    imported(lake, a_long_file(tmp_path, *LEVELS, "03,KXA-1,B,46,1", "09,KXB-1,B,1,1"), LONG)
    assert lake.scan(BOOK_GAPS).collect().height == 2
    assert lake.book("KXA-1", NOON + timedelta(seconds=8)).best_bid() == Level(4_600, 1)
    with pytest.raises(BookUnknown):
        lake.book("KXA-1", NOON + timedelta(seconds=10))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('kind = "depth"', 'kind = "deep"', "kind = 'deep': say tops or depth"),
        ('prices = "dollars"', 'prices = "euros"', "prices = 'euros': say dollars or cents or centicents"),
        ("depth = 2", "", "depth is not told"),
        ("depth = 2", "depth = 1", "depth is 1, yet there are 2 levels"),
        ("depth = 2", "deep = 2", "deep is unknown; there are name, kind"),
        ('bid_size = "bid_sz_{k}"', "", "with levels, columns must name bid_price, bid_size, and either"),
        ("bid_sz_{k}", "bid_sz", "column bid_sz does not say where the level stands: {k}"),
        ('column = "ts"', "", "column is missing"),
        ('unit = "ms"', 'unit = "min"', "time.unit = 'min': say text or s or ms or us or ns"),
        ('unit = "ms"', 'zone = "Mars"', "zone 'Mars': is unknown"),
        ("(?P<ticker>.+)", ".+", "ticker.file has no group"),
        ("levels = [1, 2]", "", "without levels, columns must name side, price and size"),
        ("depth = 2", "depth = ", "cannot be read"),
    ],
)
def test_a_declaration_that_cannot_be_followed_says_why(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    assert before in WIDE
    with pytest.raises(BadRequest) as refused:
        layout_of(a_layout(tmp_path, WIDE.replace(before, after, 1)))
    assert told in str(refused.value)


def test_a_log_of_tops_can_be_declared_too(tmp_path: Path) -> None:
    """Times in nanoseconds are cut to microseconds; the ask is what a NO bid leaves of $1."""
    declared = """
        name = "bbo"
        kind = "tops"
        prices = "centicents"
        time = { column = "t", unit = "ns" }
        ticker = { column = "m" }
        columns = { bid = "b", no_bid = "n", last = "p" }
    """
    lake = Lake(tmp_path / "lake")
    path = a_parquet(
        tmp_path / "a.parquet", {"t": 1_772_366_400_000_001_999, "m": "KXA-1", "b": 1, "n": 9_990, "p": 5}
    )
    imported(lake, path, declared)
    (quote,) = lake.scan(QUOTES).collect().to_dicts()
    assert quote["event_ts"] == NOON + timedelta(microseconds=1)
    assert (quote["bid_cc"], quote["ask_cc"], quote["last_price_cc"]) == (1, 10, 5)
    assert quote["session"].startswith("bbo:")


def test_the_name_must_tell_the_market_where_the_layout_says_so(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match=r"march\.parquet: neither a column nor its name tells the market"):
        imported(lake, a_parquet(tmp_path / "march.parquet", a_wide_row()), WIDE)
    with pytest.raises(UnreadableFile, match="column bid_px_2, bid_sz_2, ask_px_2, ask_sz_2 is missing"):
        imported(
            lake, a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", {"ts": 1}), WIDE.replace("[1, 2]", "[2]")
        )


def test_lists_are_not_levels(tmp_path: Path) -> None:
    """Read as text, a list would be a price nobody quoted."""
    row = a_wide_row() | {"bid_px_1": [0.45, 0.44]}
    with pytest.raises(UnreadableFile, match="bid_px_1 holds lists or structs; write a column for each"):
        imported(Lake(tmp_path / "lake"), a_parquet(tmp_path / "KXA-1_2026-03-01.parquet", row), WIDE)


def test_the_layouts_in_the_documentation_can_be_followed(tmp_path: Path) -> None:
    """docs/books.md shows one of each kind."""
    page = Path(__file__).resolve().parents[2] / "docs" / "books.md"
    declared = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    layouts = [layout_of(a_layout(tmp_path, each)) for each in declared if "\nkind = " in each]
    assert [(each.name, each.depth, len(each.needed)) for each in layouts] == [
        ("acme", 3, 13),
        ("lob", None, 5),
        ("bbo", None, 4),
    ]
