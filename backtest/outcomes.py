"""What one parameter row came to, cut down to what somebody may ask for later, and its numbers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.kernels.arrays import (
    DOLLAR_CC,
    FILLED,
    MOVE,
    NO_CASH,
    PAUSED,
    SERIES_CAP,
    TOO_LARGE,
    UNSIZED,
    WOULD_CROSS,
    Flags,
    Records,
    World,
)
from backtest.kernels.tops import add_worth
from backtest.parameters import as_whole
from backtest.plan import Wanted
from backtest.tape import Tape

U64 = np.ndarray[tuple[int], np.dtype[np.uint64]]
Columns = dict[str, "np.ndarray[tuple[int], np.dtype[Any]]"]

SECONDS_PER_DAY = 86_400
_BLOCK: Final = 2_048  # records, which stay in the processor's cache
KEPT_OF_ORDERS: Final = {
    "market": np.int32,
    "direction": np.int8,
    "count_centi": np.int64,
    "filled": np.int64,
    "reason": np.int8,
    "is_resting": np.int8,
    "expiry_us": np.int64,
    "dropped": np.int64,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one parameter row came to: what of its world anybody asks for later, and no more.

    `asked` has lost the intents' columns that only the clock needs; `digest` is of all that was wanted. Of
    `orders`, `ended_us` and `dropped` are those of orders that have waited: `is_resting`.
    """

    asked: Wanted
    digest: bytes
    n_repeated: int  # orders that are wanted once more, word by word
    orders: Columns
    fills: Records
    settled: Records
    equity: Records
    held: pl.DataFrame  # market, position_centi, cost_micros, mark_cc, other_mark_cc, marked_micros
    purse: Records
    cash_micros: int

    @property
    def n_unsized(self) -> int:
        """Count fills against quotes without a size."""
        return int((self.fills["evidence"] == UNSIZED).sum())

    @property
    def n_no_cash(self) -> int:
        """Count orders that the purse did not pay for, or not for all of."""
        return int((self.orders["reason"] == NO_CASH).sum())


def outcome_of(
    asked: Wanted,
    world: World,
    placed: Columns,
    fills: Records,
    equity: Records,
    tape: Tape,
    *,
    cash_micros: int,
) -> Outcome:
    """Return what is kept of a world at its end; `placed`: at least KEPT_OF_ORDERS of its orders."""
    purse, hashes = world.purse[0], asked.intents.hash_rows(seed=0).to_numpy()
    return Outcome(
        replace(asked, intents=_kept(asked.intents)),
        _digest(asked, hashes),
        int(np.count_nonzero(hashes[1:] == hashes[:-1])),  # they arrive one after the other
        _kept_of_orders(placed),
        fills[: purse["n_fills"]].copy(),
        world.settled[: purse["n_settled"]].copy(),
        equity[: purse["n_equity"]].copy(),
        _held(world.markets, tape),
        world.purse,
        cash_micros,
    )


def _kept_of_orders(placed: Columns) -> Columns:
    kept = {name: placed[name] for name in KEPT_OF_ORDERS}
    has_waited = kept["is_resting"] != 0
    of_those = {"ended_us": kept.pop("expiry_us")[has_waited], "dropped": kept.pop("dropped")[has_waited]}
    return kept | of_those


def columns_of(rows: Records, kinds: Mapping[str, type]) -> Columns:
    """Return some fields of records as arrays of their own, of the types asked for.

    A column at a time would fetch every record from memory as often as there are columns.
    """
    columns: Columns = {name: np.empty(len(rows), kind) for name, kind in kinds.items()}
    for begin in range(0, len(rows), _BLOCK):
        block = rows[begin : begin + _BLOCK]
        for name, column in columns.items():
            column[begin : begin + _BLOCK] = block[name]
    return columns


