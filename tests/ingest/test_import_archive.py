"""A public archive of trades and markets, sorted by date and committed."""

import math
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from pipelines.ingest import import_archive_runs
from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.import_archive import WORKPLACE, import_archive
from pipelines.ingest.import_archive_runs import workplace
from tests.ingest.made_archives import TRADE_TYPES, a_market, a_trade, an_archive, write
from warehouse import Lake
from warehouse.tables import MARKETS, QUARANTINE, TRADES, WINDOWS


def trades_in(lake: Lake) -> pl.DataFrame:
    return lake.scan(TRADES).sort("trade_id").collect()


def test_cents_and_contracts_become_integers_to_the_microsecond(tmp_path: Path) -> None:
    """3 contracts at 14 cents: 300 hundredths at 1400 centicents; blocks are unknown; it says who told."""
    lake = Lake(tmp_path / "lake")
    receipt = import_archive(lake, an_archive(tmp_path / "made", [[a_trade()]]))
    row = trades_in(lake).row(0, named=True)
    assert (row["yes_price_cc"], row["count_centi"], row["taker_side"]) == (1_400, 300, "yes")
    assert row["event_ts"] == datetime(2025, 7, 1, 14, 22, 42, 193311, tzinfo=UTC)
    assert row["fetched_ts"] == datetime(2025, 11, 20, 1, 2, 3, 4, tzinfo=UTC)
    assert (row["is_block_trade"], row["source"]) == (None, "archive:prediction-market-analysis")
    assert (receipt.n_rows, receipt.n_new, receipt.n_quarantined) == (1, 1, 0)


def test_pieces_in_no_order_become_one_commit_with_one_file_a_day(tmp_path: Path) -> None:
    """Three days spread over three pieces with repetitions: one version, three files, every trade once."""
    pieces = [[a_trade(f"t-{n}", 1 + n % 3) for n in range(first, first + 6)] for first in (8, 4, 0)]
    lake = Lake(tmp_path / "lake")
    receipt = import_archive(lake, an_archive(tmp_path / "made", pieces))
    assert trades_in(lake)["trade_id"].to_list() == sorted(f"t-{n}" for n in range(14))
    files = lake.files(TRADES)
    assert files is not None
    assert files.files.height == 3
    assert lake.version(TRADES) == 1  # 0 is the empty table
    assert (receipt.tables["trades"].n_new, receipt.tables["trades"].n_known) == (14, 4)
    assert not (lake.path / WORKPLACE).exists()


def test_an_archive_makes_no_windows(tmp_path: Path) -> None:
    """Nobody can tell what it lacks: a later sync still asks the exchange for everything."""
    lake = Lake(tmp_path / "lake")
    import_archive(lake, an_archive(tmp_path / "made", [[a_trade()]], [[a_market()]]))
    assert lake.version(WINDOWS) is None


def test_prices_that_floats_cut_by_a_cent_are_read_back(tmp_path: Path) -> None:
    """$0.29, $0.57 and $0.58 times 100 end just below a whole number; the other side tells."""
    cut = {price: math.floor(float(f"0.{price:02}") * 100) for price in range(1, 100)}
    assert {price for price in cut if cut[price] + cut[100 - price] != 100} == {29, 57, 58, 71, 43, 42}
    rows = [a_trade(f"t-{p:02}", yes_price=cut[p], no_price=cut[100 - p]) for p in range(1, 100)]
    lake = Lake(tmp_path / "lake")
    import_archive(lake, an_archive(tmp_path / "made", [rows]))
    assert trades_in(lake)["yes_price_cc"].to_list() == [price * 100 for price in range(1, 100)]


def test_from_the_first_fractional_market_on_trades_are_left_out(tmp_path: Path) -> None:
    """Counts are cut from 2026-03-09 on and nothing shows it; the receipt says how many were left out."""
    border = datetime(2026, 3, 9, tzinfo=UTC)
    made = an_archive(
        tmp_path / "made",
        [
            [
                a_trade("before", created_time=border.replace(day=8)),
                a_trade("on", created_time=border),
                a_trade("cut", created_time=border, yes_price=28, no_price=71),
            ]
        ],
    )
    lake = Lake(tmp_path / "lake")
    receipt = import_archive(lake, made)
    assert trades_in(lake)["trade_id"].to_list() == ["before"]
    assert receipt.ignored == {"trades from the day on when counts may be cut": 2}
    later = import_archive(lake, made, until=datetime(2027, 1, 1, tzinfo=UTC))
    assert trades_in(lake)["trade_id"].to_list() == ["before", "on"]
    assert [(bad.field, bad.value) for bad in later.bad_rows] == [("no_price", "71")]  # 28.5 or 29 cents


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("trade_id", None, ""),
        ("ticker", " ", ""),
        ("count", 0, "0"),
        ("count", None, ""),
        ("yes_price", 100, "100"),
        ("yes_price", None, ""),
        ("no_price", 85, "85"),
        ("taker_side", "", ""),
        ("created_time", None, ""),
    ],
)
def test_a_bad_row_is_named_and_the_rest_goes_in(
    tmp_path: Path, field: str, value: object, shown: str
) -> None:
    """File, row, field and value are told; the row is kept whole in quarantine."""
    rows = [a_trade("t-1"), a_trade("t-2") | {field: value}, a_trade("t-3")]
    lake = Lake(tmp_path / "lake")
    receipt = import_archive(lake, an_archive(tmp_path / "made", [rows]))
    assert trades_in(lake)["trade_id"].to_list() == ["t-1", "t-3"]
    (bad,) = receipt.bad_rows
    assert (bad.location, bad.field, bad.value) == ("trades/trades_0_10000.parquet:2", field, shown)
    kept = lake.scan(QUARANTINE).collect().row(0, named=True)
    assert '"_fetched_at"' in kept["payload"]


