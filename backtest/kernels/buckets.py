"""Which rows of a market lie in which part of its time, so that a time is found in few steps."""

from typing import Final

import numpy as np

from backtest.kernels.arrays import BUCKET_ROWS, BUCKETS, I32, I64, NEVER, Records
from backtest.kernels.jit import entry

# As in clock.py.
MADE_WITH: Final = "b26770792804"


@entry
def bucketed(tops: Records, offsets: I64) -> tuple[Records, I32]:
    """Return the buckets of each market and the rows at which they begin, as `World` has them.

    A market without rows has none, and says where its rows would begin.
    """
    buckets, n = np.zeros(len(offsets) - 1, BUCKETS), 0
    for m in range(len(buckets)):
        bucket, first, end = buckets[m], offsets[m], offsets[m + 1]
        bucket.first, bucket.first_us = n, NEVER
        if first < end:
            bucket.first_us = tops[first].ts_us
            length_us, most = tops[end - 1].ts_us - bucket.first_us, max(1, (end - first) // BUCKET_ROWS)
            while length_us >> bucket.shift >= most:
                bucket.shift += 1
            bucket.n = (length_us >> bucket.shift) + 1
        n += bucket.n + 1
    starts = np.empty(n, np.int32)
    for m in range(len(buckets)):
        bucket, k = buckets[m], buckets[m].first
        for r in range(offsets[m], offsets[m + 1]):
            last = bucket.first + ((tops[r].ts_us - bucket.first_us) >> bucket.shift)
            while k <= last:
                starts[k] = r
                k += 1
        starts[k] = offsets[m + 1]
    return buckets, starts
