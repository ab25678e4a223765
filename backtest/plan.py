"""From a lazy plan to the orders of one parameter row, as arrays in order of arrival.

An order is decided at its row's known_ts and arrives one latency later. Orders that arrive at one instant do
so by ticker, then by known_ts, then in the plan's own order.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.baskets import basket_column, legs_before, sent_in_turn, with_legs
from backtest.errors import ParameterError, PlanError
from backtest.intents import COUNT_UNUSABLE, INTENT, LIMIT_MISSING, bound, parameters_in, type_of_tif
from backtest.kernels.arrays import (
    CLOSED,
    COUNT_MAX_CENTI,
    FILLED,
    FOK,
    GTC,
    I64,
    IOC,
    NEVER,
    NO_LIMIT,
    NO_MARKET,
    NOT_OPEN,
    OFF_GRID,
    ORDER,
    TO_LESS,
    TO_MORE,
    TOO_LARGE,
    ZERO_COUNT,
    Records,
)
from backtest.latency import Latency
from backtest.results import SCHEMAS
from backtest.venue import Rules
from exchange.units import DOLLAR_CC, format_ts

RESULT_COLUMNS: Final = frozenset(name for schema in SCHEMAS.values() for name in schema)
_COLUMNS: Final = ("ticker", "known_ts", "intent")
_TIFS: Final = np.array([{"ioc": IOC, "fok": FOK, "gtc": GTC}[each] for each in type_of_tif.categories])

Plan = pl.LazyFrame | pl.DataFrame
Params = Mapping[str, Any] | pl.DataFrame | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan wants under one parameter row: ticker, known_ts, arrival_us and the intents, by arrival."""

    params: dict[str, Any]
    intents: pl.DataFrame


def read_plan(plan: Plan) -> pl.LazyFrame:
    """Return the plan's three columns and, where it has one, `basket`, lazily.

    Raises:
        PlanError: it is no frame, or a column is missing or of another kind.
    """
    if not isinstance(plan, pl.LazyFrame | pl.DataFrame):
        raise PlanError(f"a plan is a polars frame with {', '.join(_COLUMNS)}, not {type(plan).__name__}")
    lazy = plan.lazy()
    schema = lazy.collect_schema()
    missing = [name for name in _COLUMNS if name not in schema]
    if missing:
        raise PlanError(
            f"the plan has no column {', '.join(missing)}: select ticker, known_ts and intent=bt.…"
        )
    if schema["ticker"] != pl.String:
        raise PlanError(f"ticker is {schema['ticker']}: cast it to String")
    known = schema["known_ts"]
    if not isinstance(known, pl.Datetime) or known.time_zone != "UTC":
        raise PlanError(f"known_ts is {known}: it must be Datetime in UTC, as the lake's readers give it")
    if schema["intent"] != INTENT:
        raise PlanError(f"intent is {schema['intent']}: build it with bt.buy_yes and its siblings")
    more = [basket_column(schema["basket"])] if "basket" in schema else []
    return lazy.select("ticker", pl.col("known_ts").cast(pl.Datetime("us", "UTC")), "intent", *more)