def test_other_tools_types_give_the_same_trades(tmp_path: Path) -> None:
    """Floats with nulls, text, naive or zoned times, no no_price and no _fetched_at: the same facts."""
    plain = an_archive(tmp_path / "plain", [[a_trade()]])
    other = tmp_path / "other" / "kalshi" / "trades"
    types = {
        "ticker": pa.dictionary(pa.int32(), pa.string()),
        "count": pa.float64(),
        "yes_price": pa.string(),
        "taker_side": pa.string(),
        "created_time": pa.timestamp("ns"),
        "trade_id": pa.large_string(),
    }
    row = a_trade() | {"yes_price": "14"}
    write(other / "a.parquet", [row | {"created_time": row["created_time"].replace(tzinfo=None)}], types)
    spelled = row | {"created_time": "2025-07-01 14:22:42.193311"}
    write(other / "b.parquet", [spelled | {"trade_id": "t-2"}], types | {"created_time": pa.string()})
    first, second = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    import_archive(first, plain)
    assert import_archive(second, tmp_path / "other").n_quarantined == 0
    facts = trades_in(second).drop("fetched_ts")
    assert facts.filter(trade_id="t-1").equals(trades_in(first).drop("fetched_ts"))
    assert facts.drop("trade_id")[0].equals(facts.drop("trade_id")[1])


def test_what_is_no_data_is_passed_over(tmp_path: Path) -> None:
    """The `._` twins of macOS, other files, an empty piece."""
    made = an_archive(tmp_path / "made", [[a_trade()], []])
    home = made / "data" / "kalshi" / "trades"
    (home / "._trades_0_10000.parquet").write_bytes(b"\x00\x05\x16\x07 AppleDouble")
    (home / "notes.txt").write_text("no data")
    assert import_archive(Lake(tmp_path / "lake"), made).n_rows == 1


