"""What the exchange knows of each market in the plan: hours, grids, pauses, payouts. Plans never see it.

Of hours and fee waivers the last observed row of a market decides; results and payouts are sealed here, away
from signals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.fees import FeeTable
from backtest.kernels.arrays import (
    FEE,
    GRID,
    I8,
    I32,
    I64,
    MARKET,
    NEVER,
    PAUSE,
    PAYOUT,
    QUESTION,
    ROUNDING_ROW,
    Records,
)
from backtest.lifecycle import Grid, ends, pauses, payouts, unpaid
from backtest.lifecycle import grids as lifecycle_grids
from backtest.slippages import Slippages
from backtest.tape import Tape
from backtest.venue_words import of_histories, of_kinds, of_netting
from exchange.fees import COMBO_QUANTUM_MICROS, QUANTUM_MICROS, ROUNDING, is_combo
from exchange.ticks import LINEAR_CENT, prices_on
from exchange.units import DOLLAR_CC, to_us

_NO_REACH: Final = np.zeros((0, DOLLAR_CC + 1), np.int64)
# Collateral returns for NO holdings in mutually exclusive events. Source: KALSHI.md §9 and §17 (2026-09).
_NETTED: Final = "MECNET"


@dataclass(frozen=True, slots=True)
class Rules:
    """One row per market in `markets`, sorted by ticker; arrays in its order.

    `markets`: ticker, event_ticker, series_ticker, open_us (0 where unknown), close_us (NEVER where
    unknown), seen_us (last), waiver_us, is_exclusive and is_netted (of its event),
    traded_centi (by all, as last observed; null where unknown).
    `places`: of each ticker in `markets`.
    `payouts`, `pauses`, `grid_times`: as in `backtest.lifecycle`, with the number of the market for its
    ticker; payouts by settle_us and market, the others by market and time.
    `grids`: None is the grid of markets without a recorded one: limits may stand anywhere, ticks are cents.
    `allowed`: (grids, 10_001), 1 where a limit may stand.
    """

    markets: pl.DataFrame
    places: Mapping[str, int]
    payouts: pl.DataFrame
    pauses: pl.DataFrame
    grid_times: pl.DataFrame
    grids: tuple[Grid, ...]
    allowed: I8
    assumptions: tuple[str, ...]

    def column(self, name: str) -> I64:
        """Return a column as int64."""
        return self.markets[name].to_numpy().astype(np.int64)

    def grid_at(self, market: I64, at_us: I64) -> I64:
        """Return the number of the grid of each market (-1: some grid) at each time."""
        if self.grid_times.height == self.markets.height:  # none ever changed
            return self.grid_times["grid"].to_numpy()[np.maximum(market, 0)]
        rows = pl.DataFrame({"market": market, "from_us": at_us}).with_row_index("row").sort("from_us")
        times = self.grid_times.sort("from_us")
        found = rows.join_asof(times, on="from_us", by="market", check_sortedness=False)
        return found.sort("row")["grid"].fill_null(0).to_numpy()


def rules(
    markets: pl.DataFrame, events: pl.DataFrame, *, payout_delay: timedelta, netting: bool = False
) -> Rules:
    """Read hours, payouts, pauses and grids from rows of the lake's `markets` and `events`.

    With `netting`, events that are mutually exclusive and have no other scheme than MECNET on record return
    collateral.

    Raises:
        PlanError: a market whose contracts do not pay between $0 and $1.
    """
    states = markets.sort("ticker", "observed_ts", maintain_order=True)
    last = states.unique("ticker", keep="last").sort("ticker")
    homes = events.sort("observed_ts", maintain_order=True).unique("ticker", keep="last")
    last = last.join(
        homes.select(
            "mutually_exclusive", "collateral_return_type", event_ticker="ticker", home="series_ticker"
        ),
        on="event_ticker",
        how="left",
        maintain_order="left",
    )
    strange = states.filter(
        (pl.col("notional_value_cc").fill_null(DOLLAR_CC) != DOLLAR_CC)
        | ~pl.col("settlement_value_cc").fill_null(0).is_between(0, DOLLAR_CC)
    )
    if not strange.is_empty():
        ticker = strange["ticker"][0]
        raise PlanError(f"{ticker} does not pay between $0 and $1: leave it out of the plan")
    paid, (grid_times, grids) = payouts(states, payout_delay), lifecycle_grids(states)
    over = ends(states)
    rows = _hours(last, paid, over, netting=netting)
    numbers = rows.select("ticker").with_row_index("market").cast({"market": pl.Int64})

    def numbered(frame: pl.DataFrame, *by: str) -> pl.DataFrame:
        return frame.join(numbers, on="ticker").drop("ticker").sort(by)

    allowed = np.zeros((len(grids), DOLLAR_CC + 1), np.int8)
    for i, grid in enumerate(grids):
        allowed[i, list(prices_on(grid)) if grid else slice(1, DOLLAR_CC)] = 1
    known = Rules(
        rows,
        {ticker: place for place, ticker in enumerate(rows["ticker"])},
        numbered(paid, "settle_us", "market"),
        numbered(pauses(states), "market", "from_us"),
        numbered(grid_times, "market", "from_us"),
        grids,
        allowed,
        (),
    )
    said = of_histories(known, payout_delay, *unpaid(states, paid), n_early=_n_early(last, rows, over))
    return replace(known, assumptions=(*said, *of_kinds(last), *of_netting(known, netting=netting)))


@dataclass(frozen=True, slots=True)
class Venue:
    """The rules as records for the kernels; `markets` is a template that every parameter row copies."""

    markets: Records
    fees: Records
    rounding: Records
    slipped: I32
    reach: I64
    snapped: I32
    payouts: Records
    pauses: Records
    grids: Records
    events: Records
    members: I64
    n_halts: int
    n_series: int


def venue(
    known: Rules,
    fees: FeeTable,
    tape: Tape,
    *,
    extra_ticks: int,
    slippage: Slippages | None = None,
    halted: Sequence[tuple[int, int]] = (),
) -> Venue:
    """Return rules, fees and the tape's bounds as records; `halted` is when the whole exchange paused."""
    markets = np.zeros(known.markets.height, MARKET)
    markets["first_row"], markets["end_row"] = tape.offsets[:-1], tape.offsets[1:]
    markets["first_level"], markets["end_level"] = tape.level_offsets[:-1], tape.level_offsets[1:]
    markets["split_level"] = tape.level_split
    markets["first_fee"], markets["end_fee"] = fees.offsets[:-1], fees.offsets[1:]
    markets["event"] = _numbers(known.markets["event_ticker"])
    markets["series"] = _numbers(known.markets.select(pl.coalesce("series_ticker", "ticker")).to_series())
    for name in ("open_us", "close_us", "waiver_us"):
        markets[name] = known.column(name)
    markets["first_grid"], markets["end_grid"] = _bounds(known.grid_times, len(markets), 0)
    markets["first_pause"], markets["end_pause"] = _bounds(known.pauses, len(markets), len(halted))
    markets["quantum"] = [
        COMBO_QUANTUM_MICROS if is_combo(ticker) else QUANTUM_MICROS for ticker in known.markets["ticker"]
    ]
    if slippage is not None:
        markets["slippage"] = slippage.model_of(known.markets["series_ticker"])
    markets["row"] = tape.offsets[:-1] - 1
    markets["print_row"] = markets["waiting"] = -1
    rows = np.zeros(len(fees.num), FEE)
    for name in ("from_us", "num", "den", "maker_num", "maker_den"):
        rows[name] = getattr(fees, name)
    events, members = _questions(known, markets["event"])
    exchange = pl.DataFrame([(*each, 0) for each in halted], schema=PAUSE.names or (), orient="row")
    return Venue(
        markets=markets,
        fees=rows,
        rounding=np.array(
            [(to_us(each.effective_ts), each.unit_micros, each.has_rebate) for each in ROUNDING], ROUNDING_ROW
        ),
        slipped=_slipped(known.grids, extra_ticks, is_snapped=slippage is not None),
        reach=np.stack([each.reach() for each in slippage.ordered()]) if slippage else _NO_REACH,
        snapped=_snapped(known.allowed),
        payouts=_records(known.payouts, PAYOUT),
        pauses=np.concatenate([_records(exchange, PAUSE), _records(known.pauses, PAUSE)]),
        grids=_records(known.grid_times, GRID),
        events=events,
        members=members,
        n_halts=len(halted),
        n_series=int(markets["series"].max()) + 1,
    )


