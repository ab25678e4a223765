"""From a lazy plan to the orders of one parameter row, as arrays in order of arrival.

An order is decided at its row's known_ts and arrives one latency later. Orders that arrive at one instant do
so by ticker, then by known_ts, then in the plan's own order.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from backtest.baskets import basket_column, legs_before, sent_in_turn, with_legs
from backtest.errors import ParameterError, PlanError
from backtest.holdouts import Split
from backtest.intents import COUNT_UNUSABLE, INTENT
from backtest.kernels.arrays import COUNT_MAX_CENTI, I64, NEVER, NO_SIDE, ORDER, Records
from backtest.known import known_ts
from backtest.latency import Latency
from backtest.limits import refuse_orders
from backtest.parameters import bound, parameters_in
from backtest.results import SCHEMAS
from backtest.rooms import Room
from backtest.tape import fixed
from backtest.venue import Rules
from exchange.units import format_ts

RESULT_COLUMNS: Final = frozenset(name for schema in SCHEMAS.values() for name in schema)
_COLUMNS: Final = ("ticker", "known_ts", "intent")

Plan = pl.LazyFrame | pl.DataFrame
Engine = Literal["auto", "in-memory"]  # polars'
Params = Mapping[str, Any] | pl.DataFrame | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan wants under one parameter row.

    `intents`, by arrival: known_ts, arrival_us, what is in the struct, and for the ticker its `number` in
    `tickers`, which are sorted; of plans with baskets also basket, leg and, where legs are sent one by one,
    `after`.
    """

    params: dict[str, Any]
    tickers: list[str]
    intents: pl.DataFrame


def read_plan(plan: Plan) -> pl.LazyFrame:
    """Return the plan's three columns and, where it has one, `basket`, lazily; times as `known_ts` has them.

    Raises:
        PlanError: it is no frame, or a column is missing or of another kind.
    """
    if not isinstance(plan, pl.LazyFrame | pl.DataFrame):
        raise PlanError(f"a plan is a polars frame with {', '.join(_COLUMNS)}, not {type(plan).__name__}")
    lazy = plan.lazy()
    try:
        schema = lazy.collect_schema()
    except pl.exceptions.PolarsError as error:
        said = str(error).partition("\n")[0]  # polars appends its plan
        raise PlanError(f"the plan cannot be made: {said}") from error
    missing = [name for name in _COLUMNS if name not in schema]
    if missing:
        raise PlanError(
            f"the plan has no column {', '.join(missing)}: select ticker, known_ts and intent=bt.…"
        )
    if schema["ticker"] not in (pl.String, pl.Categorical, pl.Enum):
        raise PlanError(f"ticker is {schema['ticker']}: cast it to String")
    known = schema["known_ts"]
    if not isinstance(known, pl.Datetime) or known.time_zone != "UTC":
        how = "replace" if getattr(known, "time_zone", None) is None else "convert"
        mend = f": .dt.{how}_time_zone('UTC') makes it that" if isinstance(known, pl.Datetime) else ""
        raise PlanError(
            f"known_ts is {known}: it must be Datetime in UTC, as the lake's readers give it{mend}"
        )
    if schema["intent"] != INTENT:
        raise PlanError(f"intent is {schema['intent']}: build it with bt.buy_yes and its siblings")
    more = [basket_column(schema["basket"])] if "basket" in schema else []
    return lazy.select("ticker", known_ts(pl.col("known_ts"), known), "intent", *more)


