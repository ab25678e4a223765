"""Which strategies there are, and how one of the user's own is found: `path/to/file.py:name`.

A strategy is a function (lake, *, series, event, ticker, start, end) that returns a plan, or a policy, which
is asked about every market of the selection. The list is explicit: a strategy that fails to import is an
error, not a name that quietly vanishes.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backtest.policies import Policy
from backtest.strategies import (
    calibration_edge,
    closing_drift,
    cross_strike,
    favourite_longshot,
    market_making,
    mean_reversion,
)
from backtest.strategies.quoted import as_plan
from exchange.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    import polars as pl

    from backtest.policies import Quoting

    Plan = Callable[..., pl.LazyFrame | Quoting]

_FILE: Final = re.compile(r"(?P<path>.+\.py):(?P<function>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A plan or a policy put on markets, as a function of lake and selection; its parameters and assumptions.

    `params` is None where it declares none: then any is passed on.
    """

    name: str
    plan: Plan
    params: Mapping[str, Any] | None
    assumptions: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first sentence of the plan's docstring."""
        return inspect.cleandoc(self.plan.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    @property
    def hypothesis(self) -> str:
        """What the plan bets on; "" when its docstring does not say."""
        return self._said("Hypothesis")

    @property
    def falsified_by(self) -> str:
        """What would show that the bet is wrong; "" when its docstring does not say."""
        return self._said("Falsified by")

    @property
    def reads_forecast(self) -> bool:
        """Whether the plan takes a forecast, as an argument of that name."""
        return "forecast" in inspect.signature(self.plan).parameters

    def _said(self, heading: str) -> str:
        for paragraph in inspect.cleandoc(self.plan.__doc__ or "").split("\n\n"):
            if paragraph.startswith(f"{heading}:"):
                return " ".join(paragraph.removeprefix(f"{heading}:").split())
        return ""


def _ours(name: str, module: ModuleType) -> Strategy:
    return Strategy(name=name, plan=module.plan, params=module.PARAMS, assumptions=module.ASSUMPTIONS)


def _quoting(name: str, policy: Policy, assumptions: tuple[str, ...]) -> Strategy:
    return Strategy(name=name, plan=as_plan(policy), params=policy.params, assumptions=assumptions)


STRATEGIES: Final[dict[str, Strategy]] = {
    "calibration_edge": _ours("calibration_edge", calibration_edge),
    "closing_drift": _ours("closing_drift", closing_drift),
    "cross_strike": _ours("cross_strike", cross_strike),
    "favourite_longshot": _ours("favourite_longshot", favourite_longshot),
    "market_making": _quoting("market_making", market_making.market_making, market_making.ASSUMPTIONS),
    "mean_reversion": _ours("mean_reversion", mean_reversion),
}


def find_strategy(name: str, *, beside: Path | None = None) -> Strategy:
    """Return one of ours by name, or the user's own, a function or a policy, by `path/to/file.py:name`.

    A file may set `PARAMS` (name to default; unknown names are then refused) and `ASSUMPTIONS` (a sentence
    for the report, or several). A relative path counts from `beside`.

    Raises:
        BadInput: no such strategy, file or function, the file cannot be imported, or what it sets is neither.
    """
    match = _FILE.fullmatch(name)
    if match is not None:
        return _from_file(name, (beside or Path()) / match["path"], match["function"])
    if name not in STRATEGIES:
        raise BadInput(f"strategy {name!r} is unknown; {near(name, STRATEGIES)}, or path/to/file.py:function")
    return STRATEGIES[name]


def near(name: str, known: Iterable[str]) -> str:
    """Return advice on an unknown name: what it may have meant, and what there is."""
    known = list(known)
    close = get_close_matches(name, known, n=2, cutoff=0.5)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}known are {', '.join(known)}"


def _from_file(name: str, path: Path, function: str) -> Strategy:
    if not path.is_file():
        raise BadInput(f"strategy {name!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"strategy_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # there dataclasses look up what their annotations name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise BadInput(
            f"strategy {name!r}: {path} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    plan, assumptions = getattr(module, function, None), _assumptions(name, path, module)
    if isinstance(plan, Policy):
        return _quoting(name, plan, assumptions)
    if not callable(plan):
        functions = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) or isinstance(value, Policy)
        ]
        raise BadInput(f"strategy {name!r}: {path} has no function {function!r}; {near(function, functions)}")
    params = getattr(module, "PARAMS", None)
    if params is not None and not (isinstance(params, Mapping) and all(isinstance(n, str) for n in params)):
        raise BadInput(
            f"strategy {name!r}: {path}: PARAMS is {params!r}: give each name its default, such as "
            '{"min_edge": 0.02}'
        )
    return Strategy(name=name, plan=plan, params=params, assumptions=assumptions)


def _assumptions(name: str, path: Path, module: ModuleType) -> tuple[str, ...]:
    given = getattr(module, "ASSUMPTIONS", ())
    sentences = (given,) if isinstance(given, str) else given
    if not isinstance(sentences, list | tuple) or not all(isinstance(each, str) for each in sentences):
        raise BadInput(
            f"strategy {name!r}: {path}: ASSUMPTIONS is {given!r}: give a sentence, or several in a list"
        )
    return tuple(sentences)
