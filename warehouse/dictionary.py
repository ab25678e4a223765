"""Writes docs/data.md from the declarations: `python -m warehouse.dictionary`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dataframely as dy
import duckdb
import polars as pl

from warehouse.catalog import build
from warehouse.macros import MACROS, Macro
from warehouse.tables import TABLES, Table
from warehouse.views import VIEWS, sql_type

TARGET: Final = Path(__file__).resolve().parents[1] / "docs" / "data.md"

_INTRODUCTION: Final = """\
# Data dictionary

Generated from `warehouse/` by `python -m warehouse.dictionary`; a test keeps it current. Do not edit.

The lake has one Delta table for each table below. Prices are integers in centicents ($0.0001), sizes in
hundredths of a contract, so that price times size is millionths of a dollar, exactly. Times are UTC with
microseconds. Intervals are half-open. Rows are unique by their key; committing a row twice changes nothing.

Prices have 32 bits. polars adds such numbers up in 32 bits and wraps in silence beyond 2,147,483,647, which
is the sum of some 400,000 prices: write `pl.col("yes_price_cc").cast(pl.Int64).sum()`. Means, products with
sizes, and all sums of DuckDB are safe.

Three times: `event_ts` it happened; `fetched_ts` we downloaded it (provenance only); `known_ts`, derived by
the rule given for each table, the earliest moment a live trader could have acted on it.

Analysts open `warehouse.duckdb` in the lake, read-only, from any working directory; it names files by
absolute path, so after moving a lake run `tapehouse warehouse publish`. Attached under a name, say `use` that
name before calling macros. An open connection keeps the versions it opened (`_snapshot` lists them);
reconnect for newer ones.
"""

_MACRO_NOTE: Final = """\
Table macros stand in `from`, expressions in `select`; [sql-cookbook.md](sql-cookbook.md) has examples of all.
A moment (`ts`) is a timestamptz or its text with a zone, as in `'2026-05-13 14:05:00Z'`; a length (`every`,
`horizon`) is an interval or its text, as in `'15 minutes'`; bars start at multiples of it, in UTC. Names are
exact. An argument may be a column: `from markets m, implied_probability(m.ticker, m.close_ts) p`; for table
macros that takes DuckDB 1.4 (`spread`: 2.0). Older ones want literals: they may take the caller's column for
one of the macro's own, and say nothing.
"""


def dictionary() -> str:
    """Return docs/data.md as it should be."""
    parts = [_INTRODUCTION, "## Tables of the lake\n", *(_table(each) for each in TABLES.values())]
    with duckdb.connect(":memory:") as connection:
        build(connection, {}, "")
        parts += ["## Views of warehouse.duckdb\n", _raw_note(), *_views(connection)]
        parts += [
            "## Macros of warehouse.duckdb\n",
            _MACRO_NOTE,
            *(_macro(connection, each) for each in MACROS),
        ]
    return "\n".join(parts)


def _table(table: Table) -> str:
    files = f"by UTC date of `{table.partition_by}`" if table.partition_by else "not partitioned"
    lines = [
        f"### {table.name}\n",
        f"{table.sentence}\n",
        f"- Key: {', '.join(f'`{each}`' for each in table.key)}",
        f"- Files: {files}, sorted by {', '.join(f'`{each}`' for each in table.sort)}",
        f"- Known: {table.known_ts.sentence}\n",
        "| column | type | unit | may be empty | what |",
        "|---|---|---|---|---|",
        *(_column(name, column) for name, column in table.columns.items()),
    ]
    return "\n".join(lines) + "\n"


def _column(name: str, column: dy.Column) -> str:
    unit = (column.metadata or {}).get("unit", "")
    empty = "yes" if column.nullable else ""
    return f"| {name} | {_type(column.dtype)} | {unit} | {empty} | {column.description} |"


def _type(dtype: pl.DataType) -> str:
    return sql_type(dtype).replace("|", "\\|")


def _raw_note() -> str:
    return (
        "`raw.<table>` has the columns above as they lie in the files, and `date` where the files are\n"
        "partitioned. The views below are the same in dollars and contracts. One source speaks for each\n"
        "day of a market in `raw.trades`; `raw.trades_all` has all that every source told.\n"
    )


def _views(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    sentences = {view.name: view.sentence for view in VIEWS}
    sentences["_snapshot"] = "Which version of every table this catalog reads (a table)."
    for name, sentence in sentences.items():
        columns = connection.execute(
            "select column_name, lower(data_type), comment from duckdb_columns() "
            "where schema_name = 'main' and table_name = ? order by column_index",
            [name],
        ).fetchall()
        lines = [
            f"### {name} (view)\n" if name in {v.name for v in VIEWS} else f"### {name}\n",
            f"{sentence}\n",
        ]
        lines += ["| column | type | what |", "|---|---|---|"]
        lines += [f"| {column} | {dtype} | {comment} |" for column, dtype, comment in columns]
        yield "\n".join(lines) + "\n"


def _macro(connection: duckdb.DuckDBPyConnection, macro: Macro) -> str:
    nothing = ", ".join("null" for _ in macro.parameters.split(","))
    lines = [f"### {macro.name}({macro.parameters})\n", f"{macro.sentence}\n"]
    if not macro.is_table:
        (described,) = connection.execute(f"describe select {macro.name}({nothing})").fetchall()
        return "\n".join([*lines, f"An expression: {str(described[1]).lower()}."]) + "\n"
    columns = connection.execute(f"describe from {macro.name}({nothing})").fetchall()
    lines += ["| column | type | what |", "|---|---|---|"]
    lines += [
        f"| {column} | {str(dtype).lower()} | {macro.comments[column]} |" for column, dtype, *_ in columns
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(dictionary())
