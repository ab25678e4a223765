"""An analyst in a process of their own: `python -m tests.warehouse.analyst CATALOG STOP_FILE`.

Knows nothing of the warehouse: plain DuckDB. Opens the catalog again and again until STOP_FILE exists, reads
all trades and the promised number of them, and prints "n_opened n_different" at the end.
"""

import sys
from pathlib import Path

import duckdb


def main(catalog: str, stop_file: str) -> None:
    """Count how often what the views say differs from what the catalog promised."""
    n_opened = n_different = 0
    while not Path(stop_file).exists():
        with duckdb.connect(catalog, read_only=True) as connection:
            promised = connection.execute(
                "select n_rows from _snapshot where table_name = 'trades'"
            ).fetchall()
            found = connection.execute("select count(*) from trades").fetchall()
        n_opened += 1
        n_different += promised != found
    sys.stdout.write(f"{n_opened} {n_different}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
