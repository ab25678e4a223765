"""A short week: two hourly syncs beside a backfill of two days, killed nine times, read all the while."""

from pathlib import Path

import pytest

from tests.stories.week import Script, play

pytestmark = pytest.mark.slow


def test_a_week_of_kills_ends_with_what_the_exchange_says(tmp_path: Path) -> None:
    """Every trade, market, event, series and fee once and as it is, whoever was killed in the middle of what.

    No reader ever met an error, a version with other rows than it says, a tape that shrank, a trade twice, or
    a complete window without its trades. `python -m tests.stories.week` plays the whole week.
    """
    script = Script(
        markets=200, combos=40, trades=6_000, hours=2, past_days=2, live_days=2, kills=9, upkeep_every=2,
        reader_pause_s=1.0,
    )  # fmt: skip
    outcome = play(script, tmp_path)
    assert (outcome.unexpected, outcome.differences) == ([], [])
    assert [each["wrong"] for each in outcome.readers] == [[], []]
    assert all(each["n_reads"] > 20 for each in outcome.readers)
    assert outcome.kills["kills"] >= 9
    assert outcome.truth["trades"] == 6_000
