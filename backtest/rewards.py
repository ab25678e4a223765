"""The exchange's reward for volume: a line of its own beside a run, never part of its result."""

from collections.abc import Callable, Iterable, Mapping
from operator import index
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.engine import opened
from backtest.errors import PlanError
from backtest.results import Run
from backtest.saved import run_of
from exchange.errors import BadInput
from exchange.units import CONTRACT_CENTI, parse_centi, parse_ts
from warehouse.tables import TRADES

if TYPE_CHECKING:
    from backtest.engine import LakeReader

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
_TOLD: Final[Mapping[str, Callable[[Any], object]]] = {  # in the order of PROGRAMS
    "incentive_type": str,
    "market_ticker": str,
    "start_date": parse_ts,
    "end_date": parse_ts,
    "period_reward": index,
    "target_size_fp": parse_centi,
    "discount_factor_bps": index,
    "max_reward_per_account": index,
}
_NEEDED: Final = tuple(_TOLD)[: 1 + len(PROGRAM)]
LEAST_CC: Final = 300  # prices at which volume counts
MOST_CC: Final = 9_700
CAP_CC: Final = 50  # for each contract of a participant
_MICROS_PER_CC: Final = 100
_KEY: Final = ("ticker", "start_ts", "end_ts")


def volume_rewards(run: Run, lake: "LakeReader", programs: pl.DataFrame) -> pl.DataFrame:
    """Return what a run's fills would have been rewarded with, program by program.

    At the end of a period the exchange divides a market's reward among participants by their share of what
    counts: trades in the order book from $0.03 to $0.97, both sides of each, at most $0.005 a contract.
    Source: Kalshi's volume incentive program as filed on 2025-08-31 and launched on 2025-09-18, by
    predictionnews.com (read 2026-11-26); the exchange may change or end it at any time.

    The tape goes on as if we had not traded, so our contracts are added to it, with whoever was on the other
    side. Who is left out (market makers under contract, introducing brokers) nobody can tell from a tape:
    their volume counts here, and the reward is the less for it.

    Args:
        run: what happened; its frames stay as they are.
        lake: where the trades of the markets are.
        programs: ticker, start_ts, end_ts (excluded), period_reward_cc, as `bt.reward_programs` makes them;
            of a column incentive_type, "volume" alone counts.

    Returns:
        The parameters, then ticker, start_ts, end_ts, count_centi (our contracts that count), eligible_centi
        (everybody's, both sides, ours among them) and reward_micros, rounded down; a row for each program in
        whose time and market something of ours counts, by parameters, then as given.

    Raises:
        PlanError: no run or lake; or programs lack a column, have it in another kind, or end before they
            start.
    """
    known = program_rows(programs, "volume", PROGRAM).with_row_index("program")
    names = list(run_of(run).param_names)
    counts = pl.col("yes_price_cc").is_between(LEAST_CC, MOST_CC)
    ours = (
        run.fills.lazy()
        .filter(counts)
        .join(known.lazy(), on="ticker")
        .filter(pl.col("fill_ts") >= pl.col("start_ts"), pl.col("fill_ts") < pl.col("end_ts"))
        .group_by(*names, "program")
        .agg(pl.col("count_centi").sum())
        .collect()
    )
    is_block = pl.col("is_block_trade").fill_null(value=False)
    traded = (
        opened(lake)
        .scan(TRADES)
        .filter(pl.col("ticker").is_in(known["ticker"].unique().implode()), counts, ~is_block)
        .join(known.lazy(), on="ticker")
        .filter(pl.col("event_ts") >= pl.col("start_ts"), pl.col("event_ts") < pl.col("end_ts"))
        .group_by("program")
        .agg(traded_centi=pl.col("count_centi").sum())
        .collect()
    )
    own, eligible = pl.col("count_centi"), pl.col("eligible_centi")
    shared = pl.col("period_reward_cc") * _MICROS_PER_CC * own // eligible
    capped = own * CAP_CC * _MICROS_PER_CC // CONTRACT_CENTI
    settings = run.summary.select(names).with_row_index("setting")
    numbered = ours.join(settings, on=names, nulls_equal=True) if names else ours.with_columns(setting=0)
    return (
        numbered.join(known, on="program")
        .join(traded, on="program", how="left")
        .sort("setting", "program")
        .with_columns(eligible_centi=2 * (pl.col("traded_centi").fill_null(0) + own))
        .select(*names, *_KEY, own, eligible, reward_micros=pl.min_horizontal(shared, capped))
    )


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
    return pl.DataFrame([_read(each) for each in told], schema=PROGRAMS, orient="row")


def _read(told: object) -> tuple[Any, ...]:
    """Return a program's row of PROGRAMS."""
    fields = told if isinstance(told, Mapping) else {name: getattr(told, name, None) for name in _TOLD}
    found = {name: fields.get(name) for name in _TOLD}
    if missing := [name for name in _NEEDED if found[name] is None]:
        raise PlanError(f"{told!r} is no incentive program: it lacks {', '.join(missing)}")
    try:
        return tuple(None if found[name] is None else read(found[name]) for name, read in _TOLD.items())
    except (BadInput, TypeError) as error:
        raise PlanError(f"{told!r} is no incentive program: {error}") from error


def program_rows(
    programs: pl.DataFrame,
    incentive_type: str,
    kinds: Mapping[str, pl.DataType],
    optional: Mapping[str, pl.DataType] = MappingProxyType({}),
) -> pl.DataFrame:
    """Return programs of one type with the columns of `kinds`, then the `optional` ones, null if not given.

    Without a column incentive_type all are taken to be of that type.

    Raises:
        PlanError: no frame; a column is missing, of another kind or null; or a row cannot be meant.
    """
    if not isinstance(programs, pl.DataFrame):
        raise PlanError(f"programs are a polars frame, not {type(programs).__name__}")
    if missing := [name for name in kinds if name not in programs.columns]:
        raise PlanError(f"programs: no column {', '.join(missing)}; they have {', '.join(kinds)}")
    if "incentive_type" in programs.columns:
        programs = programs.filter(pl.col("incentive_type") == incentive_type)
    given = {**kinds, **{name: kind for name, kind in optional.items() if name in programs.columns}}
    for name, kind in given.items():
        dtype = programs.schema[name]
        is_kind = dtype.is_integer() if kind == pl.Int64 else dtype == kind or isinstance(dtype, pl.Datetime)
        is_kind |= name in optional and dtype == pl.Null
        if not is_kind or (isinstance(dtype, pl.Datetime) and dtype.time_zone != "UTC"):
            raise PlanError(f"programs: {name} is {dtype}: it must be {kind}")
    rows = programs.select(pl.col(name).cast(kind) for name, kind in given.items())
    is_below = pl.any_horizontal(pl.col(pl.Int64) < 0)
    is_null = pl.any_horizontal(pl.col(*kinds).is_null())
    wrong = rows.filter(is_null | (pl.col("start_ts") >= pl.col("end_ts")) | is_below)
    if wrong.height:
        told = ", ".join(f"{name} {value}" for name, value in wrong.row(0, named=True).items())
        raise PlanError(f"programs: {told}: amounts of 0 or more, and an end after the start")
    return rows.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in optional.items() if name not in given
    )
