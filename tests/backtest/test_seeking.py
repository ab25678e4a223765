"""Where orders of a plan arrive on the tape, found for many at once, against one search for each."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backtest.kernels.arrays import (
    COARSE,
    FILLED,
    MARKET,
    NO_MARKET,
    ORDER,
    PURSE,
    SEARCH,
    SIZE,
    TOP,
    Records,
)
from backtest.kernels.seeking import find_rows

N_ABREAST = 5
IN_PYTHON: Any = find_rows  # where every index is looked at
LENGTHS = st.one_of(st.sampled_from([0, 1, COARSE, 2 * COARSE]), st.integers(0, 5 * COARSE))


def named(n: int, kind: "np.dtype[np.void]") -> Records:
    """Return records of zeros whose fields are attributes, as they are in kernels."""
    return np.zeros(n, kind).view(np.recarray)


@settings(max_examples=60)
@example([2 * COARSE, 0], 1)
@given(st.lists(LENGTHS, min_size=1, max_size=5), st.integers(0, 2**32))
def test_an_order_arrives_at_the_last_row_before_it(lengths: list[int], seed: int) -> None:
    """Of markets with none, few or many rows, at equal times too; orders in no market are passed over."""
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *lengths])
    parts = [np.sort(rng.integers(10, 10 + 2 * n, n)) for n in lengths if n]
    tops, markets = named(offsets[-1], TOP), named(len(lengths), MARKET)
    tops["ts_us"] = np.concatenate([np.zeros(0, np.int64), *parts])
    markets["first_row"], markets["end_row"] = offsets[:-1], offsets[1:]
    n = int(rng.integers(1, 2 * N_ABREAST))
    orders, purse = named(n, ORDER), named(1, PURSE)
    orders["arrival_us"] = np.sort(rng.integers(5, 20 + 2 * max(lengths), n))
    orders["market"] = rng.integers(-1, len(lengths), n)
    orders["reason"] = np.where(orders["market"] < 0, NO_MARKET, FILLED)
    purse["n_planned"] = n
    world = SimpleNamespace(
        tops=tops,
        coarse_us=tops["ts_us"][::COARSE],
        sought=named(N_ABREAST, SEARCH),
        sizes=named(0, SIZE),
        markets=markets,
        orders=orders,
        purse=purse,
    )
    while purse["n_sought"][0] < n:
        IN_PYTHON.py_func(world, int(purse["n_sought"][0]))
    assert purse["n_sought"][0] == n
    for order in orders[orders["reason"] == FILLED]:
        first, end = offsets[order["market"]], offsets[order["market"] + 1]
        before = np.searchsorted(tops["ts_us"][first:end], order["arrival_us"], side="right")
        assert order["seen_row"] == first + before - 1
