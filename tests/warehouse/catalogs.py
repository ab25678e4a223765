"""Catalogs of small lakes, opened as an analyst would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from tests.warehouse.rows import frame
from warehouse import Lake
from warehouse.tables import TABLES

Row = dict[str, Any]


def lake_of(folder: Path, **rows: list[Row]) -> Lake:
    """Return a lake with these rows by table."""
    lake = Lake(folder)
    for name, given in rows.items():
        lake.commit(TABLES[name], frame(TABLES[name], *given))
    return lake


@contextmanager
def opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Publish, open read-only, in UTC."""
    with duckdb.connect(str(lake.publish()), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def asked(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[Row]:
    """Return rows as dictionaries."""
    found = connection.execute(query, list(parameters))
    names = [str(each[0]) for each in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
