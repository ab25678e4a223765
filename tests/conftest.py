"""Tests share no request budget with the programs of whoever runs them."""

import os
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest


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
