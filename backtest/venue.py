"""What the exchange knows of each market in the plan: hours, price grid, payout. Plans never see it.

The last observed row of a market decides; its result and payout are sealed here, away from signals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.fees import FeeTable
from backtest.kernels.arrays import FEE, I8, I32, I64, MARKET, NEVER, ROUNDING_ROW, Records
from backtest.slippages import Slippages
from backtest.tape import Tape
from exchange.fees import COMBO_QUANTUM_MICROS, QUANTUM_MICROS, ROUNDING, is_combo
from exchange.ticks import LINEAR_CENT, STRUCTURES, PriceRange, prices_on
from exchange.units import DOLLAR_CC, to_us

_NO_REACH: Final = np.zeros((0, DOLLAR_CC + 1), np.int64)
_UNDECIDED: Final = "disputed"
_DECIDED: Final = ("determined", "amended", "finalized")


@dataclass(frozen=True, slots=True)
class Rules:
    """One row per market in `markets`, sorted by ticker; arrays in its order.

    `markets`: ticker, event_ticker, series_ticker, open_us (0 where unknown), close_us (NEVER where
    unknown), settle_us (NEVER where nothing was decided), value_cc, is_assumed_time, waiver_us, grid,
    traded_centi (by all, as last observed; null where unknown).
    `grids`: None is the grid of markets without a recorded one: limits may stand anywhere, ticks are cents.
    `allowed`: (grids, 10_001), 1 where a limit may stand.
    """

    markets: pl.DataFrame
    grids: tuple[tuple[PriceRange, ...] | None, ...]
    allowed: I8
    assumptions: tuple[str, ...]

    def column(self, name: str) -> I64:
        """Return a column as int64."""
        return self.markets[name].to_numpy().astype(np.int64)


def rules(markets: pl.DataFrame, events: pl.DataFrame, *, payout_delay: timedelta) -> Rules:
    """Read hours, grids and payouts from rows of the lake's `markets` and `events`.

    Raises:
        PlanError: a market whose contracts do not pay between $0 and $1.
    """
    last = markets.sort("ticker", "observed_ts", maintain_order=True).unique("ticker", keep="last")
    homes = events.sort("observed_ts", maintain_order=True).unique("ticker", keep="last")
    last = last.sort("ticker").join(
        homes.select(event_ticker="ticker", home="series_ticker"),
        on="event_ticker",
        how="left",
        maintain_order="left",
    )
    for ticker, notional_cc, value_cc in last.select(
        "ticker", "notional_value_cc", "settlement_value_cc"
    ).iter_rows():
        if (notional_cc or DOLLAR_CC) != DOLLAR_CC or (value_cc or 0) > DOLLAR_CC:
            raise PlanError(f"{ticker} does not pay between $0 and $1: leave it out of the plan")
    grids, ids, told = _grids(last)
    rows = _times(last, payout_delay).with_columns(grid=pl.Series(ids, dtype=pl.Int64))
    n_assumed = int(rows["is_assumed_time"].sum())
    if n_assumed:
        told.append(
            f"{n_assumed} markets have a result but no settlement time: "
            f"paid {_length(payout_delay)} after their close"
        )
    allowed = np.zeros((len(grids), DOLLAR_CC + 1), np.int8)
    for i, grid in enumerate(grids):
        allowed[i, list(prices_on(grid)) if grid else slice(1, DOLLAR_CC)] = 1
    return Rules(rows, tuple(grids), allowed, tuple(told))


def _length(delay: timedelta) -> str:
    seconds = delay.total_seconds()
    for unit, name in ((3_600, "h"), (60, "min")):
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:g} s"


@dataclass(frozen=True, slots=True)
class Venue:
    """The rules as records for the kernels; `markets` is a template that every parameter row copies."""

    markets: Records
    fees: Records
    rounding: Records
    slipped: I32
    reach: I64
    snapped: I32
    payouts: I64


def venue(
    known: Rules, fees: FeeTable, tape: Tape, *, extra_ticks: int, slippage: Slippages | None = None
) -> Venue:
    """Return rules, fees and the tape's bounds as records."""
    markets = np.zeros(known.markets.height, MARKET)
    markets["first_row"], markets["end_row"] = tape.offsets[:-1], tape.offsets[1:]
    markets["first_level"], markets["end_level"] = tape.level_offsets[:-1], tape.level_offsets[1:]
    markets["split_level"] = tape.level_split
    markets["first_fee"], markets["end_fee"] = fees.offsets[:-1], fees.offsets[1:]
    markets["event"] = known.markets["event_ticker"].rank("dense").to_numpy().astype(np.int64) - 1
    for name in ("open_us", "close_us", "settle_us", "value_cc", "grid", "waiver_us"):
        markets[name] = known.column(name)
    markets["quantum"] = [
        COMBO_QUANTUM_MICROS if is_combo(ticker) else QUANTUM_MICROS for ticker in known.markets["ticker"]
    ]
    if slippage is not None:
        markets["slippage"] = slippage.model_of(known.markets["series_ticker"])
    markets["row"] = tape.offsets[:-1] - 1
    markets["place"] = markets["print_row"] = markets["waiting"] = -1
    rows = np.zeros(len(fees.num), FEE)
    for name in ("from_us", "num", "den", "maker_num", "maker_den"):
        rows[name] = getattr(fees, name)
    paid = np.flatnonzero(markets["settle_us"] < NEVER)
    return Venue(
        markets=markets,
        fees=rows,
        rounding=np.array(
            [(to_us(each.effective_ts), each.unit_micros, each.has_rebate) for each in ROUNDING], ROUNDING_ROW
        ),
        slipped=_slipped(known.grids, extra_ticks, is_snapped=slippage is not None),
        reach=np.stack([each.reach() for each in slippage.ordered()]) if slippage else _NO_REACH,
        snapped=_snapped(known.allowed),
        payouts=paid[np.argsort(markets["settle_us"][paid], kind="stable")],
    )


