"""Which markets to watch: those that were named, those of series, and the most active ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exchange.units import parse_centi
from pipelines.client import Client

if TYPE_CHECKING:
    from pipelines.client.wire import Market

OVER: Final = frozenset({"closed", "determined", "disputed", "amended", "finalized", "settled"})
"""States in which a market has no book any more [KALSHI.md §9; market lifecycle page of 2026-06-01]."""

RELISTS_PER_RANKING: Final = 10
"""The most active markets are only found by listing all of them, so that is done every so many times."""

_NAMED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What was asked for; `most_active` is how many markets with the largest 24-hour volume, combos aside."""

    tickers: Sequence[str] = ()
    series: Sequence[str] = ()
    most_active: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was asked for."""
        return not (self.tickers or self.series or self.most_active)


@dataclass(slots=True)
class Lister:
    """Asks the exchange, time after time, what is open of a Watch.

    A market that is watched is watched until it is over; of the most active ones at most twice as many as
    were asked for, and then the least active leave.
    """

    client: Client
    watch: Watch
    _n_listed: int = 0
    _ranked: list[str] = field(default_factory=list)

    async def look(self, watched: set[str]) -> tuple[list[str], list[str]]:
        """Return which markets to watch now, and which of those watched to leave.

        Raises:
            KalshiError: the exchange cannot be asked; what is watched stays as it is.
        """
        wanted = dict.fromkeys(self.watch.tickers)
        for series in self.watch.series:
            async for page in self.client.markets(series_ticker=series, status="open"):
                wanted |= dict.fromkeys(each.ticker for each in page)
        if self.watch.most_active and self._n_listed % RELISTS_PER_RANKING == 0:
            self._ranked = await self._ranking()
        self._n_listed += 1
        wanted |= dict.fromkeys(self._ranked[: self.watch.most_active])
        unsure = [*dict.fromkeys([*self.watch.tickers, *sorted(watched - wanted.keys())])]
        over = await self._over(unsure)
        leaving = [ticker for ticker in unsure if ticker in over and ticker in watched]
        leaving += self._least_active(watched - set(leaving) - wanted.keys())
        return [ticker for ticker in wanted if ticker not in over], leaving

    async def _ranking(self) -> list[str]:
        volumes: dict[str, int] = {}
        async for page in self.client.markets(status="open", mve_filter="exclude"):
            volumes |= {each.ticker: parse_centi(each.volume_24h_fp) for each in page}
        return sorted(volumes, key=lambda ticker: (-volumes[ticker], ticker))

    async def _over(self, tickers: Sequence[str]) -> set[str]:
        found: dict[str, Market] = {}
        for start in range(0, len(tickers), _NAMED_AT_ONCE):
            async for page in self.client.markets(tickers=tickers[start : start + _NAMED_AT_ONCE]):
                found |= {each.ticker: each for each in page}
        # One that the live tier does not know is archived, or never was.
        return {ticker for ticker in tickers if ticker not in found or found[ticker].status in OVER}

    def _least_active(self, spare: Iterable[str]) -> list[str]:
        rank = {ticker: number for number, ticker in enumerate(self._ranked)}
        if not self.watch.most_active:
            return []
        by_rank = sorted(spare, key=lambda ticker: rank.get(ticker, len(rank)))
        return by_rank[self.watch.most_active :]
