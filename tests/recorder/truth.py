"""What the sandbox's books were at every instant, and whether a lake says so wherever it says anything."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from exchange.books import OrderBook
from exchange.units import to_us
from sandbox.world import World
from warehouse import Lake
from warehouse.tables import BOOK_SNAPSHOTS

Levels = tuple[tuple[Any, ...], tuple[Any, ...]]


@dataclass(slots=True)
class Verdict:
    """How many events of books were compared, how many lay in declared gaps, and what was wrong."""

    n_known: int = 0
    n_unknown: int = 0
    wrong: list[str] = field(default_factory=list)


class Truth:
    """The states of one market's book, in order: the i-th holds from `times_us[i]` on."""

    def __init__(self, world: World, ticker: str) -> None:
        book = OrderBook(ticker)
        self.times_us = [0]
        self.states = [levels_of(book)]

        def hear(time_us: int, side: Any, price_cc: int, delta_centi: int) -> None:  # noqa: ANN401 - a Side
            book.apply_delta(side, price_cc, delta_centi)
            self.times_us.append(time_us)
            self.states.append(levels_of(book))

        world.listen(ticker, hear)

    def was(self, levels: Levels, at_us: int, within_us: int) -> bool:
        """Tell whether the book was so at any time of the `within_us` before `at_us`."""
        first = max(bisect_right(self.times_us, at_us - within_us) - 1, 0)
        return levels in self.states[first : bisect_right(self.times_us, at_us)]


def levels_of(book: OrderBook) -> Levels:
    return tuple(book.levels("yes")), tuple(book.levels("no"))


def judged(lake: Lake, world: World, tickers: Sequence[str], within_us: int) -> Verdict:
    """Replay every stream of the lake, event by event, and compare each known book with the sandbox's.

    A frame comes up to `within_us` after what it tells. A delta that is missing and not declared makes every
    later book of its stream a wrong one.
    """
    stored = set(lake.scan(BOOK_SNAPSHOTS).select("ticker").collect().to_series())
    events = lake.book_events(sorted(stored & set(tickers)))
    gaps: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for gap in events.gaps.iter_rows(named=True):
        until = None if gap["until_ts"] is None else to_us(gap["until_ts"])
        gaps.setdefault((gap["ticker"], gap["session"]), []).append((to_us(gap["from_ts"]), until))
    verdict, truths = Verdict(), {ticker: Truth(world, ticker) for ticker in tickers}
    streams: dict[tuple[str, str, int], list[tuple[int, int, dict[str, Any]]]] = {}
    for kind, frame in enumerate((events.snapshots, events.deltas)):
        for row in frame.iter_rows(named=True):
            streams.setdefault((row["ticker"], row["session"], row["sid"]), []).append(
                (row["seq"], kind, row)
            )
    for (ticker, session, _), rows in streams.items():
        of = gaps.get((ticker, session), [])
        for known_us, levels in _states(ticker, sorted(rows, key=lambda row: row[:2])):
            # A gap begins with the last event before it, which is still known.
            if any(start < known_us and (until is None or known_us < until) for start, until in of):
                verdict.n_unknown += 1
                continue
            verdict.n_known += 1
            if not truths[ticker].was(levels, known_us, within_us):
                verdict.wrong.append(f"{ticker} in {session} at {known_us}")
    return verdict


def _states(ticker: str, rows: Sequence[tuple[int, int, dict[str, Any]]]) -> Iterator[tuple[int, Levels]]:
    book, is_begun = OrderBook(ticker), False
    for _, kind, row in rows:
        if kind == 0:
            book = OrderBook(ticker)
            book.apply_snapshot(
                zip(row["yes_prices_cc"], row["yes_counts_centi"], strict=True),
                zip(row["no_prices_cc"], row["no_counts_centi"], strict=True),
            )
            is_begun = True
        else:
            book.apply_delta(row["side"], row["price_cc"], row["delta_centi"])
        if is_begun:
            yield to_us(row["known_ts"]), levels_of(book)
