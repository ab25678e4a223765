"""Orders of a plan as records, against the rules in plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, product
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.intents import INTENT, LIMIT_BETWEEN, LIMIT_MISSING
from backtest.kernels import arrays as codes
from backtest.kernels.arrays import COUNT_MAX_CENTI, DOLLAR_CC, NEVER, TO_LESS, TO_MORE
from backtest.plan import Wanted, numbered, orders
from backtest.rooms import Room
from backtest.venue import Rules
from tests.backtest.worlds import a_lake, a_market, a_plan, a_quote

MARKETS: Final = ("A", "C")  # B is not in the lake
OPEN_US, CLOSE_US = (100, 0), (200, 150)
GRID_STEPS_CC: Final = (100, 1)  # of each market
WAYS: Final = {("buy", "yes"): 1, ("sell", "no"): 1, ("buy", "no"): -1, ("sell", "yes"): -1}
TIFS: Final = {"ioc": codes.IOC, "fok": codes.FOK, "gtc": codes.GTC}
FIELDS: Final = ("market", "arrival_us", "direction", "count_centi", "waiting", "limit_cc", "tif")
MORE_FIELDS: Final = ("expiry_us", "is_post_only", "cancels", "reason")


@dataclass(frozen=True)
class Asked:
    """One intent, in the words of `backtest.intents`."""

    ticker: str
    arrival_us: int
    action: str
    side: str | None
    count_centi: int | None
    limit_cc: int | None
    ttl_us: int | None
    tif: str
    post_only: bool
    replace: bool


def stated(asked: Asked) -> tuple[int, ...]:
    """Return an order's fields, in the order of FIELDS and MORE_FIELDS, by the rules in docs/fills.md."""
    t, price, is_cancel = asked.arrival_us, asked.limit_cc, asked.action == "cancel"
    market = MARKETS.index(asked.ticker) if asked.ticker in MARKETS else -1
    open_us, close_us = (0, NEVER) if market < 0 else (OPEN_US[market], CLOSE_US[market])
    way = WAYS.get((asked.action, asked.side or ""), 0)
    limit = DOLLAR_CC if way > 0 else 0
    if price is not None:
        limit = DOLLAR_CC - price if asked.side == "no" else price
    count = COUNT_MAX_CENTI if asked.count_centi is None else asked.count_centi
    cancels = 0
    if is_cancel:
        cancels = {"yes": TO_MORE, "no": TO_LESS, None: TO_MORE | TO_LESS}[asked.side]
    elif asked.replace:
        cancels = TO_MORE if way > 0 else TO_LESS
    step = GRID_STEPS_CC[market]
    faults = {
        codes.NO_MARKET: market < 0,
        codes.ZERO_COUNT: count == 0,
        codes.TOO_LARGE: count > COUNT_MAX_CENTI,
        codes.NOT_OPEN: t < open_us,
        codes.CLOSED: t >= close_us,
        codes.NO_LIMIT: price == LIMIT_MISSING,
        codes.OFF_GRID: price is not None and not (0 < price < DOLLAR_CC and limit % step == 0),
    }
    reason = next((why for why, is_so in faults.items() if is_so), codes.FILLED)
    size = 0 if is_cancel else count
    ends = min(NEVER if asked.ttl_us is None else t + asked.ttl_us, close_us)
    firsts = (market, t, way, size, size, min(max(limit, 0), DOLLAR_CC), TIFS[asked.tif])
    return (*firsts, ends, int(asked.post_only), cancels, reason)


def placed(rows: list[Asked]) -> list[tuple[int, ...]]:
    """Return the same of the kernel."""
    kinds = {each.name: each.dtype for each in INTENT.fields}
    columns: dict[str, Any] = {name: [getattr(each, name) for each in rows] for name in kinds}
    tickers, number = numbered(pl.Series([each.ticker for each in rows], dtype=pl.String))
    arrivals = pl.Series([each.arrival_us for each in rows], dtype=pl.Int64)
    intents = pl.DataFrame(columns, schema=kinds).with_columns(number=pl.Series(number), arrival_us=arrivals)
    made = orders(Wanted({}, tickers, intents), _rules(), Room())
    names = (*FIELDS, *MORE_FIELDS)
    assert not any(made[name].any() for name in made.dtype.names or () if name not in names)
    return [tuple(int(row[name]) for name in names) for row in made]


