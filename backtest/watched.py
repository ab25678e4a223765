"""Whether a strategy reads the lake that it is given: from another one nothing can be kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import polars as pl

from backtest.errors import PlanError
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
