"""Other versions of DuckDB, which must read the catalog as ours does: Python clients and the CLI."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.foreign.clients import ROOT, Foreign
from tests.foreign.story_duckdb import as_text

LIMIT_S: Final = 300.0
_PYTHONS: Final = ("python3.11", "python3.12", "python3.13")
_NULL: Final = "\\N"
Answer = list[list[str | None]] | str

READERS: Final = (
    Foreign("duckdb_1_2", "1.2.2", _PYTHONS),
    Foreign("duckdb_1_3", "1.3.2", _PYTHONS),
    Foreign("duckdb_1_4", "1.4.4", _PYTHONS),
    Foreign("duckdb_1_5", "1.5.6", _PYTHONS),
    Foreign("duckdb_cli", "1.5.6", _PYTHONS),
)


def answers(reader: Foreign | None, catalog: Path, queries: Sequence[str]) -> list[Answer]:
    """Return the rows of each query as text, or why there are none; without a reader by our own DuckDB."""
    if reader is not None and reader.name == "duckdb_cli":
        return [_cli(reader, catalog, query) for query in queries]
    python = sys.executable if reader is None else str(reader.python)
    ran = subprocess.run(
        [python, "-m", "tests.foreign.story_duckdb", str(catalog)],
        cwd=ROOT,
        input=json.dumps(list(queries)),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    told: list[Answer] = json.loads(ran.stdout)
    return told


def _cli(reader: Foreign, catalog: Path, query: str) -> Answer:
    """Ask through `duckdb -readonly -csv`, as a person at a terminal does."""
    command = [str(reader.python.with_name("duckdb")), "-readonly", "-csv", "-nullvalue", _NULL, str(catalog)]
    given = ["-c", "set TimeZone = 'UTC'", "-c", as_text(query)]
    ran = subprocess.run([*command, *given], capture_output=True, timeout=LIMIT_S, check=False)
    if ran.returncode:
        return f"duckdb: {ran.stderr.decode().strip()}"
    rows = list(csv.reader(io.StringIO(ran.stdout.decode(), newline="")))[1:]
    return [[None if value == _NULL else value for value in row] for row in rows]
