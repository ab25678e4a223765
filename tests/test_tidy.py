"""The repository keeps its own rules: sizes, names, bans, and papers in step with the code."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("exchange", "warehouse", "pipelines", "backtest", "sandbox")
FOLDERS: Final = {*PACKAGES, "notebooks", "tests", "docs", ".ci"}
FILE_LINES_MAX: Final = 350
FUNCTION_LINES_MAX: Final = 60
TRACKED_BYTES_MAX: Final = 256 * 1024
README_LINES_MAX: Final = 150
DECISION_LINES_MAX: Final = 40
HOMELESS_NAMES: Final = {"utils", "common", "helpers", "core", "base", "misc"}

# What is banned, and what to write instead.
BANS: Final = {
    r"utcnow\(": "now, as an argument (STYLE 6.5); datetime.now(UTC) at the edge",
    r"unittest\.mock": "the sandbox, or a ten-line fake (STYLE 6.10)",
    r"except (?:Base)?Exception:\s*\n\s*(?:pass|continue|return (?:None|\[\]|\{\}))": "a named error",
    r"map_elements\(": "one polars expression, or a kernel (STYLE 6.9)",
    r"int\(float\(": "exchange.units.parse_cc and friends (STYLE 6.1)",
    r"#\s?TODO(?! #\d)": "an issue, and its number",
}


def tracked() -> list[Path]:
    """Return the files of the repository: what git tracks, and what it would."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def sources(*, with_tests: bool = False) -> list[Path]:
    """Return our Python files; notebooks have rules of their own (`marimo check`)."""
    rooms = {*PACKAGES, "tests"} if with_tests else set(PACKAGES)
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and (path.parent == ROOT or path.relative_to(ROOT).parts[0] in rooms)
    ]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every function with its number of lines, docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring_lines = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring_lines


def test_the_house_has_the_rooms_of_the_design_and_no_others() -> None:
    """DESIGN: exchange, warehouse, pipelines, backtest, sandbox, tapehouse.py, notebooks, tests, docs."""
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert folders <= FOLDERS
    assert [path.name for path in tracked() if path.parent == ROOT and path.suffix == ".py"] == [
        "tapehouse.py"
    ]


def test_files_and_functions_stay_small() -> None:
    """STYLE: files at most 350 lines, functions at most 60; split by idea, not by size."""
    long_files = [
        f"{path.relative_to(ROOT)}: {n_lines}"
        for path in sources()
        if (n_lines := len(path.read_text().splitlines())) > FILE_LINES_MAX
    ]
    long_functions = [
        f"{path.relative_to(ROOT)}:{name}: {n_lines}"
        for path in sources()
        for name, n_lines in functions(path)
        if n_lines > FUNCTION_LINES_MAX
    ]
    assert (long_files, long_functions) == ([], [])


def test_every_module_has_a_home_and_a_first_sentence() -> None:
    homeless = [path for path in sources(with_tests=True) if path.stem in HOMELESS_NAMES]
    silent = [path for path in sources(with_tests=True) if not ast.get_docstring(ast.parse(path.read_text()))]
    assert (homeless, silent) == ([], [])


@pytest.mark.parametrize(("ban", "instead"), BANS.items())
def test_banned_words_are_not_used(ban: str, instead: str) -> None:
    found = [
        str(path.relative_to(ROOT)) for path in sources(with_tests=True) if re.search(ban, path.read_text())
    ]
    assert found == [], f"write {instead}"


def test_exported_names_are_sorted_and_exist() -> None:
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names = ast.literal_eval(node.value)
                assert len(names) == len(set(names)), path


def test_no_file_is_large_and_none_holds_a_key_or_a_path_of_one_machine() -> None:
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE " + "KEY-----\n[A-Za-z0-9+/=]{20}")
    machine = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w+")
    for path in tracked():
        assert path.stat().st_size <= TRACKED_BYTES_MAX, path
        if path.suffix != ".lock":
            text = path.read_text(errors="replace")
            assert not secret.search(text), path
            assert not machine.search(text), path


def test_the_locks_have_hashes_and_no_host_names() -> None:
    """requirements.lock is what running takes, requirements-dev.lock what developing takes besides."""
    pinned: dict[str, set[str]] = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (ROOT / name).read_text()
        assert not re.search(r"://|--index|--find-links|\.org\b|\.com\b", lock)
        pins = re.findall(r"^([a-z0-9._-]+)==\S+(.*?)(?=^[a-z0-9._-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
        assert all("--hash=sha256:" in rest for _, rest in pins)
        pinned[name] = {name for name, _ in pins}
    assert not set.intersection(*pinned.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    running = {re.split(r"[<>=\[ ]", each)[0] for each in project["dependencies"]}
    extras = {re.split(r"[<>=\[ ]", each)[0] for each in project["optional-dependencies"]["dev"]}
    assert running <= pinned["requirements.lock"], "say: make lock"
    assert extras <= set.union(*pinned.values()), "say: make lock"


def test_the_readme_is_short_and_the_changelog_opens_with_results() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX
    headings = re.findall(r"^### (\w+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Results"


def test_decision_notes_are_short_and_have_their_four_parts() -> None:
    notes = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert notes
    for note in notes:
        text = note.read_text()
        assert len(text.splitlines()) <= DECISION_LINES_MAX, note
        for part in ("Context", "Decision", "Consequences", "We would change our mind if"):
            assert f"**{part}" in text, (note, part)


def test_relative_links_in_the_papers_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)
