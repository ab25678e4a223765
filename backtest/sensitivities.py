"""The same plan with one assumption moved at a time: what is left of it in a world that is less kind."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from backtest.by_setting import refuse_taken
from backtest.engine import LakeReader, opened, run
from backtest.errors import PlanError
from backtest.holdouts import Holdout
from backtest.latency import Latency, read_feed, read_latency
from backtest.moved import FACTORS, Moved
from backtest.planning import PlanOf
from backtest.policies import Quoting
from backtest.results import SCHEMAS
from backtest.slippages import read_slippages
from backtest.stages import SharedLake

MOVABLE: Final = (
    "latency",
    "feed",
    "extra_ticks",
    *FACTORS,
    "queue",
    "refill",
    "max_age",
    "cash",
    "per_event",
    "per_series",
    "netting",
    "legs",
)
_OWN: Final = ("assumption", "value", "change_micros", "is_base")
_QUICK: Final = Latency((1_000,))  # no order arrives at once
_SLOWER: Final = (4, 20)  # times the base


def sensitivity(
    plan: PlanOf | Quoting,
    lake: LakeReader,
    *,
    fills: str,
    vary: Mapping[str, Sequence[Any]] | None = None,
    **arguments: Any,  # noqa: ANN401 -- of bt.run
) -> pl.DataFrame:
    """Run a plan or policy once as it is, and once with each other value of one assumption.

    Every run is a `bt.run` of its own. What the last one made of the lake serves the next as long as ticks,
    slippage, fees, max_age and netting stay.

    Args:
        plan: as for `bt.run`.
        lake: as for `bt.run`; all runs read it as it is now.
        fills: as for `bt.run`; `bt.ladder` is what moves it.
        vary: what to try by assumption, such as {"latency": ["1s", "5s"], "fees": [2]}: arguments of
            `bt.run`, and three factors: "fees" (times every fee multiplier, on record or assumed), "size"
            (times every count of a plan, down to the hundredth; purse and caps stay) and "slippage" (times
            half-spread and impact). By default latency; feed, for policies; size, for plans; extra_ticks or
            slippage, where the run can have more of it; and fees.
        arguments: of `bt.run`, for the base.

    Returns:
        The parameters; assumption; value, as text; change_micros, by how much pnl_micros differs from the
        base's; is_base, true for one row of each assumption, where the base is repeated; then the columns of
        `Run.summary`. By parameters, then as given, a base that is not among the values before them.

    Raises:
        PlanError: an assumption that cannot be moved, or what `bt.run` raises.
    """
    shared = SharedLake(opened(lake))
    _refuse(plan, arguments)
    base = Moved({**(run.__kwdefaults__ or {}), **arguments, "fills": fills})
    as_given = base.key
    wanted = _usual(plan, base.arguments) if vary is None else _read(vary, plan, base.arguments)
    moved = [(name, each) for name, values in wanted.items() for each in _once(base, name, values)]
    as_is = base.run(plan, shared)
    told = []
    for at, (name, each) in enumerate(moved):
        is_base = each.key == as_given
        summary = as_is.summary if is_base else each.run(plan, shared).summary
        told.append(
            summary.with_columns(
                pl.int_range(pl.len()).alias("#row"),  # no parameter is called so
                pl.lit(at).alias("#at"),
                assumption=pl.lit(name),
                value=pl.lit(each.said(name)),
                is_base=pl.lit(is_base),
                change_micros=pl.col("pnl_micros") - as_is.summary["pnl_micros"],
            )
        )
    rows = pl.concat(told).sort("#row", "#at")
    return rows.select(*as_is.param_names, *_OWN, *SCHEMAS["summary"])


def _once(base: Moved, name: str, values: Sequence[Any]) -> list[Moved]:
    """Return a run for each value, and the base among them or before them."""
    found = list[Moved]()
    for each in (base.at(name, value) for value in values):
        if all(each.key != other.key for other in found):
            found.append(each)
    return found if any(each.key == base.key for each in found) else [base, *found]


def _usual(plan: PlanOf | Quoting, base: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    latency = read_latency(base["latency"])
    quicker = [_QUICK] if latency.lengths_us[0] > _QUICK.lengths_us[0] else []
    usual: dict[str, Sequence[Any]] = {
        "latency": [*quicker, latency, *(latency.longer(times) for times in _SLOWER)]
    }
    if isinstance(plan, Quoting):
        feed = read_feed(base["feed"])
        some = feed if any(feed.lengths_us) else _QUICK
        usual["feed"] = [feed, *(some.longer(times) for times in _SLOWER)]
    else:
        usual["size"] = [1, 2, 5]
    slippages = read_slippages(base["slippage"])
    if slippages is not None and slippages.is_named:
        usual["slippage"] = [1, 1.5, 2]
    elif slippages is None and base["fills"] == "touch":
        usual["extra_ticks"] = [base["extra_ticks"] + more for more in range(3)]
    return usual | {"fees": [0, 1, 2]}


def _read(
    vary: Mapping[str, Sequence[Any]], plan: PlanOf | Quoting, base: Mapping[str, Any]
) -> Mapping[str, Sequence[Any]]:
    if not isinstance(vary, Mapping) or not vary:
        raise PlanError(f"vary={vary!r}: give values by assumption, such as {{'latency': ['1s', '5s']}}")
    for name, values in vary.items():
        if name not in MOVABLE:
            more = "; bt.ladder runs a plan with every way to fill" if name == "fills" else ""
            raise PlanError(f"vary: {name!r} cannot be moved: use {', '.join(MOVABLE)}{more}")
        if not isinstance(values, list | tuple) or not values:
            raise PlanError(f"vary: {name}={values!r}: give a list of what to try")
        if name == "feed" and not isinstance(plan, Quoting):
            raise PlanError(
                "vary: feed is for policies: a plan that hears later sends later, so move latency"
            )
        if name == "size" and isinstance(plan, Quoting):
            raise PlanError(
                "vary: size is for plans: a policy says its own sizes, so sweep a parameter of it"
            )
        if name == "slippage" and base["slippage"] is None:
            raise PlanError(
                "vary: slippage says how many times as much, and the run has none: give slippage="
            )
    return vary


def _refuse(plan: PlanOf | Quoting, arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if isinstance(value, list | tuple):
            raise PlanError(
                f"{name}={value!r}: the base has one value; try others with vary={{{name!r}: […]}}"
            )
    held, params = arguments.get("holdout"), arguments.get("params")
    if isinstance(held, Holdout) and held.note is not None:
        raise PlanError("a holdout is opened for one run: choose the assumptions, and give it to bt.run")
    names = plan.policy.params if isinstance(plan, Quoting) else getattr(params, "columns", params) or ()
    refuse_taken(names, _OWN, "sensitivities")