def line(outcome: Outcome, row: int) -> dict[str, float]:
    """Return one row of the summary, from the arrays alone."""
    purse, filled, placed = outcome.purse[0], outcome.fills, outcome.orders
    cash_end = int(purse["cash"])
    marked_end = cash_end + int(outcome.held["marked_micros"].sum())
    n_cancels = int((outcome.asked.intents["action"] == "cancel").sum())
    return {
        "row": row,
        "cash_start_micros": outcome.cash_micros,
        "cash_end_micros": cash_end,
        "marked_end_micros": marked_end,
        "pnl_micros": marked_end - outcome.cash_micros,
        "fees_micros": int(filled["fee_micros"].sum()),
        "payouts_micros": int(outcome.settled["payout_micros"].sum()),
        "n_orders": len(placed["reason"]) - n_cancels,
        "n_rejected": int((are_refused(outcome) & (placed["filled"] == 0)).sum()),
        "n_no_cash": outcome.n_no_cash,
        "n_fills": len(filled),
        "filled_centi": int(filled["count_centi"].sum()),
        "n_markets": n_filled_markets(outcome),
        "n_settled": n_settled_markets(outcome),
        "n_open": outcome.held.height,
        "locked_max_micros": int(purse["locked_max"]),
        "locked_dollar_days": _dollar_days(purse),
    }


def are_refused(outcome: Outcome) -> Flags:
    """Tell which orders were stopped on arrival; one that a lack of cash ended later had waited."""
    code, waiting = outcome.orders["reason"], np.flatnonzero(outcome.orders["is_resting"])
    is_refused: Flags = ((code > FILLED) & (code <= TOO_LARGE)) | (code == SERIES_CAP) | (code == WOULD_CROSS)
    is_refused |= (code == PAUSED) & (outcome.orders["is_resting"] == 0)
    arrival_us = outcome.asked.intents["arrival_us"].to_numpy()[waiting]
    is_refused[waiting[outcome.orders["ended_us"] > arrival_us]] = False
    return is_refused


def marked(outcome: Outcome, tape: Tape) -> Records:
    """Return equity with what was held at the bid of its side added to the cash."""
    fills, settled = outcome.fills, outcome.settled
    moves = np.zeros(len(fills) + len(settled), MOVE)
    moves["market"] = np.append(outcome.orders["market"][fills["order_id"]], settled["market"])
    moves["ts"] = np.append(fills["fill_us"], settled["settled_us"])
    moves["position"][: len(fills)] = fills["position_after_centi"]  # and 0 after settlements
    equity = outcome.equity.copy()
    add_worth(equity, moves[np.argsort(moves["market"], kind="stable")], tape.tops, tape.offsets)
    return equity


def n_filled_markets(outcome: Outcome) -> int:
    """Count the markets with a fill."""
    return int(np.count_nonzero(np.bincount(outcome.orders["market"][outcome.fills["order_id"]])))


def n_settled_markets(outcome: Outcome) -> int:
    """Count the markets that paid, whether that was corrected or not."""
    return int(np.count_nonzero(np.bincount(outcome.settled["market"])))


def _digest(asked: Wanted, hashes: U64) -> bytes:
    """Return the SHA-256 of everything that was wanted, whatever code or notebook wanted it; 1.0 is 1."""
    params = {name: as_whole(value) for name, value in asked.params.items()}
    digest = hashlib.sha256(repr((params, asked.tickers)).encode())
    digest.update(hashes.data)
    return digest.digest()


def _kept(intents: pl.DataFrame) -> pl.DataFrame:
    """Return what frames tell of intents, in the smallest types that hold it."""
    kept = [each for each in intents if each.name not in ("post_only", "replace", "leg", "after")]
    return pl.DataFrame([each.shrink_dtype() if each.dtype.is_integer() else each for each in kept])


def _dollar_days(purse: np.void) -> float:
    high, middle, low = (int(purse[f"lock_{each}"]) for each in ("high", "middle", "low"))
    return (high * 10**12 + middle * 10**6 + low) / (10**12 * SECONDS_PER_DAY)


def _held(markets: Records, tape: Tape) -> pl.DataFrame:
    market = np.flatnonzero(markets["position"])
    position, last = markets["position"][market], tape.tops[tape.offsets[market + 1] - 1]
    yes_cc, no_cc = last["bid_cc"].astype(np.int64), DOLLAR_CC - last["ask_cc"].astype(np.int64)
    bid = np.where(position > 0, yes_cc, no_cc)
    return pl.DataFrame(
        {
            "market": market.astype(np.int64),
            "position_centi": position,
            "cost_micros": markets["spent"][market],
            "mark_cc": bid,
            "other_mark_cc": np.where(position > 0, no_cc, yes_cc),
            "marked_micros": np.abs(position) * bid,
        }
    )
