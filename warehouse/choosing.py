"""One source speaks for a day of a market: which one, where several have told of it.

Sources have ranks, declared with the table: 0 the exchange itself, 1 tapes that others downloaded, 2 public
archives. Each rank keeps a whole copy of what it told, so that a better source may tell a trade again.
Readers see one rank for each market and UTC day: the one that tells most trades of it, and of equals the
best. So a poorer source speaks exactly where a better one is known to lack something, and then for the whole
day; it is taken at its word that it has what it tells of that day whole.
Nothing is thrown away: `Lake.scan(TRADES, every_source=True)` and `raw.trades_all` show all of it.

Sources may state the time of one trade a moment apart, across midnight. All copies of a trade belong to the
day that the best source gives it, so that no trade is read twice or lost.

Reading costs nothing where no day has two ranks: files say in their statistics, or once to a process, which
sources they hold. Only the days that have, and those beside them, are looked into.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import polars as pl

from warehouse.place import Place
from warehouse.storage import TableFiles, collected, scan_files
from warehouse.tables import TABLES, Table

RANK: Final = "source_rank"
_DAY: Final = timedelta(days=1)
_NEAR_MIDNIGHT: Final = timedelta(minutes=1)  # how far apart sources state the time of one trade, at most
_LAST_LETTER: Final = "\U0010ffff"
_FILES_REMEMBERED: Final = 200_000

# Files never change, and a path is never used twice: what one holds is looked up once.
_ranks_of_files: dict[str, set[int]] = {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose rows are passed over: `silent` (ticker, date, source_rank), sorted, and the exceptions to it.

    `strays` are copies of trades that lie on another day than the best source's: the table's key,
    source_rank, and `is_read`.
    """

    silent: pl.DataFrame
    strays: pl.DataFrame

    @property
    def is_plain(self) -> bool:
        """Whether every row is read."""
        return self.silent.is_empty() and self.strays.is_empty()


def rank_of(table: Table, source: str = "source") -> pl.Expr:
    """Return the rank of a source by the beginnings of names that the table declares; 0 for all others."""
    rank = pl.lit(0, pl.Int8)
    for beginning, number in table.ranks.items():
        is_it = pl.col(source).str.starts_with(beginning)
        rank = pl.when(is_it).then(pl.lit(number, pl.Int8)).otherwise(rank)
    return rank.alias(RANK)


def ranked(table: Table) -> list[pl.Expr]:
    """Return what besides the key tells rows of a table apart: nothing, or the rank of their source."""
    return [rank_of(table)] if table.ranks else []


def spoken(at: Place, table: Table, listed: TableFiles, wanted: TableFiles) -> pl.LazyFrame:
    """Read the `wanted` of all `listed` files, of each day of a market the rank that speaks for it.

    Rows keep the order of the files, and in them.
    """
    days = contested_days(at, table, listed, wanted)
    verdict = judged(at, table, listed, days) if days else None
    if verdict is None or verdict.is_plain:
        return scan_files(at, table, wanted)
    inside = pl.col("date").is_between(min(days), max(days))
    before, after = pl.col("date") < min(days), pl.col("date") > max(days)
    parts = [wanted.only(wanted.files.filter(each)) for each in (before, inside, after)]
    scans = [scan_files(at, table, each) for each in parts if not each.files.is_empty()]
    place = 0 if parts[0].files.is_empty() else 1
    scans[place] = _heard(table, scans[place], verdict)
    return pl.concat(scans)


def contested_days(at: Place, table: Table, listed: TableFiles, wanted: TableFiles) -> list[date]:
    """Return the dates of `wanted` where they, or a day beside them, have rows of more than one rank."""
    if not table.ranks or listed.files.is_empty():
        return []
    is_kept = at.is_local and table.name in TABLES
    ranks = _remembered_ranks(at.uri, table.name, listed) if is_kept else _ranks_by_day(at, table, listed)
    if len(set().union(*ranks.values())) <= 1:
        return []
    return [
        day
        for day in wanted.files["date"].unique().sort()
        if len(set().union(*(ranks.get(day + n * _DAY, set()) for n in (-1, 0, 1)))) > 1
    ]


