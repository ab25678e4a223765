"""Tapes held in memory: trades in time order beside the array of their times."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter

from exchange.trades import Trade
from exchange.units import to_us


class MemoryTape:
    """Trades in ascending (time, sequence), addressed by rank."""

    def __init__(self, trades: list[Trade], times_us: list[int]) -> None:
        self._trades = trades
        self._times_us = times_us

    def __len__(self) -> int:
        return len(self._trades)

    def span(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the ranks `[first, end)` of trades whose time lies in `[start_us, end_us)`."""
        first = bisect_left(self._times_us, start_us)
        return first, max(first, bisect_left(self._times_us, end_us))

    def rows(self, first: int, end: int) -> Sequence[Trade]:
        """Return the trades of ranks `[first, end)`, oldest first."""
        return self._trades[first:end]

    def add(self, trade: Trade, time_us: int) -> None:
        """Put a trade at the end; it is not older than any other."""
        assert not self._times_us or time_us >= self._times_us[-1], f"{trade.ticker}: a tape does not go back"
        self._trades.append(trade)
        self._times_us.append(time_us)


def tape_of(trades: Iterable[Trade]) -> MemoryTape:
    """Return a tape of trades that are in time order already."""
    kept = list(trades)
    return MemoryTape(kept, [to_us(each.created_ts) for each in kept])


class Tapes:
    """The tape of every market and of the whole exchange, all trades or only one kind, growing together."""

    def __init__(self) -> None:
        self._tapes: dict[tuple[str | None, bool | None], MemoryTape] = {}

    def lay(self, by_ticker: Iterable[tuple[str, list[Trade], list[int]]]) -> None:
        """Lay the tapes of markets; trades of one instant stand in the order in which markets are given."""
        whole: list[tuple[int, int, Trade]] = []
        for ticker, trades, times_us in by_ticker:
            self._tapes[ticker, None] = MemoryTape(trades, times_us)
            whole += zip(times_us, range(len(whole), len(whole) + len(trades)), trades, strict=True)
        whole.sort(key=itemgetter(0, 1))
        self._tapes[None, None] = MemoryTape([row[2] for row in whole], [row[0] for row in whole])

    def of(self, ticker: str | None, *, is_block_trade: bool | None = None) -> MemoryTape:
        """Return one tape; an empty one for a market that has not traded."""
        key = (ticker, is_block_trade)
        if key not in self._tapes:
            if (ticker, None) not in self._tapes:
                return MemoryTape([], [])
            whole = self._tapes[ticker, None]
            kept = whole.rows(0, len(whole))
            self._tapes[key] = tape_of(each for each in kept if each.is_block_trade is is_block_trade)
        return self._tapes[key]

    def add(self, trade: Trade, time_us: int) -> None:
        """Put a new trade at the end of its market's tape and of the exchange's."""
        for ticker in (trade.ticker, None):
            self._tapes.setdefault((ticker, None), MemoryTape([], [])).add(trade, time_us)
            kind = self._tapes.get((ticker, trade.is_block_trade))
            if kind is not None:
                kind.add(trade, time_us)
