"""What a source lists, indexed once: which market belongs where, and in which tier it is.

Tiers overlap a little, as they do on the exchange: what was settled or traded within six hours after the
cutoff is in both.
Source: KALSHI.md §5.7 and §17 (page historical_data, 2026-09-30; third-party notes, 2026-09).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from exchange.markets import Event, Market
from sandbox.encoding import Json, market_json
from sandbox.source import Source

OVERLAP: Final = timedelta(hours=6)
DAY: Final = timedelta(days=1)
COMBO_PREFIX: Final = "KXMVE"


class Catalog:
    """A source and its indexes; rows keep the source's order, oldest first."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.now_ts = source.now_ts
        self.series = {each.ticker: each for each in source.series()}
        self.event_rows = source.events()
        self.events = {each.ticker: each for each in self.event_rows}
        self.market_rows = source.markets()
        self.markets = {each.ticker: each for each in self.market_rows}
        self._by_event: dict[str, list[Market]] = defaultdict(list)
        self._by_series: dict[str, list[Market]] = defaultdict(list)
        for market in self.market_rows:
            self._by_event[market.event_ticker].append(market)
            self._by_series[self.series_ticker(market)].append(market)
        self._told: dict[tuple[str, bool], Json] = {}

    def series_ticker(self, market: Market) -> str:
        """Return the series of a market: through its event, for tickers are not to be parsed."""
        event = self.events.get(market.event_ticker)
        return event.series_ticker if event else ""

    def of_event(self, ticker: str) -> Sequence[Market]:
        """Return the markets of an event."""
        return self._by_event.get(ticker, [])

    def of_series(self, ticker: str) -> Sequence[Market]:
        """Return the markets of a series."""
        return self._by_series.get(ticker, [])

    def is_live(self, market: Market) -> bool:
        """Tell whether the live routes know a market."""
        settled_ts = _settled_ts(market)
        return settled_ts is None or settled_ts >= self.source.market_cutoff_ts

    def is_archived(self, market: Market) -> bool:
        """Tell whether the historical routes know a market."""
        settled_ts = _settled_ts(market)
        return settled_ts is not None and settled_ts < self.source.market_cutoff_ts + OVERLAP

    def live(self, ticker: str) -> Market | None:
        """Return a market of the live tier."""
        market = self.markets.get(ticker)
        return market if market is not None and self.is_live(market) else None

    def archived(self, ticker: str) -> Market | None:
        """Return a market of the archive."""
        market = self.markets.get(ticker)
        return market if market is not None and self.is_archived(market) else None

    def tell(self, market: Market, *, is_archived: bool = False) -> Json:
        """Return a market's payload, printed once per tier."""
        key = (market.ticker, is_archived)
        if key not in self._told:
            day_ago = self.source.quote_at(market.ticker, self.now_ts - DAY)
            self._told[key] = market_json(market, day_ago, is_archived=is_archived)
        return self._told[key]


def is_combo(listed: Market | Event) -> bool:
    """Tell whether a market or event is a multivariate one."""
    collection = listed.mve_collection_ticker if isinstance(listed, Market) else None
    return collection is not None or listed.ticker.startswith(COMBO_PREFIX)


def _settled_ts(market: Market) -> datetime | None:
    if market.settlement_ts is None and market.status == "finalized":
        return market.close_ts
    return market.settlement_ts
