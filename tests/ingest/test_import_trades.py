"""Trade tapes out of CSV and Parquet files."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.import_trades import import_trades
from tests.ingest.made_files import TAPE_HEADER, a_tape, a_trade
from warehouse import Lake
from warehouse.tables import QUARANTINE, TRADES


def trades_in(lake: Lake) -> pl.DataFrame:
    return lake.scan(TRADES).sort("trade_id").collect()


def test_a_row_becomes_integers(tmp_path: Path) -> None:
    """3 contracts at 14 cents: 300 hundredths at 1400 centicents, to the microsecond."""
    lake = Lake(tmp_path / "lake")
    receipt = import_trades(lake, [a_tape(tmp_path / "tape.csv", a_trade())])
    row = trades_in(lake).row(0, named=True)
    assert (row["yes_price_cc"], row["count_centi"], row["taker_side"]) == (1_400, 300, "yes")
    assert row["event_ts"] == datetime(2025, 7, 19, 14, 22, 42, 193311, tzinfo=UTC)
    assert row["source"] == "import:tape.csv"
    assert (receipt.n_rows, receipt.n_new, receipt.n_quarantined) == (1, 1, 0)


def test_an_index_column_padding_a_byte_order_mark_and_crlf_are_tolerated(tmp_path: Path) -> None:
    """Spreadsheets and pandas leave such traces; none of them changes a trade."""
    lake = Lake(tmp_path / "lake")
    path = tmp_path / "tape.csv"
    header = ", trade_id , ticker,count, created_time,yes_price,no_price,taker_side "
    path.write_text(f"\ufeff{header}\r\n0, t-1 ,KXA-1-Y,3,2025-07-19T14:22:42Z,14,86, yes\r\n", newline="")
    import_trades(lake, [path])
    assert trades_in(lake).select("trade_id", "taker_side").row(0) == ("t-1", "yes")


def test_fractional_counts_are_exact(tmp_path: Path) -> None:
    """Since 2026-04 contracts come in hundredths: 93.51 is 9351, not 9350."""
    lake = Lake(tmp_path / "lake")
    import_trades(lake, [a_tape(tmp_path / "tape.csv", a_trade(count="93.51"))])
    assert trades_in(lake)["count_centi"].to_list() == [9_351]


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (a_trade(trade_id=""), "trade_id", ""),
        (a_trade(ticker=" "), "ticker", ""),
        (a_trade(count="0.001"), "count", "0.001"),
        (a_trade(count="0"), "count", "0"),
        (a_trade(count="-3"), "count", "-3"),
        (a_trade(created_time="2025-07-19 14:22:42"), "created_time", "2025-07-19 14:22:42"),
        (a_trade(yes_price="0.14"), "yes_price", "0.14"),
        (a_trade(yes_price="100", no_price="0"), "yes_price", "100"),
        (a_trade(no_price="85"), "no_price", "85"),
        (a_trade(taker_side="buy"), "taker_side", "buy"),
        ("<<<<<<< HEAD", None, None),
        (a_trade() + ",one cell more", None, None),
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_in(
    tmp_path: Path, row: str, field: str | None, value: str | None
) -> None:
    """The bad row stands in line 3: file, line, field and value are told, its text is kept whole."""
    lake = Lake(tmp_path / "lake")
    path = a_tape(tmp_path / "tape.csv", a_trade("t-1"), row, a_trade("t-2"))
    receipt = import_trades(lake, [path])
    assert trades_in(lake)["trade_id"].to_list() == ["t-1", "t-2"]
    (bad,) = receipt.bad_rows
    assert (bad.location, bad.field, bad.value) == ("tape.csv:3", field, value)
    kept = lake.scan(QUARANTINE).collect().row(0, named=True)
    assert (kept["table_name"], kept["location"], kept["payload"]) == ("trades", "tape.csv:3", row)


def test_a_quoted_cell_is_one_cell(tmp_path: Path) -> None:
    """A comma inside quotes does not divide."""
    lake = Lake(tmp_path / "lake")
    import_trades(lake, [a_tape(tmp_path / "tape.csv", a_trade(ticker='"KX,A"'))])
    assert trades_in(lake)["ticker"].to_list() == ["KX,A"]


@pytest.mark.parametrize("inside", [a_trade("false"), "x\n" + a_trade("false"), 'he said ""no""\n,'])
def test_a_quoted_line_break_makes_no_trade(tmp_path: Path, inside: str) -> None:
    """What stands between the quotes is one cell, however much it looks like a row."""
    lake = Lake(tmp_path / "lake")
    torn = f'"first\n{inside}\nlast",' + a_trade("torn")
    path = a_tape(
        tmp_path / "tape.csv", "," + a_trade("t-1"), torn, "," + a_trade("t-2"), header=f"note,{TAPE_HEADER}"
    )
    receipt = import_trades(lake, [path])
    assert trades_in(lake)["trade_id"].to_list() == ["t-1", "t-2"]
    assert {bad.reason for bad in receipt.bad_rows} == {
        "a quoted cell holds a line break, which no trade has"
    }
    assert receipt.bad_rows[0].location == "tape.csv:3"


def test_a_quote_inside_a_cell_is_a_letter(tmp_path: Path) -> None:
    """Only as its first character does a quote open a cell: 5" does not swallow the rows after it."""
    lake = Lake(tmp_path / "lake")
    rows = ['5",' + a_trade("t-1"), '"a ""b"" c",' + a_trade("t-2"), '"",' + a_trade("t-3")]
    import_trades(lake, [a_tape(tmp_path / "tape.csv", *rows, header=f"note,{TAPE_HEADER}")])
    assert trades_in(lake)["trade_id"].to_list() == ["t-1", "t-2", "t-3"]


