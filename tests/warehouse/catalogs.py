"""Catalogs of small lakes, opened as an analyst would."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from warehouse import Lake

Row = dict[str, Any]


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
