"""A storm over a whole tape: five percent of every misfortune, and in the end the calm day's rows."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from pipelines.client.retry import MAX_TRIES
from sandbox import running
from tests.stories.storm import END_TS, EVERY, START_TS, a_storm, a_world, n_traded, pulled, rows
from warehouse import Lake

pytestmark = pytest.mark.slow

# What can happen to pages of trades; each line of the script is drawn with 5 %, some kinds have two.
INSTEAD = {"too_many": 1, "error": 2, "html": 1, "reset": 2, "hang": 1}
ON_ANSWERS = {"slow": 1, "dribble": 1, "truncate": 2, "content_type": 1, "new_field": 1, "duplicate_rows": 1}
SYNCS = 8


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same pull on a good day, in other pages and windows."""
    lake = Lake(tmp_path_factory.mktemp("calm") / "lake")
    with running(a_world(), tier="prestige") as server:
        done = pulled(server.base_url, lake, start=START_TS, end=END_TS)
    assert not done.failed
    return lake


@pytest.mark.long
def test_a_storm_over_a_hundred_thousand_trades_ends_with_the_calm_tape(calm: Lake, tmp_path: Path) -> None:
    """Only a repeated cursor fails a window, and the next sync pulls it; nothing goes on past its limits."""
    world, lake = a_world(), Lake(tmp_path / "lake")
    with running(world, tier="prestige", faults=a_storm()) as server:
        done = pulled(
            server.base_url, lake, syncs=SYNCS, start=START_TS, end=END_TS, page_size=200, every=EVERY
        )
        injected, meter = server.faults.injected, server.meter
    assert n_traded(world, START_TS, END_TS) == rows(calm).height > 100_000
    assert_frame_equal(rows(lake), rows(calm))
    assert lake.is_complete("trades", "all", START_TS, END_TS)
    assert all("a cursor that came before" in str(each.reason) for each in done.failed)
    assert 0 < len(done.failed) <= injected["repeat_cursor"]
    assert done.n_requests > 500
    assert done.n_sent <= MAX_TRIES * done.n_requests
    assert done.retries["429"] == injected["too_many"]
    assert meter.refused == 0, "a storm of 429 is no reason to ask faster than the tier allows"
    assert not done.breaker, "no request failed after all its tries, so the breaker never opened"
    assert done.novelties == {"Trade.sandbox_novelty"}
    n_pages = meter.by_path["/markets/trades"] + meter.by_path["/historical/trades"]
    # The cutoff is one and the same request, which the script spares after three times.
    n_asked = done.n_sent - meter.by_path["/historical/cutoff"]
    shares = {kind: injected[kind] / n_lines / n_asked for kind, n_lines in INSTEAD.items()}
    shares |= {kind: injected[kind] / n_lines / n_pages for kind, n_lines in ON_ANSWERS.items()}
    shares["too_many"] /= 2  # each comes with another
    assert {kind: share for kind, share in shares.items() if not 0.03 <= share <= 0.07} == {}
    assert injected["move_cutoff"] == 5
