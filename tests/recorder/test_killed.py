"""A recorder that is killed loses what was not on disk yet, and says so."""

from pathlib import Path

import pytest

from tests.stories.recorder import killed_again_and_again


@pytest.mark.long
def test_after_kills_every_flushed_frame_is_a_row_and_every_loss_a_gap(tmp_path: Path) -> None:
    outcome = killed_again_and_again(tmp_path, 2, seed=7, longest_s=0.8)
    assert (outcome.n_kills, outcome.n_missing, outcome.n_undeclared) == (2, 0, 0)
    assert outcome.n_fsynced > 20
    assert outcome.causes["killed"] >= 2
    assert outcome.verdict.wrong == []
    assert outcome.verdict.n_known > 20
