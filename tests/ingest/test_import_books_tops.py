"""Logs and polls of the best bid and ask that others kept, as quotes; and the command that imports books."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.import_books import import_books
from tests.ingest.made_books import (
    ADD,
    BOUGHT,
    BUY,
    CENTS_HEADER,
    CHANGES_HEADER,
    POLLS_HEADER,
    TOPS_HEADER,
    a_file,
)
from tests.ingest.test_cli import Run, run
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, QUOTES

__all__ = ["run"]

TOLD = ("ticker", "bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi", "last_price_cc")


def quotes(lake: Lake, *columns: str) -> list[tuple[Any, ...]]:
    """Return quotes in the order of the file."""
    return lake.scan(QUOTES).collect().sort("event_ts", "ticker").select(columns or TOLD).rows()


def test_a_log_in_dollars_becomes_quotes_and_an_empty_side_is_nobody(tmp_path: Path) -> None:
    """Sizes as floats of contracts; conflict markers of git are no rows."""
    log = a_file(
        tmp_path / "log.csv.gz",
        TOPS_HEADER,
        "2026-02-08T14:12:11.706445,KXSB-26-NE,0.32,1698816.0,0.33,25563377.5,32,66,0.01",
        "<<<<<<< Updated upstream",
        "2026-02-08T14:12:12.706445,KXSB-26-NE,0.98,34807.0,,,97,0,",
        "2026-02-08T14:12:13.706445,KXSB-26-NE,,,,,0,0,",
    )
    lake = Lake(tmp_path / "lake")
    receipt = import_books(lake, [log], zone="America/New_York")
    assert [bad.location for bad in receipt.bad_rows] == ["log.csv.gz:3"]
    assert quotes(lake) == [
        ("KXSB-26-NE", 3_200, 169_881_600, 3_300, 2_556_337_750, None),
        ("KXSB-26-NE", 9_800, 3_480_700, None, None, None),
        ("KXSB-26-NE", None, None, None, None, None),
    ]
    last = datetime(2026, 2, 8, 19, 12, 13, 706_445, tzinfo=UTC)  # five hours behind UTC in winter
    (end,) = lake.scan(BOOK_GAPS).collect().to_dicts()
    assert (end["cause"], end["from_ts"], end["tickers"], end["from_seq"]) == (
        "session_end",
        last,
        ["KXSB-26-NE"],
        6,
    )


def test_after_the_end_of_a_log_nobody_quotes(tmp_path: Path) -> None:
    """A price that was logged last is not the price for ever."""
    log = a_file(tmp_path / "log.csv", CENTS_HEADER, "2026-01-01T10:00:00,KXA-1,17,82,83,18")
    lake = Lake(tmp_path / "lake")
    import_books(lake, [log], zone="UTC")
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        query = (
            "select (bid * 10000)::int, (ask * 10000)::int from implied_probability('KXA-1', ?::timestamptz)"
        )
        at = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (10, 11)]
        told = [connection.execute(query, [each]).fetchall() for each in at]
    assert told == [[(1_700, 1_800)], [(None, None)]]


def test_a_log_in_cents_must_agree_with_itself(tmp_path: Path) -> None:
    """NO bid 82 is a YES ask of 18; 0 and 100 are nobody. A row that says both 18 and 19 is refused."""
    log = a_file(
        tmp_path / "log.csv",
        CENTS_HEADER,
        "2026-01-01T10:00:00.5,KXA-1,17,82,83,18",
        "2026-01-01T10:00:01.5,KXA-1,0,99,100,1",
        "2026-01-01T10:00:02.5,KXA-1,99,0,1,100",
        "2026-01-01T10:00:03.5,KXA-1,17,82,83,19",
        "2026-01-01T10:00:04.5,KXA-1,101,82,-1,18",
        "2026-01-01T10:00:05.5,,17,82,83,18",
    )
    lake = Lake(tmp_path / "lake")
    receipt = import_books(lake, [log], zone="UTC")
    assert quotes(lake, "bid_cc", "ask_cc") == [(1_700, 1_800), (None, 100), (9_900, None)]
    assert [(bad.location, bad.field, bad.value) for bad in receipt.bad_rows] == [
        ("log.csv:5", "best_no_bid", "82"),
        ("log.csv:6", "best_yes_bid", "101"),
        ("log.csv:7", "market_ticker", ""),
    ]


def test_polls_bring_last_price_volume_and_open_interest(tmp_path: Path) -> None:
    """A last price of 0 is a market that has never traded. The zone stands in the time."""
    polls = a_file(
        tmp_path / "polls.csv",
        POLLS_HEADER,
        "2025-11-24T23:05:38.527224+00:00,KXA-1,5,8,92,95,3,214,227,181972",
        "2025-11-24T23:05:38.527224+00:00,KXA-2,0,100,0,100,0,0,0,0",
    )
    lake = Lake(tmp_path / "lake")
    assert import_books(lake, [polls]).n_quarantined == 0
    told = ("bid_cc", "ask_cc", "last_price_cc", "volume_centi", "open_interest_centi")
    assert quotes(lake, *told) == [(500, 800, 300, 22_700, 21_400), (None, None, None, 0, 0)]


def test_of_two_rows_of_one_instant_the_last_stands(tmp_path: Path) -> None:
    rows = ("2026-01-01T10:00:00Z,KXA-1,17,82,83,18", "2026-01-01T10:00:00Z,KXA-1,18,81,82,19")
    lake = Lake(tmp_path / "lake")
    import_books(lake, [a_file(tmp_path / "log.csv", CENTS_HEADER, *rows)])
    assert quotes(lake, "bid_cc", "ask_cc") == [(1_800, 1_900)]


def test_times_without_a_zone_are_not_guessed(tmp_path: Path) -> None:
    """01:30 comes twice in the night when New York's clocks go back, 02:30 never when they go forward."""
    days = ("2025-11-02T01:30:00", "2026-03-08T02:30:00", "2026-03-08T03:30:00")
    log = a_file(tmp_path / "log.csv", CENTS_HEADER, *(f"{day},KXA-1,17,82,83,18" for day in days))
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match=r"log\.csv:2: timestamp='2025-11-02T01:30:00' has no time zone"):
        import_books(lake, [log])
    with pytest.raises(BadRequest, match=r"zone 'New York': is unknown"):
        import_books(lake, [log], zone="New York")
    receipt = import_books(lake, [log], zone="America/New_York")
    assert [bad.location for bad in receipt.bad_rows] == ["log.csv:2", "log.csv:3"]
    assert quotes(lake, "event_ts") == [(datetime(2026, 3, 8, 7, 30, tzinfo=UTC),)]


