"""Importing and making a client stays cheap."""

import subprocess
import sys
import time
from pathlib import Path

from pipelines.client import Client, Settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_client_brings_none_of_the_heavy_libraries() -> None:
    """DESIGN: the client stores nothing; no polars, no DuckDB, no Prefect, and no command line either."""
    heavy = ("polars", "duckdb", "prefect", "pyarrow", "numpy", "typer", "deltalake")
    program = f"import sys, pipelines.client; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_client_for_the_own_machine_loads_no_certificates() -> None:
    """Loading the CA bundle takes some 40 ms; plain loopback has nothing to verify. Best of three."""
    took_s = []
    for _ in range(3):
        began_s = time.perf_counter()
        Client(Settings(base_url="http://127.0.0.1:1/trade-api/v2"))
        took_s.append(time.perf_counter() - began_s)
    assert min(took_s) < 0.03
