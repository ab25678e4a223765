"""What a strategy wants: intents and parameters as polars expressions, usable in any lazy select.

    plan = quotes.select("ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("ask_cc")).when(edge))

An intent is a struct; a null struct means that nothing is wanted. A limit is in centicents of the side's own
price. Without `ttl` an order takes what it finds on arrival; with it, the rest waits at the limit.
"""

import operator
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, cast

import polars as pl

from backtest.errors import ParameterError, PlanError
from exchange.errors import UnitError
from exchange.units import parse_centi, parse_duration

type_of_action: Final = pl.Enum(["buy", "sell", "close", "cancel"])
type_of_side: Final = pl.Enum(["yes", "no"])
type_of_tif: Final = pl.Enum(["ioc", "fok", "gtc"])
INTENT: Final = pl.Struct(
    {
        "action": type_of_action,
        "side": type_of_side,  # null for close, and for cancel of both sides
        "count_centi": pl.Int64(),  # null for close: all that is held; and for cancel
        "limit_cc": pl.Int64(),  # of the side's own price; null without a limit
        "ttl_us": pl.Int64(),
        "tif": type_of_tif,
        "post_only": pl.Boolean(),
        "replace": pl.Boolean(),
    }
)

# What an expression gave where it should have given a number; the engine turns them into words.
COUNT_UNUSABLE: Final = -1
LIMIT_MISSING: Final = -1
LIMIT_BETWEEN: Final = -2

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_IN_PLAN: Final = re.compile(r"bt\.param\((\w+)\)", re.ASCII)
_SAME_HUNDREDTH: Final = 1e-6  # floats such as 0.29 * 100 miss their hundredth by less

_binding = threading.RLock()
_values: dict[str, object] = {}


class Intent(pl.Expr):
    """An expression of intents that can be made conditional.

    Several are one: `pl.when(up).then(bt.buy_yes(1)).when(down).then(bt.buy_no(1))`, or `pl.coalesce(…)`:
    the first that is not null.
    """

    def when(self, condition: pl.Expr | bool) -> "Intent":  # noqa: FBT001 -- `condition` reads as in pl.when
        """Want this only where `condition` is true; false and null both mean no."""
        return _intent(pl.when(condition).then(self))

    def otherwise(self, other: "Intent") -> "Intent":
        """Want `other` where this is not wanted: `bt.buy_yes(10).when(is_low).otherwise(bt.close())`."""
        return _intent(pl.coalesce(self, other))


def buy_yes(
    count: float | Decimal | str | pl.Expr,
    limit: int | pl.Expr | None = None,
    ttl: str | timedelta | None = None,
    tif: str | None = None,
    *,
    post_only: bool = False,
    replace: bool = False,
) -> Intent:
    """Buy `count` contracts of YES at `limit` or less.

    Args:
        count: contracts, to the hundredth; a number, its text, or an expression of contracts.
        limit: worst acceptable price of YES in centicents; an expression that gives null rejects the order.
        ttl: how long after arrival the unfilled rest waits at the limit; needs a limit.
        tif: ioc (default), fok (all or nothing on arrival) or gtc (default with ttl: wait; until the market
            closes where no ttl is given).
        post_only: reject the order if it would trade on arrival; only for orders that wait.
        replace: on arrival, first cancel what waits in this market to acquire the same side: what buys YES or
            sells NO, for YES. The new order stands at the end of its queue.

    Raises:
        PlanError: a count, limit, ttl or tif that cannot be meant.
    """
    return _order("buy", "yes", count, limit, ttl, tif, post_only=post_only, replace=replace)


def buy_no(
    count: float | Decimal | str | pl.Expr,
    limit: int | pl.Expr | None = None,
    ttl: str | timedelta | None = None,
    tif: str | None = None,
    *,
    post_only: bool = False,
    replace: bool = False,
) -> Intent:
    """Buy `count` contracts of NO at `limit` (price of NO) or less; see `buy_yes`."""
    return _order("buy", "no", count, limit, ttl, tif, post_only=post_only, replace=replace)


def sell_yes(
    count: float | Decimal | str | pl.Expr,
    limit: int | pl.Expr | None = None,
    ttl: str | timedelta | None = None,
    tif: str | None = None,
    *,
    post_only: bool = False,
    replace: bool = False,
) -> Intent:
    """Sell `count` contracts of YES at `limit` or more; what is not held opens NO and costs $1 - price."""
    return _order("sell", "yes", count, limit, ttl, tif, post_only=post_only, replace=replace)