def test_a_market_is_told_once(tmp_path: Path) -> None:
    """The column beats nobody: whoever names another market is asked to look again."""
    log = a_file(tmp_path / "log.csv", CENTS_HEADER, "2026-01-01T10:00:00Z,KXA-1,17,82,83,18")
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match="its column market_ticker tells the markets"):
        import_books(lake, [log], tickers={"": "KXA-2"})
    assert not lake.exists()


def test_the_command_tells_what_it_saw_and_names_what_it_refused(run: Run, tmp_path: Path) -> None:
    """Exit code 2 with a bad row, 0 without; the market of a file is told."""
    good = a_file(tmp_path / "a.csv", CHANGES_HEADER, BUY, BOUGHT)
    bad = a_file(tmp_path / "b.csv", CHANGES_HEADER, ADD, ADD.replace("BUY", "?"))
    said = run("import", "books", good, bad, "--ticker", "a.csv=KXA-1", "--ticker", "b.csv=KXA-2")
    assert said.code == 2
    assert "seen: 1 trades with a change of minus their size within 60 rows" in said.err
    assert "b.csv:3: side='?' is not BUY or SELL" in said.err
    assert "book_deltas: 2 new, 0 known, 1 quarantined" in said.out
    assert run("import", "books", good, "--ticker", "KXA-1", "--json").json["n_new"] == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--ticker", "KXA-1"), "--ticker KXA-1: there are 2 files; say FILE=TICKER for each"),
        (("--ticker", "c.csv=KXA-1"), "--ticker c.csv=KXA-1: say FILE=TICKER, with the name of one"),
        (("--layout", "vendor"), "--layout vendor: say price_changes, top_of_book, top_of_book_cents, polls"),
        (("--layout", "gone.toml"), "--layout gone.toml: cannot be read"),
    ],
)
def test_the_command_refuses_what_it_cannot_follow(
    run: Run, tmp_path: Path, options: tuple[str, str], told: str
) -> None:
    files = [a_file(tmp_path / name, CHANGES_HEADER, BUY) for name in ("a.csv", "b.csv")]
    said = run("import", "books", *files, *options)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert not (tmp_path / "lake").exists()
