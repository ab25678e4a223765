"""Which tier a trade came from, held against what the live tier showed in the same reading and later."""

from pathlib import Path

import pytest

from tests.warehouse.rows import a_trade, at, frame
from warehouse import Lake
from warehouse.checks import run_checks
from warehouse.tables import TRADES

HOUR_S = 3_600


def flagged(folder: Path, *, archived_s: int, live_s: int, read_s: int) -> int:
    """Return how many trades are flagged: one from the archive, read at noon, and one from the live tier.

    They printed `archived_s` and `live_s` after midnight; the live one was read `read_s` after noon.
    """
    midnight_s = -12 * HOUR_S
    rows = (
        a_trade("old", event_ts=at(midnight_s + archived_s), source="historical", fetched_ts=at()),
        a_trade("new", event_ts=at(midnight_s + live_s), source="rest", fetched_ts=at(read_s)),
    )
    lake = Lake(folder)
    lake.commit(TRADES, frame(TRADES, *rows))
    (finding,) = run_checks(lake, ["trade_tiers"], keep=False).findings
    assert finding.n_looked_at == 1
    return finding.n_flagged


@pytest.mark.parametrize(
    ("read_s", "n_flagged"),
    [(-1, 0), (0, 1), (1, 0), (HOUR_S - 1, 0), (HOUR_S, 1), (5 * HOUR_S, 1)],
)
def test_what_is_archived_is_not_shown_live_again(tmp_path: Path, read_s: int, n_flagged: int) -> None:
    """The live trade is the older one: in the same reading, or once that is over, it cannot be live.

    A reading that began within the hour may have seen the live tier before this one saw the archive.
    """
    assert flagged(tmp_path, archived_s=20, live_s=10, read_s=read_s) == n_flagged


def test_what_is_older_than_all_that_is_live_is_in_order(tmp_path: Path) -> None:
    """A trade of the border's own moment may be in either tier."""
    assert flagged(tmp_path / "older", archived_s=10, live_s=20, read_s=HOUR_S) == 0
    assert flagged(tmp_path / "same", archived_s=10, live_s=10, read_s=HOUR_S) == 0