def _times(last: pl.DataFrame, payout_delay: timedelta) -> pl.DataFrame:
    by_result = pl.col("result").replace_strict(
        {"yes": DOLLAR_CC, "no": 0}, default=None, return_dtype=pl.Int32
    )
    value = pl.coalesce("settlement_value_cc", by_result)
    # A source may write 0 for "not decided yet": a value counts only beside a result or a final status.
    is_final = by_result.is_not_null() | pl.col("status").is_in(_DECIDED) | (pl.col("result") == "scalar")
    is_decided = value.is_not_null() & is_final & pl.col("status").ne_missing(_UNDECIDED)
    paid = pl.coalesce("settlement_ts", pl.col("close_ts") + payout_delay)
    settle = pl.when(is_decided).then(paid.dt.epoch("us")).fill_null(NEVER)
    close = pl.col("close_ts").dt.epoch("us").fill_null(NEVER)
    return last.select(
        "ticker",
        "event_ticker",
        series_ticker=pl.coalesce("series_ticker", "home"),
        open_us=pl.col("open_ts").dt.epoch("us").fill_null(0),
        close_us=pl.min_horizontal(close, settle),
        settle_us=settle,
        value_cc=value.fill_null(0).cast(pl.Int64),
        is_assumed_time=(settle < NEVER) & pl.col("settlement_ts").is_null(),
        waiver_us=pl.col("fee_waiver_expiration_ts").dt.epoch("us").fill_null(0),
        traded_centi=pl.col("volume_centi").cast(pl.Int64),
    )


def _grids(last: pl.DataFrame) -> tuple[list[tuple[PriceRange, ...] | None], list[int], list[str]]:
    grids: list[tuple[PriceRange, ...] | None] = []
    ids = []
    for ranges, label in last.select("price_ranges", "price_level_structure").iter_rows():
        grid = tuple(PriceRange(**each) for each in ranges or ()) or STRUCTURES.get(label or "")
        if grid not in grids:
            grids.append(grid)
        ids.append(grids.index(grid))
    n_unknown = sum(grids[i] is None for i in ids)
    said = f"{n_unknown} markets have no recorded price grid: limits accepted at any $0.0001, ticks are cents"
    return grids, ids, [said] if n_unknown else []


def _slipped(grids: Sequence[tuple[PriceRange, ...] | None], extra_ticks: int, *, is_snapped: bool) -> I32:
    """Return for each price the one `extra_ticks` grid steps worse: [0] up, [1] down; 0 if there is none.

    Of recorded prices; of others (`is_snapped`) the nearest on the grid that is not better.
    """
    every, steps = np.arange(DOLLAR_CC + 1), 1 if is_snapped else extra_ticks
    worse = np.zeros((2, len(grids), len(every)), np.int32)
    for i, known in enumerate(grids):
        if steps == 0:
            worse[:, i] = every
            continue
        grid = np.array(prices_on(known or LINEAR_CENT))
        up = np.searchsorted(grid, every, side="left" if is_snapped else "right") + steps - 1
        down = np.searchsorted(grid, every, side="right" if is_snapped else "left") - steps
        worse[0, i] = np.where(up < len(grid), grid[np.minimum(up, len(grid) - 1)], 0)
        worse[1, i] = np.where(down >= 0, grid[np.maximum(down, 0)], 0)
    return worse


def _snapped(allowed: I8) -> I32:
    """Return for each price the nearest one where a limit may stand: [0] not above, [1] not below; or 0."""
    places = np.where(allowed == 1, np.arange(allowed.shape[1], dtype=np.int32), 0)
    down = np.maximum.accumulate(places, axis=1)
    beyond = np.where(allowed == 1, places, DOLLAR_CC + 1)
    up = np.minimum.accumulate(beyond[:, ::-1], axis=1)[:, ::-1]
    return np.ascontiguousarray(np.stack([down, np.where(up > DOLLAR_CC, 0, up)]), dtype=np.int32)
