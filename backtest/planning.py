"""The plan under each row of parameters: one that reads them, or what a function of them makes."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from backtest.errors import PlanError
from backtest.narrowing import is_narrowed
from backtest.plan import Engine, Params, Plan, given_rows, parameter_rows, read_plan

PlanOf = Plan | Callable[..., Plan]


@dataclass(slots=True)
class Plans:
    """Rows of parameters, and what is planned under each."""

    rows: Sequence[dict[str, Any]]
    make: Callable[[dict[str, Any]], pl.LazyFrame]
    last: tuple[dict[str, Any], pl.LazyFrame] | None = None

    def under(self, row: dict[str, Any]) -> pl.LazyFrame:
        """Return the plan under one of the rows; a function is asked for the same one once in a row.

        Raises:
            PlanError: it has baskets, and that under the row before has none, or the other way round.
        """
        if self.last is None or self.last[0] is not row:
            before, self.last = self.last, (row, self.make(row))
            if before is not None and before[1] is not self.last[1]:
                _check_baskets(before, self.last)
        return self.last[1]

    @property
    def engine(self) -> Engine:
        """Polars' engine for them: the one that streams is busy with its threads where rows are few."""
        return "in-memory" if is_narrowed(self.under(self.rows[0])) else "auto"

    @property
    def has_baskets(self) -> bool:
        """Whether the plan under the first row has; then all have."""
        return "basket" in self.under(self.rows[0]).collect_schema()


def _check_baskets(*both: tuple[dict[str, Any], pl.LazyFrame]) -> None:
    rows = {"basket" in made.collect_schema(): row for row, made in both}
    if len(rows) > 1:
        with_some, without = (
            ", ".join(f"{name}={value!r}" for name, value in rows[has].items()) for has in (True, False)
        )
        raise PlanError(
            f"the plan has a column basket with {with_some} and none with {without}: let all settings have "
            "it, null where an order belongs to no basket"
        )


def plans(plan: PlanOf, params: Params) -> Plans:
    """Read a plan, or a function that makes one of the parameters, which it gets by name.

    Raises:
        PlanError: neither, or a function that cannot be called with these parameters; later, `under` raises
            what the function does, or finds that it made no plan.
        ParameterError: as `parameter_rows`.
    """
    if isinstance(plan, pl.LazyFrame | pl.DataFrame) or not callable(plan):
        lazy = read_plan(plan)
        return Plans(parameter_rows(params, lazy), lambda _: lazy)
    rows, names = given_rows(params)
    name = getattr(plan, "__name__", type(plan).__name__)
    taken = inspect.signature(plan)
    try:
        taken.bind(**dict.fromkeys(names))
    except TypeError as error:
        given = f"params, by name ({', '.join(names)})" if names else "params, and there are none"
        raise PlanError(
            f"{name}{taken}: {error}. A function in place of a plan is given {given}; to give it anything "
            f"else, call it: bt.run({name}(…), …), or bt.run(lambda …: {name}(…), …)"
        ) from error
    return Plans(rows, lambda row: plan_under(plan, row))


def plan_under(plan: PlanOf, row: dict[str, Any]) -> pl.LazyFrame:
    """Return a plan, or what a function makes of one row of parameters.

    Raises:
        PlanError: that is no plan; and what the function does.
    """
    if isinstance(plan, pl.LazyFrame | pl.DataFrame) or not callable(plan):
        return read_plan(plan)
    return read_plan(plan(**row))
