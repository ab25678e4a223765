"""From the kernels' arrays to the tidy frames of one parameter row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from backtest.baskets import baskets, contract_ends, no_baskets
from backtest.kernels.arrays import (
    CROSSED,
    DISPLAYED,
    DOLLAR_CC,
    FILLED,
    LEG_BEFORE,
    NOTHING_WAITS,
    QUEUED,
    REASONS,
    THROUGH,
    TOO_LARGE,
    UNSIZED,
    WOULD_CROSS,
    Records,
    World,
)
from backtest.plan import Wanted
from backtest.results import SCHEMAS, TIME
from backtest.tape import MID, Tape
from backtest.venue import Rules

SECONDS_PER_DAY = 86_400
_MARKET = ("ticker", "event_ticker", "series_ticker")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one parameter row came to: its world at the end, fills and equity as records."""

    asked: Wanted
    world: World
    fills: Records
    equity: Records
    cash_micros: int


def frames_of(outcome: Outcome, rules: Rules, tape: Tape, universe: set[str]) -> dict[str, pl.DataFrame]:
    """Return every frame of `SCHEMAS` but coverage, with the parameter columns first."""
    ordered = _orders(outcome, rules)
    filled = _fills(outcome, ordered, tape.evidence)
    paid = _settlements(outcome, rules)
    held = _positions(outcome, rules, tape)
    found = {
        "summary": _summary(outcome, ordered, filled, paid, held),
        "orders": ordered,
        "fills": filled,
        "settlements": paid,
        "positions": held,
        "baskets": _baskets(outcome, ordered, filled, rules, tape),
        "equity": _equity(outcome),
        "attrition": _attrition(outcome, rules, tape, universe, filled, paid, held),
    }
    return {name: _finished(frame, name, outcome.asked.params) for name, frame in found.items()}


def _finished(frame: pl.DataFrame, name: str, params: dict[str, Any]) -> pl.DataFrame:
    given = [pl.lit(pl.Series([value])).first().alias(key) for key, value in params.items()]
    columns = [pl.col(each).cast(dtype) for each, dtype in SCHEMAS[name].items()]
    return frame.select(*columns).select(*given, pl.all())


