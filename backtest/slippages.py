"""One slippage for all markets, or one for each series, for how liquid they are differs by far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import I64
from backtest.slippage import Impact, Slippage

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

    @property
    def is_named(self) -> bool:
        """Whether any model says a half-spread or an impact."""
        return any(
            each.half_spread_cc is not None or each.impact is not None for each in self.models.values()
        )

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


def times_as_much(
    given: Slippage | Mapping[str, Slippage], times: float
) -> Slippage | Mapping[str, Slippage]:
    """Return the argument of `bt.run` with half-spreads and impacts so many times as large.

    Half-spreads are rounded up to a centicent; those that are estimated from trades stay.

    Raises:
        PlanError: a half-spread of a dollar and more.
    """
    if isinstance(given, Mapping):
        return {series: _times(each, times) for series, each in given.items()}
    return _times(given, times)


def _times(model: Slippage, times: float) -> Slippage:
    spread, impact, coefficient_cc = model.half_spread_cc, model.impact, model.coefficient_cc
    if isinstance(spread, Mapping):
        spread = {start: math.ceil(half * times) for start, half in spread.items()}
    elif spread is not None:
        spread = math.ceil(spread * times)
    if coefficient_cc is not None:
        coefficient_cc *= times
    elif callable(impact):
        impact = partial(_more, impact, times)
    return replace(model, half_spread_cc=spread, impact=impact, coefficient_cc=coefficient_cc)


def _more(impact: Impact, times: float, contracts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return times * np.asarray(impact(contracts))
