"""At which row of the tape the orders of a plan arrive, found for the next few of them abreast.

On a tape that is larger than the processor's caches every step of a search waits for memory. A market's time
lies in buckets of a few rows, so that few steps are left, and as orders know nothing of each other here, many
are asked for at once. What is found is still in the caches when the clock comes to it.
"""

from backtest.kernels.arrays import FILLED, World
from backtest.kernels.handing import fetched
from backtest.kernels.jit import inner


@inner
def find_rows(w: World, begin: int) -> None:
    """Write the last row at or before their arrival into `seen_row` of planned orders from `begin` on.

    It is first_row - 1 where none is. There is room in `w.sought` for as many as are found at once.
    """
    n = min(len(w.sought), w.purse[0].n_planned - begin)
    longest = 1
    for i in range(n):
        order, search = w.orders[begin + i], w.sought[i]
        search.low, search.length, search.until_us = -1, 1, order.arrival_us
        if order.reason == FILLED:
            fetched(w.markets, order.market)
            bucket = w.buckets[order.market]
            k = bucket.first
            if order.arrival_us >= bucket.first_us:
                k += min((order.arrival_us - bucket.first_us) >> bucket.shift, bucket.n - 1)
                search.length += w.starts[k + 1] - w.starts[k]
                longest = max(longest, search.length)
            search.low = w.starts[k] - 1
    while longest > 1:
        for i in range(n):
            search = w.sought[i]
            half = search.length >> 1
            place = max(search.low + half, 0)
            search.low += half if w.tops[place].ts_us <= search.until_us else 0
            search.length -= half
        longest -= longest >> 1
    for i in range(n):
        order, row = w.orders[begin + i], w.sought[i].low
        order.seen_row = row
        if len(w.sizes) > 0 and order.reason == FILLED:
            fetched(w.sizes, max(row, 0))
            fetched(w.levels, w.markets[order.market].first_level)
    w.purse[0].n_sought = begin + n
