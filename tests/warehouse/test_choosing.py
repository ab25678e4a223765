"""One source speaks for a day of a market, and no trade is read twice or mixed in."""

import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake, choosing
from warehouse.tables import TRADES

ARCHIVE = "archive:x"
TAPE = "import:tape.csv"
MIDNIGHT = at().replace(hour=0) + timedelta(days=1)
RANKS = {"rest": 0, TAPE: 1, ARCHIVE: 2}


def told(lake: Lake, source: str, *ids: str, **changed: Any) -> None:  # noqa: ANN401 -- any column
    """Commit trades of these ids as one source tells them."""
    lake.commit(TRADES, frame(TRADES, *(a_trade(each, source=source, **changed) for each in ids)))


def read(lake: Lake, **filters: Any) -> list[tuple[str, str]]:  # noqa: ANN401 -- what Lake.trades takes
    """Return id and source of what a reader sees."""
    return lake.trades(**filters).collect().select("trade_id", "source").sort("trade_id").rows()


def test_the_exchange_speaks_when_it_tells_as_much(tmp_path: Path) -> None:
    """Two copies of two trades: both are kept, the exchange's are read."""
    lake = Lake(tmp_path)
    told(lake, ARCHIVE, "a", "b")
    told(lake, "rest", "a", "b")
    assert read(lake) == [("a", "rest"), ("b", "rest")]
    assert lake.scan(TRADES, every_source=True).collect().height == 4


