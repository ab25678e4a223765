"""Where the recordings of the real exchange lie, and the mark for tests that need them."""

from pathlib import Path
from typing import Final

import pytest

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"

needs_real_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recordings in ../shared/data are not part of this repository"
)
