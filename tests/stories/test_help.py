"""`--help` of every command: nothing of what it teaches is lost on the way to the terminal."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import tapehouse
from tests.stories.commands import say


def commands(found: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401 -- typer's own click
    """Yield every command below and what it teaches."""
    if hasattr(found, "commands"):
        for name, each in found.commands.items():
            yield from commands(each, *path, name)
    else:
        yield path, inspect.getdoc(found.callback) or ""


def _lines(taught: str) -> Iterator[str]:
    """Yield what stands in the terminal: code as it is, paragraphs in lines of 78."""
    for number, part in enumerate(re.split(r"```\n?", taught)):
        if number % 2:
            yield from (" ".join(line.split()) for line in part.splitlines())
        else:
            for paragraph in part.replace("`", "").split("\n\n"):
                yield from textwrap.wrap(" ".join(paragraph.split()), 78, break_on_hyphens=False)


@pytest.mark.parametrize("name", tapehouse.COMMANDS)
def test_help_shows_every_word_in_full_lines(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer took `[params]` for markup, and broke its lines where the source does besides where they end."""
    monkeypatch.setenv("COLUMNS", "80")
    root: Any = typer.main.get_command(tapehouse._compose(wanted=name))  # noqa: SLF001 -- what main() runs
    for path, taught in commands(root.commands[name], name):
        assert taught, path
        shown = say(capsys, *path, "--help").out
        lines = {" ".join(line.split()) for line in shown.splitlines()}
        assert {each for each in _lines(taught) if each not in lines} == set(), path
