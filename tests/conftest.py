"""Tests share no budget with the programs of whoever runs them, and run in an order that saves time."""

import os
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

FLOWS: Final = "tests/flows"
_LONGEST_FIRST: Final = ("flows", "stories", "notebooks", "recorder", "ingest", "warehouse")

# How long an example takes is the machine's affair: no failure, however busy that is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start what takes longest first, so that no process is left with it at the end."""
    rank = {folder: number for number, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))


@pytest.hookimpl(optionalhook=True)  # only where tests run in several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:  # noqa: ANN401 -- xdist's own
    """Keep each file's tests in one process, and those of all flows together: they share a Prefect server."""
    return OneServer(config, log)


class OneServer(LoadFileScheduling):  # type: ignore[misc]
    """Hands out tests file by file; the folder of flows counts as one file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        folder = path.rpartition("/")[0]
        return folder if folder == FLOWS else path


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
