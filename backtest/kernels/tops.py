"""The top of the book after every change, in one pass over a book tape: about 5 ns a row."""

from typing import Final

import numpy as np

from backtest.kernels.arrays import CLEAR, DELTA, DOLLAR_CC, END, I64, IGNORED, SET, UNKNOWN, Records
from backtest.kernels.jit import entry, inner

# As in clock.py.
MADE_WITH: Final = "069adb4e1142"


@inner
def _best(size: I64, k: int, end: int) -> int:
    while k < end and size[k] == 0:
        k += 1
    return k


@entry
def book_tops(
    tops: Records, changes: Records, offsets: I64, level_offsets: I64, level_split: I64, level_cc: I64
) -> None:
    """Fill bid, ask and is_live of a book's rows from its changes, and mark changes of unknown books ignored.

    `offsets` and `level_offsets` bound the rows and levels of each market; its bids end at `level_split`.
    """
    size = np.zeros(len(level_cc), np.int64)
    for m in range(len(offsets) - 1):
        lo, split, hi = level_offsets[m], level_split[m], level_offsets[m + 1]
        bid, ask, is_known = split, hi, 0
        top_bid, top_ask = 0, DOLLAR_CC
        for r in range(offsets[m], offsets[m + 1]):
            change, op = changes[r], changes[r].op
            if op == UNKNOWN:
                is_known = 0
            elif op == CLEAR:
                for k in range(lo, hi):
                    size[k] = 0
                bid, ask, is_known = split, hi, 1
            elif op == DELTA and not is_known:
                change.op = IGNORED
            elif op != END:
                k = change.level
                size[k] = change.amount if op == SET else max(0, size[k] + change.amount)
                bid = _best(size, min(bid, k), split) if k < split else bid
                ask = _best(size, min(ask, k), hi) if k >= split else ask
            if is_known:
                top_bid = level_cc[bid] if bid < split else 0
                top_ask = level_cc[ask] if ask < hi else DOLLAR_CC
            is_last = r + 1 == offsets[m + 1] or tops[r + 1].ts_us > tops[r].ts_us
            top = tops[r]
            top.bid_cc, top.ask_cc = top_bid, top_ask
            top.is_live = 1 if is_known and is_last and top_bid < top_ask else 0
