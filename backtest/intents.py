"""What a strategy wants: intents as polars expressions, usable in any lazy select.

    plan = quotes.select("ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("ask_cc")).when(edge))

An intent is a struct; a null struct means that nothing is wanted. A limit is in centicents of the side's own
price. Without `ttl` an order takes what it finds on arrival; with it, the rest waits at the limit.
"""

import operator
from datetime import timedelta
from decimal import Decimal
from typing import Final

import polars as pl

from backtest.errors import PlanError
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

_SAME_HUNDREDTH: Final = 1e-6  # floats such as 0.29 * 100 miss their hundredth by less


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


def close(limit: int | pl.Expr | None = None) -> Intent:
    """Sell whatever is held when the order arrives, at once; nothing rests, and nothing is opened.

    Args:
        limit: least acceptable price, in centicents, of the side that is held; any price without one. An
            expression that gives null rejects the order.

    Raises:
        PlanError: a limit that cannot be meant.
    """
    return _without_count("close", None, limit)


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


def _without_count(action: str, side: str | None, limit: int | pl.Expr | None = None) -> Intent:
    return _intent(
        pl.struct(
            pl.lit(action, dtype=type_of_action).alias("action"),
            pl.lit(side, dtype=type_of_side).alias("side"),
            pl.lit(None, dtype=pl.Int64).alias("count_centi"),
            _limit_cc(limit).alias("limit_cc"),
            pl.lit(None, dtype=pl.Int64).alias("ttl_us"),
            pl.lit("ioc", dtype=type_of_tif).alias("tif"),
            pl.lit(value=False).alias("post_only"),
            pl.lit(value=False).alias("replace"),
        )
    )


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
