"""Which policy a run had: functions that differ in a number have other digests, equal ones the same."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import backtest as bt
from backtest.policy_source import digest_of
from tests.backtest.test_policies import quoted

HALF_CC = 100


def around(half_cc: object) -> Callable[..., Any]:
    """Return a policy's function that quotes so far from the bid."""

    def quote(at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        return bt.Quotes(at.bid_cc - half_cc, 100, 0, 0)

    return quote


def through(helper: Callable[[int], int]) -> Callable[..., Any]:
    """Return a policy's function that calls another."""

    def quote(at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        return bt.Quotes(helper(at.bid_cc), 100, 0, 0)

    return quote


def shift(by_cc: int) -> Callable[[int], int]:
    return lambda price_cc: price_cc - by_cc


def of_the_module(at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    """Quote HALF_CC below the bid."""
    return bt.Quotes(at.bid_cc - HALF_CC, 100, 0, 0)


def test_two_policies_of_one_factory_are_two_where_their_numbers_differ() -> None:
    one, same, other = (bt.policy(every="1s")(around(half)) for half in (100, 100, 200))
    digests = [quoted(each.in_python()).manifest["config"]["policy"]["sha256"] for each in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, 1.0),
        (0.1, 0.2),
        (True, False),
        ("a", "b"),
        ((1, (2, 3)), (1, (2, 4))),
        (np.int64(1), np.int64(2)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.zeros(2), np.zeros((2, 1))),
    ],
)
def test_every_constant_counts(one: object, other: object) -> None:
    assert digest_of(around(one)) == digest_of(around(one))
    assert digest_of(around(one)) != digest_of(around(other))


def test_the_functions_that_it_calls_count_with_their_own_numbers() -> None:
    assert digest_of(through(shift(1))) == digest_of(through(shift(1))) != digest_of(through(shift(2)))
    for by_cc in (1, 2):
        compiled: Any = numba.njit(shift(by_cc))
        assert digest_of(through(compiled)) == digest_of(through(shift(by_cc)))


def test_a_constant_of_the_module_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of(of_the_module)
    monkeypatch.setitem(globals(), "HALF_CC", 101)
    assert digest_of(of_the_module) != before
    monkeypatch.setitem(globals(), "HALF_CC", 100)
    monkeypatch.setitem(globals(), "numba", None)  # which it does not name
    assert digest_of(of_the_module) == before


def test_what_is_no_constant_counts_by_its_name_alone() -> None:
    """A dict may differ from process to process, as its items come and go."""
    assert digest_of(around({"a": 1})) == digest_of(around({"b": object()}))


def recursive(n: int) -> int:
    return n and recursive(n - 1)


def test_functions_that_call_themselves_have_a_digest() -> None:
    assert digest_of(through(recursive)) == digest_of(through(recursive))


TYPED = """
import sys
from backtest.policy_source import digest_of
space = {"HALF": 0.5, "of": (1, "x")}
exec("def f(at, _p, _m):\\n    return (lambda: at.bid_cc - HALF)() if at in {'y', 'z'} else of", space)
print(digest_of(space["f"]))
"""


def test_digests_are_the_same_in_every_process(tmp_path: Path) -> None:
    """Also of functions that have no file, where only their code is left."""
    own = tmp_path / "own.py"
    own.write_text(TYPED)
    told = {
        subprocess.run(
            [sys.executable, own],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(told.pop()) == 65  # and a line's end
