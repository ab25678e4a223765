"""docs/policies.md: its example runs, and it names everything that a policy sees."""

import re
from pathlib import Path
from typing import Any

import pytest

from backtest.kernels.arrays import VIEW
from tests.backtest.worlds import a_lake, a_market, a_quote, a_snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path: Path) -> None:
    """The touch is 45/55: half a spread of 1 and of 3 cents around 50 is 49/51 and 47/53."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "example.py"
    path.write_text(example)  # a policy's digest is of its source
    book = a_snapshot(0, ticker="KXTEST-A", yes={4_500: 300}, no={4_500: 400})
    lake = a_lake(markets=[a_market("KXTEST-A")], quotes=[a_quote(0, 1, 2)], book_snapshots=[book])
    names: dict[str, Any] = {"lake": lake}
    exec(compile(example, str(path), "exec"), names)  # noqa: S102 -- our own page
    limits = names["run"].orders.group_by("half_cc", maintain_order=True).agg("limit_cc").rows()
    assert limits == [(100, [4_900, 5_100]), (300, [4_700, 5_300])]


@pytest.mark.parametrize("name", VIEW.names or ())
def test_everything_a_policy_sees_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE
