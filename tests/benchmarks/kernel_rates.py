"""The engine's kernels alone, on arrays that are read already; all in CPU time of one thread.

The touch kernel jumps from order to order, so that orders per second say more than quotes per second; the
book kernel has to apply every change up to the last order. Equity is marked after every fill here (a run
thins it out), so that a fill costs more the more markets are held: one and two hundred are timed apart.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

import backtest as bt
from backtest.kernels.arrays import Records
from backtest.kernels.tops import book_tops
from backtest.tape import Tape
from exchange.books import OrderBook
from exchange.fees import FeeTerms
from exchange.units import DOLLAR_CC, to_us
from tests.backtest.worlds import a_lake, a_market, a_quote, at
from tests.benchmarks import made_up
from tests.benchmarks.book_lake import book_lake
from tests.benchmarks.figures import Figure, Timed, timed
from tests.benchmarks.stages import LATENCY, Scene, Unsized, run, scene
from tests.benchmarks.tape_lake import tape_lake
from tests.oracles.engine import Market, Oracle, Order, quote_instants
from warehouse import Lake
from warehouse.rebuilding.ops import CLEAR, DELTA, END, SET, UNKNOWN
from warehouse.tables import QUOTES

N_TICKERS = 200
FEE_UNIT_MICROS = 10_000  # of March 2026
N_SLICE = 2_000


def figures(work: Path) -> Iterator[Figure]:
    """Yield rates of the book and touch kernels, and ratios to plain Python and to polars expressions."""
    yield from _books(work)
    yield from _touch(work)
    yield from _oracle()


def _books(work: Path) -> Iterator[Figure]:
    lake = book_lake(work)
    quotes = lake.quotes().select("ticker", "known_ts", "ask_cc")
    every_tenth = pl.int_range(pl.len()).over("ticker") % 10 == 0
    plan = quotes.select(
        "ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("ask_cc"), ttl="30s").when(every_tenth)
    )
    tickers = set(lake.scan(QUOTES).select("ticker").unique().collect()["ticker"])
    taken = scene(lake, plan, tickers, fills="book")
    tape, n_rows = taken.stage.tape, len(taken.stage.tape.tops)
    on = f"{n_rows:,} book changes of {len(tickers)} sandbox markets"
    tops = timed(lambda: _tops(tape), n_times=20)
    yield Figure(
        what="book tops", value=n_rows / tops.cpu_s / 1e6, unit="M changes/CPU-s", work=on, at_least=100
    )
    first, end = int(tape.offsets[0]), int(tape.offsets[1])
    slow = timed(lambda: _tops_in_python(tape, first, end))
    assert slow.result == list(
        zip(tape.tops["bid_cc"][first:end], tape.tops["ask_cc"][first:end], strict=True)
    )
    ratio = (slow.cpu_s / (end - first)) / (tops.cpu_s / n_rows)
    yield Figure(
        what="... against OrderBook in Python",
        value=ratio,
        unit="times",
        work=f"equal on {end - first:,} changes",
    )
    run(taken.world())
    took = timed(lambda: run(taken.world()), n_times=7)
    on = f"{on}, {len(taken.orders):,} orders that wait 30 s, {len(took.result[0]):,} fills"
    yield Figure(what="simulate, book", value=n_rows / took.cpu_s / 1e6, unit="M changes/CPU-s", work=on)


def _tops(tape: Tape) -> None:
    book_tops(tape.tops, tape.changes, tape.offsets, tape.level_offsets, tape.level_split, tape.level_cc)


def _tops_in_python(tape: Tape, first: int, end: int) -> list[tuple[int, int]]:
    """Walk the changes of the first market with the plain book; return its best bid and ask after each."""
    book, found, is_known, top = OrderBook("slow"), [], False, (0, DOLLAR_CC)
    split = int(tape.level_split[0])
    for op, level, amount in zip(
        *(tape.changes[name][first:end].tolist() for name in ("op", "level", "amount")), strict=True
    ):
        if op == UNKNOWN:
            is_known = False
        elif op == CLEAR:
            book, is_known = OrderBook("slow"), True
        elif op in (SET, DELTA) and is_known:
            cc = int(tape.level_cc[level])
            book.apply_delta(
                "yes" if level < split else "no", cc if level < split else DOLLAR_CC - cc, amount
            )
        assert op in (CLEAR, DELTA, END, SET, UNKNOWN) or not is_known
        if is_known:
            bid, ask = book.best_bid(), book.best_ask()
            top = (bid.price_cc if bid else 0, ask.price_cc if ask else DOLLAR_CC)
        found.append(top)
    return found


def _touch(work: Path) -> Iterator[Figure]:
    lake = tape_lake(work)
    busiest = made_up.tickers()[:1]
    one = _taken(lake, busiest)
    alone = _timed_touch(one)
    yield Figure(
        what="simulate, touch, one market",
        value=_m_orders_per_s(one, alone),
        unit="M orders/CPU-s",
        work=_on(one),
    )
    taken = _taken(lake, made_up.tickers()[10 : 10 + N_TICKERS])
    kernel = _timed_touch(taken)
    fills = kernel.result[0]
    yield Figure(
        what="simulate, touch", value=_m_orders_per_s(taken, kernel), unit="M orders/CPU-s", work=_on(taken)
    )
    asked, tops = _orders_frame(taken), _tops_frame(taken)
    by_polars = timed(lambda: _by_polars(asked, tops), n_times=3)
    filled = by_polars.result
    assert filled["cash"].sum() == fills["cash_micros"].sum()
    assert filled["fee"].sum() == fills["fee_micros"].sum()
    assert len(fills) == filled.height > 0
    yield Figure(
        what="... against polars expressions, CPU",
        value=by_polars.cpu_s / kernel.cpu_s,
        unit="times",
        work="as-of join, cash and fee of the same orders, no purse or equity; below 1, polars is quicker",
        at_least=5,
    )


def _taken(lake: Lake, tickers: list[str]) -> Scene:
    """Buy 10 at every fifth quote, against quotes of unknown size, so that orders are filled whole."""
    is_wanted = (pl.int_range(pl.len()).over("ticker") % 5 == 0) & pl.col("ask_cc").is_not_null()
    intent = bt.buy_yes(10, limit=pl.col("ask_cc")).when(is_wanted)
    plan = lake.quotes(ticker=tickers).select("ticker", "known_ts", intent=intent)
    return scene(Unsized(lake), plan, set(tickers), fills="touch")


def _timed_touch(taken: Scene) -> Timed[tuple[Records, Records]]:
    run(taken.world())
    return timed(lambda: run(taken.world()), n_times=3)


def _m_orders_per_s(taken: Scene, took: Timed[tuple[Records, Records]]) -> float:
    return len(taken.orders) / took.cpu_s / 1e6


def _on(taken: Scene) -> str:
    tape = taken.stage.tape
    return f"{len(taken.orders):,} orders on {len(tape.tops):,} quotes, markets: {len(tape.offsets) - 1}"


def _tops_frame(taken: Scene) -> pl.DataFrame:
    tape = taken.stage.tape
    market = np.repeat(np.arange(len(tape.offsets) - 1, dtype=np.int32), np.diff(tape.offsets))
    columns = {"market": market} | {name: tape.tops[name] for name in ("ts_us", "ask_cc", "is_live")}
    return pl.DataFrame(columns).filter(pl.col("is_live") == 1)


def _orders_frame(taken: Scene) -> pl.DataFrame:
    names = ("market", "arrival_us", "count_centi", "limit_cc", "reason")
    placed = pl.DataFrame({name: np.ascontiguousarray(taken.orders[name]) for name in names})
    return placed.filter(pl.col("reason") == 0)


def _by_polars(asked: pl.DataFrame, tops: pl.DataFrame) -> pl.DataFrame:
    """Fill orders at the ask in force on arrival, whole, with the fee of a single fill in March 2026."""
    price, n = pl.col("ask_cc").cast(pl.Int64), pl.col("count_centi")
    value = price * n
    model = (price * (DOLLAR_CC - price) * n * 7 + 999_999) // 1_000_000
    return (
        asked.lazy()
        .sort("arrival_us")
        .join_asof(
            tops.lazy().sort("ts_us"),
            left_on="arrival_us",
            right_on="ts_us",
            by="market",
            check_sortedness=False,
        )
        .filter(pl.col("ask_cc") <= pl.col("limit_cc"), pl.col("ask_cc") < DOLLAR_CC)
        .select(
            cash=-value,
            fee=(value + model + FEE_UNIT_MICROS - 1) // FEE_UNIT_MICROS * FEE_UNIT_MICROS - value,
        )
        .collect()
    )


def _oracle() -> Iterator[Figure]:
    """Compare with tests/oracles/engine.py on one market, quote for quote and order for order."""
    rows = [
        a_quote(
            i / 4, 4_000 + 100 * (i * 7 % 13), 5_400 + 100 * (i * 5 % 11), sizes=(1_000 + i, 700 + i % 90)
        )
        for i in range(N_SLICE)
    ]
    market = a_market(open_ts=at(-10), close_ts=at(N_SLICE))
    lake = a_lake(markets=[market], quotes=rows)
    asked = [(i / 4 + 0.01, 5_600 + 100 * (i % 5)) for i in range(0, N_SLICE, 20)]
    plan = pl.DataFrame(
        {
            "ticker": ["A"] * len(asked),
            "known_ts": [at(when) for when, _ in asked],
            "limit": [cc for _, cc in asked],
        },
        schema_overrides={"known_ts": pl.Datetime("us", "UTC")},
    ).lazy()
    plan = plan.select("ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("limit"), ttl="20s"))
    taken = scene(lake, plan, {"A"}, fills="touch")
    run(taken.world())
    kernel = timed(lambda: run(taken.world()), n_times=20)
    slow = timed(lambda: _run_oracle(market, rows, asked))
    names = ("order_id", "fill_us", "yes_price_cc", "count_centi", "cash_micros", "fee_micros")
    ours = [tuple(int(each[name]) for name in names) for each in kernel.result[0]]
    assert ours == [tuple(each[name] for name in names) for each in slow.result.fills]
    on = f"{N_SLICE:,} quotes, {len(asked)} orders that wait 20 s, {len(ours)} fills, all equal"
    yield Figure(
        what="simulate, touch, against the slow oracle",
        value=slow.cpu_s / kernel.cpu_s,
        unit="times",
        work=on,
    )


def _run_oracle(
    market: dict[str, object], rows: list[dict[str, object]], asked: list[tuple[float, int]]
) -> Oracle:
    close_us = to_us(market["close_ts"])  # type: ignore[arg-type]
    latency_us, ttl_us = LATENCY // timedelta(microseconds=1), 20_000_000
    orders = [
        Order(
            order_id=i,
            ticker="A",
            arrival_us=to_us(at(when)) + latency_us,
            action="buy",
            side="yes",
            count=1_000,
            limit=cc,
            tif="gtc",
            expiry_us=min(to_us(at(when)) + latency_us + ttl_us, close_us),
            waiting=1_000,
        )
        for i, (when, cc) in enumerate(asked)
    ]
    shown = Market([market], close_us, [], quote_instants(rows, close_us))
    terms = FeeTerms("quadratic", 1_000_000)
    oracle = Oracle({"A": shown}, orders, lambda *_: terms, 10**15)
    oracle.run()
    return oracle