def _numbers(names: pl.Series) -> I64:
    return names.rank("dense").to_numpy().astype(np.int64) - 1


def _records(frame: pl.DataFrame, kind: "np.dtype[np.void]") -> Records:
    rows = np.zeros(frame.height, kind)
    for name in kind.names or ():
        rows[name] = frame[name].cast(pl.Int64).to_numpy()
    return rows


def _bounds(rows: pl.DataFrame, n_markets: int, offset: int) -> tuple[I64, I64]:
    """Return where each market's rows begin and end."""
    places = np.searchsorted(rows["market"].to_numpy(), np.arange(n_markets + 1)).astype(np.int64) + offset
    return places[:-1], places[1:]


def _questions(known: Rules, event: I64) -> tuple[Records, I64]:
    """Return a record per event, and the members of those that are netted, event by event."""
    events = np.zeros(int(event.max()) + 1, QUESTION)
    is_netted = known.markets["is_netted"].to_numpy().astype(bool)
    members = np.flatnonzero(is_netted)
    members = members[np.argsort(event[members], kind="stable")].astype(np.int64)
    events["is_netted"][event[members]] = 1
    places = np.searchsorted(event[members], np.arange(len(events) + 1))
    events["first_member"], events["end_member"] = places[:-1], places[1:]
    return events, members


