"""Orders sent to the sandbox's exchange, and the same orders replayed on the tape that it made without them.

    python -m tests.stories.against_exchange --seed 7 --markets 8 --orders 50

A market of a made-up world is run alone and recorded: changes of its book, and its trades. Then for every
order the market is run again with the order in it: the exchange's own matching engine says what it got.
Orders that take must agree to the micro-dollar: price, contracts, fee, cash. Where one met several bids at
one price, the exchange rounds the fee of each; published data do not tell them apart, so there the fee may
differ by a unit of the balance for each. For orders that wait, what they got must lie between the pessimistic
and the front of the queue. It may lie outside for two reasons that no tape shows: others answered to the
order, or somebody wanted more at its price than stood there without it. The engine knows both; an order
outside with neither reason is a fault of the backtest.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Final

import polars as pl

import backtest as bt
from backtest.results import Run as Result
from exchange.fees import FeeTerms, rounding_at
from exchange.units import from_us
from sandbox.history import Print, Script
from sandbox.run import Run
from sandbox.world import World
from tests.backtest.worlds import MemoryLake, a_lake, a_series
from tests.stories.exchange_truth import Got, Order, overheard, truth

if TYPE_CHECKING:
    from exchange.trades import Side

US: Final = 1_000_000
LATENCY_US: Final = 250_000
CASH: Final = 100_000
END_TS: Final = datetime(2026, 9, 2, tzinfo=UTC)  # balances in units of $0.0001, with rebates
FEE_TYPES: Final = ("quadratic", "quadratic_with_maker_fees")


@dataclass(slots=True)
class Score:
    """How the backtest compares with the exchange."""

    n_taking: int = 0
    n_rounded_apart: int = 0
    taking_apart: list[str] = field(default_factory=list)
    n_waiting: int = 0
    n_waiting_filled: int = 0
    n_tight: int = 0
    n_unanswered: int = 0  # of those that were filled: nobody answered before
    waiting_apart: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)  # of these


def main(arguments: Sequence[str]) -> int:
    """Play and tell; 1 if an order disagrees without a reason, or more than one in a hundred that wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--markets", type=int, default=8)
    parser.add_argument("--orders", type=int, default=50, help="of either kind, in each market")
    asked = parser.parse_args(arguments)
    score = play(asked.seed, n_markets=asked.markets, n_orders=asked.orders)
    inside = score.n_waiting - len(score.waiting_apart)
    lines = (
        f"{score.n_taking} orders that take: {len(score.taking_apart)} differ",
        f"{score.n_rounded_apart} of them by roundings that nobody can know",
        f"{score.n_waiting} orders that wait, {score.n_waiting_filled} of them filled",
        f"{inside} inside the bracket, {score.n_tight} where both ends say the same",
        f"{len(score.waiting_apart)} outside, {len(score.unexplained)} of them without a reason",
        *score.taking_apart[:10],
        *score.waiting_apart[:20],
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)
    is_wrong = score.taking_apart or score.unexplained
    return 1 if is_wrong or len(score.waiting_apart) * 100 > score.n_waiting else 0


def play(seed: int, *, n_markets: int, n_orders: int, activity: float = 3.0) -> Score:
    """Run markets of a world, busy ones first, with as many orders of either kind in each."""
    world = World(seed, days=6, activity=activity, end_ts=END_TS)
    stages = [world.floor.stage(each.ticker) for each in world.markets()]
    scripts = [each.script for each in stages if each is not None and each.run is not None]
    busy = sorted(scripts, key=lambda each: -each.n_actions)[:n_markets]
    score = Score()
    for number, script in enumerate(busy):
        rng = Random(f"{seed}/{number}")
        terms = FeeTerms(FEE_TYPES[number % 2], rng.choice([500_000, 1_000_000]))
        Market(script, terms).play(rng, n_orders, score)
    return score


