"""docs/sql-cookbook.md: its queries, and a program that writes their outputs: `python -m tests.cookbook`."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from tests.warehouse.cookbook_lake import build
from warehouse.cli import app

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "sql-cookbook.md"

_RECIPE: Final = re.compile(
    r"^## (?P<question>.+?)\n(?:(?!^## ).)*?```sql\n(?P<query>.+?)\n```\n\n```text\n(?P<output>.*?)```\n",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One question of the page: its query, and the output that is printed under it."""

    question: str
    query: str
    output: str


def recipes(page: str) -> list[Recipe]:
    """Return the page's recipes in their order."""
    return [Recipe(each["question"], each["query"], each["output"]) for each in _RECIPE.finditer(page)]


def output(query: str, lake: Path) -> str:
    """Return what `tapehouse warehouse sql` prints for a query, without spaces at the ends of lines."""
    ran = CliRunner().invoke(app, ["sql", query, "--lake", str(lake)], catch_exceptions=False)
    return "".join(f"{line.rstrip()}\n" for line in ran.stdout.splitlines())


def renewed(page: str, lake: Path) -> str:
    """Return the page with the outputs that its queries give now."""

    def with_output(found: re.Match[str]) -> str:
        start, end = found.span("output")
        whole = found.group(0)
        return whole[: start - found.start()] + output(found["query"], lake) + whole[end - found.start() :]

    return _RECIPE.sub(with_output, page)


def main() -> None:
    """Build the lake, run every query, write the page."""
    with tempfile.TemporaryDirectory() as folder:
        lake = build(Path(folder))
        PAGE.write_text(renewed(PAGE.read_text(), lake.path))


if __name__ == "__main__":
    main()
