"""`docs/sandbox.md` keeps its word: its examples run, and it knows every fault and every key."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import typer

from sandbox.cli import app
from sandbox.fault_kinds import KINDS, SCOPE
from sandbox.fault_script import parse_faults, read_faults

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "sandbox.md").read_text()


def examples(language: str) -> list[str]:
    """Return the blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", examples("toml"))
def test_every_script_on_the_page_can_be_read(text: str) -> None:
    assert parse_faults(text, name="sandbox.md").lines


@pytest.mark.parametrize("code", examples("python"))
def test_every_program_on_the_page_runs(code: str) -> None:
    """In a process of its own, where a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_command_on_the_page_has_only_options_that_exist() -> None:
    """And the files they name are there, or made by the line before."""
    commands = [line for block in examples("bash") for line in block.splitlines() if "tapehouse" in line]
    assert len(commands) >= 4
    known = typer.main.get_command(app)
    for line in commands:
        words = shlex.split(line, comments=True)
        assert words[:3] == ["tapehouse", "sandbox", "serve"]
        with known.make_context("sandbox", words[2:], resilient_parsing=True) as context:
            serve = known.get_command(context, "serve")  # type: ignore[attr-defined]  # a group
        parsed = serve.make_context("serve", words[3:])
        faults = parsed.params["faults"]
        assert faults is None or read_faults(ROOT / faults).lines


def test_every_fault_and_every_key_is_on_the_page() -> None:
    for name, kind in KINDS.items():
        row = next((line for line in PAGE.splitlines() if f"`{name}`" in line), "")
        assert row, name
        if not name.startswith("ws_"):
            assert all(f"`{key}`" in row for key in kind.settings), (name, row)
    assert all(f"`{key}`" in PAGE for key in SCOPE)