class Market:
    """One market: recorded alone, and run again with each order."""

    def __init__(self, script: Script, terms: FeeTerms) -> None:
        self._script = script
        self._terms = terms
        self._changes: list[tuple[int, str, int, int]] = []
        self._prints: list[Print] = []
        run, self._alone = overheard(script)
        run.listen(
            lambda time_us, side, price, delta, _: self._changes.append((time_us, side, price, delta)),
            lambda printed, _: self._prints.append(printed),
        )
        run.to(script.close_us)

    def play(self, rng: Random, n_orders: int, score: Score) -> None:
        """Send orders of both kinds and compare what each got."""
        run, _ = overheard(self._script)
        taking: list[tuple[Order, Got]] = []
        waiting: list[tuple[Order, Got]] = []
        span_us = self._script.close_us - self._script.open_us
        shares = sorted(rng.uniform(0.02, 0.9) for _ in range(2 * n_orders))
        for number, share in enumerate(shares):
            at_us = self._script.open_us + int(share * span_us)
            run.to(at_us)
            order = self._taker(run, rng, at_us) if number % 2 else self._waiter(run, rng, at_us)
            if order is not None:
                got = truth(run, order, self._terms, self._script.close_us, self._alone)
                (waiting if order.ttl_us else taking).append((order, got))
        self._judge_taking(taking, score)
        self._judge_waiting(waiting, score)

    def _taker(self, run: Run, rng: Random, at_us: int) -> Order | None:
        side: Side = rng.choice(["yes", "no"])
        ask_cc = 10_000 - run.engine.best_cc("no" if side == "yes" else "yes")
        if ask_cc >= 9_800:
            return None
        return Order(at_us, side, ask_cc + rng.choice([0, 100, 200]), rng.choice([100, 2_500, 8_000]), 0)

    def _waiter(self, run: Run, rng: Random, at_us: int) -> Order | None:
        """A small bid at a price where others wait already."""
        side: Side = rng.choice(["yes", "no"])
        levels = run.engine.levels(side)[-2:]
        if not levels:
            return None
        price_cc, _ = rng.choice(levels)
        count_centi, ttl_s = rng.choice([100, 300, 1_000]), rng.choice([600, 3_600, 14_400])
        return Order(at_us, side, price_cc, count_centi, ttl_s * US)

    def _judge_taking(self, sent: list[tuple[Order, Got]], score: Score) -> None:
        said = self._replayed([order for order, _ in sent], fills="book")
        for (order, true), got in zip(sent, said, strict=True):
            score.n_taking += 1
            unit = rounding_at(from_us(order.at_us)).unit_micros
            n_more = true.n_fills - got.n_fills
            score.n_rounded_apart += true.fee != got.fee
            if (true.filled, true.cash) != (got.filled, got.cash) or abs(true.fee - got.fee) > unit * n_more:
                score.taking_apart.append(f"{self._script.seed} {order}: {true} there, {got} here")

    def _judge_waiting(self, sent: list[tuple[Order, Got]], score: Score) -> None:
        orders = [order for order, _ in sent]
        least, most = (self._replayed(orders, fills="queue", queue=each) for each in ("pessimistic", "front"))
        for (order, true), low, high in zip(sent, least, most, strict=True):
            score.n_waiting += 1
            score.n_waiting_filled += true.count_centi > 0
            score.n_unanswered += true.count_centi > 0 and not true.is_answered
            score.n_tight += low.count_centi == high.count_centi
            if not low.count_centi <= true.count_centi <= high.count_centi:
                counts = f"{low.count_centi} <= {true.count_centi} <= {high.count_centi}"
                why = _reason(true, high)
                told = f"{self._script.seed} {order}: not {counts}; {why or 'without a reason'}"
                score.waiting_apart.append(told)
                score.unexplained += [] if why else [told]

    def _replayed(self, orders: Sequence[Order], *, fills: str, queue: str = "pessimistic") -> list[Got]:
        """Run each order alone, as a parameter row of its own, on the tape without orders."""
        if not orders:
            return []
        plans = [
            pl.LazyFrame({"ticker": ["A"], "known_ts": [from_us(each.at_us - LATENCY_US)]}).select(
                "ticker",
                pl.col("known_ts").cast(pl.Datetime("us", "UTC")),
                intent=_intent(each).when(bt.param("n", pl.Int64) == number),
            )
            for number, each in enumerate(orders)
        ]
        every = {"n": list(range(len(orders)))}
        run = bt.run(
            pl.concat(plans),
            self._lake,
            fills=fills,
            queue=queue,
            latency="250ms",
            cash=CASH,
            params=every,
            maintenance=False,  # the sandbox's schedule has no maintenance windows
        )
        return _gots(run, len(orders))

    @cached_property
    def _lake(self) -> MemoryLake:
        """Return what a recorder that lost nothing would have brought into a lake."""
        script = self._script
        deltas = [
            {
                "session": "s", "sid": 1, "seq": seq, "ticker": "A", "side": side, "price_cc": price_cc,
                "delta_centi": delta, "event_ts": from_us(time_us), "received_ts": from_us(time_us),
            }
            for seq, (time_us, side, price_cc, delta) in enumerate(self._changes, 2)
        ]  # fmt: skip
        trades = [
            {
                "trade_id": f"{number:08}", "ticker": "A", "event_ts": from_us(each.time_us),
                "yes_price_cc": each.yes_price_cc, "count_centi": each.count_centi,
                "taker_side": each.taker_side, "is_block_trade": each.is_block,
            }
            for number, each in enumerate(self._prints)
        ]  # fmt: skip
        empty: dict[str, list[int]] = {
            f"{side}_{what}": [] for side in ("yes", "no") for what in ("prices_cc", "counts_centi")
        }
        snapshot = {
            "ticker": "A", "session": "s", "captured_ts": from_us(script.open_us), "sid": 1, "seq": 1,
            "method": "ws",
        }  # fmt: skip
        market = {
            "ticker": "A", "observed_ts": from_us(script.close_us), "event_ticker": "E", "series_ticker": "S",
            "open_ts": from_us(script.open_us), "close_ts": from_us(script.close_us), "status": "closed",
            "result": "", "price_level_structure": script.structure,
        }  # fmt: skip
        series = a_series("S", self._terms.fee_type, self._terms.multiplier_ppm)
        return a_lake(
            markets=[market], series=[series | {"observed_ts": from_us(script.open_us)}],
            book_snapshots=[snapshot | empty], book_deltas=deltas, trades=trades,
        )  # fmt: skip


def _reason(true: Got, high: Got) -> str:
    """Return why an order got what no tape tells, or nothing.

    What it got too much of must come after an answer, or of one; what it did not get, by its end.
    """
    if true.is_answered or (true.answer and true.count_centi < high.count_centi):
        return f"others answered with their bid number {true.answer} after it"
    if 0 < true.count_centi - high.count_centi <= true.unseen_centi:
        return f"others wanted {true.unseen_centi} more there than they got without it"
    return ""


def _intent(order: Order) -> bt.Intent:
    build = bt.buy_yes if order.side == "yes" else bt.buy_no
    ttl = f"{order.ttl_us}us" if order.ttl_us else None
    return build(order.count_centi / 100, order.limit_cc, ttl)


def _gots(run: Result, n: int) -> list[Got]:
    found: dict[int, Got] = defaultdict(Got)
    rows = run.fills.select("n", "price_cc", "role", "count_centi", "fee_micros", "cash_micros").iter_rows()
    for number, price_cc, role, count, fee, cash in rows:
        got, key = found[number], (price_cc, role == "taker")
        got.filled[key] = got.filled.get(key, 0) + count
        got.fee += fee
        got.cash += cash
        got.n_fills += 1
    return [found[number] for number in range(n)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