def test_a_parquet_tape_with_a_damaged_page_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    """The footer is whole and the data is not: found before the first row goes in."""
    tape = a_tape(tmp_path / "tape.csv", *(a_trade(f"t-{n}") for n in range(200)))
    path = tmp_path / "tape.parquet"
    zoned = pl.col("created_time").str.to_datetime(time_zone="UTC")
    pl.read_csv(tape).with_columns(zoned).write_parquet(path, compression="zstd")
    damaged = bytearray(path.read_bytes())
    damaged[40:120] = b"\xff" * 80
    path.write_bytes(damaged)
    lake = Lake(tmp_path / "lake")
    with pytest.raises(UnreadableFile, match=r"tape\.parquet: damaged"):
        import_trades(lake, [path])
    assert lake.versions() == {}


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    """No new row, no new version, also of the quarantine; the bad row is told again."""
    lake = Lake(tmp_path / "lake")
    path = a_tape(tmp_path / "tape.csv.gz", a_trade("t-1"), a_trade("t-2", count="x"))
    import_trades(lake, [path])
    versions = lake.versions()
    again = import_trades(lake, [path])
    assert lake.versions() == versions
    assert (again.n_new, again.tables["trades"].n_known, again.n_quarantined) == (0, 1, 1)


def test_an_earlier_pull_after_the_later_one_changes_nothing(tmp_path: Path) -> None:
    """What the earlier pull holds, the later one held too."""
    lake = Lake(tmp_path / "lake")
    later = a_tape(tmp_path / "later.csv", *(a_trade(f"t-{n}") for n in range(5)))
    earlier = a_tape(tmp_path / "earlier.csv", *(a_trade(f"t-{n}") for n in range(3)))
    import_trades(lake, [later])
    version = lake.version(TRADES)
    import_trades(lake, [earlier])
    assert lake.version(TRADES) == version


