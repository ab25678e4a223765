"""The kernels against the slow oracle: small random worlds, every frame compared with ==."""

from datetime import timedelta
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.kernels.arrays import QUEUES
from backtest.latency import Latency
from backtest.results import Run
from tests.backtest.histories import (
    OTHER_ROUNDINGS,
    THURSDAYS,
    an_exclusive_event,
    hedges,
    later,
    with_a_past,
)
from tests.backtest.random_worlds import (
    OTHER_SERIES,
    TABLES_OF,
    TICKERS,
    Wish,
    a_slippage,
    book_rows,
    dated_fees,
    intent,
    last_rows,
    market_rows,
    patient,
    queue_tables,
    quote_tables,
    wishes,
    with_a_combo,
    with_baskets,
)
from tests.backtest.slow_runs import ONE_SECOND, Setting, assert_same, oracle, part_of
from tests.backtest.worlds import SERIES, MemoryLake, a_lake, a_plan, a_series, at, settled
from tests.oracles.engine import Oracle

SLOW = settings(max_examples=25)
SEEDS = st.integers(0, 2**40)  # worlds from seeds: rich from the start, and one number replays them


SWEPT = ({"times": 1, "first": 0}, {"times": 3, "first": 1}, {"times": 2, "first": 0})


def compare(
    lake: MemoryLake,
    plan: list[Wish],
    rng: Random,
    *,
    fills: str,
    queue: str | None = None,
    exclusive: bool = False,
) -> tuple[Run, Oracle]:
    """Run both engines with a past of the markets, and a purse and caps that sometimes bind.

    All rows of a sweep are compared; the slow run that is returned is of the last.
    """
    slippage = a_slippage(rng) if fills == "trades" or (fills == "touch" and rng.random() < 0.5) else None
    by = timedelta(0)
    if exclusive:
        lake = MemoryLake({**lake.rows, "events": [an_exclusive_event("E")]})
    else:
        plan = [*plan, *hedges(rng)] if rng.random() < 0.4 else plan
        plan = [*plan, *wishes(rng, 60)] if rng.random() < 0.05 else plan
        by = rng.choice([by] * 6 + [*THURSDAYS, *OTHER_ROUNDINGS])
        has_one_grid = slippage is not None
        lake = later(dated_fees(rng, with_a_past(rng, lake, has_one_grid=has_one_grid)).rows, by)
    plan = [*wishes(rng, 1), *plan] if "basket" in plan[0][2] else plan  # a sweep drops the first row
    lake, plan = with_a_combo(rng, lake, plan)
    off_s = rng.choice([0] * 6 + [0.25, 1e-6, -1e-6])
    plan = [(at_s + off_s, ticker, order) for at_s, ticker, order in plan]
    setting = a_setting(rng, plan, fills=fills, queue=queue, slippage=slippage, by=by, netting=exclusive)
    params = SWEPT if rng.random() < 0.3 else SWEPT[:1]
    given = setting.arguments
    if slippage and rng.random() < 0.3:
        given["slippage"] = dict.fromkeys((SERIES, OTHER_SERIES), slippage)
    run = bt.run(a_sweep(plan, by), lake, params=pl.DataFrame(params), **given)
    tickers = [ticker for _, ticker, _ in plan]
    for row in params:
        slow = oracle(lake, swept(plan, **row), setting, tickers)
        assert_same(part_of(run, row), slow, lake, tickers)
    return run, slow


def a_setting(
    rng: Random,
    plan: list[Wish],
    *,
    fills: str,
    queue: str | None,
    slippage: bt.Slippage | None,
    by: timedelta,
    netting: bool,
) -> Setting:
    """Return terms that sometimes bind, and what else both engines are told."""
    legs = [order for _, _, order in plan if "basket" in order]
    ways = ["together", "one by one"] if legs and all(leg["tif"] != "gtc" for leg in legs) else ["together"]
    drawn = Latency((1_000, 250_000, 1_000_000, 1_000_001, 6_000_000), rng.randrange(9))
    return Setting(
        fills=fills,
        cash=rng.choice([3, 12, 1_000]),
        queue=queue,
        per_event=rng.choice([None, None, 2, 8, 0]),
        per_series=rng.choice([None, None, None, 6, 6, 0]),
        netting=netting or rng.random() < 0.5,
        legs=rng.choice(ways),
        latency=rng.choice([ONE_SECOND, ONE_SECOND, drawn]),
        slippage=slippage,
        extra_ticks=rng.choice([0, 1, 3]) if fills == "touch" and slippage is None else 0,
        refill_s=rng.choice([None, None, 3, 10]),
        max_age_s=rng.choice([None, None, 1, 4]) if fills == "touch" else None,
        by=by,
    )


def a_sweep(plan: list[Wish], by: timedelta) -> pl.LazyFrame:
    """Return the plan as a user would write it, of `times` the counts, from row `first` on."""
    times, first = bt.param("times", pl.Int64), bt.param("first", pl.Int64)
    asked = a_plan(*((at_s, ticker, intent(order, times)) for at_s, ticker, order in plan))
    if any("basket" in order for _, _, order in plan):
        asked = asked.with_columns(basket=pl.Series([order.get("basket") for _, _, order in plan]))
    intents = pl.when(pl.int_range(pl.len()) * times >= first * times).then("intent")
    return asked.with_columns(pl.col("known_ts") + by, intent=intents)


def swept(plan: list[Wish], *, times: int, first: int) -> list[Wish]:
    """Return what that comes to."""
    return [
        (at_s, ticker, order | {"count": times * order["count"]})
        if "count" in order
        else (at_s, ticker, order)
        for at_s, ticker, order in plan[first:]
    ]


