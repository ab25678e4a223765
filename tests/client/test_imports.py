"""Importing and making a client stays cheap."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
HEAVY: Final = ("polars", "duckdb", "prefect", "pyarrow", "numpy", "typer", "deltalake")
MADE: Final = """
import gc, ssl, sys
from pipelines.client import Client, Settings

client = Client(Settings(base_url="{base_url}"))
print([name for name in {heavy} if name in sys.modules])
contexts = [each for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]
print(any(each.get_ca_certs() for each in contexts))
"""


@pytest.mark.parametrize(
    ("base_url", "has_certificates"),
    [
        ("http://127.0.0.1:1/trade-api/v2", "False"),
        ("https://external-api.demo.kalshi.co/trade-api/v2", "True"),
    ],
)
def test_a_client_brings_no_heavy_library_and_for_the_own_machine_no_certificates(
    base_url: str, has_certificates: str
) -> None:
    """DESIGN: the client stores nothing; no polars, no DuckDB, no Prefect, and no command line either.

    Loading the CA bundle takes some 40 ms; plain loopback has nothing to verify.
    """
    program = MADE.format(base_url=base_url, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", has_certificates]
