"""Values of parameters: in which forms a sweep takes them, and which it refuses with which words."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

import backtest as bt
from backtest.errors import ParameterError, PlanError
from tests.backtest.worlds import a_lake, a_market, a_quote, replayed

LAKE = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000), a_quote(5, 4_800, 5_000)])
FORMS = [
    tuple,
    iter,
    np.array,
    pl.Series,
    pytest.param(lambda values: np.array(values, np.float32), id="floats"),
    pytest.param(lambda _: range(1, 3), id="range"),
]


def swept(given: Any, dtype: pl.DataType | type = pl.Int64) -> bt.Run:  # noqa: ANN401 -- what a user may write
    """Buy as many contracts as the parameter says."""
    return replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n", dtype))), params={"n": given})


@bt.policy(every="1s", params={"n": 1}, post_only=False)
def buying(at: Any, params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    """Buy until so many contracts are held."""
    return bt.Quotes(at.ask_cc, params.n * 100 - at.position_centi, 10_000, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [pl.Float64, pl.Int64])
def test_a_plan_takes_values_in_whatever_has_an_order(
    form: Callable[[list[int]], Any], dtype: type[pl.DataType]
) -> None:
    """One run with 1 contract, one with 2."""
    run = swept(form([1, 2]), dtype)
    assert run.summary["n"].to_list() == [1, 2]
    assert run.fills["count_centi"].to_list() == [100, 200]


@pytest.mark.parametrize("dtype", [int, float])
def test_types_of_python_are_types_too(dtype: type) -> None:
    """1 contract and 2, whether they were given as 1 or 1.0."""
    for given in ([1, 2], [1.0, 2.0]):
        assert swept(given, dtype).fills["count_centi"].to_list() == [100, 200]
    with pytest.raises(ParameterError, match=r"parameter n='x' is no (Int|Float)64"):
        swept("x", dtype)


def test_a_truth_is_a_condition() -> None:
    wanted = (1, "A", bt.buy_yes(1).when(bt.param("is_on", bool)))
    run = replayed(LAKE, wanted, params={"is_on": [True, False]})
    assert run.summary.select("is_on", "filled_centi").rows() == [(True, 100), (False, 0)]


@pytest.mark.parametrize("given", [0.02, "x", None, [1, 2]])
def test_a_value_is_no_type(given: Any) -> None:  # noqa: ANN401 -- what is wrong
    said = (
        f"bt.param('edge', {given!r}): the second argument is a type, such as int or pl.Float64; values come"
    )
    with pytest.raises(PlanError) as refused:
        bt.param("edge", given)
    assert str(refused.value) == f"{said} from params={{'edge': …}}"


@pytest.mark.parametrize("form", FORMS)
def test_a_policy_takes_values_in_whatever_has_an_order(form: Callable[[list[int]], Any]) -> None:
    asked = buying.in_python().on(["A"])
    run = bt.run(asked, LAKE, fills="touch", params={"n": form([1, 2])})
    assert run.summary["n"].to_list() == [1, 2]
    assert run.summary["filled_centi"].to_list() == [100, 200]


def test_a_value_that_is_given_twice_is_one_setting() -> None:
    """Otherwise its report adds up the fills of both: 2 contracts, bought once."""
    run = swept([2, 1, 2.0], pl.Float64)
    assert run.summary.select("n", "filled_centi").rows() == [(2.0, 200), (1.0, 100)]


@pytest.mark.parametrize(
    ("given", "dtype", "said"),
    [
        ({1, 2}, pl.Int64, r"params: n=\{1, 2\} is a set, which has no order: give a list"),
        ([1, "x"], pl.Int64, r"params: n=\[1, 'x'\]: give it values of one kind"),
        ([[1], 2], pl.Int64, r"params: n=\[\[1\], 2\]: give it values of one kind"),
        ([1, date(2026, 1, 1)], pl.Int64, r"params: n=\[1, datetime.date.*: give it values of one kind"),
        ([True, 2], pl.Int64, r"params: n=\[True, 2\]: give it values of one kind"),
        (np.array([[1, 2]]), pl.Int64, r"parameter n=\[1, 2\] is no Int64"),
        ("1", pl.Float64, r"parameter n='1' is no Float64, .*: give it one, or .* bt\.param\('n', dtype\)$"),
        ([True, False], pl.Float64, r"parameter n=True is no Float64, .* bt\.param\('n', dtype\)$"),
        ([1, 2.5], pl.Int64, "parameter n=2.5 is no Int64, and that is what the plan reads"),
        ([300], pl.Int8, "parameter n=300 is no Int8"),
        ([], pl.Int64, "params names no value"),
        ([1, None], pl.Int64, "parameter n is null, and so is what is computed from it: leave it out"),
    ],
)
def test_values_that_a_plan_cannot_read_are_refused(
    given: Any,  # noqa: ANN401 -- what is wrong
    dtype: type[pl.DataType],
    said: str,
) -> None:
    with pytest.raises(ParameterError, match=said):
        swept(given, dtype)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({1, 2}, r"params: n=\{1, 2\} is a set"),
        (["1"], "parameter n='1' should be a number"),
        (np.array([[1, 2]]), r"parameter n=\[1, 2\] should be a number"),
        (np.array([1, 2.5]), "parameter n=2.5: the policy's default 1 makes it a whole number"),
    ],
)
def test_values_that_a_policy_cannot_read_are_refused(given: Any, said: str) -> None:  # noqa: ANN401 -- what is wrong
    with pytest.raises(ParameterError, match=said):
        bt.run(buying.in_python().on(["A"]), LAKE, fills="touch", params={"n": given})