def _n_early(last: pl.DataFrame, rows: pl.DataFrame, over: pl.DataFrame) -> int:
    """Count the markets that close at a sighting, and not when they had said or when they were paid."""
    close_us = pl.col("close_ts").dt.epoch("us").fill_null(NEVER)
    told = last.select("ticker", announced_us=close_us).join(rows.select("ticker", "close_us"), on="ticker")
    is_early = (pl.col("ended_us") == pl.col("close_us")) & (pl.col("ended_us") < pl.col("announced_us"))
    return told.join(over, on="ticker").filter(is_early).height


def _hours(last: pl.DataFrame, paid: pl.DataFrame, over: pl.DataFrame, *, netting: bool) -> pl.DataFrame:
    first = (
        paid.filter(pl.col("number") == 0)
        .select("ticker", "settle_us")
        .join(over, on="ticker", how="full", coalesce=True)
    )
    close = pl.col("close_ts").dt.epoch("us").fill_null(NEVER)
    is_exclusive = pl.col("mutually_exclusive").fill_null(value=False)
    return last.join(first, on="ticker", how="left", maintain_order="left").select(
        "ticker",
        "event_ticker",
        series_ticker=pl.coalesce("series_ticker", "home"),
        open_us=pl.col("open_ts").dt.epoch("us").fill_null(0),
        close_us=pl.min_horizontal(close, "settle_us", "ended_us"),
        seen_us=pl.col("observed_ts").dt.epoch("us"),
        waiver_us=pl.col("fee_waiver_expiration_ts").dt.epoch("us").fill_null(0),
        is_exclusive=is_exclusive,
        is_netted=is_exclusive & netting & (pl.col("collateral_return_type").fill_null(_NETTED) == _NETTED),
        traded_centi=pl.col("volume_centi").cast(pl.Int64),
    )


def _slipped(grids: Sequence[Grid], extra_ticks: int, *, is_snapped: bool) -> I32:
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
