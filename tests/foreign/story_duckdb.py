"""What an analyst with another DuckDB does: `python -m tests.foreign.story_duckdb CATALOG`, queries on stdin.

Runs in any interpreter with any DuckDB from 1.2 on; needs nothing of ours. Queries come as a JSON list,
answers go out as one: rows of text, or the error.
"""

import json
import sys


def as_text(query: str) -> str:
    """Return the query with every column as DuckDB's own text, in the query's order."""
    return f"select columns(*)::varchar from ({query})"


def main(catalog: str) -> None:
    """Answer every query."""
    import duckdb

    connection = duckdb.connect(catalog, read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    answers: list[object] = []
    for query in json.load(sys.stdin):
        try:
            answers.append(connection.execute(as_text(query)).fetchall())
        except duckdb.Error as error:
            answers.append(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
