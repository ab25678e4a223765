"""At which row of the tape the orders of a plan arrive, found for the next few of them abreast.

On a tape that is larger than the processor's caches every step of a search waits for memory. Orders know
nothing of each other here, so that many steps are asked for at once: it takes half of the time. What is found
is still in the caches when the clock comes to it.
"""

from backtest.kernels.arrays import COARSE, FILLED, World
from backtest.kernels.handing import fetched
from backtest.kernels.jit import inner

_HALVINGS = COARSE.bit_length() - 1


@inner
def find_rows(w: World, begin: int) -> None:
    """Write the last row at or before their arrival into `seen_row` of planned orders from `begin` on.

    It is first_row - 1 where none is. There is room in `w.sought` for as many as are found at once.
    """
    n = min(len(w.sought), w.purse[0].n_planned - begin)
    longest = 0
    for i in range(n):
        order, search = w.orders[begin + i], w.sought[i]
        search.low = search.length = 0
        search.until_us = order.arrival_us
        if order.reason == FILLED:
            market = w.markets[order.market]
            # Of the last market without a row no coarse one may be there.
            search.low = min(market.first_row, len(w.tops) - 1) // COARSE
            search.length = (market.end_row - 1) // COARSE + 1 - search.low
            longest = max(longest, search.length)
    while longest > 1:
        for i in range(n):
            search = w.sought[i]
            half = search.length >> 1
            search.low += half if w.coarse_us[search.low + half] <= search.until_us else 0
            search.length -= half
        longest -= longest >> 1
    for i in range(n):
        order, search = w.orders[begin + i], w.sought[i]
        if order.reason == FILLED:
            market, end = w.markets[order.market], (search.low + 1) * COARSE
            search.low = max(search.low * COARSE, market.first_row)
            search.length = min(end, market.end_row) - search.low
    for _ in range(_HALVINGS if len(w.tops) > 0 else 0):
        for i in range(n):
            search = w.sought[i]
            half = search.length >> 1
            place = min(search.low + half, len(w.tops) - 1)
            search.low += half if w.tops[place].ts_us <= search.until_us else 0
            search.length -= half
    for i in range(n):
        order, search = w.orders[begin + i], w.sought[i]
        if order.reason == FILLED:
            is_there = search.length == 1 and w.tops[search.low].ts_us <= search.until_us
            order.seen_row = search.low if is_there else w.markets[order.market].first_row - 1
            if is_there and len(w.sizes) > 0:
                fetched(w.sizes, search.low)
    w.purse[0].n_sought = begin + n
