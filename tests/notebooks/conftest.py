"""One small lake for all notebook tests."""

from pathlib import Path

import pytest

from tests.notebooks.a_lake import build_lake


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the lake once; the notebooks only read it."""
    return build_lake(tmp_path_factory.mktemp("notebooks"), days=6).path