def sell_no(
    count: float | Decimal | str | pl.Expr,
    limit: int | pl.Expr | None = None,
    ttl: str | timedelta | None = None,
    tif: str | None = None,
    *,
    post_only: bool = False,
    replace: bool = False,
) -> Intent:
    """Sell `count` contracts of NO at `limit` (price of NO) or more; what is not held opens YES."""
    return _order("sell", "no", count, limit, ttl, tif, post_only=post_only, replace=replace)


def close() -> Intent:
    """Sell whatever is held when the order arrives, at once and at any price; nothing rests."""
    return _without_count("close", None)


def cancel(side: str | None = None) -> Intent:
    """Cancel what waits in this market when the cancellation arrives; what has been filled stays filled.

    Args:
        side: "yes" for orders that acquire YES (buy YES or sell NO), "no" for the others, None for both.

    Raises:
        PlanError: another side.
    """
    if side not in (None, "yes", "no"):
        raise PlanError(
            f"cancel({side!r}): use 'yes' for what acquires YES, 'no' for what acquires NO, or None"
        )
    return _without_count("cancel", side)


def _without_count(action: str, side: str | None) -> Intent:
    return _intent(
        pl.struct(
            pl.lit(action, dtype=type_of_action).alias("action"),
            pl.lit(side, dtype=type_of_side).alias("side"),
            pl.lit(None, dtype=pl.Int64).alias("count_centi"),
            pl.lit(None, dtype=pl.Int64).alias("limit_cc"),
            pl.lit(None, dtype=pl.Int64).alias("ttl_us"),
            pl.lit("ioc", dtype=type_of_tif).alias("tif"),
            pl.lit(value=False).alias("post_only"),
            pl.lit(value=False).alias("replace"),
        )
    )


def param(name: str, dtype: pl.DataType | type[pl.DataType] | type = pl.Float64) -> pl.Expr:
    """Stand for a value that `bt.run(params=...)` gives, one run of the plan for each.

    The expression is elementwise and is evaluated at every collect, so shift, over and rolling keep their
    meaning around it. `dtype` is what the plan sees, a type of polars or of Python; the default suits
    thresholds and counts. Where polars or an intent takes no expression, as for windows and times to live,
    give `bt.run` a function of them instead.

    Raises:
        PlanError: `name` is not an identifier, or `dtype` no type.
    """
    if not _NAME.fullmatch(name):
        raise PlanError(f"parameter name {name!r} is not an identifier: use letters, digits and _")
    seen_as = _dtype(name, dtype)

    def read(_: pl.Series) -> pl.Series:
        # polars calls this on threads of its own, where a ContextVar of ours would be empty.
        if name not in _values:
            raise ParameterError(
                f"bt.param({name!r}) has no value here: keep the plan lazy and give it to bt.run(params=...)"
            )
        return _one_value(name, _values[name], seen_as)

    # The text of the literal is how `parameters_in` finds the name in a plan; `first` tells polars that it is
    # one value, so that it compares with a scalar and does not spell it out for every row.
    named = pl.lit(f"bt.param({name})")
    return named.map_batches(read, return_dtype=seen_as, is_elementwise=True).first()


def _dtype(name: str, dtype: Any) -> pl.DataType:  # noqa: ANN401 -- a user's argument
    try:
        return cast("pl.DataType", pl.DataType.from_python(dtype))  # or its class, which has the same methods
    except TypeError as error:
        raise PlanError(
            f"bt.param({name!r}, {dtype!r}): the second argument is a type, such as int or pl.Float64; "
            f"values come from params={{{name!r}: …}}"
        ) from error


def _one_value(name: str, value: object, dtype: pl.DataType) -> pl.Series:
    if isinstance(value, float) and value.is_integer() and dtype.is_integer():
        value = int(value)  # of [1, 2.5] both are floats, and the 1 is not to blame
    try:
        if isinstance(value, bool) and dtype.is_numeric():
            raise TypeError  # noqa: TRY301 -- polars would make 1 of it, and fail later at & and |
        return pl.Series([value], dtype=dtype)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ParameterError(
            f"parameter {name}={value!r} is no {dtype}, and that is what the plan reads: give it one, or "
            f"read another type with bt.param({name!r}, dtype)"
        ) from error


def parameters_in(plan: pl.LazyFrame) -> frozenset[str]:
    """Return the names of the parameters that a plan reads."""
    return frozenset(_IN_PLAN.findall(plan.explain(optimized=False)))