@pytest.mark.parametrize("order", [("rest", ARCHIVE), (ARCHIVE, "rest")])
def test_a_poorer_source_speaks_for_a_day_that_the_better_has_in_part(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    """Trap 45: the exchange told one trade of three: all are the archive's, whoever came first."""
    lake = Lake(tmp_path)
    for source in order:
        told(lake, source, *(("b",) if source == "rest" else ("a", "b", "c")))
    assert read(lake) == [("a", ARCHIVE), ("b", ARCHIVE), ("c", ARCHIVE)]


def test_markets_and_days_are_judged_apart(tmp_path: Path) -> None:
    """A: the archive has more. B, and A a day later: the exchange has as much."""
    lake = Lake(tmp_path)
    told(lake, ARCHIVE, "a1", "a2")
    told(lake, "rest", "a1")
    for source in (ARCHIVE, "rest"):
        told(lake, source, "b1", ticker="KXB-1")
        told(lake, source, "a3", event_ts=at(days=1))
    assert read(lake) == [("a1", ARCHIVE), ("a2", ARCHIVE), ("a3", "rest"), ("b1", "rest")]
    assert read(lake, ticker="KXA-1", start=at(days=1)) == [("a3", "rest")]


def test_a_tape_is_better_than_an_archive_and_poorer_than_the_exchange(tmp_path: Path) -> None:
    """Of equals the best rank speaks; two tapes are one rank, and tell a trade once."""
    lake = Lake(tmp_path)
    for source in (ARCHIVE, TAPE, "import:other.csv"):
        told(lake, source, "a")
    assert read(lake) == [("a", TAPE)]
    told(lake, "historical", "a")
    assert read(lake) == [("a", "historical")]
    assert lake.scan(TRADES, every_source=True).collect().height == 3


def test_one_trade_on_two_sides_of_midnight_is_read_once(tmp_path: Path) -> None:
    """The archive has it 200 ms later: it counts on the exchange's day, and the exchange speaks."""
    lake = Lake(tmp_path)
    before, after = MIDNIGHT - timedelta(milliseconds=100), MIDNIGHT + timedelta(milliseconds=100)
    told(lake, "rest", "a", event_ts=before)
    told(lake, "rest", "b", event_ts=after)
    told(lake, ARCHIVE, "a", "b", event_ts=after)
    assert read(lake) == [("a", "rest"), ("b", "rest")]


def test_a_stray_copy_is_read_where_its_source_speaks_for_the_better_ones_day(tmp_path: Path) -> None:
    """The archive has more of the first day: it speaks for that, also with the copy after midnight."""
    lake = Lake(tmp_path)
    before, after = MIDNIGHT - timedelta(milliseconds=100), MIDNIGHT + timedelta(milliseconds=100)
    told(lake, "rest", "a", event_ts=before)
    told(lake, "rest", "b", event_ts=after)
    told(lake, ARCHIVE, "more", event_ts=at())
    told(lake, ARCHIVE, "a", "b", event_ts=after)
    assert read(lake) == [("a", ARCHIVE), ("b", "rest"), ("more", ARCHIVE)]


Told = tuple[int, bool, str]


def moment(number: int, *, is_late: bool) -> datetime:
    """Return noon, the next noon, or one of the sides of the midnight between them."""
    noons = {0: at(), 1: at(days=1)}
    return noons.get(number % 3, MIDNIGHT + timedelta(seconds=1 if is_late else -1))


def oracle(rows: set[Told]) -> set[tuple[str, str]]:
    """Say slowly what is read of rows (id, is_late, source); the id tells the market."""

    def home(row: Told) -> date:
        best = min((each for each in rows if each[0] == row[0]), key=lambda each: RANKS[each[2]])
        return moment(best[0], is_late=best[1]).date()

    counts = Counter((row[0] % 2, home(row), row[2]) for row in rows)

    def speaker(row: Told) -> str:
        return max(RANKS, key=lambda source: (counts[row[0] % 2, home(row), source], -RANKS[source]))

    return {(str(row[0]), row[2]) for row in rows if row[2] == speaker(row)}


def retold(folder: Path, rows: list[Told]) -> Lake:
    """Make a lake in which the rows were told one after the other."""
    lake = Lake(folder)
    for number, is_late, source in rows:
        event_ts = moment(number, is_late=is_late)
        told(lake, source, str(number), ticker=f"KX{number % 2}", event_ts=event_ts)
    return lake


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.booleans(), st.sampled_from(sorted(RANKS))),
        unique_by=lambda row: (row[0], row[2]),
        min_size=1,
        max_size=16,
    )
)
@settings(max_examples=15)
def test_readers_see_what_the_slow_rule_says(rows: list[Told]) -> None:
    """Whatever was told in whatever order: the same rows by day and of all days."""
    with TemporaryDirectory() as folder:
        lake = retold(Path(folder), rows)
        seen = lake.scan(TRADES).collect()
        assert set(seen.select("trade_id", "source").rows()) == oracle(set(rows))
        assert seen["trade_id"].is_unique().all()
        days = [at().date(), MIDNIGHT.date()]
        assert pl.concat([lake.scan(TRADES, dates=(day, day)).collect() for day in days]).equals(seen)


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_sql_sees_what_readers_see(tmp_path: Path, seed: int) -> None:
    """The published views name the same rows, strays too; `raw.trades_all` has every telling."""
    draw = random.Random(seed)
    every = [(number, draw.random() < 0.5, source) for number in range(9) for source in sorted(RANKS)]
    rows = draw.sample(every, 18)
    lake = retold(tmp_path, rows)
    seen = lake.scan(TRADES).select("trade_id", "source").collect().rows()
    assert len({source for _, source in seen}) > 1
    with duckdb.connect(str(lake.publish()), read_only=True) as catalog:
        found = catalog.execute("select trade_id, source from trades").fetchall()
        n_all = catalog.execute("select count(*) from raw.trades_all").fetchall()
        n_strays = catalog.execute("select count(*) from raw.trades_strays").fetchall()[0][0]
    assert sorted(found) == sorted(seen)
    assert n_all == [(18,)]
    assert n_strays > 0


