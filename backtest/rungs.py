"""The same intents on every rung of the ladder: what of an idea survives spread, depth and queue."""

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from backtest.by_setting import refuse_taken
from backtest.engine import LakeReader, opened, run
from backtest.errors import PlanError, kind_of
from backtest.holdouts import Holdout
from backtest.planning import PlanOf
from backtest.policies import Quoting
from backtest.results import SCHEMAS
from backtest.stages import SharedLake

RUNGS: Final = ("mid", "touch", "book", "queue:pessimistic", "queue:proportional", "queue:front")
TRADES: Final = "trades"  # needs a slippage, and is run when asked for
_ONLY_FOR: Final = {
    "extra_ticks": ("touch",),
    "slippage": ("touch", TRADES),
    "max_age": ("mid", "touch"),
}


def ladder(
    plan: PlanOf | Quoting,
    lake: LakeReader,
    *,
    rungs: Sequence[str] = RUNGS,
    **arguments: Any,  # noqa: ANN401 -- of bt.run
) -> pl.DataFrame:
    """Run a plan or policy once on each rung and return what became of it.

    Args:
        plan: as for `bt.run`.
        lake: as for `bt.run`; all rungs read it as it is now.
        rungs: ways to fill, as `fills`, or `queue:` and a place; "trades" among them if asked for.
        arguments: of `bt.run`, but fills and queue; extra_ticks are for touch, slippage for touch and
            trades, max_age for mid and touch.

    Returns:
        The parameters; rung; known_share, the mean over markets of the share of time with anything to fill
        against (0: the lake has no such data, and then no result either); then the columns of `Run.summary`.
        By parameters, then in the order of the rungs.

    Raises:
        PlanError: a rung that is none, or what `bt.run` raises.
    """
    if taken := sorted({"fills", "queue"} & set(arguments)):
        raise PlanError(f"{' and '.join(taken)}: a ladder has them in rungs, such as {RUNGS[-1]!r}")
    params = arguments.get("params")
    own = plan.policy.params if isinstance(plan, Quoting) else getattr(params, "columns", params) or ()
    refuse_taken(own, ("rung", "known_share"), "ladders")
    if not isinstance(rungs, list | tuple):
        raise PlanError(f"rungs is {kind_of(rungs)}: give a list, such as ['touch', 'book']")
    if unknown := [each for each in rungs if each not in (*RUNGS, TRADES)]:
        raise PlanError(f"rung {unknown[0]!r} is unknown: use {', '.join((*RUNGS, TRADES))}")
    held = arguments.get("holdout")
    if isinstance(held, Holdout) and held.note is not None:
        raise PlanError("a holdout is opened for one run: choose a rung, and give it to bt.run")
    if not rungs:
        raise PlanError("a ladder needs a rung")
    shared, names = SharedLake(opened(lake)), tuple[str, ...]()
    told = []
    for number, rung in enumerate(rungs):
        fills, _, place = rung.partition(":")
        given: dict[str, Any] = {"queue": place} if place else {}
        given |= {name: value for name, value in arguments.items() if fills in _ONLY_FOR.get(name, (fills,))}
        done = run(plan, shared, fills=fills, **given)
        names = done.param_names
        share = done.coverage["known_share"].mean()
        # No parameter is called so.
        order = pl.int_range(pl.len()).alias("#row"), pl.lit(number).alias("#at")
        told.append(done.summary.with_columns(*order, rung=pl.lit(rung), known_share=pl.lit(share)))
    return pl.concat(told).sort("#row", "#at").select(*names, "rung", "known_share", *SCHEMAS["summary"])
