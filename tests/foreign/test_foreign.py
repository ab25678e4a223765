"""Clients that others wrote see in the sandbox what is there, to the cent and the contract."""

from typing import Any

import pytest

from tests.foreign.clients import CLIENTS, Foreign
from tests.foreign.driver import check, run_story


@pytest.mark.slow
@pytest.mark.parametrize(
    ("client", "kind"), [pytest.param(c, kind, id=f"{c.name}-{kind}") for c in CLIENTS for kind in c.keys]
)
def test_a_foreign_client_sees_what_is_there(client: Foreign, kind: str) -> None:
    """Listings, tapes, books, orders, fills, positions, money and the stream: all it says is so."""
    if not client.is_made:
        pytest.skip(f"build/foreign/{client.name} is not made from today's pins: say `make foreign`")
    differing = {each.step: each.differs for each in run_story(client, kind) if not each.agrees}
    assert differing == {}


def test_a_step_agrees_only_with_the_truth_itself() -> None:
    """A cent off, a row missing or twice, a number too fine, a failure, silence: none of them agrees."""
    row = ["t1", "A", "0.5600", "1.50", "yes"]
    true = [["t1", "A", 5_600, 150, "yes"]]
    assert check("trades", true, {"saw": [row]}).agrees
    wrong: list[dict[str, Any] | None] = [
        {"saw": [["t1", "A", "0.5700", "1.50", "yes"]]},
        {"saw": []},
        {"saw": [row, row]},
        {"saw": [["t1", "A", "0.56001", "1.50", "yes"]]},
        {"saw": [["t1", "A", None, "1.50", "yes"]]},
        {"failed": "ValidationError: no such word"},
        None,
    ]
    for told in wrong:
        checked = check("trades", true, told)
        assert not checked.agrees
        assert checked.differs
