"""Policies against the slow oracle, compiled and in Python: every frame compared with ==."""

import math
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.kernels.arrays import QUEUES
from backtest.latency import Latency
from backtest.quoting import N_DRAWN
from backtest.results import Run
from exchange.units import to_us
from tests.backtest.histories import OTHER_ROUNDINGS, THURSDAYS, later, with_a_past
from tests.backtest.random_worlds import TABLES_OF, dated_fees, market_rows
from tests.backtest.slow_runs import Setting, assert_same, part_of, slow_engine, slow_markets
from tests.backtest.test_engine_oracle import SEEDS
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_quote, a_series, at
from tests.oracles.engine import NEVER, Oracle
from tests.oracles.quoting import Desk

SOME = settings(max_examples=15)
KNOWN = pl.col("known_ts").cast(pl.Datetime("us", "UTC"))


def restless(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    """Use everything there is: sizes, trades, position, own orders and memory, so that any slip shows."""
    memory[0] += 1
    turn = int(memory[0])
    middle = (at.bid_cc + at.ask_cc) // 2
    shift = (turn % 3 - 1) * 100 - at.position_centi // 2 + at.trade_way * 100
    size = params.size if at.bid_centi != at.ask_centi else 50 + at.trade_centi
    bid_cc = at.my_bid_cc if at.my_bid_centi > 50 and turn % 2 else middle - params.half_cc + shift
    ask_cc = at.my_ask_cc if at.my_ask_centi > 50 and turn % 2 else middle + params.half_cc + shift
    if (at.ts_us - max(at.changed_us, at.trade_us)) % 3_000_000 > 2_000_000:
        return bt.Quotes(0, 0, ask_cc, size)
    return bt.Quotes(bid_cc, size, ask_cc, size if turn % 5 else 0)


def following(at: Any, params: Any, memory: Any, signals: Any) -> bt.Quotes:  # noqa: ANN401 -- as above
    """Quote around a price of its own where it has one, the wider the less is known."""
    memory[0] += 1
    fair = (at.bid_cc + at.ask_cc) / 2 if math.isnan(signals.fair_cc) else signals.fair_cc
    half = params.half_cc + (200 if math.isnan(signals.tilt) else int(300 * signals.tilt))
    size = params.size + int(memory[0]) % 2 * 50
    return bt.Quotes(int(fair - half), size, int(fair + half), 0 if at.position_centi < -500 else size)


def behind(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401 -- as above
    """Quote at the second level of each side; how much stands on all it sees, and on how many, counts too."""
    memory[0] += 1
    n_bid, n_ask, n_levels = 0, 0, 0
    for i in range(len(at.bid_prices_cc)):
        n_bid += at.bid_counts_centi[i]
        n_ask += at.ask_counts_centi[i]
        n_levels += (at.bid_prices_cc[i] > 0) + (at.ask_prices_cc[i] < 10_000)
    shift = 100 if n_bid > n_ask else -100 * (int(memory[0]) % 2)
    size = params.size + 50 * n_levels
    return bt.Quotes(
        at.bid_prices_cc[1] + shift, size, at.ask_prices_cc[1] + shift, min(size, 10 * abs(n_ask))
    )


MAKER = bt.policy(every="1s", params={"half_cc": 300, "size": 150}, memory=1)(restless)
EITHER = bt.policy(every="700ms", params={"half_cc": 300, "size": 150}, memory=1, post_only=False)(restless)
DEEP = bt.policy(every="800ms", params={"half_cc": 300, "size": 150}, memory=1, post_only=False, depth=3)(
    behind
)
FOLLOWER = bt.policy(every="900ms", params={"half_cc": 300, "size": 150}, memory=1, post_only=False)(
    following
)


def some_signals(rng: Random, tickers: list[str], by: timedelta) -> list[dict[str, Any]]:
    """Return signals of some markets and of one that nobody asks about, or of all; with ties and nulls."""
    keys = [{}] if rng.random() < 0.3 else [{"ticker": each} for each in [*tickers, "NOBODYS"]]
    return [
        {
            **rng.choice(keys),
            "known_ts": at(rng.randrange(-20, 140) / 4) + by,
            "fair_cc": rng.choice([None, rng.randrange(1_000, 9_000)]),
            "tilt": rng.choice([None, 0.5, 1.25]),
        }
        for _ in range(rng.randrange(1, 40))
    ]


def compare(lake: MemoryLake, rng: Random, *, fills: str, queue: str | None = None) -> tuple[Run, Oracle]:
    """Run a policy on both engines, under terms that sometimes bind, and once more in Python."""
    policy = rng.choice([MAKER, EITHER, DEEP, FOLLOWER])
    by = rng.choice([timedelta(0)] * 6 + [*THURSDAYS, *OTHER_ROUNDINGS])
    lake = later(dated_fees(rng, with_a_past(rng, lake, has_one_grid=False)).rows, by)
    feed = rng.choice([0, 100_000, 1_500_000, None])
    told_late = Latency((1_000, 100_000, 300_000, 4_000_000), rng.randrange(9)) if feed is None else feed
    setting = Setting(
        fills=fills,
        queue=queue,
        cash=rng.choice([3, 12, 1_000]),
        per_event=rng.choice([None, None, 2, 8]),
        netting=rng.random() < 0.5,
        max_age_s=rng.choice([None, None, 1, 4]) if fills == "touch" else None,
        latency=Latency((rng.choice([1, 250_000, 2_000_000]),)),
        by=by,
    )
    start, end = (rng.choice([None, None, at(second) + by]) for second in (7.5, 25.2))
    params = {"half_cc": rng.choice([0, 200, 500]), "size": 150}
    tickers = sorted({row["ticker"] for row in lake.rows["markets"]})
    signals = some_signals(rng, tickers, by) if policy is FOLLOWER else None
    frame = None if signals is None else pl.DataFrame(signals, infer_schema_length=None).with_columns(KNOWN)
    quoting = policy.on(tickers, start=start, end=end, signals=frame)
    arguments = setting.arguments | {
        "feed": told_late if isinstance(told_late, Latency) else f"{told_late}us",
        "params": params,
    }
    del arguments["legs"]
    run = bt.run(quoting, lake, **arguments)
    slow = slow_engine(lake, slow_markets(lake, fills=fills), [], setting)
    slow.desk = Desk(
        slow,
        policy.function,
        SimpleNamespace(**params),
        {ticker: [0.0] for ticker in tickers},
        policy.every_us,
        told_late.drawn(N_DRAWN).tolist() if isinstance(told_late, Latency) else [told_late],
        setting.latency.lengths_us[0],
        policy.post_only,
        0 if start is None else to_us(start),
        NEVER if end is None else to_us(end),
        depth=policy.depth,
        signals=signals,
    )
    slow.run()
    assert_same(part_of(run, params), slow, lake, tickers)
    if rng.random() < 0.2:
        quoting = policy.in_python().on(tickers, start=start, end=end, signals=frame)
        assert_equal(run, bt.run(quoting, lake, **arguments))
    return run, slow


def assert_equal(run: Run, other: Run) -> None:
    for name, frame in run.frames.items():
        assert frame.equals(other.frames[name]), name


def a_world(rng: Random, fills: str) -> MemoryLake:
    terms = a_series(fee_type=rng.choice(["quadratic", "quadratic_with_maker_fees"]))
    tables = TABLES_OF[fills](rng)
    return a_lake(markets=market_rows(rng), series=[terms], **tables)


@SOME
@given(SEEDS, st.sampled_from(["touch", "book"]))
def test_a_policy_against_quotes_and_books_equals_the_oracle(seed: int, fills: str) -> None:
    """Traps 8, 16: it knows everything later than it happened, and its orders are under way."""
    rng = Random(seed)
    compare(a_world(rng, fills), rng, fills=fills)


@SOME
@given(SEEDS, st.sampled_from(list(QUEUES)))
def test_a_policy_in_queues_equals_the_oracle(seed: int, queue: str) -> None:
    """Traps 4, 5, 6: quotes wait in queues, are replaced, and keep their place where nothing changes."""
    rng = Random(seed)
    compare(a_world(rng, "queue"), rng, fills="queue", queue=queue)


@pytest.mark.long
def test_the_random_policies_reach_every_kind_of_outcome() -> None:
    """A comparison proves only what it exercises."""
    reasons: set[str | None] = set()
    roles: set[str] = set()
    n_several = n_cancels = 0
    for seed in range(160):
        rng = Random(seed)
        fills = ("touch", "book", "queue")[seed % 3]
        queue = rng.choice(list(QUEUES)) if fills == "queue" else None
        run, _ = compare(a_world(rng, fills), rng, fills=fills, queue=queue)
        reasons |= set(run.orders["reason"])
        roles |= set(run.fills["role"])
        n_several += run.fills.filter(pl.col("order_id").is_duplicated()).height
        n_cancels += run.orders.filter(action="cancel", status="done").height
    # Never "event cap" or "book unknown": an order that may wait waits then, and ends as it ends.
    assert reasons >= {None, "post only", "cancelled", "expired", "no cash", "closed", "paused"}
    assert roles == {"taker", "maker"}
    assert min(n_several, n_cancels) >= 5


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_a_thousand_policies_equal_the_oracle(part: int) -> None:
    """Every kind of fill, every place in the queue, seeds that no other test uses."""
    for seed in range(20_000 + 250 * part, 20_250 + 250 * part):
        rng = Random(seed)
        fills = ("touch", "book", "queue", "queue")[seed % 4]
        queue = rng.choice(list(QUEUES)) if fills == "queue" else None
        compare(a_world(rng, fills), rng, fills=fills, queue=queue)


def test_latencies_that_were_drawn_keep_the_order_of_messages() -> None:
    """An order sent later never arrives earlier, or a replacement would meet what it replaces."""
    quotes = [a_quote(i, mid - 500, mid + 500) for i, mid in enumerate([5_000, 5_300, 4_700] * 5)]
    lake = a_lake(markets=[a_market()], quotes=quotes)
    drawn = bt.sample_latency(["1ms", "3s", "9s"], seed=3)
    run = bt.run(MAKER.on(["A"]), lake, fills="touch", latency=drawn)
    arrivals = run.orders["arrival_ts"].dt.epoch("us").to_numpy()
    assert len(arrivals) > 5
    assert (np.diff(arrivals) >= 0).all()
    assert (run.orders["arrival_ts"] - run.orders["decision_ts"]).n_unique() >= 3
