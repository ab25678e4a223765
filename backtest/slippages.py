"""One slippage for all markets, or one for each series, for how liquid they are differs by far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import I64
from backtest.slippage import Slippage

_ALL: Final = ""  # no series has that name


@dataclass(frozen=True, slots=True)
class Slippages:
    """Models by series, or one of them for all."""

    models: Mapping[str, Slippage]

    @property
    def told(self) -> dict[str, Any]:
        """For the manifest."""
        one = self.models.get(_ALL)
        return one.told if one is not None else {name: self.models[name].told for name in sorted(self.models)}

    @property
    def has_impact(self) -> bool:
        """Whether any model has one."""
        return any(each.impact is not None for each in self.models.values())

    def sentences(self, *, has_spread: bool) -> list[str]:
        """Return what a reader of the report must know, series by series."""
        return [
            f"{name}: {said}" if name else said
            for name in sorted(self.models)
            for said in self.models[name].sentences(has_spread=has_spread)
        ]

    def model_of(self, series: pl.Series) -> I64:
        """Return the number of each market's model, in the order of their names.

        Raises:
            PlanError: a market of a series without one.
        """
        if _ALL in self.models:
            return np.zeros(len(series), np.int64)
        names = sorted(self.models)
        if missing := sorted({each or "unknown" for each in series.to_list()} - set(names)):
            few = ", ".join(missing[:3]) + (" and others" if missing[3:] else "")
            raise PlanError(
                f"slippage: none for series {few} of the plan's markets: add it, or give one for all"
            )
        return np.searchsorted(np.array(names), series.to_numpy()).astype(np.int64)

    def ordered(self) -> list[Slippage]:
        """Return the models in the order of their numbers."""
        return [self.models[name] for name in sorted(self.models)]


def read_slippages(given: Any) -> Slippages | None:  # noqa: ANN401 -- a user's argument
    """Return what the argument of `bt.run` says.

    Raises:
        PlanError: no slippage, and no slippages by series.
    """
    if given is None:
        return None
    models = {_ALL: given} if isinstance(given, Slippage) else given
    is_by_series = isinstance(models, Mapping) and models and all(isinstance(each, str) for each in models)
    if not is_by_series or not all(isinstance(each, Slippage) for each in models.values()):
        raise PlanError(
            f"slippage={given!r}: give bt.Slippage(...), what bt.calibrate_slippage returns, or a dict of "
            "them by series"
        )
    return Slippages(models)
