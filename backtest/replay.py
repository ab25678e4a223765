"""One stage for all parameter rows: tape, venue and fees, read once; then every row on its own."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.errors import MarketsUnknown
from backtest.fee_records import series_tickers
from backtest.fees import UNKNOWN_NUM, FeeTable, fee_table, refuse_unknown
from backtest.kernels.arrays import (
    EQUITY,
    EVENT,
    FILL,
    FILLED,
    GTC,
    HEARD,
    I64,
    LEVEL,
    NEVER,
    NO_QUEUE,
    OF_A_CLOSE,
    PURSE,
    QUEUES,
    SEARCH,
    SETTLEMENT,
    VIEW,
    Records,
    World,
)
from backtest.kernels.clock import simulate
from backtest.lifecycle import halts
from backtest.outcomes import KEPT_OF_ORDERS, Outcome, columns_of, outcome_of
from backtest.plan import Wanted, orders
from backtest.recordings import ends
from backtest.report_numbers import several
from backtest.rooms import Room
from backtest.tape import (
    BOOK,
    FROM_TRADES,
    MID,
    QUOTE_COLUMNS,
    TOUCH,
    Tape,
    book_tape,
    quotes_tape,
)
from backtest.trades_tape import TRADE_COLUMNS, trades_tape
from backtest.venue import Rules, Venue, rules, venue
from warehouse.rebuilding.reading import EXCHANGE, read_streams
from warehouse.storage import collected
from warehouse.tables import CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES, Table
from warehouse.tops import FROM_CANDLES

if TYPE_CHECKING:
    from backtest.engine import LakeReader
    from backtest.settings import Settings

_DAY_US = 86_400_000_000
QUOTES_STAND = "a quote stands until the next one, however old it is, or until its recording ends"
QUOTES_AGE = "a quote that no other one follows within {:g} s, or before its recording ends, counts no longer"
CLOSES = "there, quotes are closes of candles"
HALTS = "on Thursdays from 03:00 to 05:00 New York time the exchange pauses: nothing fills, orders stay"
_ABREAST = 16  # orders that are looked for on the tape at once
_EQUITY_ROWS = 1_000  # rows of equity that a run is divided into, midnights not counted


@dataclass(frozen=True, slots=True)
class Stage:
    """What every parameter row of a run shares; `digest` is of the tape and of what the venue knows."""

    tape: Tape
    rules: Rules
    fees: FeeTable
    venue: Venue
    assumptions: tuple[str, ...]
    digest: str


def prepare(lake: "LakeReader", settings: "Settings", tickers: set[str]) -> Stage:
    """Read the markets of a plan and what happened in them.

    Raises:
        MarketsUnknown: the lake has none of them.
    """
    names = sorted(tickers)
    markets = _of(lake, MARKETS, "ticker", names)
    if markets.is_empty():
        few = ", ".join(names[:3]) + (" and others" if names[3:] else "")
        raise MarketsUnknown(
            f"the lake at {lake.uri} knows none of the plan's {len(names)} markets ({few}): sync or import "
            "them"
        )
    events = _of(lake, EVENTS, "ticker", markets["event_ticker"].unique().to_list())
    known = rules(markets, events, payout_delay=settings.payout_delay, netting=settings.netting)
    series = _of(lake, SERIES, "ticker", series_tickers(known.markets))
    fees = fee_table(
        known.markets,
        series,
        events,
        collected(lake.scan(FEE_CHANGES), "fee_changes"),
        fallback=settings.fees,
    )
    tape, told = _tape(lake, settings, known)
    halted = _halts(tape, known) if settings.maintenance else []
    desk = venue(
        known,
        fees,
        tape,
        extra_ticks=settings.extra_ticks,
        slippage=settings.slippage,
        halted=halted,
    )
    if halted:
        told.append(HALTS)
    unknown = len(tickers) - known.markets.height
    missing = (
        (f"{several(unknown, 'market')} of the plan not in the lake: orders there are rejected",)
        if unknown
        else ()
    )
    return Stage(
        tape,
        known,
        fees,
        desk,
        (*told, *known.assumptions, *fees.assumptions, *missing),
        _digest(tape, desk),
    )


def replay(stage: Stage, settings: "Settings", asked: Wanted, room: Room) -> Outcome:
    """Run one parameter row through the clock with a purse of its own; nothing in `room` outlives this.

    Raises:
        FeesUnknown: an order could be filled at a time whose fees nobody knows.
    """
    placed = orders(asked, stage.rules, room)
    live = placed["reason"] == FILLED
    market, arrival = placed["market"][live], placed["arrival_us"][live]
    waits_us = np.where(placed["tif"][live] == GTC, placed["expiry_us"][live] - 1, arrival)
    refuse_unknown_fees(stage, market, arrival, np.maximum(waits_us, arrival))
    world = new_world(
        stage.tape,
        stage.venue,
        placed,
        mark_grid(stage, market, arrival),
        room,
        cash_micros=settings.cash_micros,
        cap_micros=settings.per_event_micros,
        series_cap_micros=settings.per_series_micros,
        queue=QUEUES[settings.queue] if settings.fills == "queue" else NO_QUEUE,
        refill_us=settings.refill_us,
    )
    fills, equity = played(world, room)
    kept = columns_of(world.orders, KEPT_OF_ORDERS)
    return outcome_of(asked, world, kept, fills, equity, stage.tape, cash_micros=settings.cash_micros)


def played(world: World, room: Room) -> tuple[Records, Records]:
    """Run a world's clock to its end and return fills and equity, each with room behind what counts."""
    fills, equity = simulate(
        world, room.of("fills", 64 + len(world.orders), FILL), room.of("equity", 64, EQUITY)
    )
    room.keep("fills", fills)
    room.keep("equity", equity)
    return fills, equity


