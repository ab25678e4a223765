"""Tests share no budget with the programs of whoever runs them, and run in an order that saves time."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
FLOWS: Final = "flows"
_LONGEST_FIRST: Final = (FLOWS, "stories", "notebooks", "recorder", "ingest")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file's tests in one process, and those of flows together: they share a Prefect server.

    What takes longest starts first, so that no process is left with it at the end.
    """
    folders = {item: item.path.parent.relative_to(ROOT).as_posix() for item in items}
    for item, folder in folders.items():
        group = FLOWS if folder == FLOWS else f"{folder}/{item.path.stem}"
        item.add_marker(pytest.mark.xdist_group(group))
    rank = {folder: number for number, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(folders[item], len(rank)))


@pytest.fixture(scope="session", autouse=True)
def _own_budgets() -> Iterator[None]:
    """Keep the state of shared budgets in a folder of this run; child processes inherit it."""
    before = os.environ.get("TAPEHOUSE_BUDGET_DIR")
    with TemporaryDirectory(prefix="budgets-") as folder:
        os.environ["TAPEHOUSE_BUDGET_DIR"] = folder
        yield
    if before is None:
        del os.environ["TAPEHOUSE_BUDGET_DIR"]
    else:
        os.environ["TAPEHOUSE_BUDGET_DIR"] = before
