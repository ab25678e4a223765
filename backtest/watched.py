"""Whether a strategy takes a lake and reads it: from another one nothing can be kept."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import polars as pl

from backtest.errors import PlanError
from backtest.plan import Params
from backtest.policies import Quoting
from warehouse.known import KnownLake

_NO_READERS: Final = ("whole", "at_ts", "asked", "uri", "pinned", "versions")


@dataclass(frozen=True, slots=True)
class WatchedLake(KnownLake):
    """A `KnownLake`; `asked` gets the name of every reader that is looked up, in order."""

    asked: list[str]

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 -- of any reader
        """Return what `KnownLake` has, and note it if it is a reader."""
        if not name.startswith("_") and name not in _NO_READERS:
            self.asked.append(name)
        return object.__getattribute__(self, name)


def is_tape(given: object) -> TypeGuard[pl.LazyFrame | pl.DataFrame]:
    """Tell whether an argument of a strategy can be cut by its known_ts."""
    return isinstance(given, pl.LazyFrame | pl.DataFrame) and "known_ts" in given.collect_schema()


def check_takes_lake(strategy: object, params: Params, selection: Mapping[str, object]) -> None:
    """Refuse a strategy that is no function of a lake and its selection, such as a function of parameters.

    Raises:
        PlanError: so it is.
    """
    if isinstance(strategy, pl.LazyFrame | pl.DataFrame | Quoting):
        raise PlanError(
            "this plan is made already, and cannot be made anew with less: give the function that makes it, "
            "audit(my_plan, lake), not my_plan(lake)"
        )
    if not callable(strategy):
        raise PlanError(f"strategy={strategy!r} is no function that makes a plan of a lake")
    name, taken = getattr(strategy, "__name__", type(strategy).__name__), inspect.signature(strategy)
    names = params.columns if isinstance(params, pl.DataFrame) else params or ()
    try:
        taken.bind("lake", **selection)
        if (first := next(iter(taken.parameters))) in names:
            raise TypeError(f"{first} is one of params")  # noqa: TRY301 -- said as Python says the others
    except TypeError as error:
        raise PlanError(
            f"{name}{taken}: {error}. audit makes the plan anew of the lake as it was: give a function that "
            "is called with a lake and, by name, what else audit is given; it may return a function of params"
        ) from error


def check_read(asked: Sequence[str], selection: Mapping[str, object]) -> None:
    """Refuse a strategy that asked for nothing and was given nothing else that was cut.

    Raises:
        PlanError: so it is.
    """
    if not asked and not any(map(is_tape, selection.values())):
        raise PlanError(
            "the strategy reads nothing of the lake that it is given, so nothing can be kept from it: read "
            "that lake in it, as in lake.quotes(…), and neither a lake nor a frame from outside"
        )