def test_damaged_files_are_named_before_anything_goes_in(tmp_path: Path) -> None:
    """A cut file, one of another format, one without a column: all three in one line, the lake untouched."""
    made = an_archive(tmp_path / "made", [[a_trade()], [a_trade("t-2")]], [[a_market()]])
    home = made / "data" / "kalshi" / "trades"
    whole = (home / "trades_10000_20000.parquet").read_bytes()
    (home / "trades_10000_20000.parquet").write_bytes(whole[: len(whole) // 2])
    (home / "x.parquet").write_bytes(b"")
    write(home / "y.parquet", [a_trade()], {k: v for k, v in TRADE_TYPES.items() if k != "count"})
    lake = Lake(tmp_path / "lake")
    with pytest.raises(UnreadableFile, match=r"trades_10000_20000.*x\.parquet.*y\.parquet: column count"):
        import_archive(lake, made)
    assert not lake.exists()


def test_damage_inside_a_file_that_looks_whole_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    """The last piece of the markets is the damaged one; the trades before it stay out too."""
    made = an_archive(tmp_path / "made", [[a_trade()]], [[a_market(f"KXA-{n}-Y") for n in range(500)]])
    path = made / "data" / "kalshi" / "markets" / "markets_0_10000.parquet"
    content = bytearray(path.read_bytes())
    content[10:900] = b"\xff" * 890
    path.write_bytes(content)
    lake = Lake(tmp_path / "lake")
    with pytest.raises(UnreadableFile, match="markets_0_10000"):
        import_archive(lake, made)
    assert not lake.exists()


def test_a_folder_without_an_archive_is_refused(tmp_path: Path) -> None:
    """The message says what was looked for."""
    with pytest.raises(UnreadableFile, match=r"no data/kalshi/trades or markets/\*\.parquet below it"):
        import_archive(Lake(tmp_path / "lake"), tmp_path)


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    """No new row and no new version of any table."""
    made = an_archive(tmp_path / "made", [[a_trade(), a_trade("bad", count=0)]], [[a_market()]])
    lake = Lake(tmp_path / "lake")
    import_archive(lake, made)
    versions = lake.versions()
    again = import_archive(lake, made)
    assert lake.versions() == versions
    assert (again.n_new, again.tables["trades"].n_known, again.tables["markets"].n_known) == (0, 1, 1)


class Killed(BaseException):
    """A kill: nothing catches it."""


@pytest.mark.parametrize("steps", [0, 2, 4, 6, 7, 8, 11])
def test_killed_at_any_step_it_goes_on_where_it_was(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four runs, three commits, one of markets: whichever step is the last, the second try ends the same."""
    monkeypatch.setattr("pipelines.ingest.import_archive.RUN_ROWS", 6)
    monkeypatch.setattr(import_archive_runs, "COMMIT_ROWS", 8)
    pieces = [[a_trade(f"t-{first + n}", 1 + n) for n in range(6)] for first in (0, 6, 12, 18)]
    made = an_archive(tmp_path / "made", pieces, [[a_market()]])
    lake = Lake(tmp_path / "lake")
    left = iter(range(steps))

    def dying(stage: str, done: int, total: int | None) -> None:
        if next(left, None) is None:
            raise Killed(stage, done, total)

    with pytest.raises(Killed):
        import_archive(lake, made, dying)
    receipt = import_archive(lake, made)
    assert receipt.n_rows == 25
    assert trades_in(lake)["trade_id"].to_list() == sorted(f"t-{n}" for n in range(24))
    files = lake.files(TRADES)
    assert files is not None
    assert files.files.height == 6  # no day was written twice
    assert lake.scan(MARKETS).collect().height == 1


def test_a_repaired_or_longer_archive_is_not_mixed_with_what_was_sorted_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after sorting; then one piece changes and another is added: the new ones go in."""
    monkeypatch.setattr("pipelines.ingest.import_archive.RUN_ROWS", 1)
    made = an_archive(tmp_path / "made", [[a_trade("t-1")], [a_trade("t-2")], [a_trade("t-3")]])
    lake = Lake(tmp_path / "lake")

    def dying(stage: str, done: int, total: int | None) -> None:
        if stage == "archive: commit days of trades" and done == total:
            raise Killed

    with pytest.raises(Killed):
        import_archive(lake, made, dying)
    home = made / "data" / "kalshi" / "trades"
    write(home / "trades_20000_30000.parquet", [a_trade("t-4"), a_trade("t-5")], TRADE_TYPES)
    write(home / "trades_30000_40000.parquet", [a_trade("t-6")], TRADE_TYPES)
    assert import_archive(lake, made).n_rows == 5
    assert trades_in(lake)["trade_id"].to_list() == [f"t-{n}" for n in range(1, 7)]  # t-3 went in before


def test_two_imports_do_not_share_a_workplace(tmp_path: Path) -> None:
    """The second is told to wait; the first is not disturbed."""
    lake = Lake(tmp_path / "lake")
    made = an_archive(tmp_path / "made", [[a_trade()]])
    with workplace(lake.path / WORKPLACE), pytest.raises(BadRequest, match="at work; wait for it"):
        import_archive(lake, made)
    assert import_archive(lake, made).n_new == 1


def test_market_days_that_the_exchange_told_whole_are_left_out(tmp_path: Path) -> None:
    """Day 1 is whole in the lake. Of day 2 one trade is missing there, so the archive speaks for day 2."""
    lake = Lake(tmp_path / "lake")
    rows = [a_trade("t-1"), a_trade("t-2", 2), a_trade("t-3", 2)]
    import_archive(Lake(tmp_path / "other"), an_archive(tmp_path / "made", [rows]))
    told = trades_in(Lake(tmp_path / "other")).with_columns(pl.lit("historical").alias("source"))
    lake.commit(TRADES, told.head(2))
    receipt = import_archive(lake, tmp_path / "made")
    assert (receipt.tables["trades"].n_new, receipt.tables["trades"].n_known) == (2, 1)
    archive = "archive:prediction-market-analysis"
    assert trades_in(lake).select("trade_id", "source").rows() == [
        ("t-1", "historical"),
        ("t-2", archive),
        ("t-3", archive),
    ]
    lake.commit(TRADES, told)
    assert trades_in(lake)["source"].unique().to_list() == ["historical"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be; a disk that is full at the second run: the first one is kept."""
    made = an_archive(tmp_path / "made", [[a_trade(f"t-{n}")] for n in range(3)])
    lake = Lake(tmp_path / "lake")
    (tmp_path / "file").touch()
    with pytest.raises(BadRequest, match=r"cannot be written .* --tmp"):
        import_archive(lake, made, tmp=tmp_path / "file")
    monkeypatch.setattr("pipelines.ingest.import_archive.RUN_ROWS", 1)
    full = tmp_path / "tmp" / WORKPLACE / "run-00001.parquet"

    def filling(stage: str, done: int, total: int | None) -> None:
        assert total is not None, stage
        if done == 1:
            full.mkdir()

    with pytest.raises(BadRequest, match="make room"):
        import_archive(lake, made, filling, tmp=tmp_path / "tmp")
    assert not lake.exists()
    full.rmdir()
    assert import_archive(lake, made, tmp=tmp_path / "tmp").n_new == 3
