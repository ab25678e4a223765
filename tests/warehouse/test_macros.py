"""What holds of every macro: columns and comments, no rows from nothing, names for moments and lengths."""

import re
from collections.abc import Iterator

import duckdb
import pytest

from warehouse.catalog import build
from warehouse.macros import MACROS, Macro

TABLE_MACROS = [each for each in MACROS if each.is_table]
ARGUMENTS = {
    "ticker": "'KXA-1'",
    "name": "'KXA'",
    "event": "'KXA'",
    "series": "'KX'",
    "ts": "'2026-05-13 14:05:00Z'",
    "every": "'15 minutes'",
    "horizon": "'1 hour'",
    "count": "10",
    "price": "0.5",
}
# One row whatever there is: of the market asked for, of all buckets together.
ALWAYS = {"implied_probability": 1, "calibration": 1}


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalog of a lake without any table."""
    with duckdb.connect() as connection:
        build(connection, {}, "nowhere")
        yield connection


def call(macro: Macro, arguments: dict[str, str]) -> str:
    given = ", ".join(arguments[each] for each in macro.parameters.split(", "))
    return f"from {macro.name}({given})" if macro.is_table else f"select {macro.name}({given})"


@pytest.mark.parametrize("macro", MACROS, ids=lambda each: each.name)
def test_an_empty_lake_gives_no_rows_and_no_error(empty: duckdb.DuckDBPyConnection, macro: Macro) -> None:
    """Text stands for moments and lengths, and nulls are answered too."""
    expected = ALWAYS.get(macro.name, 0) if macro.is_table else 1
    for arguments in (ARGUMENTS, dict.fromkeys(ARGUMENTS, "null")):
        assert len(empty.execute(call(macro, arguments)).fetchall()) == expected


@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda each: each.name)
def test_every_column_has_its_sentence_in_order(empty: duckdb.DuckDBPyConnection, macro: Macro) -> None:
    described = empty.execute(f"describe {call(macro, ARGUMENTS)}").fetchall()
    assert [str(column[0]) for column in described] == list(macro.comments)
    for column, sentence in macro.comments.items():
        assert sentence.endswith("."), column


def test_moments_have_zones_and_money_is_exact(empty: duckdb.DuckDBPyConnection) -> None:
    """No column of a macro is a time without a zone; what is in dollars or contracts is a decimal."""
    for macro in TABLE_MACROS:
        for name, dtype, *_ in empty.execute(f"describe {call(macro, ARGUMENTS)}").fetchall():
            assert str(dtype) != "TIMESTAMP", (macro.name, name)
            if "In dollars." in macro.comments[name] and not str(dtype).startswith("STRUCT"):
                assert str(dtype).startswith("DECIMAL"), (macro.name, name)


def test_nothing_is_stored_that_older_clients_do_not_have(empty: duckdb.DuckDBPyConnection) -> None:
    """DuckDB 2.0 stores `if(…)` as a function; 1.2 to 1.5 know none of that name."""
    stored = empty.execute(
        "select view_name, sql from duckdb_views() where not internal union all "
        "select function_name, macro_definition from duckdb_functions() where not internal"
    ).fetchall()
    assert len(stored) > 40
    for name, text in stored:
        assert not re.search(r"\bif\"?\(", text), name
