"""A tape held in memory: trades in time order beside the array of their times."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from exchange.trades import Trade
from exchange.units import to_us


class MemoryTape:
    """Trades in ascending (time, sequence), addressed by rank."""

    def __init__(self, trades: Sequence[Trade], times_us: Sequence[int]) -> None:
        self._trades = trades
        self._times_us = times_us

    def span(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the ranks `[first, end)` of trades whose time lies in `[start_us, end_us)`."""
        first = bisect_left(self._times_us, start_us)
        return first, max(first, bisect_left(self._times_us, end_us))

    def rows(self, first: int, end: int) -> Sequence[Trade]:
        """Return the trades of ranks `[first, end)`, oldest first."""
        return self._trades[first:end]


def tape_of(trades: Iterable[Trade]) -> MemoryTape:
    """Return a tape of trades that are in time order already."""
    kept = list(trades)
    return MemoryTape(kept, [to_us(each.created_ts) for each in kept])
