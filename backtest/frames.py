"""From the kernels' arrays to tidy frames: all parameter rows at once, each frame when it is asked for."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.baskets import baskets, contract_ends, no_baskets
from backtest.columns import HOME, finished, frame, home, numbers
from backtest.coverage import coverage
from backtest.exposures import exposures
from backtest.frames_fees import fees
from backtest.frames_markouts import markouts
from backtest.frames_orders import fills, orders
from backtest.kernels.arrays import NEVER
from backtest.outcomes import Outcome, line, marked, n_filled_markets, n_settled_markets
from backtest.results import TIME, Frames
from backtest.tape import Tape

if TYPE_CHECKING:
    from backtest.replay import Stage


def frames_of(done: Sequence[Outcome], stage: "Stage", n_universe: int) -> Frames:
    """Return every frame of `SCHEMAS`, with the parameter columns first."""
    return Frames(
        {
            "summary": partial(_summary, done),
            "orders": partial(orders, done, stage),
            "fills": partial(fills, done, stage),
            "markouts": partial(markouts, done, stage),
            "fees": partial(fees, done, stage),
            "settlements": partial(_settlements, done, stage),
            "positions": partial(_positions, done, stage),
            "baskets": partial(_baskets, done, stage),
            "exposures": partial(_exposures, done, stage),
            "equity": partial(_equity, done, stage),
            "attrition": partial(_attrition, done, stage, n_universe),
            "coverage": partial(_coverage, stage),
        }
    )


def _settlements(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    rows = frame(*(each.settled for each in done))
    shown = rows.with_columns(
        *home(stage, rows["market"].to_numpy(), *HOME, "close_us"),
        *stage.rules.payouts.select(
            pl.col("is_assumed_time", "decided_us", "number").gather(rows["payout"])
        ).get_columns(),
        row=pl.Series(numbers([len(each.settled) for each in done])),
    )
    shown = shown.with_columns(
        close_ts=pl.when(pl.col("close_us") < NEVER).then("close_us").cast(TIME),
        decided_ts=pl.when(pl.col("decided_us") < NEVER).then("decided_us").cast(TIME),
        settled_ts=pl.col("settled_us").cast(TIME),
        is_correction=pl.col("number") > 0,
        pnl_micros=pl.col("payout_micros") - pl.col("cost_micros"),
    )
    return finished(shown, "settlements", done)


def _positions(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    rows = pl.concat([each.held for each in done])
    shown = rows.with_columns(
        *home(stage, rows["market"].to_numpy(), *HOME),
        row=pl.Series(numbers([each.held.height for each in done])),
        pnl_micros=pl.col("marked_micros") - pl.col("cost_micros"),
    )
    return finished(shown, "positions", done)


def _baskets(done: Sequence[Outcome], stage: "Stage", frames: Frames) -> pl.DataFrame:
    rows, begin = [no_baskets().with_columns(row=pl.lit(0, pl.Int64))], 0
    for number, each in enumerate(done):
        ordered = frames["orders"].slice(begin, each.asked.intents.height)
        begin += ordered.height
        if "basket" in each.asked.intents.columns:
            legs = ordered.with_columns(
                way=pl.Series(each.orders["direction"]),
                wanted_centi=each.asked.intents["count_centi"].cast(pl.Int64),
            )
            ends = contract_ends(each.settled, stage.tape, stage.rules.markets["ticker"])
            found = baskets(legs, frame(each.fills).with_columns(fill_ts=pl.col("fill_us").cast(TIME)), ends)
            rows.append(found.with_columns(row=pl.lit(number, pl.Int64)))
    return finished(pl.concat(rows), "baskets", done)


def _exposures(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    markets, event = stage.rules.markets, stage.venue.markets["event"]
    homes = (
        markets.group_by(number=pl.Series(event))
        .agg(pl.first("event_ticker"), pl.col("series_ticker").drop_nulls().first(), pl.first("is_exclusive"))
        .sort("number")
    )
    is_exclusive, payouts = homes["is_exclusive"].to_numpy(), stage.rules.payouts
    parts = [exposures(each, event, is_exclusive, payouts) for each in done]
    rows = pl.concat(parts)
    shown = rows.with_columns(
        *homes.select(pl.exclude("number").gather(rows["event"])).get_columns(),
        row=pl.Series(numbers([each.height for each in parts])),
        deepest_ts=pl.col("deepest_us").cast(TIME),
    )
    return finished(shown, "exposures", done)


def _equity(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    parts = [part for number, each in enumerate(done) for part in _curve(each, stage.tape, number)]
    return finished(pl.concat(parts), "equity", done)


def _curve(outcome: Outcome, tape: Tape, number: int) -> list[pl.DataFrame]:
    rows = frame(marked(outcome, tape)).with_columns(pl.col("ts").cast(TIME), row=pl.lit(number, pl.Int64))
    if outcome.asked.intents.height == 0:
        return [rows]
    start = {"ts": outcome.asked.intents["known_ts"].min(), "locked_micros": 0, "row": number}
    start |= dict.fromkeys(("cash_micros", "marked_micros"), outcome.cash_micros) | {"returned_micros": 0}
    return [pl.DataFrame([start], schema=rows.schema), rows]


def _summary(done: Sequence[Outcome], _: Frames) -> pl.DataFrame:
    return finished(pl.DataFrame([line(each, row) for row, each in enumerate(done)]), "summary", done)


def _attrition(done: Sequence[Outcome], stage: "Stage", n_universe: int, _: Frames) -> pl.DataFrame:
    rows = {
        "row": range(len(done)),
        "n_universe": n_universe,
        "n_with_data": int((np.diff(stage.tape.offsets) > 0).sum()),
        "n_with_intents": [each.asked.intents["number"].n_unique() for each in done],
        "n_with_fills": [n_filled_markets(each) for each in done],
        "n_settled": [n_settled_markets(each) for each in done],
        "n_open": [each.held.height for each in done],
    }
    return finished(pl.DataFrame(rows), "attrition", done)


def _coverage(stage: "Stage", _: Frames) -> pl.DataFrame:
    return coverage(stage.tape, stage.rules)
