"""`docs/sandbox.md` keeps its word: its examples run, and it knows every fault and every key."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
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
        assert words[:2] == ["tapehouse", "sandbox"]
        with known.make_context("sandbox", words[2:], resilient_parsing=True) as context:
            command = known.get_command(context, words[2])  # type: ignore[attr-defined]  # a group
        assert command is not None, line
        parsed = command.make_context(words[2], words[3:])
        faults = parsed.params["faults"]
        assert faults is None or read_faults(ROOT / faults).lines


@pytest.mark.slow
def test_a_served_script_strikes(tmp_path: Path) -> None:
    """`serve --faults FILE`: the second request is the one that fails."""
    script = tmp_path / "one.toml"
    script.write_text('[[fault]]\nkind = "error"\nstatus = 503\nfirst = 2\nlast = 2\n')
    command = [
        sys.executable,
        "-m",
        "tapehouse",
        "sandbox",
        "serve",
        "--json",
        "--days",
        "6",
        "--scale",
        "0.02",
    ]
    with subprocess.Popen(
        [*command, "--faults", str(script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["base_url"]
        assert [httpx.get(f"{url}/exchange/status").status_code for _ in range(3)] == [200, 503, 200]
        process.terminate()


@pytest.mark.slow
def test_a_script_that_cannot_be_used_is_told_with_its_line(tmp_path: Path) -> None:
    """Exit code 2, and one sentence that says where, what, and what is known."""
    script = tmp_path / "typo.toml"
    script.write_text('seed = 1\n\n[[fault]]\nkind = "slwo"\n')
    command = [sys.executable, "-m", "tapehouse", "sandbox", "serve", "--faults", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{script}, line 4: fault 1: kind = 'slwo' is not known (did you mean 'slow'?)" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_fault_and_every_key_is_on_the_page() -> None:
    for name, kind in KINDS.items():
        row = next((line for line in PAGE.splitlines() if f"`{name}`" in line), "")
        assert row, name
        if not name.startswith("ws_"):
            assert all(f"`{key}`" in row for key in kind.settings), (name, row)
    assert all(f"`{key}`" in PAGE for key in SCOPE)