@contextmanager
def bound(values: Mapping[str, object]) -> Iterator[None]:
    """Give parameters their values while plans are collected; one thread at a time.

    Raises:
        ParameterError: a parameter has no value, or one of another kind.
        PlanError: polars cannot make the plan, and says why.
    """
    with _binding:
        before = dict(_values)
        _values.update(values)
        try:
            yield
        except ParameterError as error:  # polars appends the whole expression
            raise ParameterError(_first_line(error)) from error
        except pl.exceptions.PolarsError as error:
            raise PlanError(f"the plan cannot be made: {_first_line(error)}") from error
        finally:
            _values.clear()
            _values.update(before)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _order(
    action: str,
    side: str,
    count: float | Decimal | str | pl.Expr,
    limit: int | pl.Expr | None,
    ttl: str | timedelta | None,
    tif: str | None,
    *,
    post_only: bool,
    replace: bool,
) -> Intent:
    ttl_us = _ttl_us(ttl)
    tif = tif or ("gtc" if ttl_us is not None else "ioc")
    if tif not in type_of_tif.categories.to_list():
        raise PlanError(f"tif {tif!r} is unknown: use ioc, fok or gtc")
    if ttl_us is not None and tif != "gtc":
        raise PlanError(f"an order with tif={tif!r} does not wait: drop ttl, or use tif='gtc'")
    if tif == "gtc" and limit is None:
        raise PlanError("an order that waits needs a limit: give limit=, or drop ttl/gtc")
    if post_only and tif != "gtc":
        raise PlanError(f"post_only=True is for orders that wait: give ttl=, or tif='gtc' instead of {tif!r}")
    return _intent(
        pl.struct(
            pl.lit(action, dtype=type_of_action).alias("action"),
            pl.lit(side, dtype=type_of_side).alias("side"),
            _count_centi(count).alias("count_centi"),
            _limit_cc(limit).alias("limit_cc"),
            pl.lit(ttl_us, dtype=pl.Int64).alias("ttl_us"),
            pl.lit(tif, dtype=type_of_tif).alias("tif"),
            pl.lit(post_only).alias("post_only"),
            pl.lit(replace).alias("replace"),
        )
    )


def _intent(expr: pl.Expr) -> Intent:
    return Intent._from_pyexpr(expr._pyexpr)  # type: ignore[return-value]  # noqa: SLF001 -- classmethod of cls


def _count_centi(count: float | Decimal | str | pl.Expr) -> pl.Expr:
    if not isinstance(count, pl.Expr):
        try:
            centi = parse_centi(str(count))
        except UnitError as error:
            raise PlanError(f"count {count!r}: contracts come in hundredths, such as 10 or 0.25") from error
        if centi <= 0:
            raise PlanError(
                f"count {count!r} is not positive: to go the other way, sell or buy the other side"
            )
        return pl.lit(centi, dtype=pl.Int64)
    exact = count.cast(pl.Float64) * 100
    nearest = exact.round()
    is_usable = exact.is_finite() & (exact >= 0) & ((exact - nearest).abs() < _SAME_HUNDREDTH)
    checked = pl.when(is_usable).then(nearest).otherwise(float(COUNT_UNUSABLE))
    return pl.when(exact.is_null()).then(0.0).otherwise(checked).cast(pl.Int64)


def _limit_cc(limit: int | pl.Expr | None) -> pl.Expr:
    if limit is None:
        return pl.lit(None, dtype=pl.Int64)
    if not isinstance(limit, pl.Expr):
        return pl.lit(_whole(limit), dtype=pl.Int64)
    whole = limit.cast(pl.Int64, strict=False)
    # Null is equal to null here, and then missing.
    return pl.when(whole.eq_missing(limit)).then(whole).otherwise(LIMIT_BETWEEN).fill_null(LIMIT_MISSING)


def _whole(limit: int) -> int:
    """Return an integer of Python or numpy."""
    said = f"limit {limit!r} is not in centicents: write 5600 for $0.56"
    if isinstance(limit, bool):
        raise PlanError(said)
    try:
        return operator.index(limit)
    except TypeError as error:
        raise PlanError(said) from error


def _ttl_us(ttl: object) -> int | None:
    if ttl is None:
        return None
    try:
        length = parse_duration(ttl) if isinstance(ttl, str) else ttl
    except UnitError as error:
        raise PlanError(f"ttl {ttl!r}: {error}") from error
    if not isinstance(length, timedelta):
        told = "an expression" if isinstance(ttl, pl.Expr) else repr(ttl)
        raise PlanError(f"ttl is {told}: write a length of time such as '30s', the same for all rows")
    ttl_us = length // timedelta(microseconds=1)
    if ttl_us <= 0:
        raise PlanError(f"ttl {ttl!r} is not positive: drop it for an order that does not wait")
    return ttl_us
