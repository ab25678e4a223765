"""A flood with every misfortune is recorded, and no book in the lake is false, no hole silent."""

from pathlib import Path

import polars as pl
import pytest

from tests.stories.flood import Terms, told
from tests.stories.flood_judge import judged
from tests.stories.flood_papers import read_papers
from warehouse import Lake
from warehouse.tables import BOOK_GAPS


def holes_of(lake: Lake) -> pl.DataFrame:
    return lake.scan(BOOK_GAPS).filter(pl.col("cause") == "hole").sort("from_ts").collect()


@pytest.mark.long
def test_a_recorded_flood_has_no_false_book_and_no_silent_hole(tmp_path: Path) -> None:
    """And a recorder that overlooked the holes of one connection would be found out."""
    terms = Terms(markets=40, seconds=12, rate=2_000, pairs=500, commit_s=4, silence_s=2, within_s=20)
    summary, verdict = told(tmp_path, terms)
    assert (verdict.wrong, verdict.apart, verdict.silent) == ([], [], [])
    assert verdict.n_known > 100
    assert verdict.n_in_holes > 0
    assert all(summary["flood"]["befell"].values()), summary["flood"]
    causes = {"hole", "overflow", "session_end", "stalled"}
    assert causes <= set(summary["recorder"]["gaps"])

    lake = Lake(tmp_path / "lake")
    papers = read_papers(tmp_path / "truth")
    (session,) = holes_of(lake)["session"].head(1)
    overlooked = (pl.col("cause") == "hole") & (pl.col("session") == session)
    blind = judged(lake, papers, n_pairs=500, seed=1, within_us=20_000_000, without_gaps=overlooked)
    assert {each.split(" in ")[1].split(" at ")[0] for each in blind.silent} == {session}