def test_days_of_one_rank_are_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from the mixed day nothing is judged; near it, the day beside it is."""
    lake = Lake(tmp_path)
    told(lake, ARCHIVE, "a", "b")
    told(lake, "rest", "a", "b")
    for days in range(1, 6):
        told(lake, "rest", f"d{days}", event_ts=at(days=days))
    asked: list[list[object]] = []

    def judging(*arguments: Any) -> choosing.Verdict:  # noqa: ANN401 -- as judged takes
        asked.append(arguments[3])
        return real(*arguments)

    real = choosing.judged
    monkeypatch.setattr(choosing, "judged", judging)
    assert len(read(lake, start=at(days=3))) == 3
    assert asked == []
    assert len(read(lake)) == 7
    assert asked == [[at().date(), at(days=1).date()]]


def test_rows_keep_the_order_of_the_files(tmp_path: Path) -> None:
    """Days before, in and after the mixed stretch: what lies sorted is handed out sorted."""
    lake = Lake(tmp_path)
    for days in range(-4, 5):
        for source in ("rest", ARCHIVE) if days == 0 else ("rest",):
            told(lake, source, f"z{days}", f"y{days}", event_ts=at(days=days))
    seen = lake.trades(ticker="KXA-1").collect()
    assert seen.equals(seen.sort(TRADES.sort))
    assert seen.height == 18


def test_an_import_leaves_out_the_days_that_better_sources_hold_whole(tmp_path: Path) -> None:
    """A is whole in the lake; of B it lacks one trade, so all of B stays."""
    lake = Lake(tmp_path)
    told(lake, "rest", "a1", "a2")
    told(lake, "rest", "b1", ticker="KXB")
    rows = frame(
        TRADES,
        *(a_trade(each, source=ARCHIVE) for each in ("a1", "a2")),
        *(a_trade(each, source=ARCHIVE, ticker="KXB") for each in ("b1", "b2")),
    )
    left = choosing.lacking(lake.place, TRADES, lake.files(TRADES), rows)
    assert left["trade_id"].to_list() == ["b1", "b2"]
    assert choosing.lacking(lake.place, TRADES, None, rows).equals(rows)


def test_a_lake_whose_log_tells_no_sources_is_read_the_same(tmp_path: Path) -> None:
    """Files of an earlier Tapehouse have no statistics of sources: they are looked into once."""
    lake = Lake(tmp_path)
    told(lake, ARCHIVE, "a", "b")
    told(lake, "rest", "a")
    files = lake.files(TRADES)
    assert files is not None
    blind = files.only(files.files.with_columns(first_source=pl.lit(None, pl.String)))
    choosing._ranks_of_files.clear()  # noqa: SLF001 -- as in a new process
    assert choosing.contested_days(lake.place, TRADES, blind, blind) == [at().date()]


@pytest.mark.parametrize(
    ("first", "last", "ranks"),
    [
        ("rest", "rest", {0}),
        ("rest", "ws", {0}),
        ("historical", "rest", {0, 1}),  # import: lies between
        ("import:a", "import:b", {1}),
        ("archive:a", "archive:b", {2}),
        ("archive:a", "import:b", {0, 1, 2}),
    ],
)
def test_bounds_of_names_tell_which_ranks_are_possible(first: str, last: str, ranks: set[int]) -> None:
    """One possible rank is certain; of more, the file itself has to tell."""
    assert choosing._ranks_between(TRADES, first, last) == ranks  # noqa: SLF001 -- the rule behind the reading


def test_reading_at_an_earlier_version_judges_by_that_version(tmp_path: Path) -> None:
    """Before the exchange told it, the archive spoke; a pinned lake still says so."""
    lake = Lake(tmp_path)
    told(lake, ARCHIVE, "a")
    before = lake.pinned()
    told(lake, "rest", "a")
    assert read(before) == [("a", ARCHIVE)]
    assert read(lake) == [("a", "rest")]


def test_the_log_tells_the_sources_of_every_file(tmp_path: Path) -> None:
    """Appended or compacted: no file has to be opened to learn that it holds one rank."""
    lake = Lake(tmp_path)
    told(lake, "rest", "a")
    told(lake, "sandbox", "b")

    def bounds() -> list[tuple[str, str]]:
        files = lake.files(TRADES)
        assert files is not None
        return sorted(files.files.select("first_source", "last_source").rows())

    assert bounds() == [("rest", "rest"), ("sandbox", "sandbox")]
    lake.compact([TRADES])
    assert bounds() == [("rest", "sandbox")]
