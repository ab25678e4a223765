"""The exchange's incentive programs as rows."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from backtest.errors import PlanError, kind_of
from exchange.errors import BadInput
from exchange.units import parse_centi, parse_ts

PROGRAM_ROW = "(program)"  # no name that a parameter can have
_MOST: Final = 10**12  # of contracts' hundredths, or $100 million
_WHOLE_BPS: Final = 10_000
PROGRAM: Final = {
    "ticker": pl.String(),
    "start_ts": pl.Datetime("us", "UTC"),
    "end_ts": pl.Datetime("us", "UTC"),
    "period_reward_cc": pl.Int64(),
}
PROGRAMS: Final = {
    "incentive_type": pl.String(),
    **PROGRAM,
    "target_size_centi": pl.Int64(),
    "discount_factor_bps": pl.Int64(),
    "max_reward_cc": pl.Int64(),
}


def _whole(value: object) -> int:
    """Return a whole number as it is, within what a column holds."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
        raise BadInput(f"{value!r} is no whole number up to {_MOST:,}")
    return value


_TOLD: Final[Mapping[str, Callable[[Any], object]]] = {  # in the order of PROGRAMS
    "incentive_type": str,
    "market_ticker": str,
    "start_date": parse_ts,
    "end_date": parse_ts,
    "period_reward": _whole,
    "target_size_fp": parse_centi,
    "discount_factor_bps": _whole,
    "max_reward_per_account": _whole,
}
_NEEDED: Final = tuple(_TOLD)[: 1 + len(PROGRAM)]


def reward_programs(told: Iterable[object]) -> pl.DataFrame:
    """Return programs as `volume_rewards` and `liquidity_rewards` take them; each takes those of its type.

    Args:
        told: what `GET /incentive_programs` answers, from the client or as JSON: objects with attributes or
            mappings with keys as Kalshi names them.

    Returns:
        incentive_type, ticker, start_ts, end_ts, period_reward_cc, and, null where not told,
        target_size_centi, discount_factor_bps and max_reward_cc; a row for each program, in their order.

    Raises:
        PlanError: something that is no program, or a field of it that cannot be read.
    """
    if isinstance(told, Mapping) or not isinstance(told, Iterable):
        raise PlanError(
            f"programs are a list, not {kind_of(told)}: of a page as JSON give page['incentive_programs']"
        )
    return pl.DataFrame([_read(each) for each in told], schema=PROGRAMS, orient="row")


def _read(told: object) -> tuple[Any, ...]:
    """Return a program's row of PROGRAMS."""
    fields = told if isinstance(told, Mapping) else {name: getattr(told, name, None) for name in _TOLD}
    found = {name: fields.get(name) for name in _TOLD}
    if missing := [name for name in _NEEDED if found[name] is None]:
        raise PlanError(f"{told!r} is no incentive program: it lacks {', '.join(missing)}")
    try:
        return tuple(None if found[name] is None else read(found[name]) for name, read in _TOLD.items())
    except (BadInput, TypeError, AttributeError) as error:
        raise PlanError(f"{told!r} is no incentive program: {error}") from error


def program_rows(
    programs: pl.DataFrame,
    incentive_type: str,
    kinds: Mapping[str, pl.DataType],
    optional: Mapping[str, pl.DataType] = MappingProxyType({}),
    *,
    among: pl.Series,
) -> pl.DataFrame:
    """Return programs of one type with the columns of `kinds`, then the `optional` ones, null if not given.

    Without a column incentive_type all are taken to be of that type. Of markets not `among` those that matter
    a program may say what it likes.

    Raises:
        PlanError: no frame; a column is missing or of another kind; or a row cannot be meant.
    """
    if not isinstance(programs, pl.DataFrame):
        raise PlanError(f"programs are a polars frame, not {type(programs).__name__}")
    if missing := [name for name in kinds if name not in programs.columns]:
        raise PlanError(f"programs: no column {', '.join(missing)}; needed are {', '.join(kinds)}")
    given = {**kinds, **{name: kind for name, kind in optional.items() if name in programs.columns}}
    for name, kind in given.items():
        dtype = programs.schema[name]
        is_kind = dtype.is_integer() if kind == pl.Int64 else dtype == kind or isinstance(dtype, pl.Datetime)
        is_kind |= dtype == pl.Null
        if not is_kind or (isinstance(dtype, pl.Datetime) and dtype.time_zone != "UTC"):
            wanted = "a whole number" if kind == pl.Int64 else kind
            raise PlanError(f"programs: {name} is {dtype}: it must be {wanted}")
    if "incentive_type" in programs.columns:
        programs = programs.filter(pl.col("incentive_type").cast(pl.String) == incentive_type)
    programs = programs.filter(pl.col("ticker").is_in(among.implode()))
    rows = programs.select(pl.col(name).cast(kind, strict=False) for name, kind in given.items())
    amounts = pl.col([name for name, kind in given.items() if kind == pl.Int64])
    is_out = pl.any_horizontal((amounts < 0) | (amounts > _MOST))
    if "discount_factor_bps" in given:
        is_out |= pl.col("discount_factor_bps") > _WHOLE_BPS
    is_null = pl.any_horizontal(pl.col(*kinds).is_null())
    wrong = rows.filter(is_null | (pl.col("start_ts") >= pl.col("end_ts")) | is_out)
    if wrong.height:
        told = ", ".join(f"{name} {value}" for name, value in wrong.row(0, named=True).items())
        raise PlanError(
            f"programs: {told}: all of {', '.join(kinds)} are needed, amounts from 0 to {_MOST:,} (discount "
            f"factors to {_WHOLE_BPS:,}), and an end after the start"
        )
    return rows.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in optional.items() if name not in given
    )
