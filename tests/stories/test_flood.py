"""A flood with every misfortune is recorded, and no book in the lake is false, no hole silent."""

from pathlib import Path

import polars as pl
import pytest

from tests.stories.flood import WITHIN_US, Terms, told
from tests.stories.flood_judge import judged, read_papers
from warehouse import Lake


@pytest.mark.long
def test_a_recorded_flood_has_no_false_book_and_no_silent_hole(tmp_path: Path) -> None:
    """And a recorder that overlooked one of the holes would be found out."""
    terms = Terms(markets=40, seconds=12, rate=2_000, pairs=500, commit_s=4, silence_s=2)
    summary, verdict = told(tmp_path, terms)
    assert (verdict.wrong, verdict.silent) == ([], [])
    assert verdict.n_known > 100
    assert verdict.n_in_holes > 0
    assert all(summary["flood"]["befell"].values()), summary["flood"]
    causes = {"hole", "overflow", "session_end", "stalled"}
    assert causes <= set(summary["recorder"]["gaps"])

    lake = Lake(tmp_path / "lake")
    papers = read_papers(tmp_path / "truth")
    overlooked = pl.col("cause") == "hole"
    blind = judged(lake, papers, n_pairs=500, seed=1, within_us=WITHIN_US, without_gaps=overlooked)
    assert blind.silent
