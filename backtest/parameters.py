"""Parameters of plans: expressions that stand for a value, and the values while a plan is collected."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import polars as pl

from backtest.errors import ParameterError, PlanError

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_IN_PLAN: Final = re.compile(r"bt\.param\((\w+)\)", re.ASCII)

_binding = threading.RLock()
_values: dict[str, object] = {}


def param(name: str, dtype: pl.DataType | type[pl.DataType] | type = pl.Float64) -> pl.Expr:
    """Stand for a value that `bt.run(params=...)` gives, one run of the plan for each.

    The expression is elementwise and is evaluated at every collect, so shift, over and rolling keep their
    meaning around it. `dtype` is what the plan sees, a type of polars or of Python; the default suits
    thresholds and counts. Where polars or an intent takes no expression, as for windows and times to live,
    give `bt.run` a function of them instead.

    Raises:
        PlanError: `name` is not an identifier, or `dtype` no type.
    """
    if not _NAME.fullmatch(name):
        raise PlanError(f"parameter name {name!r} is not an identifier: use letters, digits and _")
    seen_as = _dtype(name, dtype)

    def read(_: pl.Series) -> pl.Series:
        # polars calls this on threads of its own, where a ContextVar of ours would be empty.
        if name not in _values:
            raise ParameterError(
                f"bt.param({name!r}) has no value here: keep the plan lazy and give it to bt.run(params=...)"
            )
        return _one_value(name, _values[name], seen_as)

    # The text of the literal is how `parameters_in` finds the name in a plan; `first` tells polars that it is
    # one value, so that it compares with a scalar and does not spell it out for every row.
    named = pl.lit(f"bt.param({name})")
    return named.map_batches(read, return_dtype=seen_as, is_elementwise=True).first()


def _dtype(name: str, dtype: Any) -> pl.DataType:  # noqa: ANN401 -- a user's argument
    try:
        return cast("pl.DataType", pl.DataType.from_python(dtype))  # or its class, which has the same methods
    except TypeError as error:
        raise PlanError(
            f"bt.param({name!r}, {dtype!r}): the second argument is a type, such as int or pl.Float64; "
            f"values come from params={{{name!r}: …}}"
        ) from error


def _one_value(name: str, value: object, dtype: pl.DataType) -> pl.Series:
    if isinstance(value, float) and value.is_integer() and dtype.is_integer():
        value = int(value)  # of [1, 2.5] both are floats, and the 1 is not to blame
    try:
        if isinstance(value, bool) and dtype.is_numeric():
            raise TypeError  # noqa: TRY301 -- polars would make 1 of it, and fail later at & and |
        return pl.Series([value], dtype=dtype)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ParameterError(
            f"parameter {name}={value!r} is no {dtype}, and that is what the plan reads: give it one, or "
            f"read another type with bt.param({name!r}, dtype)"
        ) from error


def parameters_in(plan: pl.LazyFrame) -> frozenset[str]:
    """Return the names of the parameters that a plan reads."""
    return frozenset(_IN_PLAN.findall(plan.explain(optimized=False)))


@contextmanager
def bound(values: Mapping[str, object]) -> Iterator[None]:
    """Give parameters their values while plans are collected; one thread at a time.

    Raises:
        ParameterError: a parameter has no value, or one of another kind.
        PlanError: polars cannot make the plan, and says why.
    """
    with _binding:
        before = dict(_values)
        _values.update(values)
        try:
            yield
        except ParameterError as error:  # polars appends the whole expression
            raise ParameterError(_first_line(error)) from error
        except pl.exceptions.PolarsError as error:
            raise PlanError(f"the plan cannot be made: {_first_line(error)}") from error
        finally:
            _values.clear()
            _values.update(before)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def as_whole(value: object) -> object:
    """Return a setting's value, a whole number as an int: a float that equals one is the same setting."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
