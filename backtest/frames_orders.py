"""The frames of orders and fills: what was wanted, what came of it, in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.columns import HOME, finished, frame, home, numbers, of_fills, places
from backtest.intents import type_of_action, type_of_side
from backtest.kernels.arrays import (
    CROSSED,
    DISPLAYED,
    DOLLAR_CC,
    FILLED,
    IMPACT,
    LEG_BEFORE,
    NEVER,
    NO,
    NOTHING_WAITS,
    QUEUED,
    REASONS,
    SELL,
    THROUGH,
    UNSIZED,
    YES,
)
from backtest.outcomes import Outcome, are_refused
from backtest.results import TIME, Frames
from backtest.tape import FROM_TRADES, MID, are_closes

if TYPE_CHECKING:
    from backtest.replay import Stage

_ROLES = pl.Series(["maker", "taker"])


def orders(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    """Return every order and what became of it."""
    intents = pl.concat([each.asked.intents for each in done], how="vertical_relaxed")
    tickers = [
        pl.Series(each.asked.tickers, dtype=pl.String).gather(each.asked.intents["number"]) for each in done
    ]
    placed = {name: np.concatenate([each.orders[name] for each in done]) for name in done[0].orders}
    has_waited = placed["is_resting"] != 0
    ended_us, dropped = np.full(len(has_waited), NEVER), np.zeros(len(has_waited), np.int64)
    ended_us[has_waited], dropped[has_waited] = placed["ended_us"], placed["dropped"]
    lengths = [each.asked.intents.height for each in done]
    if "basket" not in intents.columns:
        intents = intents.with_columns(basket=pl.lit(None, dtype=pl.String))
    rows = intents.with_columns(
        *home(stage, placed["market"], *HOME[1:]),
        ticker=pl.concat(tickers),
        row=pl.Series(numbers(lengths)),
        order_id=pl.Series(places(lengths)),
        way=pl.Series(placed["direction"]),
        resolved=pl.Series(placed["count_centi"]),
        filled_centi=pl.Series(placed["filled"]),
        code=pl.Series(placed["reason"]),
        is_resting=pl.Series(placed["is_resting"]),
        ended_us=pl.Series(ended_us),
        dropped=pl.Series(dropped),
        is_refused=pl.Series(np.concatenate([are_refused(each) for each in done])),
    )
    is_cancel, filled = pl.col("action") == "cancel", pl.col("filled_centi")
    is_idle = (pl.col("action") == "close") & (pl.col("way") == 0)
    count = pl.when(is_idle).then(0).otherwise("resolved")
    status = (
        pl.when(is_cancel & pl.col("code").is_in([FILLED, NOTHING_WAITS]))
        .then(pl.lit("done"))
        .when((filled > 0) & (filled == count))
        .then(pl.lit("filled"))
        .when(filled > 0)
        .then(pl.lit("partial"))
        .when("is_refused")
        .then(pl.lit("rejected"))
        .otherwise(pl.lit("unfilled"))
    )
    shown = rows.with_columns(
        *_meant(),
        decision_ts="known_ts",
        arrival_ts=pl.when(pl.col("code") != LEG_BEFORE).then(pl.col("arrival_us").cast(TIME)),
        ended_ts=pl.when(pl.col("ended_us") < NEVER).then(pl.col("ended_us").cast(TIME)),
        count_centi=count,
        limit_cc=pl.when(pl.col("limit_cc") >= 0).then("limit_cc"),
        tif=pl.col("tif").cast(pl.String),
        dropped_centi=pl.when(pl.col("is_resting") != 0).then("dropped"),
        status=status,
        reason=pl.lit(pl.Series(REASONS)).gather("code"),
    )
    return finished(shown, "orders", done)


def fills(done: Sequence[Outcome], stage: "Stage", _: Frames) -> pl.DataFrame:
    """Return every fill, in order of time."""
    lengths = [len(each.fills) for each in done]
    filled = [each.fills["order_id"] for each in done]
    market, way = of_fills(done, "market"), of_fills(done, "direction")
    wanted = (
        each.asked.intents.select(pl.col("known_ts", "arrival_us", "action", "side").gather(pl.Series(ids)))
        for each, ids in zip(done, filled, strict=True)
    )
    rows = frame(*(each.fills for each in done)).hstack(pl.concat(wanted, how="vertical_relaxed"))
    rows = rows.with_columns(way=pl.Series(way)).with_columns(*_meant())
    told = _evidence(stage.tape.evidence)
    is_close = are_closes(stage.tape, market, rows["fill_us"].to_numpy())
    code = pl.col("evidence") + pl.Series(len(told) * is_close)
    shown = rows.with_columns(
        *home(stage, market, *HOME),
        row=pl.Series(numbers(lengths)),
        fill_id=pl.Series(places(lengths)),
        decision_ts="known_ts",
        arrival_ts=pl.col("arrival_us").cast(TIME),
        fill_ts=pl.col("fill_us").cast(TIME),
        price_cc=_own_price(),
        role=pl.lit(_ROLES).gather("is_taker"),
        evidence=pl.lit(pl.Series(told + _of_closes(told))).gather(code),
    )
    return finished(shown, "fills", done)


def _meant() -> list[pl.Expr]:
    """Return action and side in words: of a close, what it came to sell; where nothing was held, close."""
    way, is_close = pl.col("way"), pl.col("action") == "close"
    sold = pl.when(way < 0).then(YES).when(way > 0).then(NO)
    action = pl.when(is_close & (way != 0)).then(SELL).otherwise(pl.col("action").to_physical())
    side = pl.when(is_close).then(sold).otherwise(pl.col("side").to_physical())
    words = {"action": (type_of_action, action), "side": (type_of_side, side)}
    return [pl.lit(kind.categories).gather(code).alias(name) for name, (kind, code) in words.items()]


def _own_price() -> pl.Expr:
    price = pl.col("yes_price_cc")
    return pl.when(pl.col("side") == "no").then(DOLLAR_CC - price).otherwise(price)


def _evidence(basis: str) -> list[str]:
    """Return what each code means in fills that rest on `basis`."""
    told = {DISPLAYED: basis, UNSIZED: "touch:no-size", CROSSED: f"{basis}:crossed"}
    told |= {QUEUED: "queue", THROUGH: "queue:through", IMPACT: f"{basis}:impact"}
    if basis == FROM_TRADES:
        told[UNSIZED] = FROM_TRADES
    return [MID if basis == MID else told[code] for code in range(len(told))]


def _of_closes(told: list[str]) -> list[str]:
    """Return the same of fills against closes of candles."""
    return [each.replace("touch:no-size", "candle").replace("touch", "candle") for each in told]