def test_a_parquet_tape_gives_the_same_rows_as_its_csv(tmp_path: Path) -> None:
    """Numbers and zoned times instead of text: the same trades, to the microsecond."""
    tape = a_tape(tmp_path / "tape.csv", *(a_trade(f"t-{n}", count=f"{n + 1}") for n in range(4)))
    pl.read_csv(tape).with_columns(
        pl.col("created_time").str.to_datetime(time_zone="UTC"), pl.col("count").cast(pl.Float64)
    ).write_parquet(tmp_path / "tape.parquet")
    from_csv, from_parquet = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    import_trades(from_csv, [tape])
    import_trades(from_parquet, [tmp_path / "tape.parquet"])
    assert trades_in(from_csv).drop("source").equals(trades_in(from_parquet).drop("source"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tape.csv", b"\x00\x01\x02 garbage"),
        ("tape.csv", b""),
        ("tape.csv", TAPE_HEADER.removesuffix(",taker_side").encode() + b"\n"),
        ("tape.csv.gz", b"\x1f\x8b cut short"),
        ("tape.parquet", b"PAR1 and nothing after"),
        ("tape.csv", f"{TAPE_HEADER}\r{a_trade()}\r".encode()),
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_lake_as_it_was(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """The good file before it is not imported either: bad input changes nothing."""
    lake = Lake(tmp_path / "lake")
    good = a_tape(tmp_path / "good.csv", a_trade())
    bad = tmp_path / name
    bad.write_bytes(content)
    with pytest.raises(UnreadableFile, match=name):
        import_trades(lake, [good, bad])
    assert lake.versions() == {}


def test_a_parquet_tape_with_naive_times_is_refused_whole(tmp_path: Path) -> None:
    """Nobody can tell which moments they are; the message says what to do."""
    tape = a_tape(tmp_path / "tape.csv", a_trade())
    naive = pl.read_csv(tape).with_columns(pl.lit(datetime(2025, 7, 19)).alias("created_time"))  # noqa: DTZ001 -- naive on purpose
    naive.write_parquet(tmp_path / "tape.parquet")
    with pytest.raises(UnreadableFile, match="created_time have no time zone"):
        import_trades(Lake(tmp_path / "lake"), [tmp_path / "tape.parquet"])


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    """Which file, and that it is not there."""
    with pytest.raises(UnreadableFile, match=r"gone\.csv: no such file"):
        import_trades(Lake(tmp_path / "lake"), [tmp_path / "gone.csv"])


def test_a_tape_of_what_the_exchange_told_is_known(tmp_path: Path) -> None:
    """All of a market's day is there from a better source: no row, no version. Else the whole day stays."""
    lake = Lake(tmp_path / "lake")
    tape = a_tape(tmp_path / "tape.csv", a_trade("t-1"), a_trade("t-2"))
    import_trades(Lake(tmp_path / "other"), [tape])
    told = trades_in(Lake(tmp_path / "other")).with_columns(pl.lit("rest").alias("source"))
    lake.commit(TRADES, told)
    version = lake.version(TRADES)
    receipt = import_trades(lake, [tape])
    assert (receipt.n_new, receipt.tables["trades"].n_known, lake.version(TRADES)) == (0, 2, version)
    more = a_tape(tmp_path / "more.csv", *(a_trade(f"t-{n}") for n in (1, 2, 3)))
    assert import_trades(lake, [more]).n_new == 3
    assert trades_in(lake)["source"].unique().to_list() == ["import:more.csv"]


def test_a_long_tape_is_committed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece is not the whole of a day, so nothing of it is left out on that ground."""
    monkeypatch.setattr("pipelines.ingest.import_trades.COMMIT_ROWS", 2)
    monkeypatch.setattr("pipelines.ingest.tape_files._CHUNK_BYTES", 150)
    lake = Lake(tmp_path / "lake")
    receipt = import_trades(lake, [a_tape(tmp_path / "tape.csv", *(a_trade(f"t-{n}") for n in range(7)))])
    assert receipt.n_new == 7
    assert lake.version(TRADES) == 3