@SLOW
@given(SEEDS, st.sampled_from(["touch", "touch", "mid"]))
def test_touch_fills_equal_the_oracle(seed: int, fills: str) -> None:
    """Traps 3, 8, 10, 25, 26: sizes, latency, empty sides, one purse, reservations, all at once."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **quote_tables(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills=fills)


@settings(SLOW, max_examples=20)
@given(SEEDS)
def test_fills_at_the_last_trades_equal_the_oracle(seed: int) -> None:
    """Traps 1, 7, 13: never at the last trade alone, own size costs, prices on the grid and inside (0, 1)."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **last_rows(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills="trades")


@SLOW
@given(SEEDS)
def test_book_fills_equal_the_oracle(seed: int) -> None:
    """Traps 3, 7, 17: depth is finite, what we took stays taken, a hole blinds until the next snapshot."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **book_rows(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills="book")


@SLOW
@given(SEEDS, st.sampled_from(list(QUEUES)))
def test_queue_fills_equal_the_oracle(seed: int, queue: str) -> None:
    """Traps 4, 5, 6, 21: only trades fill, each once, at the posted price, after what is ahead."""
    rng = Random(seed)
    terms = a_series(fee_type=rng.choice(["quadratic", "quadratic_with_maker_fees"]))
    tables = queue_tables(rng)
    lake = a_lake(markets=market_rows(rng), series=[terms], **tables)
    compare(lake, with_baskets(rng, patient(rng)), rng, fills="queue", queue=queue)


@SLOW
@given(SEEDS, st.booleans())
def test_netting_equals_the_oracle(seed: int, can_owe: bool) -> None:  # noqa: FBT001 -- drawn
    """Traps 37, 39: NO in three exclusive markets, which settle one after the other, now and then void."""
    rng = Random(seed)
    values = rng.choice([(0, 0, 0), (10_000, 0, 0), (0, 10_000, 0), (3_300, 3_300, 3_300)])
    values = (5_000, 5_000, 5_000) if can_owe and rng.random() < 0.3 else values
    markets = [
        settled(
            ticker,
            pays_cc=value,
            event_ticker="E",
            open_ts=at(-5),
            close_ts=at(40),
            settlement_ts=at(rng.randint(20, 60)),
        )
        for ticker, value in zip(TICKERS, values, strict=True)
    ]
    plan = [wish for _ in range(2) for wish in hedges(rng)]
    plan = [*plan, *wishes(rng, 4)] if can_owe else plan
    series = [a_series(ppm=rng.choice([0, 1_000_000]))]
    lake = a_lake(markets=markets, series=series, **quote_tables(rng))
    _, slow = compare(lake, plan, rng, fills="touch", exclusive=True)
    assert can_owe or not slow.is_owing


@pytest.mark.long
def test_the_random_worlds_reach_every_kind_of_outcome() -> None:
    """A comparison proves only what it exercises: partial, late, multi-level fills and all reasons occur."""
    reasons: set[str | None] = set()
    evidence: set[str] = set()
    n_late = n_several = n_settled = n_flipped = n_sets = n_stranded = 0
    for seed in range(320):
        rng = Random(seed)
        fills = ("touch", "book", "queue", "trades", "mid")[seed % 5]
        markets, tables, plan, queue = market_rows(rng), TABLES_OF[fills](rng), wishes(rng), None
        if fills == "queue":
            plan, queue = patient(rng), rng.choice(list(QUEUES))
        plan = with_baskets(rng, plan)
        run, _ = compare(a_lake(markets=markets, **tables), plan, rng, fills=fills, queue=queue)
        reasons |= set(run.orders["reason"])
        evidence |= set(run.fills["evidence"])
        n_late += run.fills.filter(pl.col("fill_ts") > pl.col("arrival_ts")).height
        n_several += run.fills.filter(pl.struct(*SWEPT[0], "order_id").is_duplicated()).height
        n_settled += run.settlements.height
        n_sets += run.baskets.filter(pl.col("complete_centi") > 0).height
        n_stranded += run.baskets.filter(pl.col("n_stranded") > 0).height
        n_flipped += run.fills.filter(pl.col("cash_micros") > 0).height
    assert reasons >= {None, "closed", "not open", "off-grid limit", "unknown market", "nothing held"}
    assert reasons >= {"book unknown", "no cash", "event cap", "beyond limit", "no size left"}
    assert reasons >= {"fill or kill", "expired", "post only", "cancelled", "nothing waits"}
    assert reasons >= {"paused", "series cap", "leg before unfilled"}
    assert evidence == {
        "mid",
        "touch",
        "touch:no-size",
        "touch:crossed",
        "touch:impact",
        "trades",
        "trades:impact",
        "trades:crossed",
        "book",
        "book:crossed",
        "queue",
        "queue:through",
    }
    assert min(n_late, n_several, n_settled, n_flipped, n_sets, n_stranded) >= 5


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_two_thousand_worlds_equal_the_oracle(part: int) -> None:
    """Every kind of fill, every place in the queue, seeds that no other test uses."""
    for seed in range(10_000 + 250 * part, 10_250 + 250 * part):
        rng = Random(seed)
        fills = ("touch", "book", "queue", "queue", "trades", "mid")[seed % 6]
        markets = market_rows(rng)
        terms = a_series(fee_type=rng.choice(["quadratic", "quadratic_with_maker_fees"]))
        tables = TABLES_OF[fills](rng)
        plan = with_baskets(rng, patient(rng) if fills == "queue" else wishes(rng))
        queue = rng.choice(list(QUEUES)) if fills == "queue" else None
        compare(a_lake(markets=markets, series=[terms], **tables), plan, rng, fills=fills, queue=queue)
