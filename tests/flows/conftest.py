"""One Prefect server for all tests of flows: starting it costs ten seconds or more."""

import gc
from collections.abc import Iterator

import pytest

from tests.flows.orchestra import Orchestra, playing


@pytest.fixture(scope="session")
def orchestra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestra]:
    """A server with an empty database and a work pool."""
    with playing(tmp_path_factory.mktemp("prefect")) as server:
        server.create("work_pools", name="local-pool", type="process")
        yield server


@pytest.fixture
def in_process(orchestra: Orchestra) -> Iterator[Orchestra]:
    """The same server for flows that run in this process.

    What Prefect leaves behind is collected here, under this test's filters, not in somebody else's test.
    """
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

    with temporary_settings({PREFECT_API_URL: orchestra.api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield orchestra
    gc.collect()