def new_world(
    tape: Tape,
    desk: Venue,
    placed: Records,
    grid_us: I64,
    room: Room,
    *,
    cash_micros: int,
    cap_micros: int = -1,
    series_cap_micros: int = -1,
    queue: int = NO_QUEUE,
    refill_us: int = NEVER,
    first_us: int | None = None,
) -> World:
    """Return one parameter row's world, made in `room`, before anything happened: all cash, no position.

    `grid_us` ends with the end of the data; equity gets at most about a thousand rows besides it, from
    `first_us` (or the first arrival) on.
    """
    levels = room.zeros("levels", len(tape.level_cc), LEVEL)
    levels["cc"] = tape.level_cc
    purse = np.zeros(1, PURSE)
    purse["cash"], purse["cap"], purse["series_cap"] = cash_micros, cap_micros, series_cap_micros
    purse["n_halts"] = desk.n_halts
    purse["is_book"], purse["queue"] = tape.evidence == BOOK, queue
    purse["refill_us"], purse["holds_us"], purse["dirty_us"] = refill_us, tape.holds_us, -1
    purse["n_planned"] = purse["n_orders"] = len(placed)
    if len(grid_us):
        first_us = placed["arrival_us"][0] if first_us is None else first_us
        purse["step_us"] = max(0, grid_us[-1] - first_us) // _EQUITY_ROWS
    return World(
        tops=tape.tops,
        buckets=tape.buckets,
        starts=tape.starts,
        sought=np.zeros(_ABREAST, SEARCH),
        sizes=tape.sizes,
        changes=tape.changes,
        levels=levels,
        markets=room.copy("markets", desk.markets),
        orders=placed,
        heap=room.of("heap", 2 * len(placed), EVENT),
        agenda=np.full(2, NEVER),
        events=room.copy("events", desk.events),
        series=np.zeros(desk.n_series, np.int64),
        members=desk.members,
        fees=desk.fees,
        rounding=desk.rounding,
        slipped=desk.slipped,
        reach=desk.reach,
        payouts=desk.payouts,
        pauses=desk.pauses,
        grids=desk.grids,
        grid_us=grid_us,
        settled=room.of("settled", len(desk.payouts), SETTLEMENT),
        purse=purse,
        seen=np.zeros(0, np.int64),
        kept=room.of("kept", int(np.diff(tape.level_offsets).max(initial=0)), LEVEL),
        at=np.zeros(1, VIEW),
        depth=np.zeros(0, np.int64),
        snapped=desk.snapped,
        latencies=np.zeros(1, np.int64),
        signals=np.zeros(0, HEARD),
        feeds=np.zeros(1, np.int64),
        heard=np.zeros(0, HEARD),
    )


def refuse_unknown_fees(stage: Stage, market: I64, arrival: I64, last_us: I64) -> None:
    """Refuse orders that may be filled between their arrival and `last_us` at fees that nobody knows.

    Raises:
        FeesUnknown: there are some.
    """
    fees = stage.fees
    unknown = np.flatnonzero(fees.num == UNKNOWN_NUM)
    if not len(unknown):
        return
    home = np.searchsorted(fees.offsets, unknown, side="right") - 1
    is_last = unknown + 1 == fees.offsets[home + 1]
    until_us = np.where(is_last, NEVER, np.append(fees.from_us, 0)[unknown + 1])
    is_meant = (until_us > arrival.min(initial=NEVER)) & (fees.from_us[unknown] <= last_us.max(initial=-1))
    if not is_meant.any():
        return
    # Few orders come near a time of unknown fees: only markets whose first to last order does are looked at.
    begin, end = np.full(len(fees.offsets) - 1, NEVER), np.full(len(fees.offsets) - 1, -1)
    np.minimum.at(begin, market, arrival)
    np.maximum.at(end, market, last_us)
    near = home[(begin[home] < until_us) & (end[home] >= fees.from_us[unknown])]
    if len(near):
        is_near = np.isin(market, near)
        refuse_unknown(fees, stage.rules.markets, market[is_near], arrival[is_near], last_us[is_near])


