"""Where orders of a plan arrive on the tape, found for many at once, against one search for each."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backtest.kernels import seeking
from backtest.kernels.arrays import (
    BUCKET_ROWS,
    FILLED,
    LEVEL,
    MARKET,
    NO_MARKET,
    ORDER,
    PURSE,
    SEARCH,
    SIZE,
    TOP,
    Records,
)
from backtest.kernels.buckets import bucketed

N_ABREAST = 5
IN_PYTHON: Any = seeking.find_rows  # where every index is looked at
LENGTHS = st.one_of(st.sampled_from([0, 1, BUCKET_ROWS, 2 * BUCKET_ROWS]), st.integers(0, 40 * BUCKET_ROWS))
LAST_US = st.sampled_from([10, 11, 1_000, 10**6, 10**15])


def named(n: int, kind: "np.dtype[np.void]") -> Records:
    """Return records of zeros whose fields are attributes, as they are in kernels."""
    return np.zeros(n, kind).view(np.recarray)


@settings(max_examples=60)
@example([2 * BUCKET_ROWS, 0], 1, 1_000)
@given(st.lists(LENGTHS, min_size=1, max_size=5), st.integers(0, 2**32), LAST_US)
def test_an_order_arrives_at_the_last_row_before_it(lengths: list[int], seed: int, last_us: int) -> None:
    """Of markets with none, few or many rows, in bursts and at equal times too.

    Orders in no market are passed over.
    """
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *lengths])
    half = np.sort(rng.integers(10, last_us + 1, 2))  # as many rows between these as in all of the time
    tops = named(offsets[-1], TOP)
    for first, n in zip(offsets, lengths, strict=False):
        bounds = np.where(rng.random((n, 1)) < 0.5, half, [10, last_us])
        tops["ts_us"][first : first + n] = np.sort(rng.integers(bounds[:, 0], bounds[:, 1] + 1))
    n = int(rng.integers(1, 2 * N_ABREAST))
    orders, purse = named(n, ORDER), named(1, PURSE)
    near_us = rng.choice(np.append(tops["ts_us"], last_us), n) + rng.integers(-1, 2, n)
    orders["arrival_us"] = np.sort(np.where(rng.random(n) < 0.5, near_us, rng.integers(5, last_us + 10, n)))
    orders["market"] = rng.integers(-1, len(lengths), n)
    orders["reason"] = np.where(orders["market"] < 0, NO_MARKET, FILLED)
    purse["n_planned"] = n
    buckets, starts = bucketed(tops.view(np.ndarray), offsets)
    world = SimpleNamespace(
        tops=tops,
        buckets=buckets.view(np.recarray),
        starts=starts,
        sought=named(N_ABREAST, SEARCH),
        sizes=named(len(tops), SIZE),
        markets=named(len(lengths), MARKET),
        levels=named(1, LEVEL),
        orders=orders,
        purse=purse,
    )
    with mock.patch.object(seeking, "fetched"):
        while purse["n_sought"][0] < n:
            IN_PYTHON.py_func(world, int(purse["n_sought"][0]))
    assert purse["n_sought"][0] == n
    for order in orders[orders["reason"] == FILLED]:
        first, end = offsets[order["market"]], offsets[order["market"] + 1]
        before = np.searchsorted(tops["ts_us"][first:end], order["arrival_us"], side="right")
        assert order["seen_row"] == first + before - 1