def _rules() -> Rules:
    none, prices = pl.DataFrame(), np.arange(DOLLAR_CC + 1)
    allowed = np.stack([(prices % step == 0) & (prices % DOLLAR_CC > 0) for step in GRID_STEPS_CC])
    return Rules(
        markets=pl.DataFrame({"ticker": MARKETS, "open_us": OPEN_US, "close_us": CLOSE_US}),
        places={ticker: place for place, ticker in enumerate(MARKETS)},
        payouts=none,
        pauses=none,
        grid_times=pl.DataFrame({"market": [0, 1], "from_us": [0, 0], "grid": [0, 1]}),
        grids=(None, None),
        allowed=allowed.astype(np.int8),
        assumptions=(),
    )


def every_order() -> Iterator[Asked]:
    """Yield orders of every combination of what decides about them, then closes and cancels."""
    copied = cycle([("ioc", True), ("fok", False), ("gtc", True), ("ioc", False), ("gtc", False)])
    instants = list(product("ABC", (99, 100, 150, 199, 200)))
    counts = (0, 1, COUNT_MAX_CENTI, COUNT_MAX_CENTI + 1)
    limits = (None, LIMIT_BETWEEN, LIMIT_MISSING, 0, 1, 4_700, 4_701, 9_999, DOLLAR_CC, 2**63 - 1)
    for instant, way, count, limit, ttl_us, replace in product(
        instants, WAYS, counts, limits, (None, 50, NEVER), (False, True)
    ):
        tif, post_only = next(copied)
        yield Asked(*instant, *way, count, limit, ttl_us, tif, post_only, replace)
    for instant in instants:
        for action, side in (("close", None), ("cancel", None), ("cancel", "yes"), ("cancel", "no")):
            yield Asked(*instant, action, side, None, None, None, "ioc", post_only=False, replace=False)


def test_orders_are_placed_as_the_rules_say() -> None:
    """Every field; of several reasons to refuse an order, the first counts."""
    rows = list(every_order())
    expected = [stated(each) for each in rows]
    wrong = [each for each in zip(rows, expected, placed(rows), strict=True) if each[1] != each[2]]
    assert not wrong[:3]
    assert {each[-1] for each in expected} == {*range(codes.OFF_GRID + 1), codes.TOO_LARGE}
    assert placed([]) == []


@given(st.lists(st.sampled_from(["B", "A", "ä", "Z", "AA", ""])))
def test_tickers_are_numbered_in_alphabetical_order(tickers: list[str]) -> None:
    known, number = numbered(pl.Series(tickers, dtype=pl.String))
    assert known == sorted(set(tickers))
    assert [known[each] for each in number] == tickers


@pytest.mark.parametrize("basket", [None, "pair"])
def test_tickers_may_be_categories(basket: str | None) -> None:
    """As text, as categories and as an enumeration they are the same plan, with drawn latencies too."""
    lake = a_lake(
        markets=[a_market("A"), a_market("B")],
        quotes=[a_quote(0, 4_000, 6_000, ticker=ticker) for ticker in "AB"],
    )
    plan = a_plan((2, "B", bt.buy_yes(1)), (2, "A", bt.buy_no(1)), (1, "C", bt.buy_yes(1)))
    plan = plan.with_columns(basket=pl.when(pl.col("ticker") != "C").then(pl.lit(basket)))
    latency = bt.sample_latency([timedelta(milliseconds=ms) for ms in (80, 120, 900)], seed=3)
    text, *others = (
        bt.run(plan.with_columns(pl.col("ticker").cast(kind)), lake, fills="touch", latency=latency)
        for kind in (pl.String, pl.Categorical, pl.Enum(["C", "B", "A"]))
    )
    assert sorted(text.orders["ticker"]) == ["A", "B", "C"]
    assert text.baskets.height == (basket is not None)
    for other in others:
        assert all(frame.equals(text.frames[name]) for name, frame in other.frames.items())
        assert other.manifest == text.manifest