def judged(at: Place, table: Table, listed: TableFiles, days: Iterable[date]) -> Verdict:
    """Decide who speaks on these days; an answer is remembered as long as the files around them stay."""
    days = tuple(days)
    around = sorted({day + n * _DAY for day in days for n in (-2, -1, 0, 1, 2)})
    files = listed.on(pl.Series(around, dtype=pl.Date))
    if not at.is_local:
        return _verdict(at, table, files, days)
    rows = tuple(files.files.select("path", "n_bytes", "n_rows", "date").iter_rows())
    return _remembered(at.uri, table.name, rows, days, is_packed=files.is_packed)


def lacking(at: Place, table: Table, listed: TableFiles | None, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without those of days of a market that better sources hold whole.

    For imports that bring whole days: where better sources lack a single trade of a day, all of it stays, so
    that the import can speak for that day.
    """
    if listed is None or rows.is_empty() or not table.ranks:
        return rows
    assert table.partition_by is not None
    dates = rows[table.partition_by].dt.date().unique()
    around = pl.concat([dates.dt.offset_by(each) for each in ("-1d", "0d", "1d")]).unique()
    files = listed.on(around)
    worst = rows.select(rank_of(table).max()).item()
    if not any(rank < worst for ranks in _ranks_by_day(at, table, files).values() for rank in ranks):
        return rows
    key = list(table.key)
    better = scan_files(at, table, files).select(*key, rank_of(table)).filter(pl.col(RANK) < worst)
    known = collected(better.select(key).unique(), at.of(table)).with_columns(_is_known=pl.lit(value=True))
    day = pl.col(table.partition_by).dt.date()
    is_whole = pl.col("_is_known").fill_null(value=False).all().over("ticker", day)
    told = rows.join(known, on=key, how="left", maintain_order="left")
    return told.filter(~is_whole).drop("_is_known")


def _heard(table: Table, rows: pl.LazyFrame, verdict: Verdict) -> pl.LazyFrame:
    assert table.partition_by is not None
    days = rows.with_columns(pl.col(table.partition_by).dt.date().alias("date"), rank_of(table))
    on = ["ticker", "date", RANK]
    if verdict.strays.is_empty():
        heard = days.join(verdict.silent.lazy(), on=on, how="anti", maintain_order="left")
    else:
        silent = verdict.silent.lazy().with_columns(_is_silent=pl.lit(value=True))
        heard = (
            days.join(silent, on=on, how="left", maintain_order="left")
            .join(verdict.strays.lazy(), on=[*table.key, RANK], how="left", maintain_order="left")
            .filter(pl.coalesce("is_read", pl.col("_is_silent").is_null()))
        )
    return heard.select(list(table.columns))


@lru_cache(maxsize=64)
def _remembered(
    uri: str,
    name: str,
    rows: tuple[tuple[str, int, int, date], ...],
    days: tuple[date, ...],
    *,
    is_packed: bool,
) -> Verdict:
    schema = {"path": pl.String, "n_bytes": pl.Int64, "n_rows": pl.Int64, "date": pl.Date}
    files = TableFiles(0, pl.DataFrame(list(rows), schema=schema, orient="row"), is_packed=is_packed)
    return _verdict(Place(uri, {}), TABLES[name], files, days)


def _verdict(at: Place, table: Table, files: TableFiles, days: tuple[date, ...]) -> Verdict:
    assert table.partition_by is not None
    event_ts = pl.col(table.partition_by)
    rows = scan_files(at, table, files).with_columns(event_ts.dt.date().alias("date"), rank_of(table))
    counts = collected(rows.group_by("ticker", "date", RANK).len("n_rows"), at.of(table))
    since_midnight = event_ts - event_ts.dt.truncate("1d")
    is_near = (since_midnight < _NEAR_MIDNIGHT) | (since_midnight >= _DAY - _NEAR_MIDNIGHT)
    strays = _strays(table, rows.filter(is_near), at)
    moved = [
        strays.group_by("ticker", pl.col(day).alias("date"), RANK).agg(n_rows=sign * pl.len().cast(pl.Int64))
        for day, sign in (("date", -1), ("home", 1))
    ]
    told = (
        pl.concat([counts.with_columns(pl.col("n_rows").cast(pl.Int64)), *moved])
        .group_by("ticker", "date", RANK)
        .agg(pl.col("n_rows").sum())
        .sort("ticker", "date", "n_rows", RANK, descending=[False, False, True, False])
    )
    speakers = told.group_by("ticker", "date", maintain_order=True).agg(pl.col(RANK).first().alias("speaker"))
    silent = (
        counts.join(speakers, on=["ticker", "date"])
        .filter((pl.col(RANK) != pl.col("speaker")) & pl.col("date").is_in(list(days)))
        .select("ticker", "date", RANK)
        .sort("ticker", "date", RANK)
    )
    read = strays.join(speakers.rename({"date": "home"}), on=["ticker", "home"])
    read = read.filter(pl.col("date").is_in(list(days)))
    return Verdict(silent, read.select(*table.key, RANK, is_read=pl.col(RANK) == pl.col("speaker")))


def _strays(table: Table, rows: pl.LazyFrame, at: Place) -> pl.DataFrame:
    """Return copies that lie on another day than the best source's: key, rank, ticker, date, home."""
    near = collected(rows.select(*dict.fromkeys((*table.key, "ticker")), "date", RANK), at.of(table))
    home = pl.col("date").sort_by(RANK, "date").first().over(list(table.key))
    return near.with_columns(home=home).filter(pl.col("date") != pl.col("home"))


def _ranks_by_day(at: Place, table: Table, files: TableFiles) -> dict[date, set[int]]:
    is_known = [path in _ranks_of_files for path in files.paths]
    if not all(is_known):
        _look_up(at, table, files.only(files.files.filter(~pl.Series(is_known))))
    found: dict[date, set[int]] = {}
    for path, day in files.files.select("path", "date").iter_rows():
        found.setdefault(day, set()).update(_ranks_of_files[path])
    return found


@lru_cache(maxsize=16)
def _remembered_ranks(uri: str, name: str, files: TableFiles) -> dict[date, set[int]]:
    return _ranks_by_day(Place(uri, {}), TABLES[name], files)


def _look_up(at: Place, table: Table, files: TableFiles) -> None:
    """Learn which ranks files hold: from the log where it tells, else from their sources."""
    if len(_ranks_of_files) > _FILES_REMEMBERED:
        _ranks_of_files.clear()
    untold = []
    bounds = files.files.select("path", "first_source", "last_source")
    for path, first, last in bounds.iter_rows():
        possible = _ranks_between(table, first, last) if first and last else set()
        if len(possible) == 1:
            _ranks_of_files[path] = possible
        else:
            untold.append(path)
    if not untold:
        return
    found: dict[str, set[int]] = {path: set() for path in untold}
    left = files.only(files.files.filter(pl.col("path").is_in(untold)))
    sources = (
        pl.scan_parquet(
            left.paths,
            include_file_paths="path",
            hive_partitioning=False,
            glob=False,
            storage_options=dict(at.options) or None,
        )
        .select("path", "source")
        .unique()
    )
    for path, rank in collected(sources, at.of(table)).select("path", rank_of(table)).unique().iter_rows():
        found[path].add(rank)
    _ranks_of_files.update(found)


def _ranks_between(table: Table, first: str, last: str) -> set[int]:
    """Return the ranks that sources from `first` to `last`, in the order of texts, may have."""
    beginnings = [each for each in table.ranks if first < each + _LAST_LETTER and each <= last]
    ranks = {table.ranks[each] for each in beginnings}
    is_one = len(beginnings) == 1 and first.startswith(beginnings[0]) and last.startswith(beginnings[0])
    return ranks if is_one else ranks | {0}
