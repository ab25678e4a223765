"""Orders as the clock takes them, from the columns of what was wanted: about 20 ns an order."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from backtest.kernels.arrays import (
    BUY,
    CANCEL,
    CLOSE,
    CLOSED,
    COUNT_MAX_CENTI,
    DOLLAR_CC,
    FILLED,
    I8,
    I64,
    NEVER,
    NO,
    NO_LIMIT,
    NO_MARKET,
    NO_SIDE,
    NOT_OPEN,
    OFF_GRID,
    SELL,
    TO_LESS,
    TO_MORE,
    TOO_LARGE,
    YES,
    ZERO_COUNT,
    Flags,
    Records,
)
from backtest.kernels.jit import entry, inner

# As in clock.py.
MADE_WITH: Final = "b26770792804"
LIMIT_MISSING: Final = -1  # as in intents.py

U8 = npt.NDArray[np.uint8]


class Columns(NamedTuple):
    """Intents, one in each row; null is NO_SIDE, NEVER for ttl, COUNT_MAX_CENTI for count, 0 for limit."""

    arrival_us: I64
    action: U8
    side: U8
    count_centi: I64
    limit_cc: I64
    has_limit: Flags
    ttl_us: I64
    tif: U8
    is_post_only: Flags
    is_replacing: Flags


@inner
def _way(action: int, side: int) -> int:
    """Return +1 towards more YES, -1 towards less, 0 for close and cancel."""
    if action in (CLOSE, CANCEL):
        return 0
    return 1 if (action == BUY) == (side == YES) else -1


@inner
def _cancelled(action: int, side: int) -> int:
    """Return which waiting orders go, as bits: those that acquire the same; who sells YES acquires NO."""
    if side == NO_SIDE:
        return TO_MORE | TO_LESS
    return TO_MORE if (side == YES) != (action == SELL) else TO_LESS


@inner
def _refusal(count: int, t: int, open_us: int, close_us: int, given: int, may_stand: bool) -> int:  # noqa: FBT001 -- a kernel
    """Return why an order in a known market cannot even reach the book; `given`: its limit, 0 without."""
    if count == 0:
        return ZERO_COUNT
    if count > COUNT_MAX_CENTI:
        return TOO_LARGE
    if t < open_us:
        return NOT_OPEN
    if t >= close_us:
        return CLOSED
    if given == LIMIT_MISSING:
        return NO_LIMIT
    return FILLED if may_stand else OFF_GRID


@entry
def place(
    placed: Records, wanted: Columns, market: I64, grid: I64, open_us: I64, close_us: I64, allowed: I8
) -> None:
    """Place an order for each row of what is wanted; what cannot even reach the book has its reason already.

    Args:
        placed: as many zeros, the orders.
        wanted: in order of arrival.
        market: of each order, -1 where the lake lacks it.
        grid: of prices, of each order.
        open_us: of each market.
        close_us: of each market.
        allowed: (grids, 10_001), 1 where a limit may stand.
    """
    for i in range(len(market)):
        order, m, t = placed[i], market[i], wanted.arrival_us[i]
        action, side, given, ttl = wanted.action[i], wanted.side[i], wanted.limit_cc[i], wanted.ttl_us[i]
        way = _way(action, side)
        close = close_us[m] if m >= 0 else NEVER
        limit, may_stand = DOLLAR_CC if way > 0 else 0, True
        if wanted.has_limit[i]:
            limit = DOLLAR_CC - given if side == NO else given
            may_stand = 0 < given < DOLLAR_CC and allowed[grid[i], limit] == 1
        count = 0 if action == CANCEL else wanted.count_centi[i]
        order.market, order.arrival_us, order.direction = m, t, way
        order.limit_cc = min(max(limit, 0), DOLLAR_CC)
        order.count_centi = order.waiting = count
        order.tif, order.is_post_only = wanted.tif[i], wanted.is_post_only[i]
        order.expiry_us = min(t + ttl if ttl < NEVER - t else NEVER, close)
        if action == CANCEL or wanted.is_replacing[i]:
            order.cancels = _cancelled(action, side)
        order.reason = NO_MARKET
        if m >= 0:
            asked = 1 if action == CANCEL else count
            order.reason = _refusal(asked, t, open_us[m], close, given, may_stand)