def _of(lake: "LakeReader", table: Table, column: str, values: list[str]) -> pl.DataFrame:
    return collected(lake.scan(table).filter(pl.col(column).is_in(values)), table.name)


def _tape(lake: "LakeReader", settings: "Settings", known: Rules) -> tuple[Tape, list[str]]:
    """Return what orders meet, and what a reader of the report must know about it."""
    names, fills = known.markets["ticker"].to_list(), settings.fills
    if fills == FROM_TRADES:
        assert settings.slippage is not None
        rows = lake.scan(TRADES).filter(pl.col("ticker").is_in(names)).select(TRADE_COLUMNS)
        return trades_tape(rows, known.markets, settings.slippage), []
    if fills in (TOUCH, MID):
        shown, n_candles = lake.tops(names).select(QUOTE_COLUMNS), 0
        if CANDLES.name in lake.versions():  # then a join has to find them: not for each reading anew
            found = collected(shown, "quotes and candles")
            is_close = pl.col("session").str.starts_with(f"{FROM_CANDLES}_")
            sizes = ("bid_size_centi", "ask_size_centi")
            unsized = {name: pl.when(is_close).then(OF_A_CLOSE).otherwise(name) for name in sizes}
            shown = found.lazy().with_columns(**unsized)
            n_candles = found.filter(is_close)["ticker"].n_unique()
        told = [f"{several(n_candles, 'market was', 'markets were')} not recorded all the time: {CLOSES}"]
        ended = pl.concat([shown, ends(lake, shown)])
        stand = QUOTES_STAND if settings.max_age_us == NEVER else QUOTES_AGE.format(settings.max_age_us / 1e6)
        tape = quotes_tape(ended, known.markets, evidence=fills, holds_us=settings.max_age_us)
        return tape, [stand, *(told if n_candles else [])]
    trades = _of(lake, TRADES, "ticker", names) if fills == "queue" else None
    return book_tape(read_streams(lake, names, None, None, clock=EXCHANGE), known.markets, trades=trades), []


def _halts(tape: Tape, known: Rules) -> list[tuple[int, int]]:
    """Return the exchange's weekly pauses while anything is open, up to a year after the last event."""
    open_us, close_us, has_rows = known.column("open_us"), known.column("close_us"), np.diff(tape.offsets) > 0
    first_us = tape.tops["ts_us"][tape.offsets[:-1][has_rows]]
    last_us = tape.tops["ts_us"][tape.offsets[1:][has_rows] - 1] + 366 * _DAY_US
    starts = np.concatenate([open_us[open_us > 0], first_us])
    ends = np.concatenate([close_us[close_us < NEVER], last_us])
    if not len(ends) or not len(starts):
        return []
    last = int(ends.max()) if not len(last_us) else min(int(close_us.max()), int(last_us.max()))
    return halts(int(starts.min()), last)


def mark_grid(stage: Stage, traded: I64, arrival: I64) -> I64:
    """Return UTC midnights from the first arrival on and, last, the end of the traded markets' data."""
    if not len(traded):
        return np.zeros(0, np.int64)
    offsets, due = stage.tape.offsets, stage.venue.payouts
    is_traded = np.bincount(traded, minlength=len(offsets) - 1) > 0
    last = offsets[1:][is_traded & (np.diff(offsets) > 0)] - 1
    paid = due["settle_us"][is_traded[due["market"]]]
    end = int(np.concatenate([stage.tape.tops["ts_us"][last], paid, arrival]).max())
    midnights = np.arange(arrival.min() // _DAY_US + 1, end // _DAY_US + 1, dtype=np.int64) * _DAY_US
    return np.unique(np.append(midnights, end))


def _digest(tape: Tape, desk: Venue) -> str:
    digest = hashlib.sha256()
    known = (desk.markets, desk.fees, desk.slipped, desk.payouts, desk.pauses, desk.grids, desk.events)
    for each in (tape.tops, tape.sizes, tape.changes, tape.level_cc, *known):
        digest.update(np.ascontiguousarray(each).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
