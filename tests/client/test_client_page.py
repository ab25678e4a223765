"""`docs/client.md` keeps its word: its programs run against a living sandbox, and its methods exist."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from exchange.units import to_us
from pipelines.client import Client
from sandbox.clock import Running
from sandbox.serve import running
from sandbox.world import DEFAULT_END_TS, World
from tests.client.keys import KEY_ID, key_file, pem, public_pem

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "client.md").read_text()
PROGRAMS: Final = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_program_on_the_page_runs(tmp_path: Path) -> None:
    """In a process of its own, where a warning is an error, against a world that runs a minute a second."""
    private = pem("ed25519")
    world = World(7, activity=0.5, clock=Running(to_us(DEFAULT_END_TS - timedelta(days=2)), speed=600.0))
    with running(world, tier="premier", keys={KEY_ID: public_pem(private)}) as server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KALSHI_")}
        environment |= {
            "KALSHI_BASE_URL": server.base_url,
            "KALSHI_TIER": "premier",
            "KALSHI_KEY_ID": KEY_ID,
            "KALSHI_PRIVATE_KEY_PATH": str(key_file(tmp_path, private)),
            "KALSHI_TRADING": "demo",
        }
        for program in PROGRAMS:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", program],
                cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (program, done.stderr)


def test_every_method_in_the_table_is_there() -> None:
    table = PAGE.split("| subject | methods |")[1].split("\n\n")[0]
    methods = re.findall(r"`(\w+)`", table)
    assert len(methods) > 25
    assert [name for name in methods if not hasattr(Client, name)] == []
