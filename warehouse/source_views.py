"""What `warehouse.choosing` says, in SQL: `raw.trades` has one source a market-day, `raw.trades_all` all.

The days where several ranks have told are judged when the catalog is published; whose rows are passed over
stands in small tables beside the views. All other files are read as they are, without a look at the source.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.choosing import RANK, Verdict, contested_days, judged
from warehouse.place import Place
from warehouse.storage import TableFiles
from warehouse.tables import Table

if TYPE_CHECKING:
    import duckdb

Select = Callable[[Table, TableFiles | None], str]

ALL_SENTENCE: Final = "All that every source told; raw.{name} has one source for each day of a market."
_SILENT_SENTENCE: Final = "Which sources are passed over on which days of markets in raw.{name}."
_STRAYS_SENTENCE: Final = "Copies of trades on the other side of midnight, and which of them raw.{name} has."
_COMMENTS: Final = {
    "ticker": "The market.",
    "date": "The UTC date.",
    RANK: "0 the exchange, 1 tapes of others, 2 public archives.",
    "trade_id": "The trade.",
    "is_read": "Whether this copy is the one that is read.",
}


def spoken_select(
    connection: "duckdb.DuckDBPyConnection", table: Table, files: TableFiles | None, lake: str, select: Select
) -> str:
    """Return SQL of the rows that are read, and create the tables that it needs in schema raw.

    `select` makes SQL of all rows of some files.
    """
    if files is None or files.files.is_empty():
        return select(table, files)
    at = Place(lake, {})
    days = contested_days(at, table, files, files)
    verdict = judged(at, table, files, days) if days else None
    if verdict is None or verdict.is_plain:
        return select(table, files)
    _keep(connection, table, verdict)
    is_inside = pl.col("date").is_in(days)
    plain, mixed = (files.only(files.files.filter(each)) for each in (~is_inside, is_inside))
    return f"{select(table, plain)} union all {_heard(table, verdict, select(table, mixed))}"


def sql_rank(table: Table, source: str) -> str:
    """Return SQL of the rank of a source; see `choosing.rank_of`."""
    whens = " ".join(
        f"when starts_with({source}, '{each}') then {rank}" for each, rank in table.ranks.items()
    )
    return f"(case {whens} else 0 end)"


def _heard(table: Table, verdict: Verdict, rows: str) -> str:
    columns = ", ".join(f"r.{each}" for each in (*table.columns, "date"))
    rank = sql_rank(table, "r.source")
    silent = f"raw.{table.name}_silent s on s.ticker = r.ticker and s.date = r.date and s.{RANK} = {rank}"
    if verdict.strays.is_empty():
        return f"select {columns} from ({rows}) r anti join {silent}"
    key = " and ".join(f"x.{each} = r.{each}" for each in table.key)
    return (
        f"select {columns} from ({rows}) r left join {silent} "
        f"left join raw.{table.name}_strays x on {key} and x.{RANK} = {rank} "
        "where coalesce(x.is_read, s.ticker is null)"
    )


def _keep(connection: "duckdb.DuckDBPyConnection", table: Table, verdict: Verdict) -> None:
    kept = (("silent", verdict.silent, _SILENT_SENTENCE), ("strays", verdict.strays, _STRAYS_SENTENCE))
    for name, rows, sentence in kept:
        place = f"raw.{table.name}_{name}"
        connection.register("_kept", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        connection.execute(f"create table {place} as select * from _kept")
        connection.unregister("_kept")
        connection.execute(f"comment on table {place} is '{sentence.format(name=table.name)}'")
        for column in rows.columns:
            connection.execute(f"comment on column {place}.{column} is '{_COMMENTS[column]}'")