def _orders(outcome: Outcome, rules: Rules) -> pl.DataFrame:
    placed = outcome.world.orders
    names = rules.markets.select(*_MARKET)
    is_close = pl.col("action") == "close"
    way = pl.col("way")
    rows = outcome.asked.intents.with_columns(
        order_id=pl.int_range(pl.len(), dtype=pl.Int64),
        arrival_us=_series(placed, "arrival_us"),
        way=_series(placed, "direction"),
        resolved=_series(placed, "count_centi"),
        filled_centi=_series(placed, "filled"),
        code=_series(placed, "reason"),
    )
    is_cancel = pl.col("action") == "cancel"
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
        .when((pl.col("code") <= TOO_LARGE) | (pl.col("code") == WOULD_CROSS))
        .then(pl.lit("rejected"))
        .otherwise(pl.lit("unfilled"))
    )
    action = pl.when(is_close & (way != 0)).then(pl.lit("sell")).otherwise(pl.col("action").cast(pl.String))
    if "basket" not in rows.columns:
        rows = rows.with_columns(basket=pl.lit(None, dtype=pl.String))
    return rows.join(names, on="ticker", how="left", maintain_order="left").with_columns(
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


def _fills(outcome: Outcome, ordered: pl.DataFrame, evidence: str) -> pl.DataFrame:
    rows = _frame(outcome.fills, outcome.world.purse[0]["n_fills"])
    which = ordered.select("order_id", *_MARKET, "decision_ts", "arrival_ts", "action", "side")
    told = {DISPLAYED: evidence, UNSIZED: "touch:no-size", CROSSED: f"{evidence}:crossed"}
    told |= {QUEUED: "queue", THROUGH: "queue:through"}
    if evidence == MID:
        told = dict.fromkeys(told, MID)
    price = pl.col("yes_price_cc")
    return rows.join(which, on="order_id", how="left", maintain_order="left").with_columns(
        fill_id=pl.int_range(pl.len(), dtype=pl.Int64),
        fill_ts=pl.col("fill_us").cast(TIME),
        price_cc=pl.when(pl.col("side") == "no").then(DOLLAR_CC - price).otherwise(price),
        role=pl.when(pl.col("is_taker") == 1).then(pl.lit("taker")).otherwise(pl.lit("maker")),
        evidence=pl.col("evidence").replace_strict(told, return_dtype=pl.String),
    )


def _settlements(outcome: Outcome, rules: Rules) -> pl.DataFrame:
    rows = _frame(outcome.world.settled, outcome.world.purse[0]["n_settled"])
    return _named(rows, rules, "is_assumed_time").with_columns(
        settled_ts=pl.col("settled_us").cast(TIME),
        pnl_micros=pl.col("payout_micros") - pl.col("cost_micros"),
    )


def _positions(outcome: Outcome, rules: Rules, tape: Tape) -> pl.DataFrame:
    markets = outcome.world.markets
    market = np.flatnonzero(markets["position"])
    position, last = markets["position"][market], tape.tops[tape.offsets[market + 1] - 1]
    bid = np.where(position > 0, last["bid_cc"], DOLLAR_CC - last["ask_cc"]).astype(np.int64)
    rows = pl.DataFrame(
        {
            "market": market.astype(np.int64),
            "position_centi": position,
            "cost_micros": markets["spent"][market],
            "mark_cc": bid,
            "marked_micros": np.abs(position) * bid,
        }
    )
    return _named(rows, rules).with_columns(pnl_micros=pl.col("marked_micros") - pl.col("cost_micros"))


def _baskets(
    outcome: Outcome, ordered: pl.DataFrame, filled: pl.DataFrame, rules: Rules, tape: Tape
) -> pl.DataFrame:
    if "basket" not in outcome.asked.intents.columns:
        return no_baskets()
    legs = ordered.with_columns(wanted_centi=outcome.asked.intents["count_centi"])
    return baskets(legs, filled, contract_ends(outcome.world, tape, rules.markets["ticker"]))


def _equity(outcome: Outcome) -> pl.DataFrame:
    rows = _frame(outcome.equity, outcome.world.purse[0]["n_equity"])
    if outcome.asked.intents.height == 0:
        return rows.with_columns(pl.col("ts").cast(TIME))
    start = pl.DataFrame(
        {
            "ts": [outcome.asked.intents["known_ts"].min()],
            "cash_micros": [outcome.cash_micros],
            "marked_micros": [outcome.cash_micros],
            "locked_micros": [0],
        },
        schema=SCHEMAS["equity"],
    )
    return pl.concat([start, rows.with_columns(pl.col("ts").cast(TIME))])


def _summary(
    outcome: Outcome, ordered: pl.DataFrame, filled: pl.DataFrame, paid: pl.DataFrame, held: pl.DataFrame
) -> pl.DataFrame:
    purse = outcome.world.purse[0]
    cash_end = int(purse["cash"])
    marked_end = cash_end + int(held["marked_micros"].sum())
    return pl.DataFrame(
        {
            "cash_start_micros": outcome.cash_micros,
            "cash_end_micros": cash_end,
            "marked_end_micros": marked_end,
            "pnl_micros": marked_end - outcome.cash_micros,
            "fees_micros": filled["fee_micros"].sum(),
            "payouts_micros": paid["payout_micros"].sum(),
            "n_orders": int((ordered["action"] != "cancel").sum()),
            "n_rejected": int((ordered["status"] == "rejected").sum()),
            "n_fills": filled.height,
            "filled_centi": filled["count_centi"].sum(),
            "n_markets": filled["ticker"].n_unique(),
            "n_settled": paid.height,
            "n_open": held.height,
            "locked_max_micros": int(purse["locked_max"]),
            "locked_dollar_days": _dollar_days(purse),
        }
    )


def _dollar_days(purse: np.void) -> float:
    high, middle, low = (int(purse[f"lock_{each}"]) for each in ("high", "middle", "low"))
    return (high * 10**12 + middle * 10**6 + low) / (10**12 * SECONDS_PER_DAY)


def _attrition(
    outcome: Outcome,
    rules: Rules,
    tape: Tape,
    universe: set[str],
    filled: pl.DataFrame,
    paid: pl.DataFrame,
    held: pl.DataFrame,
) -> pl.DataFrame:
    has_data = rules.markets.filter(pl.Series(np.diff(tape.offsets) > 0))
    return pl.DataFrame(
        {
            "n_universe": len(universe),
            "n_with_data": has_data.height,
            "n_with_intents": outcome.asked.intents["ticker"].n_unique(),
            "n_with_fills": filled["ticker"].n_unique(),
            "n_settled": paid.height,
            "n_open": held.height,
        }
    )


def _named(rows: pl.DataFrame, rules: Rules, *more: str) -> pl.DataFrame:
    names = rules.markets.select(*_MARKET, *more).with_row_index("market").cast({"market": pl.Int64})
    return rows.join(names, on="market", how="left", maintain_order="left")


def _frame(records: Records, n_rows: int) -> pl.DataFrame:
    return pl.DataFrame({name: _series(records[:n_rows], name) for name in records.dtype.names or ()})


def _series(records: Records, name: str) -> pl.Series:
    return pl.Series(np.ascontiguousarray(records[name]))
