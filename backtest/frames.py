"""From the kernels' arrays to tidy frames: all parameter rows at once, each frame when it is asked for."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.baskets import baskets, contract_ends, no_baskets
from backtest.coverage import coverage
from backtest.exposures import exposures
from backtest.kernels.arrays import (
    CROSSED,
    DISPLAYED,
    DOLLAR_CC,
    FILLED,
    I64,
    IMPACT,
    LEG_BEFORE,
    NEVER,
    NOTHING_WAITS,
    PAUSED,
    QUEUED,
    REASONS,
    THROUGH,
    TOO_LARGE,
    UNSIZED,
    WOULD_CROSS,
    Records,
)
from backtest.outcomes import (
    KEPT_OF_ORDERS,
    Outcome,
    line,
    marked,
    n_filled_markets,
    n_settled_markets,
)
from backtest.results import SCHEMAS, TIME, Frames
from backtest.tape import FROM_TRADES, MID, Tape

if TYPE_CHECKING:
    from backtest.replay import Stage

_MARKET = ("ticker", "event_ticker", "series_ticker")


def frames_of(done: Sequence[Outcome], stage: "Stage", n_universe: int) -> Frames:
    """Return every frame of `SCHEMAS`, with the parameter columns first."""
    return Frames(
        {
            "summary": partial(_summary, done),
            "orders": partial(_orders, done, stage),
            "fills": partial(_fills, done, stage),
            "settlements": partial(_settlements, done, stage),
            "positions": partial(_positions, done, stage),
            "baskets": partial(_baskets, done, stage),
            "exposures": partial(_exposures, done, stage),
            "equity": partial(_equity, done, stage),
            "attrition": partial(_attrition, done, stage, n_universe),
            "coverage": partial(_coverage, stage),
        }
    )


def _finished(rows: pl.DataFrame, name: str, done: Sequence[Outcome]) -> pl.DataFrame:
    """Return the declared columns after the parameters; column `row` numbers the parameter rows."""
    columns = [pl.col(each).cast(dtype) for each, dtype in SCHEMAS[name].items()]
    number = rows["row"]
    given = {key: pl.Series([each.asked.params[key] for each in done]) for key in done[0].asked.params}
    shown = rows.select(*columns)
    return pl.concat([pl.DataFrame(given).select(pl.all().gather(number)), shown], how="horizontal")


def _orders(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    intents = pl.concat([each.asked.intents for each in done], how="vertical_relaxed")
    tickers = [
        pl.Series(each.asked.tickers, dtype=pl.String).gather(each.asked.intents["number"]) for each in done
    ]
    placed = {name: np.concatenate([each.orders[name] for each in done]) for name in KEPT_OF_ORDERS}
    lengths = [each.asked.intents.height for each in done]
    if "basket" not in intents.columns:
        intents = intents.with_columns(basket=pl.lit(None, dtype=pl.String))
    is_close, is_cancel = pl.col("action") == "close", pl.col("action") == "cancel"
    way = pl.col("way")
    rows = intents.with_columns(
        *_home(stage, placed["market"], *_MARKET[1:]),
        ticker=pl.concat(tickers),
        row=pl.Series(_numbers(lengths)),
        order_id=pl.Series(_places(lengths)),
        way=pl.Series(placed["direction"]),
        resolved=pl.Series(placed["count_centi"]),
        filled_centi=pl.Series(placed["filled"]),
        code=pl.Series(placed["reason"]),
        is_resting=pl.Series(placed["is_resting"]),
    )
    count = pl.when(is_close & (way == 0)).then(0).otherwise("resolved")
    sold = pl.when(way < 0).then(pl.lit("yes")).when(way > 0).then(pl.lit("no"))
    filled = pl.col("filled_centi")
    status = (
        pl.when(is_cancel & pl.col("code").is_in([FILLED, NOTHING_WAITS]))
        .then(pl.lit("done"))
        .when((filled > 0) & (filled == count))
        .then(pl.lit("filled"))
        .when(filled > 0)
        .then(pl.lit("partial"))
        .when(_is_rejected("code"))
        .then(pl.lit("rejected"))
        .otherwise(pl.lit("unfilled"))
    )
    action = pl.when(is_close & (way != 0)).then(pl.lit("sell")).otherwise(pl.col("action").cast(pl.String))
    shown = rows.with_columns(
        decision_ts="known_ts",
        arrival_ts=pl.when(pl.col("code") != LEG_BEFORE).then(pl.col("arrival_us").cast(TIME)),
        action=action,
        side=pl.when(is_close).then(sold).otherwise(pl.col("side").cast(pl.String)),
        count_centi=count,
        limit_cc=pl.when(pl.col("limit_cc") >= 0).then("limit_cc"),
        tif=pl.col("tif").cast(pl.String),
        status=status,
        reason=pl.col("code").replace_strict(dict(enumerate(REASONS)), return_dtype=pl.String),
    )
    return _finished(shown, "orders", done)


def _fills(done: Sequence[Outcome], stage: "Stage", frames: Frames) -> pl.DataFrame:
    lengths = [len(each.fills) for each in done]
    number, firsts = _numbers(lengths), _firsts([each.asked.intents.height for each in done])
    rows = _frame(np.concatenate([each.fills for each in done]))
    order = pl.Series(rows["order_id"].to_numpy() + firsts[number])
    which = frames["orders"].select(*_MARKET, "decision_ts", "arrival_ts", "action", "side")
    shown = pl.concat([rows, which.select(pl.all().gather(order))], how="horizontal").with_columns(
        row=pl.Series(number),
        fill_id=pl.Series(_places(lengths)),
        fill_ts=pl.col("fill_us").cast(TIME),
        price_cc=_own_price(),
        role=pl.when(pl.col("is_taker") == 1).then(pl.lit("taker")).otherwise(pl.lit("maker")),
        evidence=pl.col("evidence").replace_strict(_evidence(stage.tape.evidence), return_dtype=pl.String),
    )
    return _finished(shown, "fills", done)


def _own_price() -> pl.Expr:
    price = pl.col("yes_price_cc")
    return pl.when(pl.col("side") == "no").then(DOLLAR_CC - price).otherwise(price)


def _evidence(basis: str) -> dict[int, str]:
    told = {DISPLAYED: basis, UNSIZED: "touch:no-size", CROSSED: f"{basis}:crossed"}
    told |= {QUEUED: "queue", THROUGH: "queue:through", IMPACT: f"{basis}:impact"}
    if basis == FROM_TRADES:
        told[UNSIZED] = FROM_TRADES
    return dict.fromkeys(told, MID) if basis == MID else told


def _settlements(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    rows = _frame(np.concatenate([each.settled for each in done]))
    shown = rows.with_columns(
        *_home(stage, rows["market"].to_numpy(), *_MARKET, "close_us"),
        *stage.rules.payouts.select(
            pl.col("is_assumed_time", "decided_us", "number").gather(rows["payout"])
        ).get_columns(),
        row=pl.Series(_numbers([len(each.settled) for each in done])),
    )
    shown = shown.with_columns(
        close_ts=pl.when(pl.col("close_us") < NEVER).then("close_us").cast(TIME),
        decided_ts=pl.when(pl.col("decided_us") < NEVER).then("decided_us").cast(TIME),
        settled_ts=pl.col("settled_us").cast(TIME),
        is_correction=pl.col("number") > 0,
        pnl_micros=pl.col("payout_micros") - pl.col("cost_micros"),
    )
    return _finished(shown, "settlements", done)


def _positions(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    rows = pl.concat([each.held for each in done])
    shown = rows.with_columns(
        *_home(stage, rows["market"].to_numpy(), *_MARKET),
        row=pl.Series(_numbers([each.held.height for each in done])),
        pnl_micros=pl.col("marked_micros") - pl.col("cost_micros"),
    )
    return _finished(shown, "positions", done)


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
            found = baskets(legs, _frame(each.fills).with_columns(fill_ts=pl.col("fill_us").cast(TIME)), ends)
            rows.append(found.with_columns(row=pl.lit(number, pl.Int64)))
    return _finished(pl.concat(rows), "baskets", done)


def _exposures(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    markets, event = stage.rules.markets, stage.venue.markets["event"]
    homes = markets.select("event_ticker", "series_ticker", "is_exclusive", number=pl.Series(event))
    homes = homes.unique("number", keep="first").sort("number")
    parts = [exposures(each, event, homes["is_exclusive"].to_list()) for each in done]
    rows = pl.concat(parts)
    shown = rows.with_columns(
        *homes.select(pl.exclude("number").gather(rows["event"])).get_columns(),
        row=pl.Series(_numbers([each.height for each in parts])),
        deepest_ts=pl.col("deepest_us").cast(TIME),
    )
    return _finished(shown, "exposures", done)


def _equity(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    parts = [part for number, each in enumerate(done) for part in _curve(each, stage.tape, number)]
    return _finished(pl.concat(parts), "equity", done)


def _curve(outcome: Outcome, tape: Tape, number: int) -> list[pl.DataFrame]:
    rows = _frame(marked(outcome, tape)).with_columns(pl.col("ts").cast(TIME), row=pl.lit(number, pl.Int64))
    if outcome.asked.intents.height == 0:
        return [rows]
    start = {"ts": outcome.asked.intents["known_ts"].min(), "locked_micros": 0, "row": number}
    start |= dict.fromkeys(("cash_micros", "marked_micros"), outcome.cash_micros) | {"returned_micros": 0}
    return [pl.DataFrame([start], schema=rows.schema), rows]


def _summary(done: Sequence[Outcome], _: Frames) -> pl.DataFrame:
    return _finished(pl.DataFrame([line(each, row) for row, each in enumerate(done)]), "summary", done)


def _is_rejected(code: str) -> pl.Expr:
    """Tell who was refused on arrival; an order that a pause ended later had waited."""
    is_refused = (pl.col(code) == PAUSED) & (pl.col("is_resting") == 0)
    return (pl.col(code) <= TOO_LARGE) | (pl.col(code) == WOULD_CROSS) | is_refused


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
    return _finished(pl.DataFrame(rows), "attrition", done)


def _coverage(stage: "Stage", _: Frames) -> pl.DataFrame:
    return coverage(stage.tape, stage.rules)


def _home(stage: "Stage", market: I64, *names: str) -> list[pl.Series]:
    """Return columns of markets by number; null for -1, a market that the lake lacks."""
    number = pl.Series(market, dtype=pl.Int64)
    number = number.set(number < 0, None)
    return [stage.rules.markets[name].gather(number) for name in names]


def _firsts(lengths: Sequence[int]) -> I64:
    """Return where each of some parts begins in their concatenation."""
    return np.cumsum([0, *lengths[:-1]], dtype=np.int64)


def _numbers(lengths: Sequence[int]) -> I64:
    """Return for each row of a concatenation which part it is of."""
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def _places(lengths: Sequence[int]) -> I64:
    """Return for each row of a concatenation its place in its part."""
    return np.arange(sum(lengths), dtype=np.int64) - np.repeat(_firsts(lengths), lengths)


def _frame(records: Records) -> pl.DataFrame:
    return pl.DataFrame({name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()})