def parameter_rows(params: Params, plan: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return one dict per parameter row of a plan, as `given_rows`.

    Raises:
        ParameterError: the plan reads a parameter without values, or never reads one that has them, or NaN
            or null.
    """
    rows, names = given_rows(params)
    for row in rows:
        for name, value in row.items():
            if value is None:
                raise ParameterError(
                    f"parameter {name} is null, and so is what is computed from it: leave it out"
                )
            if isinstance(value, float) and math.isnan(value):
                raise ParameterError(f"parameter {name} is NaN, above every number to polars: leave it out")
    read = parameters_in(plan)
    if lacking := sorted(read - set(names)):
        idle = sorted(set(names) - read)
        given = f"; params has {', '.join(idle)}, which it does not read" if idle else ""
        raise ParameterError(
            f"the plan reads parameter {', '.join(lacking)}: give params={{name: [values]}}, or [params] in "
            f"a configuration{given}"
        )
    if idle := sorted(set(names) - read):
        near = f"it reads {', '.join(sorted(read))}" if read else "it reads none (is it still lazy?)"
        raise ParameterError(f"the plan never reads parameter {', '.join(idle)}; {near}")
    return rows


def given_rows(params: Params) -> tuple[list[dict[str, Any]], Sequence[str]]:
    """Return one dict per parameter row, the rows of a frame or every combination of values, and the names.

    Raises:
        ParameterError: not a mapping or frame, a name that results have as a column, values without an order
            or of several kinds, or no value at all.
    """
    if not (params is None or isinstance(params, Mapping | pl.DataFrame)):
        raise ParameterError(
            f"params={params!r}: give {{name: value or list}}, or a frame with a row for each run"
        )
    if params is None:
        rows: list[dict[str, Any]] = [{}]
        names: Sequence[str] = ()
    elif isinstance(params, pl.DataFrame):
        rows, names = params.unique(maintain_order=True).to_dicts(), params.columns
    else:
        rows, names = _combinations(params), list(params)
    if taken := sorted(set(names) & RESULT_COLUMNS):
        raise ParameterError(
            f"a parameter cannot be called {', '.join(taken)}: results have a column of that name"
        )
    if not rows:
        raise ParameterError("params names no value: give at least one per parameter")
    return rows, names


def _combinations(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = [_values(name, given) for name, given in params.items()]
    rows = [dict(zip(params, each, strict=True)) for each in itertools.product(*values)]
    if not params:
        return [{}]
    try:  # one type per parameter: of [1, 2.5] both are floats, and of [1, 1.0] there is one
        found = pl.DataFrame(rows, strict=False, infer_schema_length=None)
        return found.unique(maintain_order=True).to_dicts()
    except pl.exceptions.PolarsError as error:
        raise ParameterError(f"params={params!r}: give each name values of one kind") from error


def _values(name: str, given: object) -> list[Any]:
    """Return one parameter's values: what a list, tuple, range, iterator, array or Series has, or the one."""
    if isinstance(given, set | frozenset):
        raise ParameterError(f"params: {name}={given!r} is a set, which has no order: give a list")
    if isinstance(given, np.ndarray | np.generic):
        given = pl.Series(np.atleast_1d(given))
    if isinstance(given, pl.Series):
        return given.to_list()
    if not isinstance(given, list | tuple | range | Iterator):
        return [given]
    values = list(given)
    if len({_kind(each) for each in values if each is not None}) > 1:
        raise ParameterError(f"params: {name}={values!r}: give it values of one kind")
    return values


def _kind(value: object) -> type:
    """Return what a value is of: a number of any sort, true or false, or its own type."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return float if is_number else type(value)


def universe(plan: pl.LazyFrame, params: Mapping[str, Any]) -> set[str]:
    """Return the plan's tickers, wanted or not."""
    with bound(params):
        return set(plan.select("ticker").unique().collect()["ticker"].drop_nulls())


def wanted(
    plan: pl.LazyFrame,
    params: dict[str, Any],
    latency: Latency,
    *,
    one_by_one: bool = False,
    split: Split | None = None,
    engine: Engine = "auto",
) -> Wanted:
    """Collect what the plan wants under one parameter row; `one_by_one`: how legs of baskets are sent.

    Of the rows, those that a `split` hides are left out; `engine` is polars'.

    Raises:
        PlanError: an intent without a ticker or a time, or with an unusable count; a basket that is none.
    """
    with bound(params):
        rows = plan.filter(pl.col("intent").is_not_null()).unnest("intent").collect(engine=engine)
    rows = rows.rechunk()  # it comes in a hundred pieces, and gathering from them is slow
    if rows["ticker"].null_count() or rows["known_ts"].null_count():
        raise PlanError("the plan has intents without a ticker or known_ts: filter those rows out")
    if rows["count_centi"].min() == COUNT_UNUSABLE:  # the only count below 0
        unusable = rows.filter(pl.col("count_centi") == COUNT_UNUSABLE)
        ticker, at_ts = unusable.select("ticker", "known_ts").row(0)
        raise PlanError(
            f"{ticker} at {format_ts(at_ts)}: the count is negative, no number, or finer than 0.01 contract; "
            "round it, as in (…).round(2)"
        )
    if split is not None:
        rows = split.seen(rows)
    if "basket" in rows.columns:
        rows = with_legs(rows, one_by_one=one_by_one)
    latency_us = latency.of(rows)
    if one_by_one:
        latency_us = sent_in_turn(rows, latency_us)
    known_us = rows["known_ts"].to_physical().to_numpy()
    arrival_us = known_us + latency_us
    tickers, number = numbered(rows.drop_in_place("ticker"))
    keys: tuple[I64, ...] = (number, arrival_us)
    if one_by_one or not latency.is_one:  # otherwise, who decided first arrives first
        keys = (known_us, *keys)
    rows = rows.hstack([pl.Series("number", number), pl.Series("arrival_us", arrival_us)])
    arriving = rows[np.lexsort(keys)]
    if one_by_one:
        arriving = arriving.with_columns(after=legs_before(arriving))
    return Wanted(params, tickers, arriving)


def numbered(tickers: pl.Series) -> tuple[list[str], I64]:
    """Return the tickers there are, sorted, and the place among them of each: numbers sort quicker than text.

    In a plan, rows of one market mostly stand together: only the first of each stretch is looked up.
    """
    if tickers.is_empty():
        return [], np.zeros(0, np.int64)
    is_other = (tickers.slice(1) != tickers.head(-1)).to_numpy()
    firsts = np.flatnonzero(np.append([True], is_other))
    names = tickers.gather(firsts).to_list()
    known = sorted(dict.fromkeys(names))
    place = {name: number for number, name in enumerate(known)}
    numbers = np.repeat([place[name] for name in names], np.diff(firsts, append=len(tickers)))
    return known, numbers


def orders(asked: Wanted, rules: Rules, room: Room) -> Records:
    """Return what is asked as orders, in `room`; what cannot even reach the book has its reason already.

    Raises:
        TooLarge: there are too many.
    """
    from backtest.kernels.placing import Columns, place

    rows = asked.intents
    refuse_orders(rows.height)
    columns = rows.select(
        "arrival_us",
        pl.col("action").to_physical(),
        pl.col("side").to_physical().fill_null(NO_SIDE),
        pl.col("count_centi").fill_null(COUNT_MAX_CENTI),
        pl.col("limit_cc").fill_null(0),
        has_limit=pl.col("limit_cc").is_not_null(),
        ttl_us=pl.col("ttl_us").fill_null(NEVER),
        tif=pl.col("tif").to_physical(),
        is_post_only="post_only",
        is_replacing="replace",
    )
    markets = np.array([rules.places.get(ticker, -1) for ticker in asked.tickers], np.int64)
    market = markets[rows["number"].to_numpy()]
    grid = rules.grid_at(market, rows["arrival_us"].to_numpy()).astype(np.int64)
    hours = (rules.column("open_us"), rules.column("close_us"))
    placed = room.zeros("orders", rows.height, ORDER)
    place(placed, Columns(*map(fixed, columns)), market, grid, *hours, rules.allowed)
    if "after" in rows.columns:
        placed["after"] = rows["after"].to_numpy()
    return placed