def parameter_rows(params: Params, plan: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return one dict per parameter row of a plan, as `given_rows`.

    Raises:
        ParameterError: the plan reads a parameter without values, or never reads one that has them.
    """
    rows, names = given_rows(params)
    read = parameters_in(plan)
    if lacking := sorted(read - set(names)):
        raise ParameterError(f"the plan reads parameter {', '.join(lacking)}: give params={{name: [values]}}")
    if idle := sorted(set(names) - read):
        near = f"it reads {', '.join(sorted(read))}" if read else "it reads none (is it still lazy?)"
        raise ParameterError(f"the plan never reads parameter {', '.join(idle)}; {near}")
    return rows


def given_rows(params: Params) -> tuple[list[dict[str, Any]], Sequence[str]]:
    """Return one dict per parameter row, the rows of a frame or every combination of values, and the names.

    Raises:
        ParameterError: not a mapping or frame, a name that results have as a column, or no value at all.
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
        values = [each if isinstance(each, list | tuple) else [each] for each in params.values()]
        names = list(params)
        rows = [dict(zip(names, each, strict=True)) for each in itertools.product(*values)]
        # One type per parameter: of [1, 2.5] both are floats.
        rows = pl.DataFrame(rows, strict=False, infer_schema_length=None).to_dicts() if names else [{}]
    if taken := sorted(set(names) & RESULT_COLUMNS):
        raise ParameterError(
            f"a parameter cannot be called {', '.join(taken)}: results have a column of that name"
        )
    if not rows:
        raise ParameterError("params names no value: give at least one per parameter")
    return rows, names


def universe(plan: pl.LazyFrame, params: Mapping[str, Any]) -> set[str]:
    """Return the plan's tickers, wanted or not."""
    with bound(params):
        return set(plan.select("ticker").unique().collect()["ticker"].drop_nulls())


def wanted(
    plan: pl.LazyFrame, params: dict[str, Any], latency: Latency, *, one_by_one: bool = False
) -> Wanted:
    """Collect what the plan wants under one parameter row; `one_by_one`: how legs of baskets are sent.

    Raises:
        PlanError: an intent without a ticker or a time, or with an unusable count; a basket that is none.
    """
    with bound(params):
        rows = plan.filter(pl.col("intent").is_not_null()).collect()
    rows = rows.rechunk().unnest("intent")  # it comes in a hundred pieces, and gathering from them is slow
    if rows["ticker"].null_count() or rows["known_ts"].null_count():
        raise PlanError("the plan has intents without a ticker or known_ts: filter those rows out")
    unusable = rows.filter(pl.col("count_centi") == COUNT_UNUSABLE)
    if unusable.height:
        ticker, at_ts = unusable.select("ticker", "known_ts").row(0)
        raise PlanError(
            f"{ticker} at {format_ts(at_ts)}: the count is negative, no number, or finer than 0.01 contract; "
            "round it, as in (…).round(2)"
        )
    if "basket" in rows.columns:
        rows = with_legs(rows, one_by_one=one_by_one)
    rows = _sorted(rows, "known_ts")
    rows = rows.with_columns(latency_us=pl.Series(latency.of(rows), dtype=pl.Int64))
    under_way = sent_in_turn("latency_us") if one_by_one else pl.col("latency_us")
    arriving = rows.with_columns(arrival_us=pl.col("known_ts").dt.epoch("us") + under_way).drop("latency_us")
    arriving = arriving if latency.is_one and not one_by_one else _sorted(arriving, "arrival_us")
    return Wanted(params, arriving.with_columns(after=legs_before(arriving)) if one_by_one else arriving)


def _sorted(rows: pl.DataFrame, time: str) -> pl.DataFrame:
    """Sort rows by a time and ticker, else as they are; tickers by number: text sorts five times slower."""
    runs = rows["ticker"].rle().struct.unnest()  # in a plan, rows of one market mostly stand together
    number = np.repeat(_numbers(runs["value"], runs["value"].unique().sort()), runs["len"].to_numpy())
    return rows[np.lexsort((number, rows[time].to_physical().to_numpy()))]


def _numbers(tickers: pl.Series, known: pl.Series) -> I64:
    """Return where each ticker stands in `known`, -1 where it does not."""
    places = tickers.cast(pl.Enum(known), strict=False).to_physical()
    return places.cast(pl.Int64).fill_null(-1).to_numpy()


def orders(asked: Wanted, rules: Rules) -> Records:
    """Return the orders of one parameter row; what cannot even reach the book has its reason already."""
    rows, markets = asked.intents, rules.markets
    market = _numbers(rows["ticker"], markets["ticker"])
    arrival = _int64(rows["arrival_us"], 0)
    direction = _directions(rows)
    given = _int64(rows["limit_cc"], DOLLAR_CC)
    has_limit = rows["limit_cc"].is_not_null().to_numpy()
    limit = np.where((rows["side"] == "no").fill_null(value=False).to_numpy(), DOLLAR_CC - given, given)
    limit = np.where(has_limit, limit, np.where(direction > 0, DOLLAR_CC, 0))
    is_cancel = (rows["action"] == "cancel").to_numpy()
    count = np.where(is_cancel, 0, _int64(rows["count_centi"], COUNT_MAX_CENTI))
    close = _of_market(markets["close_us"], market, NEVER)
    ttl = _int64(rows["ttl_us"], NEVER)
    expiry = np.where(ttl < NEVER - arrival, arrival + np.minimum(ttl, NEVER - arrival), NEVER)
    on_grid = rules.allowed[rules.grid_at(market, arrival), np.clip(limit, 0, DOLLAR_CC)] == 1
    is_price = has_limit & (given > 0) & (given < DOLLAR_CC)
    checks = (
        (market < 0, NO_MARKET),
        ((count == 0) & ~is_cancel, ZERO_COUNT),
        (count > COUNT_MAX_CENTI, TOO_LARGE),
        (arrival < _of_market(markets["open_us"], market, 0), NOT_OPEN),
        (arrival >= close, CLOSED),
        (has_limit & (given == LIMIT_MISSING), NO_LIMIT),
        (has_limit & ~(is_price & on_grid), OFF_GRID),
    )
    placed = np.zeros(rows.height, ORDER)
    for is_so, why in checks:
        placed["reason"][(placed["reason"] == FILLED) & is_so] = why
    placed["market"], placed["arrival_us"] = market, arrival
    placed["direction"], placed["limit_cc"] = direction, limit
    placed["count_centi"] = placed["waiting"] = count
    placed["tif"] = _TIFS[rows["tif"].to_physical().to_numpy()]
    placed["expiry_us"] = np.minimum(expiry, close)
    placed["is_post_only"] = rows["post_only"].to_numpy()
    placed["cancels"] = _cancels(rows)
    if "after" in rows.columns:
        placed["after"] = rows["after"].to_numpy()
    return placed


def _of_market(column: pl.Series, market: I64, missing: int) -> I64:
    """Return a column of the markets for each order, `missing` for -1, a market that the lake lacks."""
    return np.append(column.to_numpy(), missing).astype(np.int64)[market]


def _directions(rows: pl.DataFrame) -> I64:
    """Return +1 towards more YES, -1 towards less, 0 for close and cancel."""
    is_more = (pl.col("action") == "buy") == (pl.col("side") == "yes")
    is_neither = pl.col("action").is_in(["close", "cancel"])
    way = pl.when(is_neither).then(0).when(is_more).then(1).otherwise(-1)
    return _int64(rows.select(way=way.cast(pl.Int64))["way"], 0)


def _cancels(rows: pl.DataFrame) -> I64:
    """Return which waiting orders each order cancels on arrival: bits TO_MORE and TO_LESS, or 0."""
    both = TO_MORE | TO_LESS
    bits = {"yes": TO_MORE, "no": TO_LESS}
    named = pl.col("side").replace_strict(bits, default=both, return_dtype=pl.Int64)
    # Who sells YES acquires NO.
    acquired = pl.when(pl.col("action") == "sell").then(both - named).otherwise(named)
    is_any = pl.col("replace") | (pl.col("action") == "cancel")
    return _int64(rows.select(bits=pl.when(is_any).then(acquired).otherwise(0))["bits"], 0)


def _int64(column: pl.Series, missing: int) -> I64:
    return np.array(column.cast(pl.Int64).fill_null(missing).to_numpy(), dtype=np.int64)
