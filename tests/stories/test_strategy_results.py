"""docs/strategies.md says what the strategies earn on the recordings, to the cent."""

from pathlib import Path

import pytest

from backtest.report_numbers import MINUS
from tests.realdata import needs_real_data
from tests.stories.strategy_results import chases, imported, results, scores, touches

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
SAID = PAGE.replace(f"{MINUS}$", "$-")


@pytest.mark.long
@needs_real_data
def test_the_page_tells_what_every_run_comes_to(tmp_path: Path) -> None:
    """Pairs on candles are summed over both series there, so their lines are not looked for."""
    lake = imported(tmp_path)
    told = [row for row in results(lake) if row["strategy"] != "cross_strike"]
    assert len(told) == 34
    for row in told:
        fills = f"{row['fills']:,} | " if row["strategy"] == "market_making" else ""
        counts = f"| {row['events']} | {row['days']} | {fills}"
        assert f"{counts}{row['fees']} | {row['net']} | {row['per event']} |" in SAID, row
    for row in scores(lake):
        line = " | ".join(str(value) for value in row.values()).replace("-", MINUS)
        assert f"| {line} |" in PAGE, row


@pytest.mark.long
@needs_real_data
def test_the_page_tells_what_latency_leaves_of_pairs(tmp_path: Path) -> None:
    told = list(chases(touches(tmp_path)))
    assert len(told) == 8
    for row in told:
        counts = f"| {row['sets']:g} | {row['stranded']:g} |"
        assert f"{counts} {row['of sets']} | {row['of stranded']} | {row['net']} |" in SAID, row
