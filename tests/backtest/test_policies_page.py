"""docs/policies.md: its examples run, and it names everything that a policy sees."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backtest.kernels.arrays import LEVELS_SEEN, VIEW
from backtest.results import Run
from tests.backtest.worlds import a_lake, a_market, a_quote, a_snapshot, at

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run(tmp_path: Path) -> None:
    """The touch is 45/55: half a spread of 1 and of 3 cents around 50 is 49/51 and 47/53.

    With 52 as the price of one's own and an edge of 2 cents, 50/54.
    """
    book = a_snapshot(0, ticker="KXTEST-A", yes={4_500: 300}, no={4_500: 400})
    lake = a_lake(markets=[a_market("KXTEST-A")], quotes=[a_quote(0, 1, 2)], book_snapshots=[book])
    known = pl.Series([at(0)], dtype=pl.Datetime("us", "UTC"))
    forecast = pl.DataFrame({"ticker": ["KXTEST-A"], "known_ts": known, "prob": [0.52]})
    names: dict[str, Any] = {"lake": lake, "forecast": forecast}
    first, second = (ran(example, tmp_path / f"example_{i}.py", names) for i, example in enumerate(EXAMPLES))
    limits = first.orders.group_by("half_cc", maintain_order=True).agg("limit_cc").rows()
    assert limits == [(100, [4_900, 5_100]), (300, [4_700, 5_300])]
    assert second.orders["limit_cc"].to_list() == [5_000, 5_400]


def ran(example: str, path: Path, names: dict[str, Any]) -> Run:
    """Run one of the page's blocks from a file, for a policy's digest is of its source."""
    path.write_text(example)
    exec(compile(example, str(path), "exec"), names)  # noqa: S102 -- our own page
    run: Run = names["run"]
    return run


@pytest.mark.parametrize("name", [*(VIEW.names or ()), *LEVELS_SEEN])
def test_everything_a_policy_sees_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE
